"""What no frame shows: painted once on the frame that knows most, and carried from there both ways.

A painter (LaMa, or what stands in for it) fills a key frame where no chain leads. It is also made
to paint a rim of what is known: how it errs there, against a smooth fill of the same rim, says how
far it is believed. What it painted is then one more guess in every frame near by, along the stiff
motion of the background, and the ring around the hole may refute that as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import numpy as np

from cleanplate.arrays.blending import surrounding_variance
from cleanplate.arrays.chains import Chains, no_chains, sample
from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.masks import bounding_box, grow
from cleanplate.engines.inpaint.flowfill.invent import followed, never_seen, settled
from cleanplate.engines.inpaint.flowfill.plates import Plate, synthesise
from cleanplate.engines.inpaint.shared.painting import Painter

_LEAST = 300  # px below which the smooth fill is good enough
_RIM = 6  # px of the known that the painter paints as well, and is judged by
_ERROR_BLUR = 4.0  # px over which its errors there are averaged
_FLOOR = 4.0  # grey levels squared: errors below are noise
_WRONG = 4.0  # times the error beyond that of a smooth fill counts against it
_PER_HOP = 0.2  # grey levels squared that a frame of distance adds
_MOST_GAIN = 4.0


class Hint(NamedTuple):
    """A guess at the N places of a plate's spot."""

    colours: np.ndarray
    """(N, 3) float32."""
    seen: np.ndarray
    """(N,) bool."""
    against: np.ndarray
    """(N,) float32, grey levels squared."""


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A frame that was painted."""

    number: int
    picture: np.ndarray
    """(H, W, 3) uint8, without holes."""
    variance: np.ndarray
    """(H, W) float32, grey levels squared: how wrong it may be there."""
    exposure: float


class Unseen:
    """The painted key frames of one shot, whose frames are asked for in their order."""

    def __init__(self, painter: Painter, reach: int, directed: bool) -> None:
        self._painter, self._directed = painter, directed
        self._reach = reach  # frames after which a key frame is stale
        self._key: Key | None = None
        self._chains: dict[int, Chains] = {}
        """By frame, chains to the key frame."""

    def hints(self, ready: range, plates: dict[int, Plate]) -> dict[int, Hint]:
        """A guess for each frame of ``ready`` in which something is not seen.

        Args:
            ready: the frames to be filled now.
            plates: these and all others at hand, with their chains.
        """
        ahead = range(ready.start, max(plates, default=-1) + 1)
        found: dict[int, Hint] = {}
        for n in ready:
            missing = never_seen(plates[n])
            if np.count_nonzero(missing) < _LEAST:
                self._advance(n, plates)
                continue
            self._advance(n, plates)
            if self._renew(n, plates, missing):
                self._paint(range(n, ahead.stop), plates)
            if self._key is not None and n in self._chains:
                found[n] = self._hint(plates[n], self._chains[n], self._key)
        self._forget(ready.stop)
        return found

    def _renew(self, n: int, plates: dict[int, Plate], missing: np.ndarray) -> bool:
        """Whether there is no key frame that tells of what is ``missing`` in frame ``n``."""
        key, chains = self._key, self._chains.get(n)
        if key is None or chains is None or abs(n - key.number) > self._reach:
            return True
        left = missing.copy()
        ys, xs = _pixels(plates[n], chains.frame == key.number)
        left[ys, xs] = False
        return np.count_nonzero(left) >= _LEAST

    def _paint(self, numbers: Iterable[int], plates: dict[int, Plate]) -> None:
        """Choose a key frame among ``numbers``, the first of which needs it, and paint it."""
        counts = {n: np.count_nonzero(never_seen(plates[n])) for n in numbers}
        first = next(iter(counts))
        near = {n: c for n, c in counts.items() if n - first <= self._reach and c >= _LEAST}
        # The frame that knows most; of equals the one in the middle, to which ways are short.
        middle = (min(near) + max(near)) / 2
        number = min(near, key=lambda n: (near[n], abs(n - middle)))
        old = self._key
        if old is not None:
            for n in range(first + 1, number + 1):
                self._advance(n, plates)
        hint = None
        if old is not None and number in self._chains:
            hint = self._hint(plates[number], self._chains[number], old)
        self._key = self._painted(plates[number], plates, hint)
        self._chains = {number: _identity(plates[number], number)}
        for n in range(number - 1, first - 1, -1):
            self._chains[n] = self._towards(n, 1, plates)

    def _painted(self, plate: Plate, plates: dict[int, Plate], hint: Hint | None) -> Key:
        """``plate`` with what is not seen painted; what a ``hint`` tells already stays."""
        known = synthesise(plate, plates, self._directed, hint)
        missing = never_seen(plate)
        if hint is not None:
            ys, xs = _pixels(plate, hint.seen)
            missing[ys, xs] = False
        variance = np.zeros(missing.shape, np.float32)
        if np.count_nonzero(missing) < _LEAST:
            return Key(plate.number, known, variance, plate.exposure)
        asked = grow(missing.astype(np.uint8), _RIM) > 0
        painted = self._painter.paint(known, asked).astype(np.float32)
        rim = asked & ~missing
        box = bounding_box(grow(asked.astype(np.uint8), 4 * _RIM))
        assert box is not None  # something is missing
        part = box.slices
        smooth = harmonic_fill(known[part], asked[part])
        errors = _errors(known[part], rim[part], painted[part], smooth)
        offset = np.where(rim[part][..., None], known[part] - painted[part], 0)
        offset = harmonic_fill(offset, missing[part])
        theirs, plain = errors[..., 0], errors[..., 1]
        ratio = np.minimum((theirs + _FLOOR) / (plain + _FLOOR), 1)
        expected = surrounding_variance(known[part], missing[part])
        wrong = _WRONG * np.maximum(theirs - plain, 0)
        variance[part] = np.where(missing[part], expected * ratio**2 + wrong, 0)
        picture = known.copy()
        shifted = np.clip(np.rint(painted[part] + offset), 0, 255).astype(np.uint8)
        picture[part] = np.where(missing[part][..., None], shifted, known[part])
        return Key(plate.number, picture, variance, plate.exposure)

    def _advance(self, n: int, plates: dict[int, Plate]) -> None:
        """Find the chains of frame ``n`` to a key frame before it."""
        key = self._key
        if key is not None and n > key.number and n not in self._chains:
            self._chains[n] = self._towards(n, -1, plates)

    def _towards(self, n: int, step: int, plates: dict[int, Plate]) -> Chains:
        assert self._key is not None
        onward = self._chains.get(n + step)
        if onward is None or n + step not in plates:
            return no_chains(plates[n].spot)
        chains = followed(plates[n], plates, step, self._key.number, onward)
        return settled(plates[n], chains, self._key.number, self._key.picture)

    def _hint(self, plate: Plate, chains: Chains, key: Key) -> Hint:
        chains = chains.of(plate.spot)
        seen = chains.frame == key.number
        gain = np.float32(min(plate.exposure / key.exposure, _MOST_GAIN))
        colours = sample(key.picture, chains.place, cv2.INTER_CUBIC) * gain
        against = sample(key.variance, chains.place) + _PER_HOP * chains.hops
        return Hint(colours.astype(np.float32), seen, against.astype(np.float32))

    def _forget(self, oldest: int) -> None:
        self._chains = {n: chains for n, chains in self._chains.items() if n >= oldest - 1}


def _pixels(plate: Plate, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of those places (N,) bool of a plate's spot."""
    x, y = plate.spot.places[which].astype(int).T
    return y, x


def _identity(plate: Plate, number: int) -> Chains:
    """Chains from a frame to itself."""
    none = no_chains(plate.spot)
    return replace(
        none, frame=np.full_like(none.frame, number), place=plate.spot.places.astype(np.float32)
    )


def _errors(
    known: np.ndarray, rim: np.ndarray, painted: np.ndarray, smooth: np.ndarray
) -> np.ndarray:
    """(H, W, 2): squared errors in the rim of what was painted and of a smooth fill, carried in."""
    truth, inside = known.astype(np.float32), rim.astype(np.float32)
    squares = [np.mean((one - truth) ** 2, axis=2) * inside for one in (painted, smooth)]
    sums = cv2.GaussianBlur(np.dstack([*squares, inside]), (0, 0), _ERROR_BLUR)
    means = sums[..., :2] / np.maximum(sums[..., 2:], 1e-3)
    return harmonic_fill(means.astype(np.float32), ~rim)
