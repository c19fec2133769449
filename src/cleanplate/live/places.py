"""The region of an engine that remembers what it has seen anywhere: the whole picture, always."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cleanplate.pipeline.regions import FilledRegion
from cleanplate.types import MAX_OBJECT_ID, Box


class WholePicture:
    """Both a ``RegionSource`` and its only region."""

    lookback = 0
    objects = frozenset(range(1, MAX_OBJECT_ID + 1))
    start = 0
    stop = None

    def __init__(self, size: tuple[int, int]) -> None:
        """``size``: (H, W) of the picture."""
        self.height, self.width = size
        self._box = Box(0, 0, self.width, self.height)
        self._is_open = False

    def box(self, index: int) -> Box:
        """See ``FilledRegion``."""
        return self._box

    def opened(self, index: int, mask: np.ndarray, shot: int) -> Sequence[FilledRegion]:
        """See ``RegionSource``."""
        if self._is_open:
            return ()
        self._is_open = True
        return (self,)

    def first_shown(self, region: FilledRegion, start: int) -> int:
        """See ``RegionSource``."""
        return 0
