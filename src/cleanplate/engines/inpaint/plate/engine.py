"""Remembers the background that it has seen, and lays it under the hole: for live pictures.

Two memories are asked. The latest frames are kept as they came, and what the hole hides is looked
up in them along the motion of what lies around it (``recent``). What is older stays on a plate,
aligned to each frame by the motion that most of the picture shares (``memory``). The ring of known
pixels around the hole says how far each is believed, and what light it is seen in (``laying``).
What was never seen goes on from what surrounds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import ClassVar

import cv2
import numpy as np

from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.masks import bounding_box, grow, widened
from cleanplate.engines.inpaint.plate.laying import Guess, laid
from cleanplate.engines.inpaint.plate.memory import SUREST, Memory
from cleanplate.engines.inpaint.plate.motion import SharedMotion
from cleanplate.engines.inpaint.plate.recent import Recent
from cleanplate.engines.inpaint.shared.inputs import same_sizes
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Box, Frame, MaskedFrame

_GREY = 128.0  # of a picture of which nothing is known
_QUICK = 1  # hurry at which flow is coarse, and what was never seen is filled smoothly
_LAID = 3  # hurry at which the plate is laid as it is
_RIM = 2  # px around the hole that are not taken for background
_RING = 6  # px around it where the plate is compared with the truth
_AROUND = 14  # px around it that are looked at
_FAR = 4  # frames from one look at the whole picture to the next; near the hole it is each frame
_NEAR = 48  # px around the hole that count as near
_SPARSE, _LEAST_ASKED = 3, 60  # every so many pixels are asked about the light; at least so many
_LIT, _STEADY = 12, 0.03  # grey levels of a pixel that says something; a gain within is noise
_SAMPLES = 600  # of the ring that are looked at
_LARGE = 96  # px: sides from which a smooth fill is made at half the size
_PER_FRAME, _OLDEST = 0.02, 40.0  # grey levels squared that age counts against a colour
_UNSURE = 30.0  # the same for one that was seen once


@dataclass(frozen=True)
class Settings:
    """Whether what lies around the hole is followed."""

    align: bool = setting(
        True, "Follow what lies around the hole through the latest frames, for what is not flat."
    )

    def __post_init__(self) -> None:
        check(self)


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "inpaint",
        "plate",
        "Remembers what was seen of the background: for live pictures, quick and without waiting.",
        live={},
        order=25,
        choices=(
            Choice(
                "Remembered background",
                "Lays what earlier frames showed under the hole, quickly. What comes into view "
                "only later does not help.",
            ),
        ),
        seconds_per_megapixel={"cpu": 0.2},
    )
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self.settings = settings

    @property
    def lookahead(self) -> int | None:
        """0: what was seen before is enough."""
        return 0

    @property
    def lookback(self) -> int | None:
        """All of the shot: that is what it is for."""
        return None

    @property
    def window(self) -> int | None:
        """1: the plate is no frame."""
        return 1

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        """See ``Inpainter.inpaint``.

        Raises:
            MaskError: masks or images of differing sizes.
        """
        return self.inpaint_hurried(frames, lambda _: 0)

    def inpaint_hurried(
        self, frames: Iterable[MaskedFrame], level: Callable[[int], int]
    ) -> Iterator[Frame]:
        """See ``Hurries``."""
        for _, shot in groupby(same_sizes(frames), key=lambda masked: masked.frame.shot):
            plate: _Plate | None = None
            for masked in shot:
                plate = plate or _Plate(masked.mask.shape)
                hurry = level(masked.frame.index)
                yield plate.filled(masked, self.settings.align, hurry)
                del masked


class _Plate:
    """One shot."""

    def __init__(self, size: tuple[int, ...]) -> None:
        self._memory = Memory((size[0], size[1]))
        self._motion = SharedMotion(self._memory.first_pose)
        self._recent = Recent((size[0], size[1]))
        self._is_new = False
        """Whether the hole hides what was taken for background in the frames that are kept."""
        self._number = 0
        self._last: dict[int, int] = {}
        """By object id, the number of the frame that it was last seen in."""

    def filled(self, masked: MaskedFrame, align: bool, hurry: int) -> Frame:
        """The next frame with its hole filled.

        Args:
            masked: the frame.
            align: whether what lies around the hole is followed through the latest frames.
            hurry: see ``Hurries``.
        """
        image, hole = masked.frame.image, masked.mask != 0
        box = bounding_box(hole)
        height, width = hole.shape
        smooth = image
        if box is not None:
            near = widened(box, _AROUND, width, height)
            smooth = image.copy()
            _smooth_over(smooth[near.slices], hole[near.slices])
        pose, believed = self._motion.pose(smooth, hole, masked.origin)
        change = self._memory.recentred(pose)
        if change is not None:
            self._motion.rebase(change)
            pose = change @ pose
            self._recent.rebase(change)
        frame = masked.frame
        filled = image
        if box is not None:
            self._forget_under(masked.mask, box, pose)
            near = widened(box, _AROUND, width, height)
            filled = smooth  # its own copy: the hole is all that is written
            fill = self._fill(smooth, hole, near, pose, align, hurry)
            cv2.copyTo(fill, hole[near.slices].view(np.uint8), filled[near.slices])
            filled.flags.writeable = False
            frame = replace(masked.frame, image=filled)
        if align and hurry < _LAID:
            self._recent.keep(image, filled, hole, pose)
        if believed:
            self._look(image, hole, pose, box)
        self._number += 1
        return frame

    def _forget_under(self, mask: np.ndarray, box: Box, pose: np.ndarray) -> None:
        """An object that was not here before is forgotten where it was taken for background."""
        counts = np.bincount(mask[box.slices].ravel())
        for object_id in (np.flatnonzero(counts[1:]) + 1).tolist():
            last = self._last.get(object_id)
            self._last[object_id] = self._number
            if last == self._number - 1:
                continue
            self._is_new = True
            where = grow((mask == object_id).view(np.uint8), _RIM) > 0
            if last is None:  # pointed at only now: it stood there in the frames before
                self._memory.forget(where, pose, 0, self._number - _FAR - 1)
            else:  # found again: it may have stood there since
                self._memory.forget(where, pose, last + 1, 0)

    def _look(self, image: np.ndarray, hole: np.ndarray, pose: np.ndarray, box: Box | None) -> None:
        height, width = hole.shape
        where = Box(0, 0, width, height)
        if self._number % _FAR and box is not None:
            where = widened(box, _NEAR, width, height)
        elif self._number % _FAR:
            return
        solid = grow(hole.view(np.uint8), _RIM) > 0
        self._memory.write(image, solid, pose, where, self._number)

    def _fill(
        self,
        smooth: np.ndarray,
        hole: np.ndarray,
        near: Box,
        pose: np.ndarray,
        align: bool,
        hurry: int,
    ) -> np.ndarray:
        """(h, w, 3) uint8 of ``near``; meaningful inside the hole."""
        picture, inside = smooth[near.slices], hole[near.slices]
        ring = (grow(inside.view(np.uint8), _RING) > 0) & ~inside
        remembered = self._remembered(picture, inside, near, pose)
        if hurry >= _LAID:
            return picture if remembered is None else _met(picture, inside, ring, remembered)
        guesses = []
        if align:
            is_new, quick = self._is_new, hurry >= _QUICK
            guesses = self._recent.guesses(smooth, hole, near, pose, _RING, is_new, quick)
            self._is_new = False
        if remembered is not None:
            guesses.append(remembered)
        return laid(picture, inside, ring, guesses, hurry < _QUICK)

    def _remembered(
        self, picture: np.ndarray, inside: np.ndarray, near: Box, pose: np.ndarray
    ) -> Guess | None:
        """What the plate shows of ``near``, in the light of now; None: nothing."""
        colours, sure = self._memory.read(pose, near)
        if not (sure[inside] > 0).any():
            return None
        gain = _gain(picture, colours, (sure > 0) & ~inside)
        if gain is not None:
            self._memory.brighten(gain)
            colours, sure = self._memory.read(pose, near)
        return _guess(colours, sure, self._memory.ages(pose, near, self._number))


def _guess(colours: np.ndarray, sure: np.ndarray, age: np.ndarray) -> Guess:
    against = np.minimum(_PER_FRAME * age, _OLDEST)
    against = against + _UNSURE * (1 - sure.astype(np.float32) / SUREST)
    return Guess(colours, sure > 0, against.astype(np.float32))


def _gain(picture: np.ndarray, colours: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """(3,): how many times brighter the picture is than the plate; None while it is as bright."""
    seen, there = picture[::_SPARSE, ::_SPARSE], colours[::_SPARSE, ::_SPARSE]
    asked = known[::_SPARSE, ::_SPARSE] & (seen.min(axis=2) >= _LIT) & (there.min(axis=2) >= _LIT)
    if np.count_nonzero(asked) < _LEAST_ASKED:
        return None
    gain = np.median(seen[asked].astype(np.float32) / there[asked], axis=0)
    return gain if np.abs(gain - 1).max() > _STEADY else None


def _met(picture: np.ndarray, inside: np.ndarray, ring: np.ndarray, guess: Guess) -> np.ndarray:
    """The guess in the ring's light, without more ado: (h, w, 3) uint8."""
    missed = _missed(picture, guess.colours, ring & guess.seen)
    offset = np.median(missed, axis=0) if len(missed) else np.zeros(3, np.float32)
    shown = np.clip(np.rint(guess.colours + offset), 0, 255).astype(np.uint8)
    return cv2.copyTo(shown, guess.seen.view(np.uint8), picture.copy())


def _missed(picture: np.ndarray, colours: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """(n, 3) float32: what ``colours`` miss where they are ``asked``, at some of the places."""
    places = np.flatnonzero(asked)
    places = places[:: max(1, len(places) // _SAMPLES)]
    seen, there = (p.reshape(-1, 3)[places].astype(np.float32) for p in (picture, colours))
    return seen - there


def _smooth_over(picture: np.ndarray, hole: np.ndarray) -> None:
    """Fill the ``hole`` of ``picture``, (h, w, 3) uint8, smoothly, in place; a large one at half
    its size."""
    height, width = hole.shape
    if min(height, width) < _LARGE:
        part = harmonic_fill(picture, hole, empty=_GREY)
        picture[...] = np.rint(part).astype(np.uint8)
        return
    size = (width // 2, height // 2)
    known = cv2.copyTo(picture, (~hole).view(np.uint8))
    share = cv2.resize((~hole).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    small = cv2.resize(known, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    small /= np.maximum(share, 0.01)[..., None]
    part = harmonic_fill(small, share < 0.01, empty=_GREY)
    part = cv2.resize(np.rint(part).astype(np.uint8), (width, height))
    cv2.copyTo(part, hole.view(np.uint8), picture)
