"""A convolution together with what follows it, in one pass where the CPU has one.

Normalisation is folded into the convolution beforehand (``frozen``). What then follows, a sum and a
rectifier, costs a CPU as much again in memory traffic where channels are few: oneDNN applies both
while the convolution's result is still in the caches.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional

NONE, RELU, RELU6 = "none", "relu", "relu6"
_NAMES: dict[str, tuple[str, list[float]]] = {
    NONE: ("none", []),
    RELU: ("relu", []),
    RELU6: ("hardtanh", [0.0, 6.0]),
}
"""What oneDNN's operators call an activation, and their numbers."""
_KINDS = {nn.ReLU: RELU, nn.ReLU6: RELU6}


def convolved(
    x: Tensor,
    convolution: nn.Module,
    norm: nn.Module | None = None,
    past: Tensor | None = None,
    activation: str = NONE,
) -> Tensor:
    """``activation(norm(convolution(x)) + past)`` of (B, C, H, W)."""
    if (
        isinstance(convolution, nn.Conv2d)
        and (norm is None or isinstance(norm, nn.Identity))
        # oneDNN has no sum before the other activation, nor behind all depth-wise convolutions.
        and (past is None or (activation != RELU6 and convolution.groups == 1))
        and _has_one_pass(x, convolution)
    ):
        return _in_one_pass(x, convolution, past, activation)
    y = convolution(x)
    y = y if norm is None else norm(y)
    y = y if past is None else y + past
    if activation == NONE:
        return y
    # In its place, unless it would go on with gaps between its rows.
    gaps = not y.is_contiguous(memory_format=torch.channels_last)
    if activation == RELU:
        return functional.relu(y, inplace=not gaps)
    return functional.relu6(y, inplace=not gaps)


class Unit(nn.ModuleList):
    """A convolution, its normalisation, and ReLU or ReLU6."""

    def forward(self, x: Tensor) -> Tensor:
        convolution, norm, activation = self
        return convolved(x, convolution, norm, None, _KINDS[type(activation)])


def _has_one_pass(x: Tensor, convolution: nn.Conv2d) -> bool:
    return (
        x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not convolution.weight.requires_grad
        and convolution.padding_mode == "zeros"
        and not isinstance(convolution.padding, str)
        and _supported(_precision(x))
    )


def _precision(x: Tensor) -> torch.dtype:
    return torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype


@cache
def _supported(kind: torch.dtype) -> bool:
    if not torch.backends.mkldnn.is_available():
        return False
    bfloat16 = kind == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return kind == torch.float32 or bfloat16


def _in_one_pass(x: Tensor, convolution: nn.Conv2d, past: Tensor | None, activation: str) -> Tensor:
    kind, operators = _precision(x), torch.ops.mkldnn
    name, numbers = _NAMES[activation]

    def laid(value: Tensor) -> Tensor:
        return value.to(kind).contiguous(memory_format=torch.channels_last)

    bias = None if convolution.bias is None else convolution.bias.to(kind)
    shape = (
        *(laid(convolution.weight), bias, list(convolution.padding), list(convolution.stride)),
        *(list(convolution.dilation), convolution.groups),
    )
    if past is None:
        return operators._convolution_pointwise(laid(x), *shape, name, numbers, "")
    return operators._convolution_pointwise.binary(
        laid(x), laid(past), *shape, "add", 1.0, None if name == "none" else name, numbers, ""
    )
