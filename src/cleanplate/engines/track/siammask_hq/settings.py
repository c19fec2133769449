"""What the tracker of SiamMask and HQ-SAM can be told."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.errors import InputError
from cleanplate.settings import check, setting


@dataclass(frozen=True, slots=True)
class SiamMaskHqSettings:
    variant: str = setting(
        "davis",
        "Which published SiamMask finds the box, with its tuning.",
        choices=("davis", "vot", "vot_ld"),
    )
    model: str = setting(
        "vit_tiny",
        "Size of HQ-SAM, which outlines: vit_tiny, vit_b, vit_l, vit_h.",
        choices=("vit_tiny", "vit_b", "vit_l", "vit_h"),
    )
    lost_below: float = setting(
        0.3, "Confidence under which an object counts as gone; 0: it never does.", low=0, high=1
    )
    sure_above: float = setting(
        0.7, "Confidence from which an object counts as whole, or as found again.", low=0, high=1
    )
    least_quality: float = setting(
        0.7, "HQ-SAM's estimate of an outline from which it is believed.", low=0, high=1
    )
    least_stability: float = setting(
        0.7, "Stability of an outline from which it is believed.", low=0, high=1
    )
    agreement: float = setting(
        0.5, "Overlap (IoU) of an outline's box with SiamMask's from which it is believed.", low=0
    )
    fall: float = setting(
        3.0, "An outline whose area falls by more than this factor at once is doubted.", low=1
    )
    grow_times: int = setting(
        3, "A box whose edge the outline reaches grows at most so often a frame.", low=0, high=10
    )
    grow_by: float = setting(0.25, "Share of its extent by which a box grows.", low=0.05, high=1)
    weights: str = setting(
        "", "SiamMask's weights file; empty takes the one of cleanplate weights."
    )
    hq_weights: str = setting(
        "", "HQ-SAM's weights file; empty takes the one of cleanplate weights."
    )

    def __post_init__(self) -> None:
        check(self)
        if self.lost_below >= self.sure_above:
            raise InputError(
                f"Setting lost_below is {self.lost_below}; it must be below sure_above, "
                f"{self.sure_above}."
            )
