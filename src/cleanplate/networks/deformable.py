"""Modulated deformable convolution in plain PyTorch. Zhu et al., CVPR 2019 ("v2").

A kernel's taps are sampled at learned places, and each sample is multiplied by a learned weight.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cleanplate.networks.sampling import neighbours, sample, steps

_TAPS = 9


def deformable_convolution(
    x: Tensor, offsets: Tensor, modulation: Tensor, weight: Tensor, bias: Tensor
) -> Tensor:
    """A 3x3 convolution, stride 1, padding 1, zeros outside, whose taps are moved and weighed.

    Args:
        x: (n, c, h, w).
        offsets: (n, 2 * 9 * g, h, w) px: for group g and tap t (row by row), channel 2 (9 g + t)
            moves it down and the next one to the right.
        modulation: (n, 9 * g, h, w), what sample 9 g + t is multiplied by.
        weight: (outputs, c, 3, 3).
        bias: (outputs,).

    Returns:
        (n, outputs, h, w).
    """
    n, channels, height, width = x.shape
    groups = modulation.shape[1] // _TAPS
    places, weights = _corners(offsets, modulation, groups)
    table = x.permute(0, 2, 3, 1).reshape(-1, channels // groups)
    # (n, h, w, taps, channels), seen as an image: what is left is a 1x1 convolution.
    columns = sample(table, places, weights).view(n, height, width, _TAPS * channels)
    kernel = weight.permute(0, 2, 3, 1).reshape(len(weight), _TAPS * channels, 1, 1)
    return functional.conv2d(columns.permute(0, 3, 1, 2), kernel, bias)


def _corners(offsets: Tensor, modulation: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """For each sample, (n, h, w, tap, group, 4): rows of the table, and their weights."""
    n, _, height, width = offsets.shape
    moved = offsets.view(n, groups, _TAPS, 2, height, width).permute(3, 0, 4, 5, 2, 1)
    amount = modulation.view(n, groups, _TAPS, height, width).permute(0, 3, 4, 2, 1)
    tap = steps(_TAPS, offsets)[:, None]
    y = moved[0] + (steps(height, offsets).view(-1, 1, 1, 1) + tap // 3 - 1)
    x = moved[1] + (steps(width, offsets).view(-1, 1, 1) + tap % 3 - 1)
    rows, row_weights = neighbours(y, height)
    columns, column_weights = neighbours(x, width)
    image, group = steps(n, offsets).view(-1, 1, 1, 1, 1) * height, steps(groups, offsets)
    lines = [(image + row) * (width * groups) for row in rows]
    points = [column * groups + group for column in columns]
    heights = [part * amount for part in row_weights]
    places = [line + point for line in lines for point in points]
    weights = [row * column for row in heights for column in column_weights]
    return torch.stack(places, dim=-1), torch.stack(weights, dim=-1)
