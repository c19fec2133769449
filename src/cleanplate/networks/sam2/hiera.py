"""The image encoder of SAM 2.1: Hiera, and the neck that gives all its levels one width.

Ryali et al., "Hiera: A Hierarchical Vision Transformer without the Bells-and-Whistles", ICML 2023;
Bolya et al., "Window Attention is Bugged", ICLR 2024 (positions); Ravi et al., "SAM 2", 2024,
section 4 and appendix D.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.sam.vit import cut, joined

WIDTH = 256
"""Of the neck's levels."""
_TOKENS = 2048  # whose hidden values are held at once


@dataclass(frozen=True, slots=True)
class Size:
    """What differs between tiny, small, base_plus and large."""

    width: int
    """Of the first stage; each further stage doubles it, and the heads."""
    heads: int
    depths: tuple[int, int, int, int]
    whole: tuple[int, ...]
    """The blocks that attend to the whole image."""
    windows: tuple[int, int, int, int]
    """Sides of the windows of each stage's other blocks."""
    background: int
    """Side of the learned map of positions that is stretched over the image."""


TINY = Size(96, 1, (1, 2, 7, 2), (5, 7, 9), (8, 4, 14, 7), 7)
SMALL = Size(96, 1, (1, 2, 11, 2), (7, 10, 13), (8, 4, 14, 7), 7)
BASE_PLUS = Size(112, 2, (2, 3, 16, 3), (12, 16, 20), (8, 4, 14, 7), 14)
LARGE = Size(144, 2, (2, 6, 36, 4), (23, 33, 43), (8, 4, 16, 8), 7)


def halved(x: Tensor) -> Tensor:
    """(B, H, W, C) at half the size: the largest of each 2 x 2."""
    return functional.max_pool2d(x.permute(0, 3, 1, 2), 2).permute(0, 2, 3, 1)


class Attention(nn.Module):
    """Attention inside windows of (B, H, W, C); queries may be pooled."""

    def __init__(self, inputs: int, outputs: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(inputs, 3 * outputs)
        self.proj = nn.Linear(outputs, outputs)

    def forward(self, x: Tensor, window: int, pools: bool) -> Tensor:
        """What tokens gather, each from its window; of all when ``window`` is 0."""
        size = torch.Size(side // 2 if pools else side for side in x.shape[1:3])
        biases = self.qkv.bias.chunk(3)
        weights = self.qkv.weight.chunk(3)
        maps = [functional.linear(x, *part) for part in zip(weights, biases, strict=True)]
        if window:  # zeros are what windows beyond the edge hold: these turn them into the bias
            maps = [cut(part, window, bias) for part, bias in zip(maps, biases, strict=True)]
        if pools:
            maps[0] = halved(maps[0])
        down, across = maps[0].shape[1:3]
        q, k, v = (part.flatten(1, 2).unflatten(-1, (self.heads, -1)) for part in maps)
        q, k, v = (part.transpose(1, 2) for part in (q, k, v))
        attended = functional.scaled_dot_product_attention(q, k, v)
        attended = attended.transpose(1, 2).flatten(2).unflatten(1, (down, across))
        return self.proj(joined(attended, size).contiguous() if window else attended)


class Mlp(nn.Module):
    """Linear maps with an activation between, under the keys that SAM 2 has for them."""

    def __init__(self, widths: tuple[int, ...], activation: type[nn.Module] = nn.ReLU) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        """(..., first width) to (..., last width), in slices that bound the memory of a pass."""
        tokens = x.flatten(0, -2)
        if torch.is_grad_enabled() or len(tokens) <= _TOKENS:
            return self._of(x)
        return torch.cat([self._of(some) for some in tokens.split(_TOKENS)]).view(*x.shape[:-1], -1)

    def _of(self, x: Tensor) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            x = self.act(layer(x))
        return last(x)


class Block(nn.Module):
    """One block; ``window`` 0 attends to the whole image, ``pools`` halves the map."""

    def __init__(self, inputs: int, outputs: int, heads: int, window: int, pools: bool) -> None:
        super().__init__()
        self.window, self.pools = window, pools
        self.norm1 = nn.LayerNorm(inputs, eps=1e-6)
        self.attn = Attention(inputs, outputs, heads)
        self.norm2 = nn.LayerNorm(outputs, eps=1e-6)
        self.mlp = Mlp((outputs, 4 * outputs, outputs), nn.GELU)
        if inputs != outputs:
            self.proj = nn.Linear(inputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, H, W, inputs) to (B, H, W, outputs); H / 2 and W / 2 where it pools."""
        normed = self.norm1(x)
        past = halved(self.proj(normed)) if self.pools else x
        x = past + self.attn(normed, self.window, self.pools)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """(B, 3, S, S) to (B, S / 4, S / 4, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 7, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S), normalised, to (B, S / 4, S / 4, C)."""
        return self.proj(x).permute(0, 2, 3, 1)


class Hiera(nn.Module):
    """Four stages, each of half the size and twice the width of the one before."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(size.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, size.width, *(2 * (size.background,))))
        self.pos_embed_window = nn.Parameter(torch.zeros(1, size.width, *(2 * size.windows[:1])))
        self.blocks = nn.ModuleList()
        self.ends: list[int] = []
        """The last block of each stage."""
        width, heads = size.width, size.heads
        for stage, depth in enumerate(size.depths):
            for place in range(depth):
                pools = stage > 0 and place == 0
                # The first block of a stage still has the windows of the one that it leaves.
                window = size.windows[stage - pools]
                if len(self.blocks) in size.whole:
                    window = 0
                inputs, heads = width, heads * (1 + pools)
                width *= 1 + pools
                self.blocks.append(Block(inputs, width, heads, window, pools))
            self.ends.append(len(self.blocks) - 1)
        self.widths = tuple(size.width << stage for stage in range(4))

    def positions(self, height: int, width: int) -> Tensor:
        """(1, height, width, C): one map stretched over the image, one repeated in each window."""
        stretched = functional.interpolate(self.pos_embed, (height, width), mode="bicubic")
        tile = self.pos_embed_window
        repeats = height // tile.shape[2], width // tile.shape[3]
        return (stretched + tile.tile(1, 1, *repeats)).permute(0, 2, 3, 1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """``x`` (B, 3, S, S), normalised, S a multiple of 32; four maps (B, C, H, W)."""
        x = self.patch_embed(x)
        x = x + self.positions(*x.shape[1:3])
        stages = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.ends:
                stages.append(x.permute(0, 3, 1, 2))
        return stages


class Level(nn.Module):
    """The 1 x 1 convolution of one level, under its published key."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 256, H, W)."""
        return self.conv(x)


class Neck(nn.Module):
    """All stages with 256 channels; the coarsest is added to the one before it."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(Level(width) for width in reversed(widths))

    def forward(self, stages: list[Tensor]) -> list[Tensor]:
        """Four levels, finest first."""
        levels = [level(stage) for level, stage in zip(reversed(self.convs), stages, strict=True)]
        # Sums are float32, as published, whatever the products are.
        above = functional.interpolate(levels[3].float(), scale_factor=2.0, mode="nearest")
        levels[2] = levels[2] + above
        return levels


class ImageEncoder(nn.Module):
    """Trunk and neck."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.trunk = Hiera(size)
        self.neck = Neck(self.trunk.widths)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Three levels (B, 256, H, W), strides 4, 8, 16: the coarsest has gone into the third."""
        return self.neck(self.trunk(image))[:3]
