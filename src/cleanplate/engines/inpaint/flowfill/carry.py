"""One shot on its way through a window: background carried between its frames, block by block.

Numbers count the shot's frames from 0. Of each frame there are two plates: a small one, on which a
first, rough fill is found from the flow of smoothly filled pictures; and a full one, whose flow is
found on the roughly filled pictures, so that the hole itself no longer misleads it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.chains import no_chains
from cleanplate.arrays.flow import Precision
from cleanplate.engines.inpaint.flowfill.invent import Inventor
from cleanplate.engines.inpaint.flowfill.plates import (
    MotionModel,
    Plate,
    Way,
    connect,
    follow,
    make_plate,
    steadied,
    synthesise,
)
from cleanplate.engines.inpaint.flowfill.unseen import Unseen
from cleanplate.engines.inpaint.shared.painting import Painter
from cleanplate.types import MaskedFrame

_STALE = 2  # windows after which what was painted is painted anew
SWEEPS = 2  # of steadying; a fill depends on as many neighbours each way


@dataclass(frozen=True, slots=True)
class Plan:
    """What a quality means."""

    strides: tuple[int, ...]
    """Frames that one step of a chain spans."""
    rough_side: int
    """px: the longest side of the pictures of the rough pass."""
    flow_side: int
    """px: the longest side of the pictures that flow is computed on."""
    models: tuple[MotionModel, ...] = tuple(MotionModel)
    """What chains follow, in the full pass and in the rough one."""
    rough_band: int = 14
    """px of the rough picture: see ``complete_flow``."""
    band: int = 5
    precision: Precision = "finest"
    directed: bool = True
    """Whether what no frame shows goes on with the directions of what surrounds it."""


class Carrier:
    """The state of one shot. ``add`` each frame, then ``finish`` as many as can be."""

    def __init__(
        self,
        plan: Plan,
        reach: int,
        causal: bool,
        pool: Executor,
        texture: bool = False,
        painter: Painter | None = None,
    ) -> None:
        self._plan, self._reach, self._causal, self._pool = plan, reach, causal, pool
        self._ways = tuple(Way(stride, model) for stride in plan.strides for model in plan.models)
        self._rough_ways = tuple(Way(1, model) for model in plan.models)
        self._inventor = Inventor(reach) if texture else None
        self._unseen = None if painter is None else Unseen(painter, _STALE * reach, plan.directed)
        self._rough: dict[int, Plate] = {}
        self._full: dict[int, Plate] = {}
        self._filled: dict[int, np.ndarray] = {}
        self.unseen: dict[int, float] = {}
        """The share of each frame's hole, 0..1, that no frame shows, by its number in the shot."""
        self._added = 0  # frames that came
        self._carried = 0  # frames connected to their past
        self._synthesised = 0
        self._finished = 0

    def add(self, masked: MaskedFrame, work_scale: float = 1.0) -> None:
        """Take in the shot's next frame; all frames of a shot have one size.

        At a ``work_scale`` below 1 it is made so much smaller, and so are the finished pictures.
        """
        picture, hole = masked.frame.image, masked.mask != 0
        if work_scale < 1:
            picture, hole = _shrunk(picture, hole, round(work_scale * max(hole.shape)))
        number, origin = self._added, np.array(masked.origin, np.float32) * work_scale
        full = make_plate(number, picture, hole, origin)
        rough_picture, rough_hole = _shrunk(picture, hole, self._plan.rough_side)
        scale = rough_hole.shape[1] / hole.shape[1]
        self._full[number] = full
        self._rough[number] = make_plate(number, rough_picture, rough_hole, origin * scale)
        self._added += 1

    @property
    def waiting(self) -> int:
        """Frames added since the last ``finish``."""
        return self._added - self._carried

    def finish(self, ahead: int, steady_ahead: int) -> list[np.ndarray]:
        """The filled picture of each frame that can be finished now.

        Args:
            ahead: frames to leave unsynthesised as a store of background: 0 at the shot's end.
            steady_ahead: synthesised frames to leave unfinished for steadying: 0 at its end.
        """
        new = range(self._carried, self._added)
        self._fill_roughly(new)
        self._connect(self._full, new, self._plan.strides, self._plan.band, self._plan.precision)
        self._follow_past(self._full, new, self._ways)
        self._carried = self._added

        ready = range(self._synthesised, max(self._added - ahead, self._synthesised))
        self._follow_future(self._full, range(ready.start, self._added), self._ways)
        directed = self._plan.directed
        hints = {} if self._unseen is None else self._unseen.hints(ready, self._full)
        pictures = self._pool.map(
            lambda n: synthesise(self._full[n], self._full, directed, hints.get(n)), ready
        )
        for n, picture in zip(ready, pictures, strict=True):
            self.unseen[n] = self._full[n].unseen
            if self._inventor is not None:
                picture = self._inventor.add(self._full[n], self._full, picture)
            self._filled[n] = picture
        self._synthesised = ready.stop

        done = range(self._finished, max(ready.stop - steady_ahead, self._finished))
        finished = self._steady(done)
        self._finished = done.stop
        self._forget()
        return finished

    def _fill_roughly(self, new: range) -> None:
        plan, rough = self._plan, self._rough
        brighter = self._connect(rough, new, (1,), plan.rough_band, "fine")
        for (before, n), ratio in brighter.items():
            rough[n].exposure = rough[before].exposure * ratio
        self._follow_past(rough, new, self._rough_ways)
        self._follow_future(rough, new, self._rough_ways)
        for number, picture in zip(
            new, self._pool.map(lambda n: synthesise(rough[n], rough), new), strict=True
        ):
            full = self._full[number]
            full.exposure = rough[number].exposure
            full.grey, full.grey_hole = flow_picture(full, picture, plan.flow_side)

    def _connect(
        self,
        plates: dict[int, Plate],
        new: range,
        strides: tuple[int, ...],
        band: int,
        precision: Precision,
    ) -> dict[tuple[int, int], float]:
        """By pair of numbers, how many times brighter the second plate is."""
        models = self._plan.models
        pairs = [(n - s, n) for n in new for s in strides if n - s in plates]
        ratios = self._pool.map(
            lambda pair: connect(plates[pair[0]], plates[pair[1]], band, precision, models),
            pairs,
        )
        return dict(zip(pairs, ratios, strict=True))

    def _follow_past(self, plates: dict[int, Plate], new: range, ways: tuple[Way, ...]) -> None:
        def along(way: Way) -> None:
            for n in new:
                chains = follow(plates[n], way.back, plates, n - self._reach, n)
                plates[n].chains[way.back] = chains

        self._each(along, plates, new, ways, [way.back for way in ways])

    def _follow_future(
        self, plates: dict[int, Plate], numbers: range, ways: tuple[Way, ...]
    ) -> None:
        if self._causal:
            return

        def along(way: Way) -> None:
            for n in reversed(numbers):
                plates[n].chains[way] = follow(plates[n], way, plates, n, n + self._reach)

        self._each(along, plates, numbers, ways, ways)

    def _each(
        self,
        along: Callable[[Way], None],
        plates: dict[int, Plate],
        numbers: range,
        ways: Sequence[Way],
        kept_as: Sequence[Way],
    ) -> None:
        """Each way by itself, on the pool: its chains come of no other's.

        Guesses are summed in the order of their chains, which must not be that of the threads.
        """
        for n in numbers:
            nothing = no_chains(plates[n].spot)
            for way in kept_as:
                plates[n].chains.setdefault(way, nothing)
        for _ in self._pool.map(along, ways):
            pass

    def _steady(self, done: range) -> list[np.ndarray]:
        filled = self._filled
        if self._causal:
            for n in done:
                filled[n] = steadied(self._full[n], filled, steps=(-1,))
            return [filled[n] for n in done]
        current = dict(filled)
        for sweep in reversed(range(SWEEPS)):
            numbers = [n for n in range(done.start - sweep, done.stop + sweep) if n in current]
            latest = self._pool.map(lambda n, c=current: steadied(self._full[n], c), numbers)
            current |= dict(zip(numbers, latest, strict=True))
        return [current[n] for n in done]

    def _forget(self) -> None:
        """Drop what no later frame can ask for."""
        oldest = self._synthesised - frames_behind(self._reach)
        for plates in (self._full, self._rough):
            for n in [n for n in plates if n < oldest]:
                del plates[n]
        for n in range(oldest, self._synthesised):
            if n in self._full:
                self._lighten(self._full[n])
        for n in range(oldest, self._carried):
            if n in self._rough:
                self._lighten(self._rough[n])
        for n in [n for n in self._filled if n < self._finished - SWEEPS]:
            del self._filled[n]

    def _lighten(self, plate: Plate) -> None:
        """Leave what steadying and the chains of later frames still ask for."""
        steadying = (Way(-1), Way(1))
        plate.links = {way: link for way, link in plate.links.items() if way in steadying}
        if plate.number < self._carried - max(self._plan.strides):
            plate.chains = {}


def frames_behind(reach: int) -> int:
    """How many synthesised frames stay: sources for ``reach``, neighbours for steadying."""
    return max(reach, 2 * SWEEPS)


def _shrunk(picture: np.ndarray, hole: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Both so small that no side is longer than ``side``; never enlarged."""
    height, width = hole.shape
    scale = side / max(height, width)
    if scale >= 1:
        return picture, hole
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return small, cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0


def flow_picture(full: Plate, rough: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The plate in grey, its hole filled from the ``rough`` picture, no side over ``side`` px."""
    picture, hole = _shrunk(full.picture, full.hole, side)
    if hole.any():
        enlarged = cv2.resize(rough, (hole.shape[1], hole.shape[0]))
        picture = np.where(hole[..., None], enlarged, picture)
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), hole
