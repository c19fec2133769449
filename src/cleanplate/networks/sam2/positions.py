"""Where things are, as sines and cosines: of maps, of distances in time, and as rotations."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

TEMPERATURE = 10000.0


@lru_cache(maxsize=16)
def sine_map(channels: int, height: int, width: int, device: str = "cpu") -> Tensor:
    """(1, channels, height, width): the first half of the channels tells y, the second x.

    Sines and cosines alternate; places count from 1 and end at 2 pi.
    """
    half = channels // 2
    index = torch.arange(half, dtype=torch.float32, device=device)
    wave = TEMPERATURE ** (2 * (index // 2) / half)

    def coded(count: int) -> Tensor:
        """(count, half)."""
        places = torch.arange(1, count + 1, dtype=torch.float32, device=device)
        turned = (places / (count + 1e-6) * 2 * math.pi)[:, None] / wave
        return torch.stack([turned[:, 0::2].sin(), turned[:, 1::2].cos()], dim=2).flatten(1)

    down = coded(height)[:, None].expand(-1, width, -1)
    across = coded(width)[None].expand(height, -1, -1)
    return torch.cat([down, across], dim=-1).permute(2, 0, 1)[None].contiguous()


def sine_line(distances: Tensor, channels: int) -> Tensor:
    """(n,) distances as (n, channels): all sines, then all cosines; frequencies come in pairs."""
    half = channels // 2
    index = torch.arange(half, dtype=torch.float32, device=distances.device)
    turned = distances[:, None] / TEMPERATURE ** (2 * (index // 2) / half)
    return torch.cat([turned.sin(), turned.cos()], dim=-1)


@lru_cache(maxsize=8)
def rotations(side: int, channels: int, device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Cosines and sines, (side^2, channels / 2) each, by which pairs of channels turn.

    The first half of the pairs turns by x, the second by y (axial rotary positions; Heo et al.,
    "Rotary Position Embedding for Vision Transformer", ECCV 2024).
    """
    exponent = torch.arange(0, channels, 4, dtype=torch.float32, device=device) / channels
    frequency = 1 / TEMPERATURE**exponent
    place = torch.arange(side**2, dtype=torch.float32, device=device)
    x, y = place % side, torch.div(place, side, rounding_mode="floor")
    angle = torch.cat([torch.outer(x, frequency), torch.outer(y, frequency)], dim=-1)
    return angle.cos(), angle.sin()


def rotated(x: Tensor, table: tuple[Tensor, Tensor]) -> Tensor:
    """(..., k n, C) tokens, turned by a table of n places that repeats k times."""
    cosines, sines = table
    pairs = x.float().unflatten(-2, (-1, len(cosines))).unflatten(-1, (-1, 2))
    a, b = pairs.unbind(-1)
    turned = torch.stack([a * cosines - b * sines, a * sines + b * cosines], dim=-1)
    return turned.flatten(-2).flatten(-3, -2).to(x.dtype)
