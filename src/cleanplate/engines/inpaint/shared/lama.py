"""LaMa as engines use it: a picture and its hole in, the picture filled out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cleanplate import checkpoints
from cleanplate.arrays.masks import grow
from cleanplate.engines.precision import computing
from cleanplate.errors import MissingDependencyError

if TYPE_CHECKING:
    from cleanplate.protocols import Runtime

CHECKPOINT = "lama"
MULTIPLE, SMALLEST = 8, 16  # what the network's sides must be
COARSE = 512  # px of the shorter side at which it knows best what belongs where
LARGEST = 2_000_000  # pixels beyond which it repeats patterns
_OVERLAP = 0.25  # of a view, that it shares with the next
_MARGIN = 24  # px around the hole in which a view's fill gives way to what was known


class Lama:
    """Suvorov et al., WACV 2022: any size, coarse before fine where pictures are large."""

    def __init__(self, weights: str, runtime: Runtime) -> None:
        try:
            import torch
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                "LaMa needs torch, which is not installed; install it with: "
                "pip install 'cleanplate[networks]'."
            ) from error
        from cleanplate.networks import lama

        self.runtime, self._torch = runtime, torch
        with torch.device("meta"):
            network = lama.lama().to_empty(device="cpu")
        checkpoints.load(network, CHECKPOINT, weights)
        self.network: Any = network.to(runtime.device).eval().requires_grad_(False)

    def paint(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """See ``painting.Painter``; pixels outside the hole stay as they are."""
        if not hole.any():
            return picture.copy()
        if picture.shape[0] * picture.shape[1] <= LARGEST:
            return self.whole(picture, hole)
        return self._coarse_then_fine(picture, hole)

    def whole(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """The published prediction: all at once; values are cut to whole ones, not rounded."""
        filled = self.predicted(picture, hole)
        result = np.clip(filled * 255, 0, 255).astype(np.uint8)
        return np.where(hole[..., None], result, picture)

    def predicted(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 in 0..1: known pixels as they are, the hole as the network sees it."""
        torch, (height, width) = self._torch, hole.shape
        image, mask = padded(picture.astype(np.float32) / 255, hole)
        with computing(self.runtime):
            given = torch.from_numpy(image).permute(2, 0, 1)[None].to(self.runtime.device)
            holes = torch.from_numpy(mask).float()[None, None].to(self.runtime.device)
            painted = self.network(given, holes).float()
            composed = holes * painted + (1 - holes) * given
        return composed[0].permute(1, 2, 0).cpu().numpy()[:height, :width]

    def _coarse_then_fine(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """First the whole at a size at which the network knows what belongs where, then detail.

        The fine passes see views of the picture with the coarse fill in place of the hole's inner
        part, so that what they add has to fit it (in kind after Kulshreshtha et al., "Feature
        Refinement to Improve High Resolution Image Inpainting", 2022, without its optimisation).
        """
        height, width = hole.shape
        scale = max(COARSE / min(height, width), 1 / 8)
        size = (max(round(width * scale), SMALLEST), max(round(height * scale), SMALLEST))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        small_hole = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
        coarse = cv2.resize(
            self.whole(small, small_hole), (width, height), interpolation=cv2.INTER_CUBIC
        )
        guessed = np.where(hole[..., None], coarse, picture)
        return self._detailed(guessed, picture, hole)

    def _detailed(self, guessed: np.ndarray, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        """The coarse fill with the detail of fine views of it, which agree with it in rough."""
        blur = guessed.astype(np.float32)
        sums = np.zeros_like(blur)
        weights = np.zeros(hole.shape, np.float32)
        for view in views(hole):
            part = hole[view]
            fine = self.whole(picture[view], part).astype(np.float32)
            # Its detail on the coarse fill's colours.
            across = max(min(part.shape) / COARSE * 16, 4.0)
            rough = cv2.GaussianBlur(fine, (0, 0), across)
            base = cv2.GaussianBlur(blur[view], (0, 0), across)
            weight = _towards_the_middle(part.shape)
            sums[view] += weight[..., None] * (fine - rough + base)
            weights[view] += weight
        known = weights > 0
        detailed = np.where(known[..., None], sums / np.maximum(weights, 1e-6)[..., None], blur)
        result = np.clip(np.rint(detailed), 0, 255).astype(np.uint8)
        return np.where(hole[..., None], result, picture)


def padded(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both mirrored at the bottom and the right until the network takes them.

    The edge pixel is repeated, as published.
    """
    height, width = hole.shape
    sides = [max(-(-side // MULTIPLE) * MULTIPLE, SMALLEST) for side in (height, width)]
    room = ((0, sides[0] - height), (0, sides[1] - width))
    return (
        np.pad(image, (*room, (0, 0)), mode="symmetric"),
        np.pad(hole, room, mode="symmetric"),
    )


def views(hole: np.ndarray) -> list[tuple[slice, slice]]:
    """Overlapping parts of a picture, no larger than the network may see, that cover the hole."""
    side = int(LARGEST**0.5) // MULTIPLE * MULTIPLE
    near = grow(hole.astype(np.uint8), _MARGIN) > 0
    return [
        (rows, columns)
        for rows in _stretches(hole.shape[0], side)
        for columns in _stretches(hole.shape[1], side)
        if near[rows, columns].any() and hole[rows, columns].any()
    ]


def _stretches(length: int, side: int) -> list[slice]:
    if length <= side:
        return [slice(0, length)]
    count = int(np.ceil((length - side) / (side * (1 - _OVERLAP)))) + 1
    starts = np.linspace(0, length - side, count).round().astype(int)
    return [slice(int(start), int(start) + side) for start in starts]


def _towards_the_middle(shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) float32: 1 in the middle, near 0 at the sides."""
    down, across = (1 - abs(np.linspace(-1, 1, side)) * 0.99 for side in shape[:2])
    return np.minimum.outer(down, across).astype(np.float32)
