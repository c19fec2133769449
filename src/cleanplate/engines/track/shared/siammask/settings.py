"""What the SiamMask tracker can be told."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.errors import InputError
from cleanplate.settings import check, setting


@dataclass(frozen=True, slots=True)
class SiamMaskSettings:
    variant: str = setting(
        "davis",
        "Which published weights, with their tuning: davis for outlines, vot and vot_ld for boxes.",
        choices=("davis", "vot", "vot_ld"),
    )
    shape: str = setting(
        "mask",
        "What is marked: the outline, the box, or the smallest rotated box around the outline.",
        choices=("mask", "box", "rotated box"),
    )
    refine: bool = setting(
        True, "Draw the outline finely; no is quicker, and all that weights without refinement can."
    )
    lost_below: float = setting(
        0.3, "Confidence under which an object counts as gone; 0 as published.", low=0, high=1
    )
    sure_above: float = setting(
        0.7, "Confidence from which an object counts as whole, or as found again.", low=0, high=1
    )
    weights: str = setting("", "A weights file; empty takes the one of cleanplate weights.")

    def __post_init__(self) -> None:
        check(self)
        if self.lost_below > self.sure_above:
            raise InputError(
                f"Setting lost_below is {self.lost_below}; it must be at most sure_above, "
                f"{self.sure_above}."
            )
