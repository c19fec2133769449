"""Correlation of two feature maps over a square of displacements, as in PWC-Net and FlowNet.

Sun et al., "PWC-Net", CVPR 2018, section 3. Computed as products of small matrices, tile by tile,
which is an order of magnitude faster on a CPU than one displacement after another.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_TILE = (4, 8)  # rows, columns of reference pixels that share one window of source pixels


def correlation(reference: Tensor, source: Tensor, radius: int) -> Tensor:
    """How alike each pixel of ``reference`` is to the pixels of ``source`` around its place.

    Args:
        reference, source: (B, C, H, W).
        radius: the largest displacement each way, in px.

    Returns:
        (B, (2 radius + 1)^2, H, W): channel (dy + radius) (2 radius + 1) + dx + radius is the mean
        over the channels of reference(y, x) source(y + dy, x + dx), with zeros outside.
    """
    # One item at a time: the windows of a batch would not fit a processor's cache.
    pairs = zip(reference.split(1), source.split(1), strict=True)
    return torch.cat([_correlation(one, other, radius) for one, other in pairs])


def _correlation(reference: Tensor, source: Tensor, radius: int) -> Tensor:
    _, channels, height, width = reference.shape
    rows, columns = _TILE
    below, beside = -height % rows, -width % columns
    side = 2 * radius + 1
    tiles = functional.pad(reference, (0, beside, 0, below))
    tiles = tiles.unfold(2, rows, rows).unfold(3, columns, columns)
    down, across = tiles.shape[2:4]
    tiles = tiles.permute(0, 2, 3, 4, 5, 1).reshape(-1, rows * columns, channels)
    around = functional.pad(source, (radius, radius + beside, radius, radius + below))
    windows = around.unfold(2, rows + 2 * radius, rows).unfold(3, columns + 2 * radius, columns)
    windows = windows.permute(0, 2, 3, 1, 4, 5).reshape(len(tiles), channels, -1)
    products = torch.bmm(tiles, windows).view(
        down, across, rows, columns, rows + 2 * radius, columns + 2 * radius
    )
    # Pixel (r, c) of a tile wants only the square of its window that begins at (r, c).
    d, a, r, c, y, x = products.stride()
    wanted = products.as_strided(
        (side, side, down, rows, across, columns), (y, x, d, r + y, a, c + x)
    )
    found = wanted.reshape(1, side * side, down * rows, across * columns) / channels
    return found[..., :height, :width]
