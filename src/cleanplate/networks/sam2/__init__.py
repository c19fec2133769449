"""SAM 2.1 in its four sizes.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024. One file is one section of the
paper: ``hiera`` the image encoder, ``decoder`` prompts and masks, ``memory`` what is remembered,
``whole`` all of it together.
"""

from cleanplate.networks.sam2 import hiera
from cleanplate.networks.sam2.whole import Answer, Features, Sam2, prepared

__all__ = [
    "Answer",
    "Features",
    "Sam2",
    "prepared",
    "sam2_1_hiera_base_plus",
    "sam2_1_hiera_large",
    "sam2_1_hiera_small",
    "sam2_1_hiera_tiny",
]


def sam2_1_hiera_tiny() -> Sam2:
    return Sam2(hiera.TINY)


def sam2_1_hiera_small() -> Sam2:
    return Sam2(hiera.SMALL)


def sam2_1_hiera_base_plus() -> Sam2:
    return Sam2(hiera.BASE_PLUS)


def sam2_1_hiera_large() -> Sam2:
    return Sam2(hiera.LARGE)
