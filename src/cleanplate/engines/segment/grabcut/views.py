"""A part of the picture seen small: where prompts are drawn, and from where outlines come back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.prompts import draw_strokes
from cleanplate.engines.segment.grabcut import outline
from cleanplate.types import Box, Point, Prompt

CLICK = 2  # px of the view, radius of what a click holds
BAND = 2  # px of the view that an outline may move by when it is enlarged
ROWS = 32000  # the most that OpenCV interpolates in one column


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """The rectangle ``crop`` of a picture, ``scale`` times as large."""

    crop: Box
    image: np.ndarray
    """(h, w, 3) uint8 RGB, the crop made small."""

    @classmethod
    def of(cls, image: np.ndarray, crop: Box, side: int) -> View:
        """``crop`` of ``image`` with a long side of at most ``side`` px."""
        return cls(crop, shrink(image[crop.slices], side))

    @property
    def scale(self) -> float:
        """Pixels of the view for one of the picture."""
        return max(self.image.shape[:2]) / max(self.crop.height, self.crop.width)

    def hold(self, prompt: Prompt, box: Box | None) -> np.ndarray:
        """(h, w) float32: 1 under positive clicks and strokes, 0 under negative ones and outside
        of ``box``, NaN elsewhere. Where two meet, the later one holds."""
        held = np.full(self.image.shape[:2], np.nan, np.float32)
        if box is not None:
            held[...] = 0
            held[self.within(box)] = np.nan
        for event in self.events(prompt):
            held = np.where(np.isnan(event), held, event)
        return held

    def events(self, prompt: Prompt) -> list[np.ndarray]:
        """What each stroke, then each click of ``prompt`` holds: (h, w) float32, 1, 0 or NaN."""
        origin = (self.crop.x0, self.crop.y0)
        size = self.image.shape[:2]
        drawn = [
            (draw_strokes([stroke], size, self.scale, origin), stroke.positive)
            for stroke in prompt.brushes
        ]
        drawn += [(self._click(point), point.positive) for point in prompt.points]
        return [np.where(d, np.float32(p), np.float32(np.nan)) for d, p in drawn]

    def _click(self, point: Point) -> np.ndarray:
        x, y = (point.x - self.crop.x0) * self.scale, (point.y - self.crop.y0) * self.scale
        canvas = np.zeros(self.image.shape[:2], np.uint8)
        cv2.circle(canvas, (int(x), int(y)), CLICK, 1, -1)
        return canvas > 0

    def within(self, box: Box) -> tuple[slice, slice]:
        """The pixels of the view that ``box`` of the picture covers; at least one each way."""
        edges = np.array([box.x0 - self.crop.x0, box.y0 - self.crop.y0]) * self.scale
        ends = np.array([box.x1 - self.crop.x0, box.y1 - self.crop.y0]) * self.scale
        height, width = self.image.shape[:2]
        x0, y0 = np.clip(np.round(edges).astype(int), 0, [width - 1, height - 1])
        x1, y1 = np.clip(np.round(ends).astype(int), [x0 + 1, y0 + 1], [width, height])
        return slice(y0, y1), slice(x0, x1)

    def reduce(self, mask: np.ndarray) -> np.ndarray:
        """(h, w) bool: ``mask`` of the whole picture in the view."""
        height, width = self.image.shape[:2]
        here = mask[self.crop.slices].astype(np.float32)
        return cv2.resize(here, (width, height), interpolation=cv2.INTER_AREA) >= 0.5

    def enlarge(self, mask: np.ndarray, image: np.ndarray) -> np.ndarray:
        """``mask`` ((h, w) bool) in the whole picture ``image``, drawn to its edges."""
        whole = np.zeros(image.shape[:2], bool)
        if self.scale >= 1:
            whole[self.crop.slices] = mask
            return whole
        near = outline.box_of(mask, 3 * BAND)  # what the guide of the outline looks at
        if near is None:
            return whole
        window = self._outwards(near)
        values = mask.astype(np.float32)
        kernel = outline.disc(BAND)
        surely = self._sample(cv2.erode(values, kernel), window) > 0.5
        maybe = self._sample(cv2.dilate(values, kernel), window) > 0.5
        rows, columns = np.nonzero(maybe & ~surely)  # the rest of a large thing needs no colours
        if len(rows):
            colours = image[window.slices][rows, columns].astype(np.float32) / 255
            slope, offset = outline.guide(self.image[near.slices], values[near.slices], BAND)
            places = self._places(window, near, rows, columns)
            line = (_interpolated(slope, places) * colours).sum(axis=1)
            surely[rows, columns] = line + _interpolated(offset, places) > 0.5
        whole[window.slices] = surely
        return whole

    def _outwards(self, box: Box) -> Box:
        """The pixels of the picture under ``box`` of the view."""
        x0, y0 = (int(np.floor(v / self.scale)) for v in (box.x0, box.y0))
        x1, y1 = (int(np.ceil(v / self.scale)) for v in (box.x1, box.y1))
        x, y = self.crop.x0, self.crop.y0
        return Box(x + x0, y + y0, min(x + x1, self.crop.x1), min(y + y1, self.crop.y1))

    def _places(
        self, window: Box, near: Box, rows: np.ndarray, columns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """x and y, in the part ``near`` of the view, of pixels of the picture's ``window``."""
        x = (columns + (window.x0 - self.crop.x0 + 0.5)) * self.scale - 0.5 - near.x0
        y = (rows + (window.y0 - self.crop.y0 + 0.5)) * self.scale - 0.5 - near.y0
        return x.astype(np.float32), y.astype(np.float32)

    def _sample(self, values: np.ndarray, window: Box) -> np.ndarray:
        """``values`` of the view's pixels, interpolated in the picture's pixels of ``window``."""
        x, y = window.x0 - self.crop.x0 + 0.5, window.y0 - self.crop.y0 + 0.5
        mapping = np.array(
            [[self.scale, 0, x * self.scale - 0.5], [0, self.scale, y * self.scale - 0.5]]
        )
        return cv2.warpAffine(
            values,
            mapping,
            (window.width, window.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )


def _interpolated(values: np.ndarray, places: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(n,) or (n, channels): ``values`` between pixels, at n places (x, y)."""
    x, y = (place[:, None] for place in places)
    parts = [
        cv2.remap(
            *(values, x[start : start + ROWS], y[start : start + ROWS], cv2.INTER_LINEAR),
            borderMode=cv2.BORDER_REPLICATE,
        )[:, 0]
        for start in range(0, len(x), ROWS)
    ]
    return np.concatenate(parts)


def shrink(image: np.ndarray, side: int) -> np.ndarray:
    """``image`` with a long side of at most ``side`` px."""
    scale = side / max(image.shape[:2])
    if scale >= 1:
        return image
    width, height = (max(1, round(s * scale)) for s in image.shape[1::-1])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
