"""One frame of a shot at one size, and the steps by which frames lend each other background."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import cv2
import numpy as np

from cleanplate.arrays.blending import LEAST_VARIANCE, Guess, blend, meeting_ring
from cleanplate.arrays.chains import (
    Chains,
    Link,
    Spot,
    extend,
    no_chains,
    read_colours,
    sample,
    spot_of,
)
from cleanplate.arrays.flow import (
    Precision,
    apart,
    brightening,
    common_shift,
    complete_flow,
    dense_flow,
    landing,
    round_trip,
    shifted,
    stiff_flow,
)
from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.masks import bounding_box, grow

RING = 6  # px around the hole where guesses are compared with the truth
_CONTEXT = 44  # px around a hole, at the flow's size, in which flow is looked for
_MOST_GAIN = 4.0  # by which a source may be brightened; a near-black one holds no picture
_LOST = 1.0  # px of a round trip beyond which a flow is not believed
_APART = 1.0  # px a frame by which something else moves
_AROUND = 8  # px around ring and hole that the blending sees
_GREY = 128.0  # of a picture of which nothing is known
_PER_HOP = 3.0  # variance, grey levels squared, that a step of a chain adds
_PER_DOUBT = 10.0  # the same for a px of doubt


class MotionModel(Enum):
    """What chains follow."""

    FREE = "the flow of each pixel, completed smoothly inside the hole"
    STIFF = "the one affine motion that most of the surroundings share"
    BEHIND = "the same, on past whatever moves otherwise in front of it"


class Way(NamedTuple):
    """How chains lead from frame to frame."""

    step: int
    """Frames that one link spans: 1 leads to the next frame, -10 to the tenth before."""
    model: MotionModel = MotionModel.FREE

    @property
    def back(self) -> Way:
        """The way that leads in the opposite direction of time."""
        return Way(-self.step, self.model)


@dataclass(slots=True, eq=False)
class Plate:
    """One frame at one size, with all that is found out about it."""

    number: int
    picture: np.ndarray
    """(H, W, 3) uint8, as it came."""
    hole: np.ndarray
    """(H, W) bool."""
    origin: np.ndarray
    """(2,) float, (x, y) of the top left pixel in the whole picture, in px of this size."""
    spot: Spot
    """Hole and ring."""
    smooth: np.ndarray
    """(H, W, 3) uint8: the hole filled smoothly."""
    grey: np.ndarray
    """(h, w) uint8: what flow is computed on, maybe smaller."""
    grey_hole: np.ndarray
    """(h, w) bool."""
    exposure: float = 1.0
    """How many times brighter it is than the shot's first frame."""
    links: dict[Way, Link] = field(default_factory=dict)
    chains: dict[Way, Chains] = field(default_factory=dict)
    unseen: float = 0.0
    """The share of the hole, 0..1, that no frame shows; known once it was synthesised."""


def make_plate(number: int, picture: np.ndarray, hole: np.ndarray, origin: np.ndarray) -> Plate:
    """A plate whose flow is computed on the smooth fill at the picture's own size."""
    smooth = picture
    if hole.any():
        smooth = np.rint(harmonic_fill(picture, hole, empty=_GREY)).astype(np.uint8)
    area = grow(hole.astype(np.uint8), RING) > 0
    grey = cv2.cvtColor(smooth, cv2.COLOR_RGB2GRAY)
    return Plate(number, picture, hole, origin, spot_of(area), smooth, grey, hole)


