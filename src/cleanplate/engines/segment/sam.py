"""SAM: outlines anything that a click, a box or a rough mask points at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cleanplate.engines.segment.shared.sam import SamEngine, SamSettings
from cleanplate.protocols import About, Choice
from cleanplate.settings import setting


@dataclass(frozen=True, slots=True)
class Settings(SamSettings):
    """How large a network, and how many masks."""

    model: str = setting(
        "vit_b", "Size of the encoder: vit_b, vit_l, vit_h.", choices=("vit_b", "vit_l", "vit_h")
    )


class Engine(SamEngine):
    """Kirillov et al., "Segment Anything", ICCV 2023."""

    about: ClassVar = About(
        "segment",
        "sam",
        "Outlines anything that a click, a box or a rough mask points at.",
        needs=("torch", "PIL"),
        extra="networks",
        checkpoints=("sam_vit_b", "sam_vit_l", "sam_vit_h"),
        order=40,
        choices=(
            Choice(
                "Learned: SAM",
                "Recognises objects; offers up to three outlines.",
            ),
        ),
    )
    Settings: ClassVar = Settings

    @property
    def checkpoint(self) -> str:
        """``sam_`` and the size of the encoder that is set."""
        return f"sam_{self.settings.model}"
