"""The latest frames, and where in them the background behind the hole was seen.

A chain starts at a pixel of the hole or of the ring around it and follows the motion back, frame
by frame, to the latest one in which nothing covered that place. What is carried along is the place
and never the colour, which is read once, from the frame as it came: nothing blurs, however long
the hole stays. Each frame's chains are found from those of the one before by one look-up a pixel.

Two motions are followed: the optical flow, completed smoothly inside the hole, and the one affine
motion that most of the surroundings share. The ring tells which of the two is right.

Bound: the latest ``_FRAMES`` pictures, no more than ``_BYTES`` together.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.flow import (
    brightening,
    complete_flow,
    dense_flow,
    pixel_grid,
    stiff_flow,
)
from cleanplate.arrays.masks import grow, shifted, widened
from cleanplate.engines.inpaint.plate.laying import Guess
from cleanplate.types import Box

_FRAMES = 40  # kept, at most
_BYTES = 96 << 20
_LONGEST_SIDE = 32000  # px: of a picture that cv2.remap reads
_FLOW_SIDE, _QUICK_SIDE = 144, 80  # px: longest side of the pictures that flow is computed on
_AROUND = 16  # px around what is looked at that flow is computed on, too
_BAND = 3  # px of those around a hole, where flow is misled
_MISSES = 24  # grey levels by which what flow leads to may differ
_MARGIN = 2  # px from the border of a picture that cubic interpolation needs
_PER_FRAME, _OLDEST = 3.0, 60.0  # grey levels squared that the steps of a chain count against it
_MOST_GAIN = 4.0
_NOWHERE = -1.0
_FREE, _STIFF = "free", "stiff"


@dataclass(slots=True, eq=False)
class _Trail:
    """Chains along one motion, from the pixels of ``box`` of the frame that was kept last."""

    box: Box
    area: np.ndarray
    """(h, w) bool: the pixels that have chains; others are background."""
    ends: np.ndarray
    """(h, w, 3) float32: x, y in the frame where it is seen, and that frame's number; or -1."""


