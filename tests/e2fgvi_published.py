"""The published procedure of E2FGVI, as its test script goes about it: every window from nothing.

What the engine is measured against, in tests for equality and in ``bench/`` for speed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
import torch

from cleanplate.networks.e2fgvi import E2FGVI, MULTIPLE

STRIDE, STEP = 5, 10


class Window(NamedTuple):
    """One run of the network."""

    centre: int
    neighbours: range
    references: list[int]


def windows(count: int) -> list[Window]:
    """The runs for a clip of ``count`` frames."""
    found = []
    for centre in range(0, count, STRIDE):
        near = range(max(0, centre - STRIDE), min(count, centre + STRIDE + 1))
        found.append(Window(centre, near, [i for i in range(0, count, STEP) if i not in near]))
    return found


def dilated(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool of any mask: every pixel within city-block distance 4."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return cv2.dilate((mask > 0).astype(np.uint8), cross, iterations=4) > 0


def padded(x: torch.Tensor) -> torch.Tensor:
    """(..., H, W) mirrored below and to the right up to the multiples that the network takes."""
    height, width = (
        -(-side // step) * step for side, step in zip(x.shape[-2:], MULTIPLE, strict=True)
    )
    x = torch.cat([x, x.flip(-2)], dim=-2)[..., :height, :]
    return torch.cat([x, x.flip(-1)], dim=-1)[..., :width]


@torch.no_grad()
def fill(
    network: E2FGVI,
    frames: np.ndarray,
    holes: np.ndarray,
    seen: Callable[[Window, torch.Tensor], None] = lambda window, pictures: None,
) -> np.ndarray:
    """``frames`` (N, H, W, 3) uint8 with the ``holes`` (N, H, W) bool filled.

    ``seen`` is shown each window's pictures of its neighbours, (n, 3, H, W) with the padding.
    """
    count, height, width = holes.shape
    signed = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    masked = signed * (1 - torch.from_numpy(holes)[:, None].float())
    blended: list[np.ndarray | None] = [None] * count
    for window in windows(count):
        chosen = masked[[*window.neighbours, *window.references]]
        pictures, _ = network(padded(chosen)[None], len(window.neighbours))
        pictures = pictures[: len(window.neighbours)]
        seen(window, pictures)
        values = ((pictures[..., :height, :width] + 1) / 2 * 255).permute(0, 2, 3, 1).numpy()
        for index, picture in zip(window.neighbours, values.astype(np.uint8), strict=True):
            new = np.where(holes[index][..., None], picture, frames[index]).astype(np.float32)
            old = blended[index]
            blended[index] = new if old is None else 0.5 * old + 0.5 * new
    return np.stack(blended).astype(np.uint8)
