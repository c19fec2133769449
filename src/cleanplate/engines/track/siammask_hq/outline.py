"""HQ-SAM asked for what is in a box, and asked again while the box does not fit the answer.

A box that cuts the object off is made larger, one that takes in far more is made smaller. HQ-SAM
sees a crop around the box and not the picture, so that small things are large to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cleanplate.arrays.masks import bounding_box, stability, without_small
from cleanplate.engines.track.shared.siammask.geometry import OUTSIDE, Place

if TYPE_CHECKING:
    from cleanplate.engines.segment.shared.decoding import DecodesMany
    from cleanplate.engines.track.siammask_hq.settings import SiamMaskHqSettings

_ROOM = 0.08  # of a box's sides, around what it is to hold: SAM knows boxes that are off by 0.1
_LEAST_ROOM = 2.0  # px
_BEYOND = 0.1  # of a box's sides, up to where its outline is believed
_SURROUNDINGS = 0.5  # of a box's longer side, shown around it
_LEAST_CROP = 64  # px a side; smaller ones show nothing but blur
_SMALL_IN_CROP = 0.25  # of a crop's longer side: what is smaller is looked at closer
_FAR_TOO_LARGE = 0.6  # a box more than so much smaller would do: it is made to fit
_ISLAND = 0.02  # of an outline: smaller parts of it are dropped

Point = tuple[float, float]


class Span(NamedTuple):
    """A rectangle x0, y0, x1, y1 in px of the picture, ends exclusive."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def longer(self) -> float:
        return max(self.x1 - self.x0, self.y1 - self.y0)

    @property
    def area(self) -> float:
        return max(self.x1 - self.x0, 0) * max(self.y1 - self.y0, 0)

    def common(self, other: Span) -> Span:
        low, high = map(max, self[:2], other[:2]), map(min, self[2:], other[2:])
        return Span(*low, *high)

    def grown(self, across: float, down: float) -> Span:
        return Span(self.x0 - across, self.y0 - down, self.x1 + across, self.y1 + down)

    def holds(self, x: float, y: float) -> bool:
        return self.x0 <= x < self.x1 and self.y0 <= y < self.y1


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """What HQ-SAM says of one object."""

    mask: np.ndarray
    """(H, W) bool."""
    probability: np.ndarray
    """(H, W) float32, -1 where it was not looked for."""
    quality: float
    """HQ-SAM's own estimate of the mask's IoU, 0..1."""
    stability: float
    """0..1: how little the mask depends on the threshold."""

    @property
    def area(self) -> float:
        return float(np.count_nonzero(self.mask))


def span_of(place: Place) -> Span:
    return Span(*place.corners[[0, 2]].ravel().tolist())


class Outliner:
    """Makes outlines from boxes; one serves all objects."""

    def __init__(self, segmenter: DecodesMany, settings: SiamMaskHqSettings) -> None:
        self._segmenter, self._settings = segmenter, settings

    def outline(
        self, image: np.ndarray, place: Place, inside: Point | None, others: list[Point]
    ) -> Outline:
        """What is at ``place``.

        Args:
            image: (H, W, 3) uint8 RGB.
            place: about where the object is, and how large.
            inside: a place inside the object; it is pointed at when others are near.
            others: places inside other objects.
        """
        whole = _whole(image)
        box = _with_room(span_of(place)).common(whole)
        view = _View(self._segmenter, image, box)
        found = view.outline(box, inside, others)
        for _ in range(self._settings.grow_times):
            wider = _wider(box, found.mask, self._settings.grow_by).common(whole)
            if wider == box:
                break
            box, view = wider, view.showing(wider)
            found = view.outline(box, inside, others)
        if not found.area:
            return found
        fitting = _with_room(_span_around(found.mask)).common(whole)
        if fitting.area < _FAR_TOO_LARGE * box.area:
            again = view.showing(fitting).outline(fitting, inside, others)
            found = max(found, again, key=lambda one: one.quality if one.area else -1)
        return found


