"""The plain vision transformer that encodes images for SAM and HQ-SAM.

Kirillov et al., "Segment Anything", ICCV 2023, after Li et al., "Exploring Plain Vision Transformer
Backbones for Object Detection", ECCV 2022 (ViTDet): windows of 14 in most blocks, attention over
the whole image in four, positions relative in both.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = 64
"""Tokens on a side of the 1024 x 1024 input."""
WINDOW = 14
# Attention whose table of position terms would have more elements goes head by head.
_MOST_ELEMENTS = 1 << 26
_CACHED = 1 << 20  # of which a CPU's caches hold the table
_TOKENS = 1024  # whose hidden values are held at once


@dataclass(frozen=True, slots=True)
class Size:
    """What differs between ViT-B, ViT-L and ViT-H."""

    width: int
    depth: int
    heads: int
    whole: tuple[int, ...]
    """The blocks that attend to the whole image."""


VIT_B = Size(768, 12, 12, (2, 5, 8, 11))
VIT_L = Size(1024, 24, 16, (5, 11, 17, 23))
VIT_H = Size(1280, 32, 16, (7, 15, 23, 31))


class LayerNorm2d(nn.Module):
    """Normalises the channels of each pixel of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        last = functional.layer_norm(
            x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6
        )
        return last.permute(0, 3, 1, 2)


def neck(inputs: int) -> nn.Sequential:
    """From an encoder's width to the 256 channels that prompts meet."""
    return nn.Sequential(
        nn.Conv2d(inputs, 256, 1, bias=False),
        LayerNorm2d(256),
        nn.Conv2d(256, 256, 3, padding=1, bias=False),
        LayerNorm2d(256),
    )


def relative_positions(queries: int, keys: int, table: Tensor) -> Tensor:
    """(queries, keys, d): the row of ``table`` (2n - 1, d) for each offset along one axis.

    A table of another length is interpolated linearly; different lengths of the two axes are
    scaled to the longer (ViTDet, as published).
    """
    rows = 2 * max(queries, keys) - 1
    if len(table) != rows:
        table = functional.interpolate(table.T[None], rows, mode="linear")[0].T
    scale_q, scale_k = max(keys / queries, 1.0), max(queries / keys, 1.0)
    at_q = torch.arange(queries, device=table.device)[:, None] * scale_q
    at_k = torch.arange(keys, device=table.device)[None] * scale_k
    return table[(at_q - at_k + (keys - 1) * scale_k).long()]


