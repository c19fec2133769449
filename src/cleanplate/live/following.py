"""What is followed, and the mask of each frame: trackers led forward, one for each target.

Where a tracker says that its target is hidden or lost, its last mask is held for a while, and goes
along with what lies around it: a target that only its tracker has lost is not shown. A cut ends
that at once.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box, clipped, grow, shifted
from cleanplate.errors import InputError
from cleanplate.live.carrying import shift_around
from cleanplate.live.inbox import LivePicture
from cleanplate.media.picture import Picture
from cleanplate.prompts.outliner import Candidate, Outliner, OutlineRequest
from cleanplate.protocols import Tracker, Tracking
from cleanplate.runtime import make_engine
from cleanplate.settings.groups import AUTO, PRINT, Settings
from cleanplate.types import MAX_OBJECT_ID, Box, Frame, ObjectState, Prompt, Visibility

HOLD = 50  # frames for which the mask of a target that is missing is held
_KEPT_BYTES = 96 << 20  # of frames kept for clicks into the past
_KEPT = 48  # frames, at most
_CATCH_UP = 16  # frames, at most, in which a target is followed through what passed meanwhile
_SLACK = 3  # px that a mask grows by in a frame that its tracker did not see
FLAT, BENDING = "planar", "flowtrack"  # what ``auto`` follows boxes and masks with, and points


@dataclass(slots=True, eq=False)
class Target:
    """One thing that is followed."""

    object_id: int
    tracker: str
    tracking: Tracking
    growth: int
    """px that its mask grows by before it is filled."""
    place: Box | None
    """Where ``shape`` lies in the picture; None: it has not been seen since a cut."""
    shape: np.ndarray
    """(h, w) bool: its latest mask, not grown."""
    state: ObjectState
    followed_to: int
    """Index of the frame that it was followed into last."""
    missing: int = 0
    """Frames since it was last seen."""
    velocity: tuple[float, float] = (0.0, 0.0)
    """px a frame."""
    drift: tuple[float, float] = (0.0, 0.0)
    """px by which a mask that is held has moved beyond whole ones."""

    def step(self, frame: Frame, before: np.ndarray | None, cut: bool) -> None:
        """Follow it into ``frame``, some frames after the one followed into last.

        Args:
            frame: where to.
            before: (H, W, 3) uint8 RGB: the picture that it was followed into last.
            cut: whether a shot began in between.
        """
        passed = max(frame.index - self.followed_to, 1)
        self.followed_to = frame.index
        tracked = self.tracking.step(frame)
        self.state = next((s for s in tracked.objects if s.object_id == self.object_id), self.state)
        box = bounding_box(tracked.mask)
        if cut and box is None:
            self.place, self.missing, self.velocity = None, HOLD, (0.0, 0.0)
            return
        if box is None:
            self.missing += passed
            self.velocity = (0.0, 0.0)
            if self.missing > HOLD:
                self.place = None
            elif self.place is not None and before is not None:
                self._carry(before, frame.image)
            return
        if self.place is not None and self.missing == 0 and not cut:
            dx = (box.x0 + box.x1 - self.place.x0 - self.place.x1) / 2 / passed
            dy = (box.y0 + box.y1 - self.place.y0 - self.place.y1) / 2 / passed
            self.velocity = (dx, dy)
        else:
            self.velocity = (0.0, 0.0)
        self.place, self.shape, self.missing = box, tracked.mask[box.slices] != 0, 0
        self.drift = (0.0, 0.0)

    def _carry(self, before: np.ndarray, after: np.ndarray) -> None:
        assert self.place is not None  # the caller saw to it
        dx, dy = shift_around(before, after, self.place)
        x, y = self.drift[0] + dx, self.drift[1] + dy
        self.place = shifted(self.place, round(x), round(y))
        self.drift = (x - round(x), y - round(y))

    def draw(self, canvas: np.ndarray, ahead: int) -> None:
        """Write its id where it is, ``ahead`` frames after it was looked for."""
        if self.place is None:
            return
        growth = self.growth + (_SLACK if ahead else 0)
        dx, dy = (round(ahead * v) for v in self.velocity)
        height, width = canvas.shape
        padded = np.pad(self.shape, growth).astype(np.uint8)
        padded = grow(padded, growth)
        wide = Box(
            self.place.x0 - growth,
            self.place.y0 - growth,
            self.place.x1 + growth,
            self.place.y1 + growth,
        )
        wide = shifted(wide, dx, dy)
        inside = clipped(wide, width, height)
        if inside is None:
            return
        part = padded[
            inside.y0 - wide.y0 : inside.y1 - wide.y0, inside.x0 - wide.x0 : inside.x1 - wide.x0
        ]
        canvas[inside.slices][part > 0] = self.object_id

    @property
    def area(self) -> int:
        """px of its latest mask."""
        return 0 if self.place is None else int(np.count_nonzero(self.shape))


@dataclass(slots=True, eq=False)
class _KeptPictures:
    """The latest pictures, in the clothes of a clip: what a click points into."""

    pictures_by_index: dict[int, LivePicture] = field(default_factory=dict[int, LivePicture])
    order: deque[int] = field(default_factory=deque[int])
    shots: dict[int, int] = field(default_factory=dict[int, int])

    def keep(self, picture: LivePicture, shot: int) -> None:
        self.pictures_by_index[picture.index] = picture
        self.shots[picture.index] = shot
        self.order.append(picture.index)
        room = max(4, min(_KEPT, _KEPT_BYTES // max(picture.image.nbytes * 2, 1)))
        while len(self.order) > room:
            oldest = self.order.popleft()
            del self.pictures_by_index[oldest], self.shots[oldest]

    def pictures(self, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
        picture = self.pictures_by_index.get(start)
        if picture is not None:
            yield picture.picture


class Follower:
    """All targets of one live picture. ``step`` is called by one thread, the rest by any."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.RLock()
        self._targets: list[Target] = []
        self._trackers: dict[str, Tracker] = {}
        self._kept = _KeptPictures()
        self._outliner = Outliner(self._kept)  # type: ignore[arg-type]  pictures are all it asks for
        self._shot = 0
        self._latest = -1
        self._followed_at = -1
        self._before: np.ndarray | None = None
        self._empty: np.ndarray | None = None

    def step(self, picture: LivePicture, shot: int, rest: bool = False) -> np.ndarray:
        """The mask of the next frame: (H, W) uint8, value = object id, grown as it is filled.

        Args:
            picture: the frame.
            shot: its shot's number.
            rest: whether the trackers may be left out; never in the first frame of a shot.
        """
        with self._lock:
            cut = shot != self._shot
            self._shot, self._latest = shot, picture.index
            self._kept.keep(picture, shot)
            if not (rest and not cut and self._targets):
                frame = Frame(picture.index, picture.time, picture.image, shot)
                for target in self._targets:
                    target.step(frame, self._before, cut)
                self._before = picture.image
                self._followed_at = picture.index
            return self.drawn(picture)

    def drawn(self, picture: LivePicture) -> np.ndarray:
        """The mask of ``picture``, the one of the latest ``step``, as it is known now."""
        with self._lock:
            ahead = picture.index - self._followed_at
            shape = picture.image.shape[:2]
            if not self._targets:
                if self._empty is None or self._empty.shape != shape:
                    self._empty = np.zeros(shape, np.uint8)
                return self._empty  # the same array: nothing changes
            canvas = np.zeros(shape, np.uint8)
            for target in sorted(self._targets, key=lambda target: -target.area):
                target.draw(canvas, ahead)
            return canvas

    def point(self, prompt: Prompt, index: int) -> int:
        """Begin to follow what ``prompt`` points at in the frame ``index``; takes its time.

        The frame is outlined; what was found is followed through the frames that passed meanwhile.

        Returns:
            The object's id: the prompt's.

        Raises:
            InputError: the frame is gone, or nothing was found there.
        """
        with self._lock:
            if index not in self._kept.pictures_by_index:
                raise InputError(
                    f"Frame {index} is not kept any more; point into the picture that is shown."
                )
            clicked, shot = self._kept.pictures_by_index[index], self._kept.shots[index]
        request = OutlineRequest(prompt, painted=False, start=None)
        candidates = self._outliner.candidates(index, request, self._settings, False)
        if not candidates:
            raise InputError(
                f"Nothing was found for object {prompt.object_id}; point at its middle, or draw a "
                "box around it."
            )
        target = self._begun(prompt, clicked, shot, candidates[0])
        self._catch_up(target, index)
        return prompt.object_id

    def _begun(self, prompt: Prompt, clicked: LivePicture, shot: int, outline: Candidate) -> Target:
        name = self._tracker_name(prompt)
        frame = Frame(clicked.index, clicked.time, clicked.image, shot)
        labels = outline.mask.astype(np.uint8) * np.uint8(prompt.object_id)
        tracking = self._tracker(name).start(frame, labels)
        place = bounding_box(labels)
        assert place is not None  # it is not empty
        masks, still = self._settings.masks, name == "fixed"
        is_print = outline.outliner == PRINT
        growth = masks.grown_by(labels.shape[0], outline.is_drawn and still, is_print)
        state = ObjectState(prompt.object_id, 1.0, Visibility.VISIBLE)
        return Target(
            prompt.object_id,
            name,
            tracking,
            growth,
            place,
            outline.mask[place.slices].copy(),
            state,
            clicked.index,
        )

    def _catch_up(self, target: Target, index: int) -> None:
        """Lead a new target through what passed, and take it in."""
        for left in range(_CATCH_UP, 0, -1):
            with self._lock:
                passed = [n for n in self._kept.order if n > index]
                if not passed:
                    break
                # Larger steps where many have passed: it must come to an end while frames come.
                chosen = passed[-(-len(passed) // left) - 1]
                picture, shot = self._kept.pictures_by_index[chosen], self._kept.shots[chosen]
                before = self._kept.shots.get(index, shot)
            frame = Frame(picture.index, picture.time, picture.image, shot)
            target.step(frame, None, shot != before)
            index = chosen
        with self._lock:
            others = [t for t in self._targets if t.object_id != target.object_id]
            self._targets = [*others, target]

    def _tracker_name(self, prompt: Prompt) -> str:
        engines = self._settings.engines
        if engines.static:
            return "fixed"
        if engines.tracker != AUTO:
            return engines.tracker
        return BENDING if prompt.points or prompt.brushes else FLAT

    def _tracker(self, name: str) -> Tracker:
        with self._lock:
            if name not in self._trackers:
                self._trackers[name], _ = make_engine("track", name, self._settings)
            return self._trackers[name]

    def prepare(self, prompts: Sequence[Prompt]) -> None:
        """Load the trackers that ``prompts`` lead to, before anything plays.

        Raises:
            InputError: there is no such tracker.
            WeightsError: its weights are not here.
        """
        for prompt in prompts:
            self._tracker(self._tracker_name(prompt))
        if self._settings.engines.tracker != AUTO:
            self._tracker(self._settings.engines.tracker)

    def drop(self, object_id: int) -> None:
        """Follow an object no longer.

        Raises:
            InputError: there is none of that id.
        """
        with self._lock:
            kept = [target for target in self._targets if target.object_id != object_id]
            if len(kept) == len(self._targets):
                known = ", ".join(str(t.object_id) for t in self._targets) or "none"
                raise InputError(f"There is no object {object_id}; those followed: {known}.")
            self._targets = kept

    def free_id(self) -> int:
        """The lowest id that nothing has.

        Raises:
            InputError: all are taken.
        """
        with self._lock:
            taken = {target.object_id for target in self._targets}
        for number in range(1, MAX_OBJECT_ID + 1):
            if number not in taken:
                return number
        raise InputError(f"There are {MAX_OBJECT_ID} objects already; drop one first.")

    def report(self) -> list[dict[str, Any]]:
        """Each target's id, tracker, state and box, ready for JSON."""
        with self._lock:
            return [
                {
                    "object": target.object_id,
                    "tracker": target.tracker,
                    "state": str(target.state.visibility),
                    "confidence": round(target.state.confidence, 3),
                    "box": None
                    if target.place is None
                    else [target.place.x0, target.place.y0, target.place.x1, target.place.y1],
                }
                for target in self._targets
            ]


def outlined(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``image`` ((H, W, 3) uint8 RGB) with the rim of each object of ``mask`` drawn: a copy."""
    shown = image.copy()
    contours, _ = cv2.findContours(
        (mask > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(shown, contours, -1, (255, 255, 255), 3)
    cv2.drawContours(shown, contours, -1, (220, 40, 40), 1)
    return shown
