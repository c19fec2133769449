"""Attention of AOT and DeAOT: over a whole memory, and inside a window around each place.

Yang et al., "Associating Objects with Transformers", NeurIPS 2021, section 4.2. The published code
scatters the window into a dense matrix of the whole map; here a band of rows at a time sees only
the rows that it can reach, which gives the same numbers for less work.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

REACH = 7
SPAN = 2 * REACH + 1
_BAND = 4  # rows of queries at a time: more see more keys in vain, fewer make smaller products
_MOST_SCORES = 1 << 25  # of one matrix of attention that are held at once
_MOST_QUERIES = 512  # so that their scores are still in the processor's caches when they are used

Size = tuple[int, int]


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention: q (B, heads, T, d), k (B, heads, n, d), v (B, heads, n, e)."""
    if q.shape[-1] == v.shape[-1]:
        return functional.scaled_dot_product_attention(q, k, v)
    # Values wider than keys have no fused kernel on the CPU: a part of the queries at a time.
    q = q * q.shape[-1] ** -0.5
    step = max(1, min(_MOST_QUERIES, _MOST_SCORES // (q.shape[0] * q.shape[1] * k.shape[2])))
    turned = k.transpose(-1, -2)
    parts = [(part @ turned).softmax(dim=-1) @ v for part in q.split(step, dim=2)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=2)


@lru_cache(maxsize=64)
def _offsets(first: int, rows: int, start: int, stop: int, width: int) -> tuple[Tensor, Tensor]:
    """For queries in ``rows`` rows from ``first`` and keys in the rows from ``start`` to ``stop``:

    which of the 225 offsets leads from a query to a key, (queries, keys) int64, and whether none
    does, (queries, keys) bool.
    """
    down = torch.arange(start, stop)[None] - torch.arange(first, first + rows)[:, None] + REACH
    across = torch.arange(width)[None] - torch.arange(width)[:, None] + REACH
    down, across = down[:, None, :, None], across[None, :, None, :]
    outside = (down < 0) | (down >= SPAN) | (across < 0) | (across >= SPAN)
    index = torch.where(outside, 0, down * SPAN + across)
    shape = (rows * width, (stop - start) * width)
    return index.reshape(shape), outside.reshape(shape)


class WindowAttention(nn.Module):
    """The part of short-term attention that AOT and DeAOT share."""

    def __init__(self, heads: int, keys: int) -> None:
        """``keys`` channels of a key, all heads together."""
        super().__init__()
        self.heads = heads
        self.relative_emb_k = nn.Conv2d(keys, heads * SPAN**2, 1, groups=heads)

    def window(
        self, q: Tensor, k: Tensor, v: Tensor, size: Size, embedded: Tensor | None = None
    ) -> Tensor:
        """Attention of each place to the 15 x 15 places around it in another map.

        Args:
            q: (B, heads, T, d), T = height * width of ``size``.
            k: the same of the other map.
            v: (B, heads, T, e).
            size: (height, width).
            embedded: (heads, e, 225): what each offset adds to the answer besides its value.
        """
        count, heads, total, depth = q.shape
        height, width = size
        flat = q.transpose(-1, -2).reshape(count, heads * depth, height, width)
        # The position terms take the query as it is, not scaled as for the keys.
        terms = self.relative_emb_k(flat).view(count, heads, SPAN**2, total).transpose(-1, -2)
        scaled = q * depth**-0.5
        parts = []
        for first in range(0, height, _BAND):
            rows = min(_BAND, height - first)
            start, stop = max(0, first - REACH), min(height, first + rows + REACH)
            index, outside = (one.to(q.device) for one in _offsets(first, rows, start, stop, width))
            queries = slice(first * width, (first + rows) * width)
            keys = slice(start * width, stop * width)
            scores = scaled[:, :, queries] @ k[:, :, keys].transpose(-1, -2)
            scores += terms[:, :, queries].gather(-1, index.expand(count, heads, -1, -1))
            found = scores.masked_fill_(outside, -torch.inf).softmax(dim=-1)
            part = found @ v[:, :, keys]
            if embedded is not None:
                local = found.new_zeros(*found.shape[:3], SPAN**2)
                local.scatter_add_(-1, index.expand_as(found), found)
                part += local @ embedded.transpose(-1, -2)
            parts.append(part)
        return torch.cat(parts, dim=2)


def heads_of(x: Tensor, heads: int) -> Tensor:
    """(B, T, C) to (B, heads, T, C / heads)."""
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def heads_joined(x: Tensor) -> Tensor:
    """(B, heads, T, d) to (B, T, heads * d)."""
    return x.transpose(1, 2).flatten(2)


def as_map(x: Tensor, size: Size) -> Tensor:
    """(B, T, C) tokens to (B, C, height, width), lying channels last."""
    return x.unflatten(1, size).permute(0, 3, 1, 2)


def as_tokens(x: Tensor) -> Tensor:
    """(B, C, height, width) to (B, T, C)."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


class DepthWise(nn.Module):
    """A 5 x 5 convolution of each channel by itself, on tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 5, padding=2, groups=width, bias=False)

    def forward(self, x: Tensor, size: Size) -> Tensor:
        return as_tokens(self.conv(as_map(x, size)))
