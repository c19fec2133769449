"""A more careful memory for SAM 2: where a thing moves, and what else looks like it.

Two rules that need no training. Yang et al., "SAMURAI", 2024, section 4: of the candidates the one
is taken that lies where the thing was heading, and only frames of which mask, presence and place
are sure are remembered. Videnovic et al., "DAM4SAM", CVPR 2025, section 3: a sure frame in which a
look-alike was seen is kept for long, since it tells the two apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.engines.track.sam2.memory import CONFIRMED, NEIGHBOURS, POINTERS, Looked

if TYPE_CHECKING:
    from cleanplate.engines.track.sam2.memory import Output, Remembered

MOTION = 0.15  # weight of the place against the predicted IoU
SETTLED = 15  # frames followed surely before the place counts
SURE_MASK = 0.5  # predicted IoU below which a frame is not remembered
ANCHORS = 3  # kept beside confirmed frames
ANCHOR_QUALITY = 0.8
ANCHOR_AREA = 0.8, 1.2  # of the usual area
ANCHOR_GAP = 5  # frames between two
APART = 0.7  # overlap of boxes up to which another candidate shows a look-alike
AREAS = 10  # that the usual one is the median of

Box = tuple[float, float, float, float]


def box_of(mask: np.ndarray) -> Box | None:
    """x0, y0, x1, y1 of a mask; None when it is empty."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def overlap(box: Box | None, other: Box | None) -> float:
    """Intersection over union of two boxes."""
    if box is None or other is None:
        return 0.0
    across = min(box[2], other[2]) - max(box[0], other[0])
    down = min(box[3], other[3]) - max(box[1], other[1])
    shared = max(across, 0.0) * max(down, 0.0)
    areas = sum((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
    return shared / max(areas - shared, 1e-9)


@dataclass(slots=True)
class Motion:
    """A Kalman filter on a box's middle and sides, and their speeds."""

    mean: np.ndarray = field(default_factory=lambda: np.zeros(8))
    spread: np.ndarray = field(default_factory=lambda: np.zeros((8, 8)))
    """Covariance of ``mean``."""
    begun: bool = False

    def predict(self) -> Box | None:
        """The box in the next frame; None when nothing was seen yet."""
        if not self.begun:
            return None
        step = np.eye(8) + np.eye(8, k=4)
        unsure = np.tile(self._size(), 2) * np.repeat([1 / 20, 1 / 160], 4)
        self.mean = step @ self.mean
        self.spread = step @ self.spread @ step.T + np.diag(unsure**2)
        x, y, width, height = self.mean[:4]
        return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)

    def see(self, box: Box) -> None:
        """The box was found here."""
        x0, y0, x1, y1 = box
        measured = np.array([(x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0])
        if not self.begun:
            self.begun, self.mean = True, np.concatenate([measured, np.zeros(4)])
            self.spread = np.diag((np.tile(self._size(), 2) * np.repeat([1 / 10, 1 / 16], 4)) ** 2)
            return
        noise = np.diag((self._size() / 20) ** 2)
        gain = self.spread[:, :4] @ np.linalg.inv(self.spread[:4, :4] + noise)
        self.mean = self.mean + gain @ (measured - self.mean[:4])
        self.spread = self.spread - gain @ self.spread[:4]

    def _size(self) -> np.ndarray:
        """(4,): the sides that uncertainties go by."""
        width, height = np.maximum(self.mean[2:4], 1)
        return np.array([width, height, width, height])


@dataclass(frozen=True, slots=True)
class Verdict:
    """On the candidates of one frame."""

    index: int
    """Of the one to take."""
    trusted: bool
    """Whether the frame may be remembered."""
    anchor: bool
    """Whether it is kept for long."""


@dataclass(slots=True)
class Caution:
    """What one object's past says of the candidates of a frame."""

    motion: Motion = field(default_factory=Motion)
    settled: int = 0
    """Frames followed surely in a row."""
    areas: list[float] = field(default_factory=list)
    anchors: dict[int, Output] = field(default_factory=dict)
    since: int = ANCHOR_GAP
    """Frames since an anchor was kept."""

    def told(self, mask: np.ndarray) -> None:
        """A prompt says that the object is ``mask`` ((s, s) bool)."""
        box = box_of(mask)
        self.motion, self.settled = Motion(), 0
        if box is not None:
            self.motion.see(box)
            self.areas = [float(mask.sum())]

    def judge(self, masks: np.ndarray, qualities: np.ndarray, presence: float) -> Verdict:
        """Which of (C, s, s) candidates to take, and whether the frame is worth remembering.

        Args:
            masks: bool.
            qualities: (C,) predicted IoU.
            presence: logit.
        """
        expected = self.motion.predict()
        boxes = [box_of(mask) for mask in masks]
        index = int(qualities.argmax())
        if self.settled >= SETTLED and expected is not None:
            places = np.array([overlap(box, expected) for box in boxes])
            index = int((MOTION * places + (1 - MOTION) * qualities).argmax())
        box, quality = boxes[index], float(qualities[index])
        present = presence > 0 and box is not None
        trusted = present and quality >= SURE_MASK
        if trusted and self.settled >= SETTLED:
            trusted = overlap(box, expected) > 0
        self.settled = self.settled + 1 if trusted else 0
        anchor = trusted and self._tells_apart(masks, index, quality)
        self.since = 0 if anchor else self.since + 1
        if present and box is not None:
            self.motion.see(box)
        if trusted:
            self.areas = [*self.areas, float(masks[index].sum())][-AREAS:]
        return Verdict(index, trusted, anchor)

    def _tells_apart(self, masks: np.ndarray, index: int, quality: float) -> bool:
        """Whether a sure frame shows a look-alike beside the object."""
        area = float(masks[index].sum())
        low, high = (share * float(np.median(self.areas or [area])) for share in ANCHOR_AREA)
        if quality <= ANCHOR_QUALITY or self.since < ANCHOR_GAP or not low <= area <= high:
            return False
        box = box_of(masks[index])
        others = (mask for place, mask in enumerate(masks) if place != index)
        # Another candidate that reaches elsewhere: the box of both together is much larger.
        return any(overlap(box_of(mask | masks[index]), box) <= APART for mask in others)

    def anchor(self, frame: int, output: Output) -> None:
        """Keep ``output`` for long; the oldest of too many goes."""
        self.anchors[frame] = output
        if len(self.anchors) > ANCHORS:
            del self.anchors[next(iter(self.anchors))]

    def looked_at(self, memory: Remembered, frame: int, backward: bool, plain: Looked) -> Looked:
        """Confirmed frames, anchors, and the last six frames that were sure."""
        sign = -1 if backward else 1
        confirmed = [entry for entry in plain.memories if entry[2] == CONFIRMED]
        kept = [(t, o, CONFIRMED) for t, o in self.anchors.items() if t not in memory.confirmed]
        past = sorted(
            (t for t, o in memory.followed.items() if o.trusted and (frame - t) * sign > 0),
            key=lambda t: abs(frame - t),
        )
        recent = [(t, memory.followed[t], row) for row, t in enumerate(past[:NEIGHBOURS])]
        pointers = list(plain.pointers)
        near = {id(output) for _, output in pointers}
        for t, output, _ in kept:
            distance = (frame - t) * sign
            if distance > 0 and id(output) not in near:
                pointers.append((min(distance, POINTERS - 1), output))
        return Looked([*confirmed, *kept, *reversed(recent)], pointers)
