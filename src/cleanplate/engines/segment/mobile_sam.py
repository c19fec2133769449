"""MobileSAM: SAM with an encoder that is quick on a CPU."""

from __future__ import annotations

from typing import ClassVar

from cleanplate.engines.segment.shared.sam import SamEngine, SamSettings
from cleanplate.protocols import About, Choice


class Engine(SamEngine):
    """Zhang et al., "Faster Segment Anything", 2023."""

    about: ClassVar = About(
        "segment",
        "mobile_sam",
        "SAM with a small encoder: up to three masks to choose from, fast on a CPU.",
        needs=("torch", "PIL"),
        extra="networks",
        checkpoints=("mobile_sam",),
        order=50,
        choices=(
            Choice(
                "Learned: MobileSAM",
                "Recognises objects; fast without a graphics card.",
            ),
        ),
    )
    Settings: ClassVar = SamSettings

    @property
    def checkpoint(self) -> str:
        """``mobile_sam``, the only one."""
        return "mobile_sam"
