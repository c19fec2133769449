"""The settings of the SiamMask tracker."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.errors import InputError
from cleanplate.settings import check, setting


@dataclass(frozen=True, slots=True)
class SiamMaskSettings:
    """Which weights, what is marked as the object, and from which confidence on it is believed."""

    variant: str = setting(
        "davis",
        "Which published weights and tuning: davis for outlines, vot and vot_ld for boxes.",
        choices=("davis", "vot", "vot_ld"),
    )
    shape: str = setting(
        "mask",
        "What becomes the mask: the outline, the box, or the smallest rotated box around it.",
        choices=("mask", "box", "rotated box"),
    )
    refine: bool = setting(
        True, "Draw a fine outline; off is faster, and needed for weights without a refinement."
    )
    lost_below: float = setting(
        0.3,
        "Below this confidence an object counts as gone; 0, as published, for never.",
        low=0,
        high=1,
    )
    sure_above: float = setting(
        0.7,
        "From this confidence on an object counts as fully visible, or as found again.",
        low=0,
        high=1,
    )
    weights: str = setting(
        "", "Path of a weights file; empty for the one that cleanplate weights keeps."
    )

    def __post_init__(self) -> None:
        check(self)
        if self.lost_below > self.sure_above:
            raise InputError(
                f"Setting lost_below is {self.lost_below}; it must be at most sure_above, "
                f"{self.sure_above}."
            )
