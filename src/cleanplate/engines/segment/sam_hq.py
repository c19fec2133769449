"""HQ-SAM: SAM with finer borders; its vit_tiny is quick on a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cleanplate.engines.segment.shared.sam import SamEngine, SamSettings
from cleanplate.protocols import About, Choice
from cleanplate.settings import setting

MODELS = ("vit_tiny", "vit_b", "vit_l", "vit_h")


@dataclass(frozen=True, slots=True)
class Settings(SamSettings):
    """How large a network, and how many masks."""

    model: str = setting(
        "vit_tiny", "Size of the encoder: vit_tiny, vit_b, vit_l, vit_h.", choices=MODELS
    )


class Engine(SamEngine):
    """Ke et al., "Segment Anything in High Quality", NeurIPS 2023."""

    about: ClassVar = About(
        "segment",
        "sam_hq",
        "SAM with finer borders; vit_tiny is fast on a CPU.",
        needs=("torch", "PIL"),
        extra="networks",
        checkpoints=tuple(f"sam_hq_{model}" for model in MODELS),
        order=30,
        choices=(
            Choice(
                "Learned: SAM-HQ",
                "Recognises objects; good on hair and thin parts.",
            ),
        ),
    )
    Settings: ClassVar = Settings

    @property
    def checkpoint(self) -> str:
        """``sam_hq_`` and the size of the encoder that is set."""
        return f"sam_hq_{self.settings.model}"
