"""Chains of coordinates: where the background behind a hole can be seen in another frame.

A chain starts at a pixel, follows the flow from frame to frame, and ends at the first place that
no hole covers. What is carried along is the place, never the colour: colours are read once, at the
end, so that nothing blurs with the length of the chain. Each frame's chains are found from those of
the next one by a single look-up a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

NOWHERE = -1
_COLUMNS = 128  # cv2.remap wants no side of 2**15 px


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """The pixels of one picture for which chains are wanted: its hole and a ring around it."""

    places: np.ndarray
    """(N, 2) float32 (x, y)."""
    numbers: np.ndarray
    """(H, W) int32: which of the N places a pixel is, or -1."""


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """One step of a chain, to one other frame."""

    spot: Spot
    """The N places from which it leads."""
    flow: np.ndarray
    """(N, 2) float32."""
    doubt: np.ndarray
    """(N,) float32, px: how far the way there and back misses the start."""


@dataclass(frozen=True, slots=True, eq=False)
class Chains:
    """Where each place of a spot is seen."""

    spot: Spot
    """The N places from which they lead."""
    frame: np.ndarray
    """(N,) int32: number of the frame in which it is seen, or NOWHERE."""
    place: np.ndarray
    """(N, 2) float32 (x, y) there."""
    hops: np.ndarray
    """(N,) float32: steps on the way."""
    doubt: np.ndarray
    """(N,) float32, px: the sum of the steps' doubts."""

    def of(self, spot: Spot) -> Chains:
        """Those from the places of ``spot``, all of which are among one's own."""
        if spot is self.spot:
            return self
        x, y = spot.places.astype(int).T
        which = self.spot.numbers[y, x]
        return Chains(
            spot,
            self.frame[which],
            self.place[which],
            self.hops[which],
            self.doubt[which],
        )


def spot_of(area: np.ndarray) -> Spot:
    """The spot of all pixels of ``area``, (H, W) bool."""
    numbers = np.full(area.shape, -1, np.int32)
    ys, xs = np.nonzero(area)
    numbers[ys, xs] = np.arange(len(ys), dtype=np.int32)
    return Spot(np.stack([xs, ys], axis=1).astype(np.float32), numbers)


def no_chains(spot: Spot) -> Chains:
    """The places of ``spot``, seen nowhere."""
    count = len(spot.places)
    zero = np.zeros(count, np.float32)
    nowhere = np.full(count, NOWHERE, np.int32)
    return Chains(spot, nowhere, np.zeros((count, 2), np.float32), zero, zero)


def extend(link: Link, target: int, onward: Chains, oldest: int, newest: int) -> Chains:
    """Chains along ``link``, which leads to frame ``target``, from that frame's own.

    Args:
        link: the first step.
        target: number of the frame that the link leads to.
        onward: that frame's chains in the same direction of time; a place outside their spot is
            seen.
        oldest, newest: frames outside these numbers must not be used.
    """
    height, width = onward.spot.numbers.shape
    places = link.spot.places + link.flow
    nearest = np.rint(places).astype(np.int32)
    x, y = nearest[:, 0], nearest[:, 1]
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    number = onward.spot.numbers[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]
    seen = inside & (number < 0)
    if len(onward.frame) == 0:
        near = seen & (oldest <= target <= newest)
        frame = np.where(near, np.int32(target), np.int32(NOWHERE))
        return Chains(link.spot, frame, places, np.ones(len(frame), np.float32), link.doubt)
    number = np.maximum(number, 0).astype(np.intp)  # once, for the four look-ups
    frame = onward.frame.take(number)
    frame[~inside] = NOWHERE
    frame[seen] = target
    frame[(frame < oldest) | (frame > newest)] = NOWHERE
    further = ~seen
    end = onward.place.take(number, axis=0) + (places - nearest)
    return Chains(
        link.spot,
        frame,
        np.where(further[:, None], end, places).astype(np.float32),
        1 + further * onward.hops.take(number),
        link.doubt + further * onward.doubt.take(number),
    )


def read_colours(
    chains: Chains, pictures: dict[int, np.ndarray], gains: dict[int, float]
) -> tuple[np.ndarray, np.ndarray]:
    """The colours at the chains' ends.

    Args:
        chains: N chains.
        pictures: (H, W, 3) uint8 by frame number; every frame that a chain ends in.
        gains: what to multiply each of them with.

    Returns:
        colours (N, 3) float32, 0 where there is none, and seen (N,) bool.
    """
    colours = np.zeros((len(chains.frame), 3), np.float32)
    order = np.argsort(chains.frame, kind="stable")
    frames, starts = np.unique(chains.frame[order], return_index=True)
    ends = np.append(starts[1:], len(order))
    for frame, start, end in zip(frames, starts, ends, strict=True):
        if frame != NOWHERE:
            which = order[start:end]
            ends_at = chains.place[which]
            read = sample(pictures[int(frame)], ends_at, cv2.INTER_CUBIC)
            colours[which] = read * np.float32(gains[int(frame)])
    return colours, chains.frame != NOWHERE


def sample(picture: np.ndarray, places: np.ndarray, method: int = cv2.INTER_LINEAR) -> np.ndarray:
    """Values of ``picture`` (H, W) or (H, W, C <= 4) at N ``places`` (N, 2): (N, C) or (N,)."""
    count = len(places)
    rows = max(-(-count // _COLUMNS), 1)
    padded = np.zeros((rows * _COLUMNS, 2), np.float32)
    padded[:count] = places
    x, y = (np.ascontiguousarray(padded[:, i].reshape(rows, _COLUMNS)) for i in (0, 1))
    values = cv2.remap(picture, x, y, method, borderMode=cv2.BORDER_REPLICATE)
    return values.reshape(rows * _COLUMNS, *picture.shape[2:])[:count]
