"""The temporal focal transformer of E2FGVI. Li et al., CVPR 2022, section 3.3.

Tokens stand for overlapping 7x7 patches of the features, 3 apart: a grid of tokens has a third of
the features' size. Making tokens of patches is then a convolution, and making patches of tokens,
summed where they overlap, is a transposed one. Tokens are (B, T, rows, columns, 512) throughout.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.layers.constant import hold_constant

DIM, HEADS, BLOCKS = 512, 4, 8
WINDOW = (5, 9)  # tokens: rows, columns
STRIDE = 3  # features from token to token, each way
_KERNEL = 7
_HIDDEN = 40  # channels of a patch inside the feed-forward network
_ROWS = 256  # queries that attend at once on a CPU
_CHUNK = 2**26  # bytes of keys and values that are gathered at once


Queries = slice | list[int]
"""Some of the frames."""


class Part(NamedTuple):
    """A rectangle of windows: rows ``top`` to ``bottom``, columns ``left`` to ``right``."""

    top: int
    left: int
    bottom: int
    right: int

    def tokens(self, scale: int = 1) -> tuple[slice, slice]:
        """Its rows and columns of tokens, or of what is ``scale`` times as fine."""
        rows, columns = (scale * side for side in WINDOW)
        return (
            slice(self.top * rows, self.bottom * rows),
            slice(self.left * columns, self.right * columns),
        )


def patches_of(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Tokens of ``x`` (n, c, 3 rows, 3 columns), (n, rows, columns, 512).

    ``weight`` is that of a linear layer from a patch, (512, c * 7 * 7).
    """
    kernel = weight.view(len(weight), -1, _KERNEL, _KERNEL)
    tokens = functional.conv2d(x, kernel, bias, stride=STRIDE, padding=STRIDE)
    return tokens.permute(0, 2, 3, 1)


def folded(tokens: Tensor, weight: Tensor, bias: Tensor, part: Part, whole: Part) -> Tensor:
    """The sum of the patches of ``tokens`` (n, rows, columns, inputs), (n, c, 3 rows, 3 columns).

    ``weight`` is that of a linear layer to a patch, (c * 7 * 7, inputs). The tokens are those of
    ``part`` of the windows of ``whole``; within a patch of its edge the sum lacks the others.
    """
    kernel = weight.T.reshape(weight.shape[1], -1, _KERNEL, _KERNEL)
    ones = tokens.new_ones(1, 1, *(side.stop for side in whole.tokens()))
    biases = _transposed(ones, bias.view(1, -1, _KERNEL, _KERNEL))
    return _transposed(tokens.permute(0, 3, 1, 2), kernel) + biases[:, :, *part.tokens(STRIDE)]


def _transposed(x: Tensor, kernel: Tensor) -> Tensor:
    return functional.conv_transpose2d(x, kernel, stride=STRIDE, padding=STRIDE, output_padding=2)