class _View:
    """A crop of the picture, looked at once."""

    def __init__(self, segmenter: DecodesMany, image: np.ndarray, box: Span) -> None:
        self._segmenter, self._image = segmenter, image
        around = max(_SURROUNDINGS * box.longer, (_LEAST_CROP - box.longer) / 2)
        x0, y0, x1, y1 = box.grown(around, around).common(_whole(image))
        self._crop = Span(int(x0), int(y0), int(np.ceil(x1)), int(np.ceil(y1)))
        self._encoded = segmenter.encode(np.ascontiguousarray(image[self._pixels]))

    def showing(self, box: Span) -> _View:
        """This one, or a new one when it shows ``box`` with too little around it, or too small."""
        around = _BEYOND * box.longer
        wanted = box.grown(around, around).common(_whole(self._image))
        small = box.longer < _SMALL_IN_CROP * self._crop.longer and self._crop.longer > _LEAST_CROP
        if wanted.common(self._crop) == wanted and not small:
            return self
        return _View(self._segmenter, self._image, box)

    def outline(self, box: Span, inside: Point | None, others: list[Point]) -> Outline:
        near = [point for point in others if self._crop.holds(*point)]
        points = [inside, *near] if near and inside is not None else near
        labels = [1] * (len(points) - len(near)) + [0] * len(near)
        origin = np.array(self._crop[:2])
        decoded = self._segmenter.decode_many(
            self._encoded,
            (np.array(points) - origin)[None] if points else None,
            np.array(labels)[None] if points else None,
            (np.array(box) - np.tile(origin, 2))[None],
        )
        logits, quality = decoded.logits[0, 0], float(decoded.quality[0, 0])
        return self._placed(logits, box, quality)

    def _placed(self, logits: np.ndarray, box: Span, quality: float) -> Outline:
        """The outline in the whole picture, without what lies beyond ``box`` and small islands."""
        size = self._image.shape[:2]
        spread = np.full(size, -np.inf, np.float32)
        spread[self._pixels] = logits
        across, down = (_BEYOND * (high - low) for low, high in zip(box[:2], box[2:], strict=True))
        believed = np.zeros(size, bool)
        believed[_slices(box.grown(across, down).common(_whole(self._image)))] = True
        spread[~believed] = -np.inf
        mask = spread > 0
        mask, _ = without_small(mask, round(_ISLAND * np.count_nonzero(mask)), "islands")
        stable = float(np.nan_to_num(stability(logits[None], 0.0, 1.0)[0]))
        probability = np.full(size, OUTSIDE, np.float32)
        probability[believed] = 1 / (1 + np.exp(-np.clip(spread[believed], -80, 80)))
        return Outline(mask, probability, min(max(quality, 0.0), 1.0), stable)

    @property
    def _pixels(self) -> tuple[slice, slice]:
        return _slices(self._crop)


def _whole(image: np.ndarray) -> Span:
    return Span(0.0, 0.0, float(image.shape[1]), float(image.shape[0]))


def _slices(span: Span) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (round(value) for value in span)
    return slice(y0, y1), slice(x0, x1)


def _span_around(mask: np.ndarray) -> Span:
    box = bounding_box(mask)
    if box is None:
        return Span(0.0, 0.0, 0.0, 0.0)
    return Span(float(box.x0), float(box.y0), float(box.x1), float(box.y1))


def _with_room(span: Span) -> Span:
    width, height = span.x1 - span.x0, span.y1 - span.y0
    return span.grown(max(_ROOM * width, _LEAST_ROOM), max(_ROOM * height, _LEAST_ROOM))


def _wider(box: Span, mask: np.ndarray, by: float) -> Span:
    """``box`` with the sides that ``mask`` reaches moved out by the share ``by`` of its extent."""
    if not mask.any():
        return box
    reached = _span_around(mask)
    across, down = by * (box.x1 - box.x0), by * (box.y1 - box.y0)
    return Span(
        box.x0 - across * (reached.x0 <= round(box.x0)),
        box.y0 - down * (reached.y0 <= round(box.y0)),
        box.x1 + across * (reached.x1 >= round(box.x1)),
        box.y1 + down * (reached.y1 >= round(box.y1)),
    )
