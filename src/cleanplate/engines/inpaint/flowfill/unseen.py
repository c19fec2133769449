"""What no frame shows: painted once on the frame that knows most, and carried from there both ways.

A painter (LaMa, or what stands in for it) fills a key frame where no chain leads. It is also made
to paint a rim of what is known: how it errs there, against a smooth fill of the same rim, says how
far it is believed. What it painted is then one more guess in every frame near by, along the stiff
motion of the background, and the ring around the hole may refute that as well.
"""

from __future__ import annotations

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
_LEAST_RING = 60  # px of the ring that must be asked
_NOISE = 10.0  # grey levels squared
_STALE = 0.6  # misfit beyond which another key frame is looked for
_REFUTED = 1.0  # and beyond which a guess is not heard
_AGAINST = 3.0  # times misfit and error counts against it
_LEAST_STAY = 8  # frames that a key frame serves at least


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
        newest = max(plates, default=-1)
        hints: dict[int, Hint] = {}
        for n in ready:
            self._advance(n, plates)
            missing = never_seen(plates[n])
            if np.count_nonzero(missing) < _LEAST:
                continue
            if self._renew(n, plates, missing):
                self._paint(range(n, newest + 1), plates)
            if self._key is not None and n in self._chains:
                hints[n] = self._hint(plates[n], self._chains[n], self._key)
        self._forget(ready.stop)
        return hints

    def _renew(self, n: int, plates: dict[int, Plate], missing: np.ndarray) -> bool:
        """Whether there is no key frame that tells of what is ``missing`` in frame ``n``."""
        key, chains = self._key, self._chains.get(n)
        if key is None or chains is None or abs(n - key.number) > self._reach:
            return True
        misfit, _ = _misfit(plates[n], chains, key.number, key.picture)
        if misfit > _STALE and abs(n - key.number) >= _LEAST_STAY:
            return True
        left = missing.copy()
        left[_pixels(plates[n], chains.frame == key.number)] = False
        return bool(np.count_nonzero(left) >= _LEAST)

    def _paint(self, numbers: range, plates: dict[int, Plate]) -> None:
        """Choose a key frame among ``numbers``, the first of which needs it, and paint it."""
        first, old = numbers.start, self._key
        counts = {n: np.count_nonzero(never_seen(plates[n])) for n in numbers}
        span = self._reach
        while True:
            near = {n: c for n, c in counts.items() if n - first <= span and c >= _LEAST}
            # The frame that knows most; of equals the one in the middle: ways to it are short.
            middle = (min(near) + max(near)) / 2
            number = min(near, key=lambda n: (near[n], abs(n - middle)))
            hint = self._hint_of_old(old, first, number, plates)
            known = synthesise(plates[number], plates, self._directed, hint)
            chains = _chains_before(number, first, plates, known)
            misfit, _ = _misfit(plates[first], chains[first], number, known)
            if number == first or misfit <= _STALE:
                break
            span = (number - first) // 2  # what lies so far away no longer fits here
        self._chains = chains
        self._key = self._painted(plates[number], known, hint)

    def _hint_of_old(
        self, old: Key | None, first: int, number: int, plates: dict[int, Plate]
    ) -> Hint | None:
        """What the key frame before tells of frame ``number``."""
        if old is None:
            return None
        for n in range(first + 1, number + 1):
            self._advance(n, plates)
        return self._hint(plates[number], self._chains[number], old)

    def _painted(self, plate: Plate, known: np.ndarray, hint: Hint | None) -> Key:
        """``known`` of ``plate`` with what is not seen painted; what ``hint`` tells stays."""
        missing = never_seen(plate)
        if hint is not None:
            missing[_pixels(plate, hint.seen)] = False
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
            onward = self._chains.get(n - 1)
            if onward is None or n - 1 not in plates:
                self._chains[n] = no_chains(plates[n].spot)
            else:
                chains = followed(plates[n], plates, -1, key.number, onward)
                self._chains[n] = settled(plates[n], chains, key.number, key.picture)

    def _hint(self, plate: Plate, chains: Chains, key: Key) -> Hint:
        chains = chains.of(plate.spot)
        seen = chains.frame == key.number
        gain = np.float32(min(plate.exposure / key.exposure, _MOST_GAIN))
        colours = sample(key.picture, chains.place, cv2.INTER_CUBIC) * gain
        misfit, error = _misfit(plate, chains, key.number, key.picture)
        if misfit > _REFUTED:
            seen = np.zeros_like(seen)
        against = sample(key.variance, chains.place) + _PER_HOP * chains.hops
        against += _AGAINST * misfit * error
        return Hint(colours.astype(np.float32), seen, against.astype(np.float32))

    def _forget(self, oldest: int) -> None:
        self._chains = {n: chains for n, chains in self._chains.items() if n >= oldest - 1}


def _chains_before(
    number: int, first: int, plates: dict[int, Plate], known: np.ndarray
) -> dict[int, Chains]:
    """Chains to the frame ``number``, of picture ``known``, from it and those down to ``first``."""
    by_frame = {number: _identity(plates[number], number)}
    for n in range(number - 1, first - 1, -1):
        chains = followed(plates[n], plates, 1, number, by_frame[n + 1])
        by_frame[n] = settled(plates[n], chains, number, known)
    return by_frame


def _misfit(plate: Plate, chains: Chains, key: int, picture: np.ndarray) -> tuple[float, float]:
    """How badly the key frame's ``picture`` meets the ring of ``plate``.

    Its squared error there, but for an offset, as a share of how much the ring varies, and in grey
    levels squared. Of a picture of something else the share is 1 to 2. Both are medians: what
    passes along a part of the ring says nothing against the rest.
    """
    chains = chains.of(plate.spot)
    x, y = plate.spot.places.astype(int).T
    asked = (chains.frame == key) & ~plate.hole[y, x]
    if np.count_nonzero(asked) < _LEAST_RING:
        return 0.0, 0.0
    truth = plate.picture[y[asked], x[asked]].astype(np.float32)
    missed = sample(picture, chains.place[asked]).astype(np.float32) - truth
    missed -= np.median(missed, axis=0)
    error = float(np.median(np.mean(missed**2, axis=1)))
    # Around the smooth fill, which knows of the slow part.
    slow = cv2.GaussianBlur(plate.smooth, (0, 0), _RIM)[y[asked], x[asked]]
    varies = float(np.median(np.mean((truth - slow) ** 2, axis=1)))
    return error / (varies + _NOISE), error


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
    squares = [np.mean((picture - truth) ** 2, axis=2) * inside for picture in (painted, smooth)]
    sums = cv2.GaussianBlur(np.dstack([*squares, inside]), (0, 0), _ERROR_BLUR)
    means = sums[..., :2] / np.maximum(sums[..., 2:], 1e-3)
    return harmonic_fill(means.astype(np.float32), ~rim)
