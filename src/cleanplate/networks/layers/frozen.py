"""Batch normalisation that training left alone: four constants a channel."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


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


def fold_all(network: nn.Module) -> None:
    """Make ``network`` quick, for good: it computes the same, but cannot be trained any more.

    Each batch norm goes into the convolution that is declared before it, and kernels lie channels
    last, which CPUs and GPUs convolve quicker.
    """
    for module in list(network.modules()):
        for (name, conv), (other, norm) in pairwise(list(module.named_children())):
            if not isinstance(conv, nn.Conv2d):
                continue
            if isinstance(norm, FrozenBatchNorm):
                module.register_module(name, fold(conv, norm))
            elif isinstance(norm, nn.BatchNorm2d):
                module.register_module(name, fuse_conv_bn_eval(conv, norm))
            else:
                continue
            module.register_module(other, nn.Identity())
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