def connect(
    first: Plate, second: Plate, band: int, precision: Precision, models: tuple[MotionModel, ...]
) -> float:
    """Find the links between two plates, both ways, and how many times brighter the other is.

    The flow is looked for around the holes only, and from where the surroundings as a whole went.
    What is found within ``band`` px of either hole is thrown away, since a hole misleads the
    search well beyond its rim, and so is what does not lead back to where it came from.
    """
    if not (len(first.spot.places) or len(second.spot.places)):
        return 1.0
    scale = _scale(first)
    jump = np.rint((first.origin - second.origin) * scale).astype(int)
    near = _near(first.grey_hole) | shifted(_near(second.grey_hole), *jump)
    total = jump + common_shift(first.grey, shifted(second.grey, *jump), near)
    near = _near(first.grey_hole) | shifted(_near(second.grey_hole), *total)
    box = bounding_box(near)
    assert box is not None  # one of the two has a hole
    grey, second_grey = first.grey[box.slices], shifted(second.grey, *total)[box.slices]
    spoilt, second_spoilt = (
        grow(hole.astype(np.uint8), band)[box.slices] > 0
        for hole in (first.grey_hole, shifted(second.grey_hole, *total))
    )
    there, back = (
        dense_flow(grey, second_grey, precision),
        dense_flow(second_grey, grey, precision),
    )
    lost, second_lost = round_trip(there, back) > _LOST, round_trip(back, there) > _LOST
    near_hole = (
        spoilt | landing(there, second_spoilt),
        second_spoilt | landing(back, spoilt),
    )
    untrusted = near_hole[0] | lost, near_hole[1] | second_lost
    corner = np.array([box.x0, box.y0], np.float32)
    pair = _Pair(first, second, corner, total)
    completed = complete_flow(there, untrusted[0]), complete_flow(back, untrusted[1])
    pair.link(MotionModel.FREE, completed, pair.doubts(completed))
    shared = stiff_flow(there, ~untrusted[0]), stiff_flow(back, ~untrusted[1])
    if shared[0] is not None and shared[1] is not None:
        flows, least = (
            (shared[0], shared[1]),
            _APART * abs(second.number - first.number) ** 0.5,
        )
        doubts = pair.doubts(flows)
        if MotionModel.STIFF in models:
            pair.link(MotionModel.STIFF, flows, doubts)
        if MotionModel.BEHIND in models:
            moving = (
                apart(there, flows[0], ~near_hole[0], least),
                apart(back, flows[1], ~near_hole[1], least),
            )
            pair.link(MotionModel.BEHIND, flows, doubts, moving)
    return brightening(grey, second_grey, there, ~(spoilt | lost))


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """Two plates that are being linked."""

    first: Plate
    second: Plate
    corner: np.ndarray
    """(2,) float32 (x, y) in the first plate at which flows begin."""
    shift: np.ndarray
    """(2,) int: what is to be added to the flow there, and subtracted from the flow back."""

    def doubts(self, flows: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """How far the ways there and back miss where they set out."""
        there, back = flows
        return round_trip(there, back), round_trip(back, there)

    def link(
        self,
        model: MotionModel,
        flows: tuple[np.ndarray, np.ndarray],
        doubts: tuple[np.ndarray, np.ndarray],
        beside: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
    ) -> None:
        """Link both by the ``flows`` there and back; ``beside`` holds further starting places."""
        first, second, corner, shift = self.first, self.second, self.corner, self.shift
        there, back = flows
        way = Way(second.number - first.number, model)
        first.links[way] = _link(first, there, doubts[0], corner, shift, beside[0])
        second.links[way.back] = _link(second, back, doubts[1], corner + shift, -shift, beside[1])


def _near(hole: np.ndarray) -> np.ndarray:
    """The box around ``hole`` in which its surroundings are looked at, as (H, W) bool."""
    near = np.zeros_like(hole)
    box = bounding_box(hole)
    if box is not None:
        near[max(box.y0 - _CONTEXT, 0) : box.y1 + _CONTEXT] = True
        near[:, : max(box.x0 - _CONTEXT, 0)] = False
        near[:, box.x1 + _CONTEXT :] = False
    return near


def _scale(plate: Plate) -> np.ndarray:
    """(2,) float32: px of the flow's size in one px of the plate's, across and down."""
    small, full = plate.grey.shape, plate.hole.shape
    return np.array([small[1] / full[1], small[0] / full[0]], np.float32)


def _link(
    plate: Plate,
    flow: np.ndarray,
    doubt: np.ndarray,
    corner: np.ndarray,
    shift: np.ndarray,
    beside: np.ndarray | None,
) -> Link:
    """Read ``flow``, which begins at ``corner`` and adds to ``shift``, at the plate's spot.

    Pixels ``beside`` the spot, (h, w) bool from the same corner on, are made part of it.
    """
    scale, spot = _scale(plate), plate.spot
    if beside is not None and beside.any():
        height, width = plate.hole.shape
        move = np.array([[scale[0], 0, 0], [0, scale[1], 0]], np.float32)
        move[:, 2] = (scale - 1) / 2 - corner
        flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
        wider = cv2.warpAffine(beside.astype(np.uint8), move, (width, height), flags=flags)
        spot = spot_of((wider > 0) | (spot.numbers >= 0))
    places = (spot.places + 0.5) * scale - 0.5 - corner
    whole = sample(flow, places) + shift.astype(np.float32)
    return Link(spot, whole / scale, sample(doubt, places) / scale.mean())


def follow(plate: Plate, way: Way, plates: dict[int, Plate], oldest: int, newest: int) -> Chains:
    """The chains of ``plate`` along ``way``; those of the next frame there exist already."""
    target = plates.get(plate.number + way.step)
    link = plate.links.get(way)
    if target is None or link is None:
        opposite = plate.links.get(way.back)
        return no_chains(plate.spot if opposite is None else opposite.spot)
    return extend(link, target.number, target.chains[way], oldest, newest)


def synthesise(
    plate: Plate,
    plates: dict[int, Plate],
    directed: bool = False,
    hint: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> np.ndarray:
    """The plate's picture, its hole filled from all its chains: (H, W, 3) uint8.

    Args:
        plate: the frame.
        plates: it and all frames that its chains lead to.
        directed: see ``blend``.
        hint: one more guess at the N places of its spot: colours (N, 3), seen (N,), variance (N,).
    """
    part = _part(plate)
    if part is None:
        return plate.picture
    hole, numbers = plate.hole[part], plate.spot.numbers[part]
    area = numbers >= 0
    pictures = {number: source.picture for number, source in plates.items()}
    gains = {
        number: min(plate.exposure / source.exposure, _MOST_GAIN)
        for number, source in plates.items()
    }
    guesses = []
    for way, all_chains in plate.chains.items():
        chains = all_chains.of(plate.spot)
        colours, seen = read_colours(chains, pictures, gains)
        if seen.any():
            against = _PER_HOP * abs(way.step) ** 0.5 * chains.hops + _PER_DOUBT * chains.doubt
            # Noise is brightened with the picture.
            against += LEAST_VARIANCE * np.maximum(_at(gains, chains.frame) ** 2 - 1, 0)
            guesses.append(_spread_out(area, colours, seen, against))
    shown = np.logical_or.reduce([guess.seen for guess in guesses], initial=False) & hole
    plate.unseen = 1 - float(np.count_nonzero(shown)) / max(1, np.count_nonzero(hole))
    if hint is not None and hint[1].any():
        guesses.append(_spread_out(area, *hint))
    filled = blend(
        plate.picture[part],
        hole,
        area & ~hole,
        plate.smooth[part].astype(np.float32),
        guesses,
        directed,
    )
    result = plate.picture.copy()
    result[part][hole] = np.clip(np.rint(filled[hole]), 0, 255).astype(np.uint8)
    return result


def _at(gains: dict[int, float], frames: np.ndarray) -> np.ndarray:
    """The gain of each of ``frames`` (N,), 1 for those that are not there."""
    numbers, which = np.unique(frames, return_inverse=True)
    return np.array([gains.get(int(number), 1.0) for number in numbers], np.float32)[which]


def _spread_out(
    area: np.ndarray, colours: np.ndarray, seen: np.ndarray, against: np.ndarray
) -> Guess:
    """Values at the N places of a spot as pictures; ``area`` holds N pixels in their order."""
    guess = Guess(
        np.zeros((*area.shape, 3), np.float32),
        np.zeros(area.shape, bool),
        np.zeros(area.shape, np.float32),
    )
    guess.colours[area], guess.seen[area], guess.variance[area] = colours, seen, against
    return guess


def steadied(
    plate: Plate, filled: dict[int, np.ndarray], steps: tuple[int, ...] = (-1, 1)
) -> np.ndarray:
    """The fill of ``plate`` averaged with what its neighbours have at the same places.

    Args:
        plate: the frame.
        filled: (H, W, 3) uint8 filled pictures by number: this one and its neighbours.
        steps: which neighbours.
    """
    fill, part = filled[plate.number], _part(plate)
    if part is None:
        return fill
    hole, area = plate.hole[part], plate.spot.numbers[part] >= 0
    height, width = plate.hole.shape
    neighbours = []
    for step in steps:
        neighbour_fill, link = filled.get(plate.number + step), plate.links.get(Way(step))
        if neighbour_fill is None or link is None:
            continue
        places = plate.spot.places + link.flow
        inside = np.all((places >= 0) & (places <= (width - 1, height - 1)), axis=1)
        neighbours.append(_spread_out(area, sample(neighbour_fill, places), inside, link.doubt))
    if not neighbours:
        return fill
    # A neighbour may be lighter or darker, as a whole or behind a veil that passes: it must meet
    # this frame's rim, or the fill would be seen as a patch.
    met = meeting_ring(plate.picture[part], area & ~hole, neighbours)
    total, weights = fill[part].astype(np.float32), np.ones(hole.shape, np.float32)
    for colours, neighbour in zip(met, neighbours, strict=True):
        weight = neighbour.seen * np.exp(-neighbour.variance)
        total += weight[..., None] * colours
        weights += weight
    result = fill.copy()
    mean = np.rint(total[hole] / weights[hole][:, None])
    result[part][hole] = np.clip(mean, 0, 255).astype(np.uint8)
    return result


def _part(plate: Plate) -> tuple[slice, slice] | None:
    """Hole and ring with what blending sees of their surroundings; None without a hole."""
    box = bounding_box(plate.spot.numbers >= 0)
    if box is None:
        return None
    height, width = plate.hole.shape
    return (
        slice(max(box.y0 - _AROUND, 0), min(box.y1 + _AROUND, height)),
        slice(max(box.x0 - _AROUND, 0), min(box.x1 + _AROUND, width)),
    )
