"""The display matrix: how a stored picture is turned and mirrored before it is shown."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.types import Box

_ONE = 1 << 16


@dataclass(frozen=True, slots=True)
class Orientation:
    """Upright picture = the stored one, transposed first, then flipped."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False

    @property
    def is_identity(self) -> bool:
        """Whether the stored picture is upright."""
        return not (self.transpose or self.flip_x or self.flip_y)

    @property
    def mirrored(self) -> bool:
        """Whether the upright picture is a mirror image of the stored one."""
        return (self.transpose + self.flip_x + self.flip_y) % 2 == 1

    @property
    def rotation(self) -> int:
        """Degrees clockwise, after a left-right mirroring of the stored picture if mirrored."""
        if self.transpose:
            turned = self.flip_x != self.mirrored
            return 90 if turned else 270
        return 180 if self.flip_y else 0

    def upright(self, stored: np.ndarray) -> np.ndarray:
        """A view of ``stored`` (H, W, ...) as it is to be seen."""
        seen = stored.swapaxes(0, 1) if self.transpose else stored
        return seen[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]

    def stored(self, upright: np.ndarray) -> np.ndarray:
        """The inverse of ``upright``."""
        turned = upright[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]
        return turned.swapaxes(0, 1) if self.transpose else turned

    def stored_box(self, box: Box, width: int, height: int) -> Box:
        """Where ``box`` of the upright picture of ``width`` x ``height`` is stored."""
        x0, x1 = (width - box.x1, width - box.x0) if self.flip_x else (box.x0, box.x1)
        y0, y1 = (height - box.y1, height - box.y0) if self.flip_y else (box.y0, box.y1)
        return Box(y0, x0, y1, x1) if self.transpose else Box(x0, y0, x1, y1)


def read_orientation(matrix: tuple[int, ...] | None) -> Orientation | None:
    """The orientation that FFmpeg's display matrix means; None if it is no right angle.

    A stored pixel (p, q) is shown at (a p + c q + x, b p + d q + y); the matrix is
    a b u, c d v, x y w in 16.16 (libavutil/display.h).
    """
    if matrix is None:
        return Orientation()
    a, b, _, c, d = matrix[:5]
    if b == c == 0 and abs(a) == abs(d) != 0:
        return Orientation(False, a < 0, d < 0)
    if a == d == 0 and abs(b) == abs(c) != 0:
        return Orientation(True, c < 0, b < 0)
    return None


def make_matrix(orientation: Orientation) -> tuple[int, ...]:
    """A display matrix that means ``orientation``."""
    x = -_ONE if orientation.flip_x else _ONE
    y = -_ONE if orientation.flip_y else _ONE
    if orientation.transpose:
        return (0, y, 0, x, 0, 0, 0, 0, 1 << 30)
    return (x, 0, 0, 0, y, 0, 0, 0, 1 << 30)
