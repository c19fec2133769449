"""A frame as the plane tracker looks at it: grey windows and features, made once when asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np

from cleanplate.arrays import planes

COARSEST = 5  # halvings
ROOM = 32  # px, that a window is larger than asked for: the next look is seldom the same
FEATURES = 2000
FAINT = 7  # grey levels, that a feature stands out by
PATCH = 31  # px, that a feature is described by
LARGEST = 1920  # px, long side of the picture in which features are found
Box = tuple[int, int, int, int]  # left, top, right, bottom, ends exclusive, px


@dataclass(slots=True, eq=False)
class Features:
    """ORB points (Rublee et al., 2011)."""

    points: np.ndarray
    """(n, 2) float32, pixel centres."""
    descriptors: np.ndarray
    """(n, 32) uint8."""


@dataclass(slots=True, eq=False)
class Window:
    """A part of a grey picture, as a pyramid."""

    box: Box
    """In the picture; it begins at a multiple of ``2 ** COARSEST``."""
    levels: list[np.ndarray]

    def level(self, number: int) -> np.ndarray:
        """Halved ``number`` times; its pixel i lies on pixel i * 2^number of the window."""
        while len(self.levels) <= number:
            self.levels.append(cv2.pyrDown(self.levels[-1]))
        return self.levels[number]


@dataclass(slots=True, eq=False)
class Picture:
    """One frame, shared by all planes that are tracked in it; only what is looked at is made."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB or (H, W) uint8 grey."""
    _window: Window | None = None
    _grey: np.ndarray | None = None
    _features: dict[float, Features] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in px."""
        return self.image.shape[1], self.image.shape[0]

    @property
    def grey(self) -> np.ndarray:
        """(H, W) uint8."""
        if self._grey is None:
            self._grey = _grey(self.image)
        return self._grey

    def window(self, box: Box, number: int) -> Window:
        """A part with all that ``box`` needs at level ``number``: there it is what the whole
        picture would be."""
        width, height = self.size
        reach = 4 << number
        x0, y0 = min(max(box[0] - reach, 0), width - 1), min(max(box[1] - reach, 0), height - 1)
        x1, y1 = min(max(box[2] + reach, 1), width), min(max(box[3] + reach, 1), height)
        had = self._window
        if had is not None:
            left, top, right, bottom = had.box
            if left <= x0 and top <= y0 and right >= x1 and bottom >= y1:
                return had
        x0, y0 = x0 >> COARSEST << COARSEST, y0 >> COARSEST << COARSEST
        x1, y1 = min(x1 + ROOM, width), min(y1 + ROOM, height)
        known = self.image if self._grey is None else self._grey
        self._window = Window((x0, y0, x1, y1), [_grey(known[y0:y1, x0:x1])])
        return self._window

    def part(self, box: Box, number: int) -> tuple[np.ndarray, tuple[int, int]]:
        """``box`` of the picture halved ``number`` times, and its first pixel (x, y) there."""
        window = self.window(box, number)
        x, y = box[0] >> number, box[1] >> number
        left, top = (side >> number for side in window.box[:2])
        right, bottom = (-(-side >> number) for side in box[2:])
        part = window.level(number)[y - top : bottom - top, x - left : right - left]
        return np.ascontiguousarray(part), (x, y)

    def rectify(
        self, mapping: np.ndarray, size: tuple[int, int], step: float
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Sample the picture where ``mapping`` (3, 3) sends the pixels of a patch.

        Args:
            mapping: patch pixel centres to picture pixel centres.
            size: (width, height) of the patch.
            step: picture pixels for one patch pixel, to sample from a level that does not alias.

        Returns:
            (height, width) float32, the border repeated outside of the picture; and (height,
            width) bool, whether each lies in the picture: None if all do.
        """
        number = min(max(math.floor(math.log2(max(step, 1.0)) + 0.25), 0), COARSEST)
        width, height = size
        ends = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
        ends = planes.apply(mapping, ends)
        (x0, y0), (x1, y1) = ends.min(axis=0).tolist(), ends.max(axis=0).tolist()
        box = (math.floor(x0), math.floor(y0), math.ceil(x1) + 1, math.ceil(y1) + 1)
        window = self.window(box, number)
        left, top = window.box[:2]
        shrink = 0.5**number
        to_level = np.array([[shrink, 0, -left * shrink], [0, shrink, -top * shrink], [0, 0, 1]])
        patch = cv2.warpPerspective(
            window.level(number),
            to_level @ mapping,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        whole = x0 >= 0 and y0 >= 0 and x1 <= self.size[0] - 1 and y1 <= self.size[1] - 1
        return patch.astype(np.float32), None if whole else self._holds(mapping, size)

    def _holds(self, mapping: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
        x, y = planes.apply(mapping, np.stack([x.ravel(), y.ravel()], 1)).T
        inside = (x >= 0) & (y >= 0) & (x <= self.size[0] - 1) & (y <= self.size[1] - 1)
        return inside.reshape(size[1], size[0])

    def features(self, scale: float) -> Features:
        """The features of the picture at about ``scale``, a power of 2."""
        scale = 2.0 ** math.floor(math.log2(min(scale, LARGEST / max(self.size))) + 0.5)
        if scale not in self._features:
            found = find_features(self.scaled(scale), FEATURES)
            found.points = (found.points + 0.5) / scale - 0.5
            self._features[scale] = found
        return self._features[scale]

    def scaled(self, scale: float) -> np.ndarray:
        """The whole grey picture at ``scale``."""
        width, height = (max(1, round(side * scale)) for side in self.size)
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        return cv2.resize(self.grey, (width, height), interpolation=way)


def _grey(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def find_features(grey: np.ndarray, count: int) -> Features:
    """At most ``count`` features of ``grey`` ((H, W) uint8)."""
    rim = PATCH // 2
    wide = cv2.copyMakeBorder(grey, rim, rim, rim, rim, cv2.BORDER_REPLICATE)
    orb = cv2.ORB.create(count, edgeThreshold=rim, patchSize=PATCH, fastThreshold=FAINT)
    keypoints, descriptors = orb.detectAndCompute(wide, None)
    if descriptors is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 32), np.uint8))
    return Features(np.array([k.pt for k in keypoints], np.float32) - rim, descriptors)
