"""LaMa on every frame by itself, steadied along the flow: the learned baseline for still pictures.

Suvorov et al., WACV 2022. The network sees one picture and knows nothing of the others: what other
frames show is not used, and what is invented anew in each frame shimmers, less for the steadying.
``flowfill.unseen=lama`` invents once and keeps real background where there is any.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import ClassVar

import numpy as np

from cleanplate.engines.inpaint.flowfill.carry import flow_picture
from cleanplate.engines.inpaint.flowfill.plates import (
    MotionModel,
    Plate,
    connect,
    make_plate,
    steadied,
)
from cleanplate.engines.inpaint.shared.inputs import same_sizes
from cleanplate.engines.inpaint.shared.lama import CHECKPOINT, Lama
from cleanplate.engines.inpaint.shared.painting import Painter
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Frame, MaskedFrame

_FLOW_SIDE = 448  # px of the longest side at which motion is looked for
_BAND = 5


@dataclass(frozen=True)
class Settings:
    """What can be set of it."""

    weights: str = setting(
        "", "Path of a weights file; empty for the one that cleanplate weights keeps."
    )
    steady: bool = setting(True, "Average each fill with the one before it, along the motion.")

    def __post_init__(self) -> None:
        check(self)


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "inpaint",
        "lama",
        "Paints each frame by itself with a network that knows what pictures look like.",
        needs=("torch",),
        extra="networks",
        checkpoints=(CHECKPOINT,),
        live={},
        order=35,
        choices=(
            Choice(
                "LaMa, frame by frame",
                "Paints each frame like a photograph; it may shimmer.",
            ),
        ),
    )
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(
        self, settings: Settings, runtime: Runtime, painter: Painter | None = None
    ) -> None:
        """``painter`` stands in for LaMa."""
        self.settings = settings
        self._painter = painter or Lama(settings.weights, runtime)

    @property
    def lookahead(self) -> int | None:
        """Frames of the future that a fill needs: none."""
        return 0

    @property
    def lookback(self) -> int | None:
        """Each steadied fill goes into the next."""
        return None if self.settings.steady else 0

    @property
    def window(self) -> int | None:
        """Most frames alive at once: with ``steady`` the one before it, too."""
        return 2 if self.settings.steady else 1

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        """Fill (H, W, 3) uint8 frames under their masks, one by one and shot by shot.

        Args:
            frames: in order, all of a shot of one size; taken lazily and once.
        """
        for _, shot in groupby(same_sizes(frames), key=lambda masked: masked.frame.shot):
            yield from self._fill_shot(shot)

    def _fill_shot(self, shot: Iterable[MaskedFrame]) -> Iterator[Frame]:
        before: tuple[Plate, np.ndarray] | None = None
        for number, masked in enumerate(shot):
            hole = masked.mask != 0
            if not hole.any():
                before = None
                yield masked.frame
                continue
            image = self._painter.paint(masked.frame.image, hole)
            if self.settings.steady:
                plate = make_plate(number, masked.frame.image, hole, np.array(masked.origin, float))
                plate.grey, plate.grey_hole = flow_picture(plate, image, _FLOW_SIDE)
                if before is not None:
                    image = _steadied(before, plate, image)
                before = plate, image
            image = image.copy()
            image.flags.writeable = False
            yield replace(masked.frame, image=image)


def _steadied(before: tuple[Plate, np.ndarray], plate: Plate, image: np.ndarray) -> np.ndarray:
    """``image`` averaged with the fill before it, carried along the motion."""
    earlier, filled = before
    connect(earlier, plate, _BAND, "fine", (MotionModel.FREE,))
    return steadied(plate, {earlier.number: filled, plate.number: image}, steps=(-1,))