class Attention(nn.Module):
    """Attention over a square of tokens, (B, n, n, C), with relative positions."""

    def __init__(self, width: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * side - 1, width // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * side - 1, width // heads))

    def forward(self, x: Tensor, window: int = 0) -> Tensor:
        """What (B, H, W, C) tokens gather, each from its window; of all when ``window`` is 0."""
        parts = zip(self.qkv.weight.chunk(3), self.qkv.bias.chunk(3), strict=True)
        maps = [functional.linear(x, weight, bias) for weight, bias in parts]
        if window:  # zeros are what windows beyond the edge hold: these turn them into the bias
            biases = self.qkv.bias.chunk(3)
            maps = [cut(one, window, bias) for one, bias in zip(maps, biases, strict=True)]
        count, side, _, _ = maps[0].shape
        q, k, v = (one.view(count, side**2, self.heads, -1).transpose(1, 2) for one in maps)
        if not window:  # so many keys are read too often to lie so far apart
            k, v = k.contiguous(), v.contiguous()
        # The position terms take the query as it is, not scaled as for the keys.
        square = maps[0].unflatten(-1, (self.heads, -1))
        vertical = relative_positions(side, side, self.rel_pos_h)
        across = relative_positions(side, side, self.rel_pos_w)
        rows = torch.einsum("bhwnd,hkd->bnhwk", square, vertical).flatten(2, 3)
        columns = torch.einsum("bhwnd,wkd->bnhwk", square, across).flatten(2, 3)
        found = attention(q, k, v, rows, columns).flatten(2).view(count, side, side, -1)
        return self.proj(joined(found, x.shape[1:3]).contiguous() if window else found)


def attention(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Softmax attention with a bias for the row and one for the column of each key.

    Args:
        q, k, v: (B, heads, n^2, d).
        rows, columns: (B, heads, n^2, n).

    Returns:
        (B, n^2, heads, d).
    """
    count, heads, total, depth = q.shape
    found = q.new_empty(count, total, heads, depth)
    # The sum of the two terms is as large as the attention itself: some queries at a time.
    most = _CACHED if q.device.type == "cpu" else _MOST_ELEMENTS
    images = max(1, most // (heads * total**2))
    together = min(heads, max(1, most // total**2))
    queries = min(total, max(1, most // total))
    places = itertools.product(
        *(range(0, *pair) for pair in ((count, images), (heads, together), (total, queries)))
    )
    for image, head, query in places:
        some = slice(image, image + images), slice(head, head + together)
        asked = (*some, slice(query, query + queries))
        bias = (rows[asked][..., None] + columns[asked][..., None, :]).flatten(3)
        answer = functional.scaled_dot_product_attention(q[asked], k[some], v[some], bias)
        found[asked[0], asked[2], asked[1]] = answer.transpose(1, 2)
    return found


class Mlp(nn.Module):
    """Two linear maps with an activation between."""

    def __init__(self, width: int, hidden: int, activation: type[nn.Module] = nn.GELU) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)
        self.act = activation()

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, -2)
        if torch.is_grad_enabled() or len(tokens) <= _TOKENS:
            return self.lin2(self.act(self.lin1(x)))
        found = [self.lin2(self.act(self.lin1(some))) for some in tokens.split(_TOKENS)]
        return torch.cat(found).view(*x.shape[:-1], -1)


class Block(nn.Module):
    """One block; ``window`` 0 attends to the whole image."""

    def __init__(self, size: Size, window: int) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(size.width, eps=1e-6)
        self.attn = Attention(size.width, size.heads, window or GRID)
        self.norm2 = nn.LayerNorm(size.width, eps=1e-6)
        self.mlp = Mlp(size.width, 4 * size.width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), self.window)
        return x + self.mlp(self.norm2(x))


def cut(x: Tensor, window: int, filling: Tensor | None = None) -> Tensor:
    """(B, H, W, C) as (B * windows, window, window, C), padded right and below.

    The padding is zeros, or the (C,) ``filling`` at each place.
    """
    count, height, width, channels = x.shape
    below, right = -height % window, -width % window
    if filling is None:
        x = functional.pad(x, (0, 0, 0, right, 0, below))
    elif below or right:
        inner, x = x, x.new_empty(count, height + below, width + right, channels)
        x[:, :height, :width], x[:, height:], x[:, :height, width:] = inner, filling, filling
    x = x.unflatten(1, (-1, window)).unflatten(3, (-1, window))
    return x.transpose(2, 3).reshape(-1, window, window, channels)


def joined(windows: Tensor, size: torch.Size) -> Tensor:
    """What ``cut`` took apart, (B, H, W, C) of ``size`` (H, W), the padding dropped."""
    window = windows.shape[1]
    down, across = -(-size[0] // window), -(-size[1] // window)
    x = windows.view(-1, down, across, window, window, windows.shape[-1])
    x = x.transpose(2, 3).flatten(1, 2).flatten(2, 3)
    return x[:, : size[0], : size[1]]


class PatchEmbed(nn.Module):
    """(B, 3, 1024, 1024) to (B, 64, 64, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, 16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).permute(0, 2, 3, 1)


class ImageEncoderViT(nn.Module):
    """The encoder of SAM and HQ-SAM."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.early_width = size.width
        self.early = size.whole[0]
        self.patch_embed = PatchEmbed(size.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, GRID, GRID, size.width))
        self.blocks = nn.ModuleList(
            Block(size, 0 if index in size.whole else WINDOW) for index in range(size.depth)
        )
        self.neck = neck(size.width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` (B, 3, 1024, 1024), normalised.

        Returns:
            The embedding (B, 256, 64, 64), and the output of the first block that sees the whole
            image, (B, C, 64, 64), which HQ-SAM's decoder reads.
        """
        x = self.patch_embed(x) + self.pos_embed
        early = x
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == self.early:
                early = x
        return self.neck(x.permute(0, 3, 1, 2)), early.permute(0, 3, 1, 2)
