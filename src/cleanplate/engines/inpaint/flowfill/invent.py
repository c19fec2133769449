"""Texture for what no frame shows: made on a key frame, carried stiffly from there."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from cleanplate.arrays.chains import Chains, extend, no_chains, sample, spot_of
from cleanplate.arrays.texture import texture_fill
from cleanplate.engines.inpaint.flowfill.plates import MotionModel, Plate, Way

_LEAST = 300  # px below which the smooth fill is good enough
_DOUBTFUL = 4.0  # px of doubt beyond which a chain has seen nothing
_FEATHER = 5  # px
_DOUBTED = 6.0  # grey levels of error beyond which a ring pixel counts less
_RIDGE = 1.0  # grey levels squared: what keeps a ring without structure from moving anything
_FASTEST = 2.0  # px a frame of correction


class Inventor:
    """The textures of one shot, whose frames are given in their order."""

    def __init__(self, reach: int) -> None:
        self._reach = reach  # frames after which the key frame is renewed
        self._key = -1
        self._picture = np.zeros((0, 0, 3), np.uint8)
        self._chains = no_chains(spot_of(np.zeros((0, 0), bool)))

    def add(self, plate: Plate, plates: dict[int, Plate], filled: np.ndarray) -> np.ndarray:
        """``filled``, the synthesised picture of ``plate``, with texture where nothing was seen."""
        missing = never_seen(plate)
        if self._key >= 0:
            self._chains = settled(
                plate,
                followed(plate, plates, -1, self._key, self._chains),
                self._key,
                self._picture,
            )
            filled, missing = self._carry(plate, filled, missing)
        if self._key < 0 or plate.number - self._key >= self._reach:
            if np.count_nonzero(missing) >= _LEAST:
                filled = texture_fill(filled, missing)
            self._key, self._picture = plate.number, filled
        return filled

    def _carry(
        self, plate: Plate, filled: np.ndarray, missing: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """``filled`` with the key frame's texture, and what is still missing."""
        if not missing.any():
            return filled, missing
        ys, xs = plate.spot.places.astype(int).T[::-1]
        reached = self._chains.frame == self._key
        missing_share = cv2.blur(missing.astype(np.float32), (_FEATHER, _FEATHER)) * plate.hole
        share = (missing_share[ys, xs] * reached)[:, None]
        colours = sample(self._picture, self._chains.place, cv2.INTER_CUBIC)
        result = filled.copy()
        result[ys, xs] = np.rint(share * colours + (1 - share) * filled[ys, xs]).astype(np.uint8)
        still_missing = missing.copy()
        still_missing[ys[reached], xs[reached]] = False
        return result, still_missing


def followed(plate: Plate, plates: dict[int, Plate], step: int, key: int, onward: Chains) -> Chains:
    """The chains of ``plate`` to the frame ``key``, which shows everything.

    Args:
        plate: the frame from which they lead.
        plates: it and its neighbours.
        step: 1 or -1: which neighbour they lead through.
        key: number of the key frame.
        onward: the neighbour's chains; unused where it is the key frame itself.
    """
    # A stiff motion keeps straight what was invented straight.
    link = plate.links.get(Way(step, MotionModel.STIFF)) or plate.links.get(Way(step))
    if link is None:
        return no_chains(plate.spot)
    target = plate.number + step
    if target == key:
        onward = no_chains(spot_of(np.zeros(plates[target].hole.shape, bool)))
    return extend(link, target, onward, min(key, plate.number), max(key, plate.number))


def settled(plate: Plate, chains: Chains, key: int, picture: np.ndarray) -> Chains:
    """``chains`` to the key frame, moved by the affine motion under which the ring fits best.

    One robust Gauss-Newton step a frame (Lucas and Kanade, 1981) is enough to stop the drift that
    would otherwise add up on the long way to the key frame. The last unknown is a difference in
    brightness.
    """
    ys, xs = plate.spot.places.astype(int).T[::-1]
    in_ring = ~plate.hole[ys, xs] & (chains.frame == key)
    if np.count_nonzero(in_ring) < _LEAST:
        return chains
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    place = chains.place[in_ring]
    truth = cv2.cvtColor(plate.picture, cv2.COLOR_RGB2GRAY)[ys[in_ring], xs[in_ring]]
    missed = truth - sample(grey, place)
    gx, gy = (
        sample(cv2.Sobel(grey, cv2.CV_32F, dx, dy, scale=1 / 8), place)
        for dx, dy in ((1, 0), (0, 1))
    )
    centre = plate.spot.places.mean(axis=0)
    size = max(float(np.abs(plate.spot.places - centre).max()), 1.0)
    u, v = ((plate.spot.places - centre) / size).T
    coordinates = np.stack([np.ones_like(u), u, v], axis=1)
    terms = np.concatenate(
        [gx[:, None] * coordinates[in_ring], gy[:, None] * coordinates[in_ring]], axis=1
    )
    terms = np.concatenate([terms, np.ones((len(terms), 1))], axis=1)
    weights = 1 / np.maximum(np.abs(missed - np.median(missed)), _DOUBTED)
    normal = terms.T @ (weights[:, None] * terms)
    normal[np.arange(6), np.arange(6)] += _RIDGE * weights.sum()
    motion = np.linalg.solve(normal, terms.T @ (weights * missed))[:6].reshape(2, 3)
    moved = np.clip(coordinates @ motion.T, -_FASTEST, _FASTEST)
    return replace(chains, place=chains.place + moved.astype(np.float32))


def never_seen(plate: Plate) -> np.ndarray:
    """The pixels of the hole from which no trusted chain leads anywhere: (H, W) bool."""
    seen = np.zeros(len(plate.spot.places), bool)
    for chains in (chains.of(plate.spot) for chains in plate.chains.values()):
        seen |= (chains.frame >= 0) & (chains.doubt < _DOUBTFUL)
    missing = plate.hole.copy()
    ys, xs = plate.spot.places[seen].astype(int).T[::-1]
    missing[ys, xs] = False
    return missing
