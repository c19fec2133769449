"""The temporal patch discriminator that E2FGVI is trained against. Chang et al., ICCV 2019."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

_WIDTHS = (3, 32, 64, 128, 128, 128, 128)
_SLOPE = 0.2
_EPSILON = 1e-12


class SpectralConv3d(nn.Module):
    """A convolution whose kernel is divided by its largest singular value, without bias.

    Miyato et al., ICLR 2018. Each call in training mode improves the singular vectors ``weight_u``
    and ``weight_v`` by one step of power iteration; in evaluation mode they stay.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(self, inputs: int, outputs: int, padding: tuple[int, int, int]) -> None:
        super().__init__()
        self.weight_orig = nn.Parameter(torch.empty(outputs, inputs, 3, 5, 5))
        nn.init.normal_(self.weight_orig, std=0.02)
        self.register_buffer("weight_u", functional.normalize(torch.randn(outputs), dim=0))
        self.register_buffer("weight_v", functional.normalize(torch.randn(inputs * 75), dim=0))
        self._padding = padding

    def forward(self, x: Tensor) -> Tensor:
        matrix = self.weight_orig.flatten(1)
        if self.training:
            with torch.no_grad():
                v = functional.normalize(matrix.T @ self.weight_u, dim=0, eps=_EPSILON)
                self.weight_v.copy_(v)
                u = functional.normalize(matrix @ self.weight_v, dim=0, eps=_EPSILON)
                self.weight_u.copy_(u)
        # Copies, so that the next call's step does not change what this call's gradient needs.
        u, v = self.weight_u.clone(), self.weight_v.clone()
        kernel = self.weight_orig / torch.dot(u, matrix @ v)
        return functional.conv3d(x, kernel, stride=(1, 2, 2), padding=self._padding)


class Discriminator(nn.Module):
    """Says of each patch of a clip whether it looks real."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        pairs = list(itertools.pairwise(_WIDTHS))
        for number, (inputs, outputs) in enumerate(pairs[:-1]):
            padding = (1, 2, 2) if number else (1, 1, 1)
            layers += [SpectralConv3d(inputs, outputs, padding), nn.LeakyReLU(_SLOPE)]
        layers.append(nn.Conv3d(*pairs[-1], (3, 5, 5), (1, 2, 2), (1, 2, 2)))
        self.conv = nn.Sequential(*layers)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, T, 128, h, w) scores, higher is more real, of ``clips`` (B, T, 3, H, W) in -1..1."""
        return self.conv(clips.transpose(1, 2)).transpose(1, 2)
