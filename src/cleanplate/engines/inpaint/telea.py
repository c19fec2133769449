"""The baseline: each frame alone, painted in from the hole's rim inwards.

Telea, "An Image Inpainting Technique Based on the Fast Marching Method", 2004, as in OpenCV.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np

from cleanplate.engines.inpaint.shared.inputs import same_sizes
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Frame, MaskedFrame

_GREY = 128  # of a picture of which nothing is known


@dataclass(frozen=True)
class Settings:
    """How far around a pixel colours are taken from."""

    radius: float = setting(
        5.0, "How far around a pixel colours are taken from.", low=1, high=50, unit="px"
    )

    def __post_init__(self) -> None:
        check(self)


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "inpaint",
        "telea",
        "Fills each frame by itself from the rim of the hole: fast and blurry, the baseline.",
        live={},
        order=30,
        choices=(
            Choice(
                "Draft",
                "Each frame from the edge of its hole: fast and blurry.",
            ),
        ),
        seconds_per_megapixel={"cpu": 0.24},
    )
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self.settings = settings

    @property
    def lookahead(self) -> int | None:
        """0: each frame is filled from itself alone."""
        return 0

    @property
    def lookback(self) -> int | None:
        """0: each frame is filled from itself alone."""
        return 0

    @property
    def window(self) -> int | None:
        """1: the frame itself."""
        return 1

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        """See ``Inpainter.inpaint``.

        Raises:
            MaskError: masks or images of differing sizes.
        """
        for masked in same_sizes(frames):
            hole = masked.mask != 0
            if not hole.any():
                yield masked.frame
                continue
            filled = _paint(masked.frame.image, hole, self.settings.radius)
            filled.flags.writeable = False
            yield replace(masked.frame, image=filled)


def _paint(image: np.ndarray, hole: np.ndarray, radius: float) -> np.ndarray:
    if hole.all():
        return np.full_like(image, _GREY)
    painted = cv2.inpaint(image, hole.astype(np.uint8), radius, cv2.INPAINT_TELEA)
    return np.where(hole[..., None], painted, image)  # it also touches the rim of a border
