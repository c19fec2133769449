"""What restoration looks for, and how sure it must be."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.errors import InputError
from cleanplate.settings.fields import check, setting

DIRT, SCRATCHES, DROPOUTS = "dirt", "scratches", "dropouts"
KINDS = (DIRT, SCRATCHES, DROPOUTS)


@dataclass(frozen=True)
class RestorationSettings:
    """What is damage."""

    find: str = setting(
        ",".join(KINDS),
        "What to look for, separated by commas: dirt is blotches, specks and fibres of one frame; "
        "scratches are upright lines that stay; dropouts are streaks and lines of tape.",
    )
    least_confidence: float = setting(
        0.2,
        "How sure it must be, from 0 to 1, before it is proposed: less finds more, and more that "
        "is no damage.",
        low=0.05,
        high=0.99,
    )

    flicker: bool = setting(
        False,
        "Steady the light of the whole frame where it goes up and down from frame to frame; fades, "
        "flashes and lamps that are switched on stay.",
    )

    def __post_init__(self) -> None:
        check(self)
        for kind in self.kinds:
            if kind not in KINDS:
                raise InputError(
                    f"Setting find holds {kind!r}; choose among: {', '.join(KINDS)}, separated by "
                    "commas."
                )

    @property
    def kinds(self) -> frozenset[str]:
        """What to look for."""
        return frozenset(part.strip() for part in self.find.split(",") if part.strip())