def dense(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A linear layer on the last axis of ``x`` (B, T, rows, columns, inputs).

    On a CPU it is computed as a 1x1 convolution: oneDNN does that quicker than the BLAS.
    """
    if x.device.type != "cpu":
        return functional.linear(x, weight, bias)
    image = functional.conv2d(x.flatten(0, 1).permute(0, 3, 1, 2), weight[:, :, None, None], bias)
    return image.permute(0, 2, 3, 1).unflatten(0, x.shape[:2])


def attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention of ``q`` (n, heads, queries, c) to ``k`` and ``v`` (n, heads, keys, c)."""
    is_trained = torch.is_grad_enabled() and q.requires_grad
    if q.device.type != "cpu" or q.dtype == torch.float32 or is_trained:
        return functional.scaled_dot_product_attention(q, k, v)
    # Plain products, a few queries at a time: on a CPU torch's own kernel gains nothing from
    # reduced precision, and the BLAS does.
    result = torch.empty_like(q)
    q = q * q.shape[-1] ** -0.5
    for n, head in itertools.product(*map(range, q.shape[:2])):
        keys, values = k[n, head].T, v[n, head]
        for some, rows in zip(q[n, head].split(_ROWS), result[n, head].split(_ROWS), strict=True):
            torch.mm(torch.softmax(some @ keys, dim=-1), values, out=rows)
    return result


# ---- which tokens a window looks at ------------------------------------------------------------


def _rolled() -> list[tuple[int, int, int]]:
    """(place in the four maps, row, column relative to the window) of the rolled tokens kept."""
    rows, columns = WINDOW
    down, right = rows // 2, columns // 2
    kept: list[tuple[int, int, int]] = []
    for corner, (dy, dx) in enumerate(
        ((down, right), (down, -right), (-down, right), (-down, -right))
    ):
        for r in range(rows):
            for c in range(columns):
                y, x = r + dy, c + dx
                if not (0 <= y < rows and 0 <= x < columns):
                    kept.append(((corner * rows + r) * columns + c, y, x))
    return kept


def _keys(window: tuple[int, int], windows: tuple[int, int]) -> list[int]:
    """Where the keys of one window stand among a frame's tokens, its pooled ones after them."""
    (rows, columns), (i, j) = WINDOW, window
    height, width = rows * windows[0], columns * windows[1]
    inside = [(r, c) for r in range(rows) for c in range(columns)]
    around = [(y, x) for _, y, x in _rolled()]  # past the edge the roll wraps round
    near = [(i * rows + y) % height * width + (j * columns + x) % width for y, x in inside + around]
    # The neighbourhood of pooled tokens is as large as a window. What lies outside the map has a
    # logit of -100 in the paper's code, that is no weight: it is left out.
    pooled = [
        height * width + y * windows[1] + x
        for y in range(max(i - rows // 2, 0), min(i + rows // 2 + 1, windows[0]))
        for x in range(max(j - columns // 2, 0), min(j + columns // 2 + 1, windows[1]))
    ]
    return near + pooled


@lru_cache(maxsize=32)
def _groups(part: Part, whole: Part, device: torch.device) -> list[tuple[Tensor, Tensor]]:
    """The windows of ``part`` with equally many keys: (their numbers in it, (windows, keys))."""
    by_count: dict[int, list[tuple[int, list[int]]]] = defaultdict(list)
    wide = part.right - part.left
    for i in range(part.top, part.bottom):
        for j in range(part.left, part.right):
            keys = _keys((i, j), (whole.bottom, whole.right))
            by_count[len(keys)].append(((i - part.top) * wide + j - part.left, keys))
    # They are kept, and who was first may have filled a clip: training needs ordinary tensors.
    with torch.inference_mode(False):
        return [
            (
                torch.tensor([number for number, _ in group], device=device),
                torch.tensor([keys for _, keys in group], device=device),
            )
            for group in by_count.values()
        ]


# ---- the layers --------------------------------------------------------------------------------


class FocalAttention(nn.Module):
    """Attention of each window to itself, to what surrounds it, and to far windows as one each."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(DIM, 3 * DIM)
        self.proj = nn.Linear(DIM, DIM)
        places = [place for place, _, _ in _rolled()]
        hold_constant(self, "valid_ind_rolled", torch.tensor(places))

    def forward(self, y: Tensor, pooled: Tensor, part: Part, queries: Queries) -> Tensor:
        """What the tokens of the frames ``queries`` in ``part`` gather from all.

        Args:
            y: (B, T, rows, columns, 512) normalised tokens.
            pooled: (B, T, windows down, windows across, 512).
        """
        whole = Part(0, 0, pooled.shape[2], pooled.shape[3])
        weight, bias = self.qkv.weight, self.qkv.bias
        q = dense(y[:, queries][:, :, *part.tokens()], weight[:DIM], bias[:DIM])
        near, far = (dense(x, weight[DIM:], bias[DIM:]).flatten(2, 3) for x in (y, pooled))
        keys = torch.cat([near, far], dim=2)
        attended = self._attend(self._windows(q), keys, _groups(part, whole, y.device))
        return dense(self._unwindowed(attended, q.shape), self.proj.weight, self.proj.bias)

    @staticmethod
    def _windows(q: Tensor) -> Tensor:
        """(B, T, rows, columns, 512) to (B, windows, heads, T * 45, 128)."""
        x = q.unflatten(3, (-1, WINDOW[1])).unflatten(2, (-1, WINDOW[0])).unflatten(-1, (HEADS, -1))
        return x.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4, 6).flatten(1, 2)

    @staticmethod
    def _unwindowed(x: Tensor, shape: torch.Size) -> Tensor:
        """(B, windows, T * 45, 512) to the tokens' ``shape``."""
        batch, frames, rows, columns, _ = shape
        down, across = rows // WINDOW[0], columns // WINDOW[1]
        x = x.view(batch, down, across, frames, *WINDOW, DIM)
        return x.permute(0, 3, 1, 4, 2, 5, 6).reshape(shape)

    @staticmethod
    def _attend(q: Tensor, keys: Tensor, groups: list[tuple[Tensor, Tensor]]) -> Tensor:
        """(B, windows, T * 45, 512); ``keys`` are (B, T, tokens and pooled tokens, 1024)."""
        batch, frames, count, _ = keys.shape
        first = torch.arange(batch * frames, device=keys.device).view(batch, 1, frames, 1) * count
        table = keys.flatten(0, 2)
        result = q.new_empty(*q.shape[:2], q.shape[3], DIM)
        size = batch * frames * 2 * DIM * keys.element_size()
        for windows, places in groups:
            step = max(1, _CHUNK // (size * places.shape[1]))
            for some, rows_of in zip(windows.split(step), places.split(step), strict=True):
                rows = (first + rows_of[:, None]).flatten()
                kv = table[rows].view(batch * len(some), -1, 2, HEADS, DIM // HEADS)
                k, v = kv.permute(2, 0, 3, 1, 4)
                chosen = q[:, some].flatten(0, 1)
                attended = attention(chosen, k, v)
                result[:, some] = attended.transpose(1, 2).flatten(2).unflatten(0, (batch, -1))
        return result


class FeedForward(nn.Module):
    """Two linear layers, between which the patches of neighbouring tokens are averaged."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.ModuleList([nn.Linear(DIM, _HIDDEN * _KERNEL**2)])
        # The activation has a place in the published list.
        self.conv2 = nn.ModuleList([nn.GELU(), nn.Linear(_HIDDEN * _KERNEL**2, DIM)])

    def forward(self, tokens: Tensor, part: Part, whole: Part) -> Tensor:
        """``tokens`` (n, rows, columns, 512) are those of ``part``."""
        inner, outer = cast(nn.Linear, self.conv1[0]), cast(nn.Linear, self.conv2[1])
        ones = tokens.new_ones(1, 1, *(side.stop for side in whole.tokens()))
        overlap = _transposed(ones, tokens.new_ones(1, 1, _KERNEL, _KERNEL))
        x = folded(tokens, inner.weight, inner.bias, part, whole)
        x = functional.gelu(x / overlap[:, :, *part.tokens(STRIDE)])
        return patches_of(x, outer.weight, outer.bias)


class Block(nn.Module):
    """One block of the temporal focal transformer.

    Each window of tokens attends to its surroundings in all frames, and to one pooled token for
    each window of a wider neighbourhood; then comes the feed-forward part, which mixes overlapping
    patches.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(DIM), nn.LayerNorm(DIM)
        self.pool_layers = nn.ModuleList([nn.Linear(WINDOW[0] * WINDOW[1], 1)])
        self.attn = FocalAttention()
        self.mlp = FeedForward()

    def pool(self, y: Tensor) -> Tensor:
        """One token for each window, (B, T, windows down, windows across, 512)."""
        layer = cast(nn.Linear, self.pool_layers[0])
        windows = y.unflatten(3, (-1, WINDOW[1])).unflatten(2, (-1, WINDOW[0]))
        weight = layer.weight.view(WINDOW[0], 1, WINDOW[1], 1)
        return (windows * weight).sum(dim=(3, 5)) + layer.bias

    def forward(
        self, x: Tensor, part: Part | None = None, queries: Sequence[int] | None = None
    ) -> Tensor:
        """The tokens after this block.

        Args:
            x: (B, T, rows, columns, 512).
            part: the windows wanted; None is all. Within two tokens of its edge, other than the
                grid's own, the result is not exact.
            queries: the frames wanted; None is all.
        """
        whole = whole_of(x)
        part = part or whole
        chosen = slice(None) if queries is None else list(queries)
        y = self.norm1(x)
        attended = self.attn(y, self.pool(y), part, chosen)
        x = x[:, chosen][:, :, *part.tokens()] + attended
        y = self.norm2(x).flatten(0, 1)
        return x + self.mlp(y, part, whole).view(x.shape)


def whole_of(tokens: Tensor) -> Part:
    """All windows of ``tokens`` (B, T, rows, columns, 512)."""
    return Part(0, 0, tokens.shape[2] // WINDOW[0], tokens.shape[3] // WINDOW[1])
