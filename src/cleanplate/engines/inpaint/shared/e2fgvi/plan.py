"""How a region is worked through within the memory that the user allows: a measured cost model.

Fewer references come first, then tiles: a tile sees less of the picture, and its neighbours' seams.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from cleanplate.errors import InputError
from cleanplate.types import Box

MULTIPLE = (60, 108)
"""The networks' sides are multiples of these: rows, columns."""
LOCAL = 11  # frames of a window
STRIDE, STEP = 5, 10
"""Frames from window to window, and from reference to reference."""
_OVERLAP = 48  # px that neighbouring tiles share at least
_LEAST = (240, 432)  # the least tile: what the networks were trained on
_MOST_TILES = 12  # each way

# Peak bytes: base + pixels * bytes of a number * (fixed + each * frames); bench/learned_fill.py
# --cost measures it.
_BASE, _FIXED, _EACH = 650 << 20, 640, 73


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with a region."""

    width: int
    height: int
    tiles: tuple[Box, ...]
    """They cover the region; where they overlap their fills fade into each other."""
    reach: int | None
    """How far from a window's centre references are taken; None is the whole shot."""
    memory: int | None
    """Bytes that it takes at most; None when that grows with the shot."""

    def over(self, width: int, height: int) -> Plan:
        """The same for a region of another size, which is scaled to that of this one."""
        return replace(self, width=width, height=height, tiles=(Box(0, 0, width, height),))

    def __str__(self) -> str:
        where = "as one" if len(self.tiles) == 1 else f"in {len(self.tiles)} tiles"
        far = "the whole shot" if self.reach is None else f"{self.reach} frames each way"
        size = "growing with it" if self.memory is None else f"{self.memory / 2**30:.1f} GiB"
        return f"{self.width}x{self.height} {where}, references from {far}, {size} of memory"


def cost(width: int, height: int, reach: int, item: int) -> int:
    """Bytes that a tile of ``width`` x ``height`` takes at most; a number has ``item`` bytes."""
    rows, columns = (
        -(-side // step) * step for side, step in zip((height, width), MULTIPLE, strict=True)
    )
    frames = LOCAL + 2 * (reach // STEP)
    return _BASE + rows * columns * item * (_FIXED + _EACH * frames)


def plan(
    width: int, height: int, reach: int | None, item: int, memory: int | None, tiled: bool
) -> Plan:
    """The best way to work through a region.

    Args:
        width, height: of the region, in px of the network.
        reach: what the user wants, at most.
        item: bytes of a number.
        memory: bytes that the user allows; None is all that it takes.
        tiled: whether the network takes tiles of any size.

    Raises:
        InputError: ``memory`` is too little for any way.
    """
    whole = (Box(0, 0, width, height),)
    if memory is None:
        need = None if reach is None else cost(width, height, reach, item)
        return Plan(width, height, whole, reach, need)
    ways = [whole, *(_tilings(width, height) if tiled else [])]
    least = None
    for tiles in ways:
        for some in _reaches(reach):
            need = max(cost(t.width, t.height, some, item) for t in tiles)
            need += (len(tiles) - 1) * _kept(tiles[0], some, item)
            if need <= memory:
                return Plan(width, height, tuple(tiles), some, need)
            least = need if least is None else min(least, need)
    assert least is not None
    raise InputError(
        f"Filling {width}x{height} takes {least / 2**30:.1f} GiB at least, but "
        f"{memory / 2**30:.1f} GiB are allowed; allow more with --memory."
    )


def _reaches(most: int | None) -> Iterator[int]:
    """``most`` and less; with a limit to memory the whole shot is not on offer."""
    far = 50 if most is None else most
    yield far
    yield from range((far - 1) // STEP * STEP, 0, -STEP)


def _kept(tile: Box, reach: int, item: int) -> int:
    """Bytes of features and tokens that a tile keeps while another one is worked on."""
    features, tokens = 8 * (LOCAL + reach // STEP), 4 * (reach // STEP)
    return tile.width * tile.height * item * (features + tokens)


def _tilings(width: int, height: int) -> Iterator[list[Box]]:
    """Ways to cut a region into tiles, fewest tiles first."""
    counts = [(r, c) for r in range(1, _MOST_TILES + 1) for c in range(1, _MOST_TILES + 1)]
    for rows, columns in sorted(counts, key=lambda n: (n[0] * n[1], abs(n[0] - n[1]))):
        down = _spans(height, rows, MULTIPLE[0], _LEAST[0])
        across = _spans(width, columns, MULTIPLE[1], _LEAST[1])
        if rows * columns > 1 and down is not None and across is not None:
            yield [Box(x0, y0, x1, y1) for y0, y1 in down for x0, x1 in across]


def _spans(side: int, count: int, multiple: int, least: int) -> list[tuple[int, int]] | None:
    """``count`` equal overlapping pieces of ``side``; None when they would be too small."""
    if count == 1:
        return [(0, side)]
    length = -(-(side + (count - 1) * _OVERLAP) // count)
    length = -(-length // multiple) * multiple
    if length < least or length >= side:
        return None
    starts = [round(n * (side - length) / (count - 1)) for n in range(count)]
    return [(start, start + length) for start in starts]


def weights(tile: Box, width: int, height: int) -> np.ndarray:
    """(h, w) float32 > 0: how much the tile's fill counts, less towards the edges it shares."""
    rows = _ramp(tile.y0, tile.y1, height)[:, None]
    return rows * _ramp(tile.x0, tile.x1, width)


def _ramp(start: int, stop: int, side: int) -> np.ndarray:
    place = np.arange(start, stop, dtype=np.float32) + 0.5
    ramp = np.full_like(place, _OVERLAP)
    if start > 0:
        ramp = np.minimum(ramp, place - start)
    if stop < side:
        ramp = np.minimum(ramp, stop - place)
    return ramp
