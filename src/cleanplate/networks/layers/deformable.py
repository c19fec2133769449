"""Modulated deformable convolution in plain PyTorch. Zhu et al., CVPR 2019 ("v2").

A kernel's taps are sampled at learned places, and each sample is multiplied by a learned weight.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from cleanplate.networks.layers.sampling import sample, steps

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
    # A ring of zeros, so that a tap kept within it finds zeros where it was outside.
    ringed = functional.pad(x, (1, 2, 1, 2)).permute(0, 2, 3, 1)
    places, weights = _corners(offsets, modulation, groups, ringed.shape[2])
    places += (steps(n, x) * (ringed[0].numel() * groups // channels)).view(-1, 1, 1, 1, 1, 1)
    samples = sample(ringed.reshape(-1, channels // groups), places, weights)
    # (n, h, w, groups * taps * channels of one), seen as an image: a 1x1 convolution is left.
    columns = samples.view(n, height, width, _TAPS * channels).permute(0, 3, 1, 2)
    kernel = weight.unflatten(1, (groups, -1)).flatten(3).transpose(2, 3)
    return functional.conv2d(columns, kernel.reshape(len(weight), -1, 1, 1), bias)


def _corners(
    offsets: Tensor, modulation: Tensor, groups: int, stride: int
) -> tuple[Tensor, Tensor]:
    """Rows of the first image's table and their weights, (n, h, w, groups, taps, 4) each.

    The table has the groups of a place one after the other, and ``stride`` places a line.
    """
    height, width = offsets.shape[-2:]
    moves = offsets.permute(0, 2, 3, 1).unflatten(-1, (groups, _TAPS, 2))
    amounts = modulation.permute(0, 2, 3, 1).unflatten(-1, (groups, _TAPS))
    tap = steps(_TAPS, offsets)
    y = moves[..., 0] + (steps(height, offsets).view(-1, 1, 1, 1) + tap // 3)
    x = moves[..., 1] + (steps(width, offsets).view(-1, 1, 1) + tap % 3)
    y, x = y.clamp(0, height + 1), x.clamp(0, width + 1)
    line, point = y.detach().floor(), x.detach().floor()
    first = ((line * stride + point) * groups).to(torch.int32) + steps(groups, offsets)[:, None]
    corners = [0, groups, stride * groups, (stride + 1) * groups]
    places = first[..., None] + torch.tensor(corners, device=first.device, dtype=torch.int32)
    below, right = (y - line) * amounts, x - point
    above = amounts - below
    east, south_east = above * right, below * right
    return places, torch.stack([above - east, east, below - south_east, south_east], dim=-1)
