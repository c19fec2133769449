"""Between the program's pictures and VINet's: size, channels, values, holes, moving regions."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cleanplate.types import MaskedFrame

_GREY = 128  # what a hole is before it is masked; never seen
_GROWTH = np.ones((10, 6), np.uint8)  # rows, columns: as in the demo, neither square nor centred
_DIRECT, _ENLARGED, _SHRUNK = cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA


@dataclass(frozen=True, slots=True)
class Scale:
    """How pictures of one size become the network's."""

    height: int
    width: int
    rows: int
    """Of the network's picture."""
    columns: int
    resized: bool
    """To ``rows`` x ``columns``; else continued at the right and the bottom."""
    grow: bool
    """Whether holes are widened as in the demo."""

    @classmethod
    def of(cls, height: int, width: int, size: int, multiple: int, grow: bool) -> Scale:
        """``size`` is the side of a square; 0 keeps the picture's own size."""
        if size:
            return cls(height, width, size, size, True, grow)
        rows, columns = (-(-side // multiple) * multiple for side in (height, width))
        return cls(height, width, rows, columns, False, grow)

    def picture(
        self, masked: MaskedFrame, origin: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """A frame as the network sees it from a region at ``origin``.

        Returns:
            (rows, columns, 3) uint8 BGR, and (rows, columns) bool, True in a hole and where the
            frame's own region does not reach.
        """
        image, hole = _seen_from(masked, origin)
        holes = hole.astype(np.uint8) * 255
        if self.resized:
            # The mask is resized like the picture: whatever touches a hole is one.
            image, holes = (
                cv2.resize(one, (self.columns, self.rows), interpolation=_DIRECT)
                for one in (image, holes)
            )
        else:
            border = (0, self.rows - self.height, 0, self.columns - self.width)
            image, holes = (
                cv2.copyMakeBorder(one, *border, cv2.BORDER_REPLICATE) for one in (image, holes)
            )
        hole = holes != 0
        if self.grow:
            hole = cv2.dilate(hole.astype(np.uint8), _GROWTH) != 0
        return np.ascontiguousarray(image), hole

    def restore(self, raw: Tensor) -> np.ndarray:
        """The network's image (1, 3, rows, columns) as (height, width, 3) uint8 RGB."""
        image = levels(raw)[..., ::-1]
        if not self.resized:
            return np.ascontiguousarray(image[: self.height, : self.width])
        way = _ENLARGED if self.height * self.width > self.rows * self.columns else _SHRUNK
        return cv2.resize(np.ascontiguousarray(image), (self.width, self.height), interpolation=way)

    def shift(self, before: tuple[int, int], after: tuple[int, int]) -> tuple[int, int]:
        """(x, y) in px of the network's picture by which its contents move when a region does."""
        across = self.columns / self.width if self.resized else 1
        down = self.rows / self.height if self.resized else 1
        return round((before[0] - after[0]) * across), round((before[1] - after[1]) * down)


def _seen_from(masked: MaskedFrame, origin: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """BGR image and hole of a region at ``origin``, from a frame whose own may lie elsewhere."""
    hole = masked.mask != 0
    # A resize must not draw from what is to be filled.
    image = np.where(hole[..., None], np.uint8(_GREY), masked.frame.image)[..., ::-1]
    dx, dy = (own - new for own, new in zip(masked.origin, origin, strict=True))
    if (dx, dy) == (0, 0):
        return np.ascontiguousarray(image), hole
    height, width = hole.shape
    seen, unknown = np.full_like(image, _GREY), np.ones_like(hole)
    if abs(dx) < width and abs(dy) < height:
        into = (slice(max(dy, 0), height + min(dy, 0)), slice(max(dx, 0), width + min(dx, 0)))
        out = (slice(max(-dy, 0), height - max(dy, 0)), slice(max(-dx, 0), width - max(dx, 0)))
        seen[into], unknown[into] = image[out], hole[out]
    return seen, unknown


def tensors(image: np.ndarray, hole: np.ndarray, like: Tensor) -> Tensor:
    """(1, 5, rows, columns): the masked image in [-1, 1], ones, the mask, placed as ``like``."""
    x = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    mask = torch.from_numpy(hole)[None, None].float()
    x = torch.cat([x * (1 - mask), torch.ones_like(mask), mask], 1)
    return x.to(like.device, like.dtype, memory_format=torch.channels_last)


def levels(raw: Tensor) -> np.ndarray:
    """(1, 3, H, W) in [-1, 1] as (H, W, 3) uint8, cut off and rounded down as in the demo."""
    unit = ((raw[0].float() + 1) / 2).clamp(0, 1) * 255
    return unit.to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def moved(image: Tensor, shift: tuple[int, int], under: Tensor) -> Tensor:
    """``image`` (1, C, H, W) moved by (x, y) px; ``under`` shows where nothing comes to lie."""
    x, y = shift
    height, width = image.shape[-2:]
    if (x, y) == (0, 0):
        return image
    if abs(x) >= width or abs(y) >= height:
        return under
    # A negative pad cuts off.
    here = functional.pad(torch.ones_like(image[:, :1]), (x, -x, y, -y)) > 0
    return torch.where(here, functional.pad(image, (x, -x, y, -y)), under)
