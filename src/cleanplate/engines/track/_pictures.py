"""A grey frame as the plane tracker looks at it: a pyramid and features, made once when asked."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

SEARCH_SIZE = 960  # px, long side of the picture in which lost planes are searched
FEATURES = 1500


@dataclass(slots=True, eq=False)
class Features:
    """SIFT points of a picture, described as RootSIFT (Arandjelovic and Zisserman, 2012)."""

    points: np.ndarray
    """(n, 2) float32, pixel centres."""
    descriptors: np.ndarray
    """(n, 128) float32."""


@dataclass(slots=True, eq=False)
class Picture:
    """One frame, shared by all planes that are tracked in it."""

    grey: np.ndarray
    """(H, W) uint8."""
    _pyramid: list[np.ndarray] = field(default_factory=list)
    _features: Features | None = None

    @classmethod
    def of(cls, image: np.ndarray) -> Picture:
        """The grey picture of ``image`` ((H, W, 3) uint8 RGB)."""
        return cls(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in px."""
        return self.grey.shape[1], self.grey.shape[0]

    def level(self, number: int) -> np.ndarray:
        """The picture halved ``number`` times; its pixel i lies on pixel i * 2^number of grey."""
        if not self._pyramid:
            self._pyramid.append(self.grey)
        while len(self._pyramid) <= number:
            self._pyramid.append(cv2.pyrDown(self._pyramid[-1]))
        return self._pyramid[number]

    def rectify(self, mapping: np.ndarray, size: tuple[int, int], step: float) -> np.ndarray:
        """Sample the picture where ``mapping`` (3, 3) sends the pixels of a patch.

        Args:
            mapping: patch pixel centres to picture pixel centres.
            size: (width, height) of the patch.
            step: picture pixels for one patch pixel, to sample from a level that does not alias.

        Returns:
            (height, width) float32; the border is repeated outside of the picture.
        """
        number = int(np.clip(np.floor(np.log2(max(step, 1.0)) + 0.25), 0, 5))
        shrink = np.diag([0.5**number, 0.5**number, 1.0])
        patch = cv2.warpPerspective(
            self.level(number),
            shrink @ mapping,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        return patch.astype(np.float32)

    def features(self) -> Features:
        """The SIFT points of the picture, found at ``SEARCH_SIZE``."""
        if self._features is None:
            scale = min(1.0, SEARCH_SIZE / max(self.size))
            small = self.shrunk(scale)
            self._features = find_features(small)
            self._features.points = (self._features.points + 0.5) / scale - 0.5
        return self._features

    def shrunk(self, scale: float) -> np.ndarray:
        """The grey picture at ``scale`` <= 1."""
        if scale >= 1:
            return self.grey
        width, height = (max(1, round(side * scale)) for side in self.size)
        return cv2.resize(self.grey, (width, height), interpolation=cv2.INTER_AREA)


def find_features(grey: np.ndarray) -> Features:
    """The SIFT points of ``grey`` ((H, W) uint8)."""
    if min(grey.shape) < 8:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    sift = cv2.SIFT.create(FEATURES, contrastThreshold=0.02)
    keypoints, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    descriptors = descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-7)
    points = np.array([k.pt for k in keypoints], np.float32)
    return Features(points, np.sqrt(descriptors, dtype=np.float32))