class Recent:
    """The latest frames of one shot."""

    def __init__(self, size: tuple[int, int]) -> None:
        """``size``: (H, W) of the pictures."""
        self._height, self._width = size
        room = min(_BYTES // (3 * size[0] * size[1]), _LONGEST_SIDE // size[0])
        self._room = max(min(_FRAMES, room), 2)
        self._pictures = np.zeros((self._room * size[0], size[1], 3), np.uint8)
        self._exposures = np.ones(self._room, np.float32)
        """How many times brighter each of them is than the first one."""
        self._exposure = 1.0
        self._number = -1
        """Of the frame that was kept last; frames that are not kept are not counted."""
        self._filled = self._hole = np.zeros((0, 0), np.uint8)
        self._pose = np.eye(3)
        self._trails: dict[str, _Trail] = {}
        self._next: dict[str, _Trail] = {}

    def rebase(self, change: np.ndarray) -> None:
        """The canvas was laid anew: ``change`` (3, 3) leads from the old one to the new one."""
        self._pose = change @ self._pose

    def guesses(
        self,
        picture: np.ndarray,
        hole: np.ndarray,
        near: Box,
        pose: np.ndarray,
        ring: int,
        is_new: bool,
        quick: bool,
    ) -> list[Guess]:
        """What the latest frames showed of ``near``.

        Args:
            picture: (H, W, 3) uint8 RGB, its hole filled in some way.
            hole: (H, W) bool.
            near: the box that is looked at.
            pose: (3, 3): roughly, from the picture's pixels to the canvas.
            ring: px around the hole that get guesses, too.
            is_new: whether the hole hides what was taken for background in the frames before.
            quick: whether flow is coarse, and the shared motion not asked.
        """
        area = grow(hole[near.slices].view(np.uint8), ring) > 0
        if self._number < 0 or is_new:
            nowhere = np.full((*area.shape, 3), _NOWHERE, np.float32)
            self._next = {name: _Trail(near, area, nowhere) for name in (_FREE, _STIFF)}
            return []
        flows = self._flows(picture, hole, near, self._shift(near, pose), quick)
        self._next, found = {}, []
        for name, flow in flows.items():
            # A motion that was not followed into the frame before goes on from the other's chains.
            before = self._trails.get(name, self._trails.get(_FREE))
            ends = self._extended(before, flow, near)
            ends[~area] = _NOWHERE
            self._next[name] = _Trail(near, area, ends)
            found.append(self._read(ends))
        return found

    def keep(
        self, image: np.ndarray, filled: np.ndarray, hole: np.ndarray, pose: np.ndarray
    ) -> None:
        """Take in a frame, after ``guesses`` where it has a hole.

        Args:
            image: (H, W, 3) uint8 RGB, as it came.
            filled: the same with its hole filled.
            hole: (H, W) bool.
            pose: (3, 3).
        """
        self._number += 1
        slot = self._number % self._room
        self._pictures[slot * self._height : (slot + 1) * self._height] = image
        self._exposures[slot] = self._exposure
        self._filled, self._hole, self._pose = filled, hole, pose
        self._trails, self._next = self._next, {}

    def _shift(self, near: Box, pose: np.ndarray) -> tuple[int, int]:
        """The whole px by which the middle of ``near`` lies elsewhere in the frame before."""
        middle = np.array([(near.x0 + near.x1) / 2, (near.y0 + near.y1) / 2, 1.0])
        there = np.linalg.inv(self._pose) @ pose @ middle
        return round(float(there[0] - middle[0])), round(float(there[1] - middle[1]))

    def _flows(
        self,
        picture: np.ndarray,
        hole: np.ndarray,
        near: Box,
        shift: tuple[int, int],
        quick: bool,
    ) -> dict[str, np.ndarray]:
        """From ``near`` to the frame before, (h, w, 2) float32 by motion."""
        inner, near = near, widened(near, _AROUND, self._width, self._height)
        height, width = near.height, near.width
        scale = min(1.0, (_QUICK_SIDE if quick else _FLOW_SIDE) / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        rows = np.clip(np.arange(near.y0, near.y1) + shift[1], 0, self._height - 1)[:, None]
        columns = np.clip(np.arange(near.x0, near.x1) + shift[0], 0, self._width - 1)
        now, before = (
            cv2.resize(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
            for p in (picture[near.slices], self._filled[rows, columns])
        )
        covered = (hole[near.slices] | self._hole[rows, columns]).view(np.uint8) * np.uint8(255)
        covered = cv2.resize(covered, size, interpolation=cv2.INTER_AREA) > 0
        flow = dense_flow(now, before)
        places = flow + pixel_grid(*now.shape)
        there = cv2.remap(
            *(before, places[..., 0], places[..., 1], cv2.INTER_LINEAR),
            borderMode=cv2.BORDER_REPLICATE,
        )
        ratio = brightening(now, before, flow, ~covered)
        self._exposure = float(self._exposures[self._number % self._room]) / ratio
        untrusted = grow(covered.view(np.uint8), _BAND) > 0
        untrusted |= cv2.absdiff(there, cv2.convertScaleAbs(now, alpha=ratio)) > _MISSES
        motions = {_FREE: complete_flow(flow, untrusted)}
        if not quick:
            stiff = stiff_flow(flow, ~untrusted)
            motions[_STIFF] = motions[_FREE] if stiff is None else stiff
        enlarged = np.array([width / size[0], height / size[1]], np.float32)
        offset = np.array(shift, np.float32)
        part = shifted(inner, -near.x0, -near.y0).slices
        return {
            name: cv2.resize(motion, (width, height))[part] * enlarged + offset
            for name, motion in motions.items()
        }

    def _extended(self, before: _Trail | None, flow: np.ndarray, near: Box) -> np.ndarray:
        """The ends of the chains from ``near``; those of the frame ``before`` are known."""
        places = flow + pixel_grid(near.height, near.width)
        places += np.array([near.x0, near.y0], np.float32)
        x, y = places[..., 0], places[..., 1]
        ends = np.empty((near.height, near.width, 3), np.float32)
        ends[..., :2], ends[..., 2] = places, self._number
        right, bottom = self._width - 1 - _MARGIN, self._height - 1 - _MARGIN
        ends[(x < _MARGIN) | (y < _MARGIN) | (x > right) | (y > bottom)] = _NOWHERE
        if before is not None:
            nearest = np.rint(places)
            u, v = nearest[..., 0] - before.box.x0, nearest[..., 1] - before.box.y0
            area = before.area.view(np.uint8)
            covered = cv2.remap(area, u, v, cv2.INTER_NEAREST)
            onward = cv2.remap(before.ends, u, v, cv2.INTER_NEAREST)
            onward[..., :2] += places - nearest
            cv2.copyTo(onward, covered, ends)
        ends[..., 2][ends[..., 2] <= self._number - self._room + 1] = _NOWHERE
        return ends

    def _read(self, ends: np.ndarray) -> Guess:
        number = ends[..., 2]
        slot = number % self._room
        x, y = np.ascontiguousarray(ends[..., 0]), ends[..., 1] + self._height * slot
        colours = cv2.remap(self._pictures, x, y, cv2.INTER_CUBIC)
        gain = np.minimum(self._exposure / self._exposures, _MOST_GAIN)
        if (gain != 1).any():
            gains = gain[slot.astype(np.int32)][..., None]
            colours = np.clip(np.rint(colours * gains), 0, 255).astype(np.uint8)
        against = np.minimum(_PER_FRAME * (self._number + 1 - number), _OLDEST)
        return Guess(colours, number >= 0, against.astype(np.float32))
