"""The settings of the tracker made of SiamMask and HQ-SAM."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.errors import InputError
from cleanplate.settings import check, setting


@dataclass(frozen=True, slots=True)
class SiamMaskHqSettings:
    """Which weights, how boxes are made to fit, and from which confidence on an outline is
    believed."""

    variant: str = setting(
        "davis",
        "Which published SiamMask weights and tuning find the box.",
        choices=("davis", "vot", "vot_ld"),
    )
    model: str = setting(
        "vit_tiny",
        "Size of HQ-SAM, which draws the outline: vit_tiny, vit_b, vit_l, vit_h.",
        choices=("vit_tiny", "vit_b", "vit_l", "vit_h"),
    )
    lost_below: float = setting(
        0.3, "Below this confidence an object counts as gone; 0 for never.", low=0, high=1
    )
    sure_above: float = setting(
        0.7,
        "From this confidence on an object counts as fully visible, or as found again.",
        low=0,
        high=1,
    )
    least_quality: float = setting(
        0.7, "The least quality that HQ-SAM must predict for an outline to be used.", low=0, high=1
    )
    least_stability: float = setting(
        0.7, "The least stability of an outline for it to be used.", low=0, high=1
    )
    agreement: float = setting(
        0.5, "The least overlap (IoU) of an outline's box with SiamMask's for it to be used.", low=0
    )
    fall: float = setting(
        3.0,
        "An outline whose area shrinks by more than this factor in one frame is not used.",
        low=1,
    )
    grow_times: int = setting(
        3,
        "How many times in a frame a box may grow when the outline reaches its edge.",
        low=0,
        high=10,
    )
    grow_by: float = setting(
        0.25, "How much a box grows, as a share of its size.", low=0.05, high=1
    )
    weights: str = setting(
        "", "Path of SiamMask weights; empty for those that cleanplate weights keeps."
    )
    hq_weights: str = setting(
        "", "Path of HQ-SAM weights; empty for those that cleanplate weights keeps."
    )

    def __post_init__(self) -> None:
        check(self)
        if self.lost_below >= self.sure_above:
            raise InputError(
                f"Setting lost_below is {self.lost_below}; it must be below sure_above, "
                f"{self.sure_above}."
            )
