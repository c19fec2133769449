"""Swin-B without its last stage, the large encoder of AOT and DeAOT.

Liu et al., "Swin Transformer", ICCV 2021: attention inside windows of 7, every other block shifted.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.layers.constant import hold_constant
from cleanplate.networks.sam.vit import cut, joined

WIDTHS = (128, 256, 512, 512)
DEPTHS = (2, 2, 18)
HEADS = (4, 8, 16)
WINDOW = 7
SHIFT = WINDOW // 2


def _relative_index() -> Tensor:
    """(49, 49) int64: for each pair of places in a window, the row of the table of biases."""
    place = torch.arange(WINDOW)
    apart = place[:, None] - place + WINDOW - 1
    index = apart[:, None, :, None] * (2 * WINDOW - 1) + apart[None, :, None, :]
    return index.reshape(WINDOW**2, WINDOW**2)


@lru_cache(maxsize=8)
def _shift_bias(height: int, width: int) -> Tensor:
    """(windows, 49, 49): -100 between places that the shift brought together from afar."""
    rows, columns = (
        (torch.arange(size)[:, None] >= torch.tensor([size - WINDOW, size - SHIFT])).sum(1)
        for size in (height, width)
    )
    parts = (rows[:, None] * 3 + columns)[None, :, :, None]
    flat = cut(parts.float(), WINDOW).flatten(1)
    return (flat[:, None] != flat[:, :, None]) * -100.0


class Attention(nn.Module):
    """Attention inside windows, (windows, 7, 7, C), with a bias for each offset."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * WINDOW - 1) ** 2, heads))
        hold_constant(self, "relative_position_index", _relative_index())
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor, shift_bias: Tensor | None) -> Tensor:
        count, side, _, width = x.shape
        qkv = self.qkv(x).view(count, side**2, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index].permute(2, 0, 1)
        if shift_bias is not None:
            every = shift_bias.to(bias).repeat(count // len(shift_bias), 1, 1)
            bias = bias + every[:, None]
        found = functional.scaled_dot_product_attention(q, k, v, bias.to(q.dtype))
        return self.proj(found.transpose(1, 2).reshape(count, side, side, width))


class Mlp(nn.Module):
    """Two linear maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """One block on (B, H, W, C)."""

    def __init__(self, width: int, heads: int, shift: int) -> None:
        super().__init__()
        self.shift = shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        # Zeros come in after the normalisation, before the shift.
        y = functional.pad(self.norm1(x), (0, 0, 0, -width % WINDOW, 0, -height % WINDOW))
        size, bias = y.shape[1:3], None
        if self.shift:
            y = y.roll((-self.shift, -self.shift), (1, 2))
            bias = _shift_bias(*size)
        y = joined(self.attn(cut(y, WINDOW), bias), size)
        if self.shift:
            y = y.roll((self.shift, self.shift), (1, 2))
        x = x + y[:, :height, :width]
        return x + self.mlp(self.norm2(x))


class PatchMerging(nn.Module):
    """Each 2 x 2 becomes one place of twice the width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (0, 0, 0, x.shape[2] % 2, 0, x.shape[1] % 2))
        quarters = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.reduction(self.norm(torch.cat(quarters, dim=-1)))


class Layer(nn.Module):
    """One stage; the last has no way to a next."""

    def __init__(self, stage: int) -> None:
        super().__init__()
        width = WIDTHS[stage]
        self.blocks = nn.ModuleList(
            Block(width, HEADS[stage], SHIFT if index % 2 else 0) for index in range(DEPTHS[stage])
        )
        self.downsample = PatchMerging(width) if stage + 1 < len(DEPTHS) else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The stage's output, and what the next begins with."""
        for block in self.blocks:
            x = block(x)
        return x, x if self.downsample is None else self.downsample(x)


class PatchEmbed(nn.Module):
    """(B, 3, H, W) to (B, H/4, W/4, 128), padded with zeros to whole patches."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTHS[0], 4, 4)
        self.norm = nn.LayerNorm(WIDTHS[0])

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad(x, (0, -x.shape[3] % 4, 0, -x.shape[2] % 4))
        return self.norm(self.proj(x).permute(0, 2, 3, 1))


class SwinB(nn.Module):
    """(B, 3, H, W) to maps of 128, 256, 512 and 512 channels at 1/4, 1/8, 1/16, 1/16."""

    widths = WIDTHS

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed()
        self.layers = nn.ModuleList(Layer(stage) for stage in range(len(DEPTHS)))
        self.norm0 = nn.LayerNorm(WIDTHS[0])
        self.norm1 = nn.LayerNorm(WIDTHS[1])
        self.norm2 = nn.LayerNorm(WIDTHS[2])

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.patch_embed(x)
        maps = []
        for layer, norm in zip(self.layers, (self.norm0, self.norm1, self.norm2), strict=True):
            output, x = layer(x)
            maps.append(norm(output).permute(0, 3, 1, 2))
        return [*maps, maps[-1]]
