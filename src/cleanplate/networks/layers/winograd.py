"""3x3 convolutions with fewer products. Lavin and Gray, "Fast Algorithms for Convolutional Neural
Networks", CVPR 2016.

A tile of the input is transformed, multiplied place by place, and transformed back: in float32
tiles of 4x4 outputs at a time, which take a quarter of the products, in bfloat16 of 2x2, which
round less and take 4/9. On a CPU, where products are what a convolution costs, that is 1.2 to 2.2
times as fast where there are many channels.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

# For each tile: of the input, of the kernel, of the output, in the paper's notation B^T, G, A^T.
_SMALL = (
    ((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, -1, 0, 1)),
    ((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    ((1, 1, 1, 0), (0, 1, -1, 1)),
)
_LARGE = (
    (
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
    (
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
    ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
)
_TILES = {torch.float32: _LARGE, torch.bfloat16: _SMALL}
_FEWEST = {torch.float32: 64, torch.bfloat16: 256}
"""Channels of a group, in and out, from which it is quicker, in bfloat16 without a matrix unit."""
_AT_ONCE = 2**21  # bytes of transformed tiles that a processor's caches hold
_ENOUGH = 64  # tiles that are worth loading the kernels for


class WinogradConv2d(nn.Module):
    """Computes what a 3x3 ``convolution`` of stride 1 computes, on (B, C, H, W)."""

    kernels: Tensor
    bias: Tensor
    to_products: Tensor
    from_products: Tensor

    def __init__(self, convolution: nn.Conv2d) -> None:
        super().__init__()
        if convolution.weight.requires_grad:
            raise ValueError("WinogradConv2d serves inference alone: freeze the weights first.")
        weight = convolution.weight.detach()
        of_input, of_kernel, of_output = (torch.tensor(m) for m in _TILES[weight.dtype])
        self.side, self.tile = len(of_input), len(of_output)
        self.padding, self.dilation = int(convolution.padding[0]), int(convolution.dilation[0])
        turn = of_kernel.double().to(weight.device)
        self.groups = convolution.groups
        grouped = weight.double().unflatten(0, (self.groups, -1))
        kernels = torch.einsum("ij,gocjk,lk->ilgco", turn, grouped, turn).flatten(0, 2)
        bias = weight.new_zeros(len(weight)) if convolution.bias is None else convolution.bias
        values = {
            "kernels": kernels.contiguous(),
            "bias": bias.detach(),
            "to_products": torch.kron(of_input, of_input),
            "from_products": torch.kron(of_output, of_output),
        }
        for name, value in values.items():
            self.register_buffer(name, value.to(weight.device, weight.dtype), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """What the convolution that it was made of gives for ``x`` (B, channels, H, W), up to
        rounding."""
        (batch, channels, *size), spread, tile = x.shape, self.dilation, self.tile
        height, width = (length + 2 * self.padding - 2 * spread for length in size)
        down, across = (-(-length // (tile * spread)) for length in (height, width))
        padded = x.new_zeros(
            batch, (down * tile + 2) * spread, (across * tile + 2) * spread, channels
        )
        inside = (slice(self.padding, self.padding + length) for length in size)
        padded[:, *inside] = x.permute(0, 2, 3, 1)
        outputs = x.new_empty(batch, down, tile, spread, across, tile, spread, len(self.bias))
        tiles = batch * spread**2 * across  # in a row
        most = _AT_ONCE // (tiles * self.side**2 * channels * x.element_size())
        step = max(most, -(-_ENOUGH // tiles))
        for first in range(0, down, step):
            rows = slice(first, min(first + step, down))
            self._some(padded, rows, across, outputs[:, rows])
        outputs = outputs.view(batch, down * tile * spread, across * tile * spread, -1)
        return outputs[:, :height, :width].permute(0, 3, 1, 2)

    def _some(self, padded: Tensor, rows: slice, across: int, outputs: Tensor) -> None:
        """Write into ``outputs`` some rows of tiles, of ``padded`` (B, H, W, C)."""
        batch, spread, tile, side = len(padded), self.dilation, self.tile, self.side
        whole, line, place, _ = padded.stride()
        part = padded[:, rows.start * tile * spread :]
        channels = padded.shape[-1] // self.groups
        tiles = part.as_strided(
            (
                *(side, side, self.groups, batch),
                *(rows.stop - rows.start, spread, across, spread, channels),
            ),
            (
                *(spread * line, spread * place, channels, whole),
                *(tile * spread * line, line, tile * spread * place, place, 1),
            ),
        )
        turned = self.to_products @ tiles.reshape(side**2, -1)
        products = torch.bmm(turned.view(side**2 * self.groups, -1, channels), self.kernels)
        # The one product that all outputs take once, for each group.
        products.unflatten(0, (side**2, -1))[side + 1] += self.bias.view(self.groups, 1, -1)
        values = self.from_products @ products.view(side**2, -1)
        values = values.view(tile, tile, *tiles.shape[2:-1], -1)
        outputs.unflatten(-1, (self.groups, -1)).copy_(values.permute(3, 4, 0, 5, 6, 1, 7, 2, 8))


def quicken(network: nn.Module) -> None:
    """Put ``WinogradConv2d`` in the place of every convolution that is quicker so, for good.

    The precision that it computes in is the weights' as they are now.
    """
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d) and _gains(child):
                module.register_module(name, WinogradConv2d(child))


@cache
def has_matrix_unit() -> bool:
    """Whether this processor multiplies matrices of bfloat16 as such (AMX).

    Products are then so quick that it is what surrounds them that costs.
    """
    return getattr(torch.cpu, "_is_amx_tile_supported", bool)()  # older torch cannot tell


def _gains(convolution: nn.Conv2d) -> bool:
    kind = convolution.weight.dtype
    fewest = _FEWEST.get(kind)
    return (
        fewest is not None
        and not (kind == torch.bfloat16 and has_matrix_unit())
        and convolution.weight.device.type == "cpu"
        and min(convolution.in_channels, convolution.out_channels) >= fewest * convolution.groups
        and (convolution.kernel_size, convolution.stride) == ((3, 3), (1, 1))
        and convolution.padding_mode == "zeros"
    )
