"""The pipeline on arrays: what a file gives in use, a list of images gives in an evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

from cleanplate.arrays.masks import object_boxes
from cleanplate.arrays.regions import NONE, Margins, plan
from cleanplate.media.composite import Patch
from cleanplate.pipeline.fill import MaskedPicture, fill
from cleanplate.pipeline.regions import PlannedRegions
from cleanplate.types import Box

_MARGINS = Margins(0.75, 64)


@dataclass(frozen=True, slots=True, eq=False)
class ArrayPicture:
    """An image that the pipeline takes for a decoded picture."""

    index: int
    time: Fraction
    image: np.ndarray

    def rgb(self, box: Box | None = None) -> np.ndarray:
        return self.image if box is None else self.image[box.slices]


def paste(picture: ArrayPicture, patches: Sequence[Patch]) -> ArrayPicture:
    """The picture with the patches over it; hard edges, as the published protocol has them."""
    image = picture.image.copy()
    for patch in patches:
        inside = patch.alpha > 0
        image[patch.box.slices][inside] = patch.image[inside]
    return replace(picture, image=image)


def mask_boxes(masks: Iterable[np.ndarray], count: int) -> dict[int, np.ndarray]:
    """For each object id (N, 4) int32 boxes, as ``arrays.regions.plan`` takes them."""
    boxes: dict[int, np.ndarray] = {}
    for index, mask in enumerate(masks):
        for object_id, box in object_boxes(mask).items():
            rows = boxes.setdefault(object_id, np.full((count, 4), NONE, np.int32))
            rows[index] = box.x0, box.y0, box.x1, box.y1
    return boxes


def filled(
    images: Iterable[np.ndarray],
    masks: Iterable[np.ndarray],
    boxes: dict[int, np.ndarray],
    shots: np.ndarray,
    size: tuple[int, int],
    inpainter: Any,
) -> Iterator[np.ndarray]:
    """The images with what the masks cover filled by ``inpainter``, in regions, as in use."""
    width, height = size
    lookback, lookahead = inpainter.lookback, inpainter.lookahead
    regions = plan(boxes, shots, width, height, _MARGINS, lookback, lookahead)
    pictures = (
        MaskedPicture(ArrayPicture(index, Fraction(index), image), mask, int(shots[index]))
        for index, (image, mask) in enumerate(zip(images, masks, strict=True))
    )
    planned = PlannedRegions(regions, lookback)
    for picture in fill(pictures, planned, inpainter, 0, 0, len(shots), paste):
        yield picture.image
