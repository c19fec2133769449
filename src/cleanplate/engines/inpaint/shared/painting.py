"""What fills the hole of a single picture: anything can stand in for a network."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Painter(Protocol):
    """Whatever can fill a picture's hole from that picture alone."""

    def paint(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """``picture`` ((H, W, 3) uint8 RGB) with ``hole`` ((H, W) bool) filled, a new array.

        Pixels outside the hole stay as they are.
        """
        ...
