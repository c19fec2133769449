"""Bilinear sampling of features whose channels come last, on every device, with gradients.

The channels of a place are then a run in memory, and a sample is the weighted sum of four runs:
``embedding_bag`` computes just that, several times as quick as grid sampling on a CPU.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

Neighbours = tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Along one axis: the places before and after a point, and their weights."""


def steps(count: int, like: Tensor) -> Tensor:
    """0 to ``count`` - 1, int32, on the device of ``like``."""
    return torch.arange(count, device=like.device, dtype=torch.int32)


def sample(table: Tensor, places: Tensor, weights: Tensor) -> Tensor:
    """Weighted sums of four rows.

    Args:
        table: (rows, c).
        places: (..., 4) int32 rows of the table.
        weights: (..., 4).

    Returns:
        (count, c): one row for each of the ``...``.
    """
    return functional.embedding_bag(
        places.reshape(-1, 4),
        table,
        mode="sum",
        per_sample_weights=weights.reshape(-1, 4).to(table.dtype),
    )


def neighbours(place: Tensor, size: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """The two whole places around ``place``, kept in 0..size - 1, and their weights.

    A place outside weighs nothing: there are zeros.
    """
    first = place.detach().floor()
    part = place - first
    inside, next_inside = (first >= 0) & (first < size), (first >= -1) & (first < size - 1)
    # Far places are brought near before they become integers.
    low = first.clamp(-1, size).to(torch.int32)
    return (
        (low.clamp(0, size - 1), (low + 1).clamp(0, size - 1)),
        ((1 - part) * inside, part * next_inside),
    )


def warp_features(x: Tensor, flow: Tensor) -> Tensor:
    """``x`` (n, c, h, w) sampled where ``flow`` (n, 2, h, w), (x, y) px, points; zeros outside."""
    height, width = x.shape[-2:]
    rows = neighbours(flow[:, 1] + steps(height, flow)[:, None], height)
    columns = neighbours(flow[:, 0] + steps(width, flow), width)
    return _sampled(x, rows, columns)


def doubled(x: Tensor, rows: slice, columns: slice, height: int, width: int) -> Tensor:
    """``x`` (n, c, h, w) twice as fine, as bilinear interpolation with aligned corners makes it.

    ``x`` holds the ``rows`` and ``columns`` of a map of ``height`` and ``width``; what would have
    to be known of places beyond ``x`` is taken from its edge.
    """
    return _sampled(x, _finer(x, rows, height, 1), _finer(x, columns, width, 0))


def _finer(x: Tensor, span: slice, size: int, following: int) -> Neighbours:
    count = span.stop - span.start
    fine = torch.arange(2 * span.start, 2 * span.stop, device=x.device, dtype=torch.float32)
    place = (fine * ((size - 1) / (2 * size - 1)) - span.start).clamp(0, count - 1)
    return neighbours(place.view(1, -1, *[1] * following), count)


def _sampled(x: Tensor, rows: Neighbours, columns: Neighbours) -> Tensor:
    n, channels, height, width = x.shape
    (lines, line_weights), (points, point_weights) = rows, columns
    image = steps(n, x).view(-1, 1, 1) * height
    places = torch.stack([(image + row) * width + place for row in lines for place in points], -1)
    weights = torch.stack([row * part for row in line_weights for part in point_weights], -1)
    table = x.permute(0, 2, 3, 1).reshape(-1, channels)
    found = sample(table, places, weights.expand(places.shape))
    return found.view(n, *places.shape[1:3], channels).permute(0, 3, 1, 2)
