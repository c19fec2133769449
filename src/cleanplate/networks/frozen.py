"""Batch normalisation that training left alone: four constants a channel."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class FrozenBatchNorm(nn.Module):
    """Normalises (B, C, H, W) by stored statistics; has no counter of batches."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        scale, shift = self.affine()
        return x * scale[:, None, None] + shift[:, None, None]

    def affine(self) -> tuple[Tensor, Tensor]:
        """The scale and the shift that it comes to."""
        scale = self.weight * (self.running_var + 1e-5).rsqrt()
        return scale, self.bias - self.running_mean * scale


def fold(convolution: nn.Conv2d, norm: FrozenBatchNorm) -> nn.Conv2d:
    """One convolution that does what ``convolution`` and then ``norm`` do."""
    scale, shift = norm.affine()
    folded = nn.Conv2d(
        convolution.in_channels,
        convolution.out_channels,
        convolution.kernel_size,  # type: ignore[arg-type]
        convolution.stride,  # type: ignore[arg-type]
        convolution.padding,  # type: ignore[arg-type]
        convolution.dilation,  # type: ignore[arg-type]
        convolution.groups,
    )
    with torch.no_grad():
        folded.weight.copy_(convolution.weight * scale.view(-1, 1, 1, 1))
        assert folded.bias is not None
        folded.bias.copy_(shift if convolution.bias is None else convolution.bias * scale + shift)
    return folded
