"""What a job can be told: one frozen dataclass for each group of settings.

The command line, the app and the report are made from these fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

from cleanplate.errors import InputError
from cleanplate.settings.amounts import parse_bytes
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.settings.fields import check, setting

AUTO = "auto"
LETTERS, WHOLE_BOX = "letters", "box"  # what of a still box is removed
PRINT = "letters"  # the segmenter for prints, whose outlines hold their own margin


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Which engines do the work, and where."""

    static: bool = setting(False, "It does not move: a burned-in logo, caption or watermark.")
    segmenter: str = setting(
        AUTO,
        "Engine that outlines what you point at; auto takes a box or mask alone as it is drawn and "
        "uses sam2 for anything else where its weights are here, or grabcut.",
    )
    tracker: str = setting(
        AUTO,
        "Engine that tracks it; auto is planar, or fixed with --static; for what "
        "points or strokes pick it is sam2, where its weights are here.",
    )
    inpainter: str = setting("flowfill", "Engine that paints the background.")
    device: str = setting(AUTO, "Where to compute: auto, cpu, cuda or mps.")
    precision: str = setting(
        AUTO,
        "Number format that networks compute in.",
        choices=(AUTO, "float32", "bfloat16", "float16"),
    )
    seed: int = setting(0, "Seed for everything random.", low=0)
    memory: str | None = setting(
        None, "The most memory that a learned engine may use: 6GiB, 800MB; unset for what it needs."
    )

    def __post_init__(self) -> None:
        check(self)
        if self.memory is not None:
            parse_bytes(self.memory)

    @property
    def tracker_name(self) -> str:
        """The tracker in ``tracker``; for ``auto`` fixed with ``static``, else planar.

        What ``auto`` takes for a single object, ``tracks.choice`` says.
        """
        if self.tracker != AUTO:
            return self.tracker
        return "fixed" if self.static else "planar"


@dataclass(frozen=True, slots=True)
class MaskSettings:
    """How an outline becomes the pixels that change."""

    overlay: str = setting(
        AUTO,
        "What to remove from a box that does not move: letters are the shapes in it that stay "
        "while the picture behind them moves, box is all of it; auto takes the letters where they "
        "are clear.",
        choices=(AUTO, LETTERS, WHOLE_BOX),
    )
    grow: int | None = setting(
        None,
        "How far every mask grows; by default what cleanplate outlined or tracked grows by 1/100 "
        "of the height (at least 4) before it is filled, letters by 1/400 (at least 2), and masks "
        "and still boxes of yours not at all.",
        low=0,
        high=500,
        unit="px",
    )
    feather: int | None = setting(
        None,
        "Fade the fill in over this width, inwards from the edge of the mask; by default up to 2, "
        "and never more than the mask has grown.",
        low=0,
        high=100,
        unit="px",
    )

    def __post_init__(self) -> None:
        check(self)

    def grown_by(self, height: int, exact: bool, is_print: bool) -> int:
        """Growth in px; ``exact`` says that the mask is the user's own, ``is_print`` that its
        outline is that of letters."""
        if self.grow is not None:
            return self.grow
        if exact:
            return 0
        return max(2, round(height / 400)) if is_print else max(4, round(height / 100))

    def feathered_by(self, grown: int) -> int:
        """Width of the rim in px, for masks that have grown by ``grown``."""
        return min(2, grown) if self.feather is None else self.feather


@dataclass(frozen=True, slots=True)
class SpanSettings:
    """The part of the clip to work on; the output holds that part."""

    stream: int | None = setting(
        None,
        "Work on this video stream of the file, by its number in info; by default the one that "
        "plays.",
        low=0,
    )
    start: str | None = setting(None, "Begin at this frame (@120) or time (4.5s, 0:04.5).")
    end: str | None = setting(None, "Stop before this frame (@120) or time (4.5s, 0:04.5).")

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True)
class RegionSettings:
    """How much of the picture around a mask an engine may see."""

    context: float = setting(
        0.75,
        "Context around the mask on each side, relative to the square root of its box's area.",
        low=0,
        high=10,
    )
    least_context: int = setting(
        64, "The least context around the mask on each side.", low=0, high=4096, unit="px"
    )

    def __post_init__(self) -> None:
        check(self)


SHADOW, REFLECTION = "shadow", "reflection"
_KINDS = (SHADOW, REFLECTION)


@dataclass(frozen=True, slots=True)
class AttachedSettings:
    """What goes with an object."""

    also: str = setting(
        "",
        "What goes where an object goes, to be removed with it: shadow, reflection or both, with a "
        "comma, where the shot shows the ground without it; empty for nothing.",
    )

    def __post_init__(self) -> None:
        check(self)
        for kind in self.also.split(","):
            if self.also and kind.strip() not in _KINDS:
                raise InputError(
                    f"also is {self.also!r}; expected {' or '.join(_KINDS)}, or both with a comma."
                )

    @property
    def kinds(self) -> tuple[str, ...]:
        """``also`` as a list, in one order however it was typed."""
        typed = [kind.strip() for kind in self.also.split(",")]
        return tuple(kind for kind in _KINDS if kind in typed)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a job can be told, in groups."""

    engines: EngineSettings = field(default_factory=EngineSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)
    attached: AttachedSettings = field(default_factory=AttachedSettings)
    span: SpanSettings = field(default_factory=SpanSettings)
    regions: RegionSettings = field(default_factory=RegionSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    engine_fields: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    """Settings of single engines: name -> field -> text."""


def settings_from(
    values: Mapping[str, Any], engine_settings: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Sort single values into the groups that they belong to.

    Args:
        values: field of any group -> value.
        engine_settings: settings of single engines: name -> field -> value.

    Raises:
        InputError: a name that no group has, or a value out of its range.
    """
    remaining = dict(values)
    groups: dict[str, Any] = {}
    for group in fields(Settings):
        if is_dataclass(group.default_factory):
            names = {f.name for f in fields(group.default_factory)} & remaining.keys()
            chosen = {name: remaining.pop(name) for name in names}
            groups[group.name] = group.default_factory(**chosen)  # type: ignore[operator]
    if remaining:
        raise InputError(
            f"There is no setting {', '.join(sorted(remaining))}; see docs/cli.md for all."
        )
    texts = {
        name: {key: str(value) for key, value in chosen.items()}
        for name, chosen in (engine_settings or {}).items()
    }
    return Settings(**groups, engine_fields=texts)
