"""SPyNet, optical flow from coarse to fine. Ranjan and Black, CVPR 2017; keys as in mmediting.

Flow (n, 2, h, w) is (x, y) in pixels: where a pixel of the first image is found in the second.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.layers.constant import hold_constant

LEVELS = 6
_STEP = 2 ** (LEVELS - 1)  # sides are scaled to multiples of it
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def warp(x: Tensor, flow: Tensor, padding: str = "zeros") -> Tensor:
    """``x`` (n, c, h, w) sampled where ``flow`` (n, 2, h, w) points to, bilinearly.

    ``padding`` says what lies outside: ``zeros``, or ``border`` for the nearest pixel.
    """
    height, width = x.shape[-2:]
    columns = torch.arange(width, device=flow.device, dtype=flow.dtype)
    rows = torch.arange(height, device=flow.device, dtype=flow.dtype)[:, None]
    grid = torch.stack(
        [
            (flow[:, 0] + columns) * (2 / max(width - 1, 1)) - 1,
            (flow[:, 1] + rows) * (2 / max(height - 1, 1)) - 1,
        ],
        dim=-1,
    )
    sampled = functional.grid_sample(
        x.to(flow.dtype), grid, padding_mode=padding, align_corners=True
    )
    return sampled.to(x.dtype)


class _Convolution(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class _Level(nn.Module):
    """What is added to the flow at one level."""

    def __init__(self) -> None:
        super().__init__()
        widths = (8, 32, 64, 32, 16, 2)
        self.basic_module = nn.ModuleList(
            _Convolution(inputs, outputs) for inputs, outputs in itertools.pairwise(widths)
        )

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.basic_module
        for layer in hidden:
            x = functional.relu(layer(x))
        return last(x)


class Pyramid(NamedTuple):
    """Normalised images at each level, coarsest first, and the size that they came in."""

    levels: tuple[Tensor, ...]
    height: int
    width: int

    def joined(self, other: Pyramid) -> Pyramid:
        """These images, then those of ``other``, of the same size."""
        levels = zip(self.levels, other.levels, strict=True)
        return self._replace(levels=tuple(torch.cat(pair) for pair in levels))


class SPyNet(nn.Module):
    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.basic_module = nn.ModuleList(_Level() for _ in range(LEVELS))
        hold_constant(self, "mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        hold_constant(self, "std", torch.tensor(_STD).view(1, 3, 1, 1))

    def pyramid(self, images: Tensor) -> Pyramid:
        """What ``flow`` needs of ``images`` (n, 3, h, w), RGB in 0..1."""
        height, width = images.shape[-2:]
        size = [-(-side // _STEP) * _STEP for side in (height, width)]
        if size != [height, width]:
            images = functional.interpolate(images, size, mode="bilinear", align_corners=False)
        levels = [(images - self.mean) / self.std]
        for _ in range(LEVELS - 1):
            levels.append(functional.avg_pool2d(levels[-1], 2))
        return Pyramid(tuple(reversed(levels)), height, width)

    def flow(self, first: Pyramid, second: Pyramid) -> Tensor:
        """(n, 2, h, w): the flow from each image of ``first`` to its partner of ``second``."""
        coarsest = first.levels[0]
        flow = coarsest.new_zeros(len(coarsest), 2, *coarsest.shape[-2:])
        for level, layers in enumerate(self.basic_module):
            if level:
                flow = 2 * functional.interpolate(
                    flow, scale_factor=2, mode="bilinear", align_corners=True
                )
            warped = warp(second.levels[level], flow, "border")
            flow = flow + layers(torch.cat([first.levels[level], warped, flow], dim=1))
        height, width = first.height, first.width
        if flow.shape[-2:] == (height, width):
            return flow
        scale = flow.new_tensor([width / flow.shape[-1], height / flow.shape[-2]])
        flow = functional.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
        return flow * scale.view(1, 2, 1, 1)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The flow from ``first`` to ``second``, both (n, 3, h, w) RGB in 0..1."""
        return self.flow(self.pyramid(first), self.pyramid(second))
