"""Upright lines that stay in many frames: scratches of film.

In one frame a scratch is a ridge: brighter, or darker, than what is on both sides of it, for a good
part of the picture's height. So is a lamp post. What tells them apart is time: a scratch stands on
the film, not in the scene. It keeps its place while the scene moves behind it; or it weaves where
the scene stands still; or it is there all at once, where a frame before nothing was. A line of
which none of this can be said is not proposed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import cv2
import numpy as np

_BANDS = 16  # strips, one above the other, in which a ridge is looked for
_LEAST_BANDS = 4  # in a row that show it
_CLIP = 16.0  # grey levels: no single row says more
_STEEP = 3.0  # grey levels by which the mean row of a band must stand out
_MOST_MARKS = 24  # in a frame: more are a fence, or rain
_GATE = 2.5  # px at a height of 480 by which a line moves from one frame to the next, at most
_MISSES = 3  # frames in which a line may be unseen
_LEAST_FRAMES = 6  # that show a scratch
_MOVES, _STAYS = 6.0, 0.25  # px that the scene moves behind it; the part of it that a line may move
_STANDS, _WEAVES = 1.0, 1.8  # px that a standing scene moves at most; that a line in it does
_LONG = 0.15  # share of a line's frames in which it may look longer than it is
_JITTER = 0.9  # px a frame: a line that hops more is several
_STRONG, _SUDDEN = 7.0, 0.15  # grey levels; the part of it that is seen before it came, or after
_FAINT = 4.0  # grey levels: what stands out less proves nothing
_NEAR, _FAR = 16, 80  # px beside a line where the scene's motion is measured


@dataclass(frozen=True, slots=True)
class Mark:
    """A ridge in one frame, in px of the frame."""

    frame: int
    x: float
    top: int
    bottom: int
    is_bright: bool
    strength: float
    """Grey levels, at most ``_CLIP``: how far its mean row stands out."""
    scene: float
    """px that the scene beside it has moved to the right since the frame before."""


@dataclass(frozen=True, slots=True)
class Scratch:
    """A line through some frames."""

    marks: tuple[Mark, ...]
    """One for each frame, in order, without a gap."""
    confidence: float
    """0..1."""

    @property
    def start(self) -> int:
        """Its first frame."""
        return self.marks[0].frame

    @property
    def stop(self) -> int:
        """One past its last frame."""
        return self.marks[-1].frame + 1


def unit_of(height: int, width: int) -> float:
    """What a px of a picture 480 high is in one of this size, at least a half."""
    return max(min(height, width) / 480, 0.5)


def half_width(unit: float) -> int:
    """px to each side of a scratch's middle that it may cover."""
    return max(2, round(3 * unit))


def ridges(grey: np.ndarray) -> np.ndarray:
    """How far each column stands out in each band: (2, bands, W) float32, bright and dark."""
    height, width = grey.shape
    reach = half_width(unit_of(height, width)) + 1
    smooth = cv2.blur(grey, (3, 1))
    padded = cv2.copyMakeBorder(smooth, 0, 0, reach, reach, cv2.BORDER_REPLICATE)
    left, right = padded[:, :width].astype(np.float32), padded[:, 2 * reach :].astype(np.float32)
    middle = grey.astype(np.float32)
    bright = np.clip(middle - np.maximum(left, right), -_CLIP, _CLIP)
    dark = np.clip(np.minimum(left, right) - middle, -_CLIP, _CLIP)
    edges = np.linspace(0, height, _BANDS + 1).astype(int)[:-1]
    rows = np.diff(np.append(edges, height))[:, None]
    sums = [np.add.reduceat(side, edges, axis=0) / rows for side in (bright, dark)]
    return np.stack(sums).astype(np.float32)


def marks_in(
    profile: np.ndarray, frame: int, flow: np.ndarray | None, size: tuple[int, int]
) -> list[Mark]:
    """The ridges of one frame.

    Args:
        profile: of ``ridges``.
        frame: its number.
        flow: (h, w, 2) to the frame before, of any size; None at the start of a shot.
        size: (H, W) of the frame.
    """
    marks: list[Mark] = []
    reach = half_width(unit_of(*size)) + 1
    for is_bright, side in zip((True, False), profile, strict=True):
        wide = cv2.dilate(side, np.ones((1, 3), np.uint8))  # a line may lean a little
        total = np.maximum(wide - _STEEP, 0).sum(axis=0) + 1e-3 * np.maximum(side, 0).sum(axis=0)
        peaks = np.flatnonzero(
            (total == cv2.dilate(total[None], np.ones((1, 2 * reach + 1), np.uint8))[0])
            & (total > _LEAST_BANDS)
        )
        peaks = peaks[(peaks > reach) & (peaks < size[1] - 1 - reach)]  # the edge is no line
        for x in peaks[np.argsort(-total[peaks])][:_MOST_MARKS].tolist():
            first, stop = _longest_run(wide[:, x] > _STEEP)
            if stop - first < _LEAST_BANDS:
                continue
            near = slice(max(x - 2, 0), x + 3)
            weights = np.maximum(side[first:stop, near].mean(axis=0), 0)
            middle = float((weights * np.arange(near.start, near.start + len(weights))).sum())
            middle = middle / float(weights.sum()) if weights.sum() > 0 else float(x)
            edges = np.linspace(0, size[0], _BANDS + 1).astype(int)
            top, bottom = int(edges[first]), int(edges[stop])
            scene = 0.0 if flow is None else _scene_shift(flow, middle, top, bottom, size)
            strength = float(wide[first:stop, x].mean())
            marks.append(Mark(frame, middle, top, bottom, is_bright, strength, scene))
    return marks


def _longest_run(shown: np.ndarray) -> tuple[int, int]:
    """[first, stop) of the longest run of bands; one that is missing inside is forgiven."""
    best, first, gap = (0, 0), -1, 0
    for i, here in enumerate([*shown.tolist(), False, False]):
        if here:
            first, gap = (i if first < 0 else first), 0
        elif first >= 0:
            gap += 1
            if gap == 2:
                if i - 1 - first > best[1] - best[0]:
                    best = first, i - 1
                first = -1
    return best


def _scene_shift(flow: np.ndarray, x: float, top: int, bottom: int, size: tuple[int, int]) -> float:
    scale = flow.shape[1] / size[1]
    unit = unit_of(*size)
    rows = slice(int(top * scale), max(int(bottom * scale), int(top * scale) + 1))
    sides = []
    for low, high in ((x - _FAR * unit, x - _NEAR * unit), (x + _NEAR * unit, x + _FAR * unit)):
        columns = slice(max(int(low * scale), 0), max(int(high * scale), 0))
        if flow[rows, columns].size:
            sides.append(flow[rows, columns, 0])
    if not sides:
        return 0.0
    return -float(np.median(np.concatenate([side.ravel() for side in sides]))) / scale


@dataclass(slots=True)
class Track:
    """A line that is being followed."""

    marks: list[Mark]
    before: float | None
    """Its strength in the frame before it was first seen; None at the start of a shot."""
    after: float | None = None
    misses: int = 0
    weak: list[float] = field(default_factory=list[float])


class LineFollower:
    """Follows ridges from frame to frame; ``scratches`` are those that stand on the film."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size, self._unit = size, unit_of(*size)
        self._tracks: list[Track] = []
        self._done: list[Scratch] = []
        self._shot = -1
        self._before: np.ndarray | None = None

    def see(self, profile: np.ndarray, marks: Sequence[Mark], frame: int, shot: int) -> None:
        """Take in the next frame: its ``ridges`` and the ``marks_in`` them."""
        if shot != self._shot:
            self._close_all()
            self._shot, self._before = shot, None
        free = list(marks)
        for track in self._tracks:
            mark = self._nearest(track, free)
            if mark is None:
                track.weak.append(self._strength(profile, track.marks[-1]))
                track.misses += 1
                continue
            free.remove(mark)
            track.marks.append(mark)
            track.misses, track.weak = 0, []
        for track in [track for track in self._tracks if track.misses > _MISSES]:
            self._tracks.remove(track)
            self._close(track)
        for mark in free:
            before = None if self._before is None else self._strength(self._before, mark)
            self._tracks.append(Track([mark], before))
        self._before = profile

    def state(self) -> dict[str, np.ndarray]:
        """All that ``resumed`` needs to go on after the frame last seen, as arrays."""
        tracks = [
            (number, [*_row(mark)], track)
            for number, track in enumerate(self._tracks)
            for mark in track.marks
        ]
        done = [
            [number, scratch.confidence, *_row(mark)]
            for number, scratch in enumerate(self._done)
            for mark in scratch.marks
        ]
        nothing = np.zeros(0, np.float32)
        return {
            "shot": np.array(self._shot),
            "before": nothing if self._before is None else self._before,
            "tracks": np.array([[number, *row] for number, row, _ in tracks]).reshape(-1, 8),
            "first": np.array(
                [np.nan if track.before is None else track.before for track in self._tracks]
            ),
            "misses": np.array([track.misses for track in self._tracks], int),
            "weak": np.array(
                [[*track.weak, *[np.nan] * (_MISSES - len(track.weak))] for track in self._tracks]
            ).reshape(-1, _MISSES),
            "done": np.array(done).reshape(-1, 9),
        }

    @classmethod
    def resumed(cls, size: tuple[int, int], state: Mapping[str, np.ndarray]) -> Self:
        """Go on from what ``state`` returned, perhaps in another process."""
        follower = cls(size)
        follower._shot = int(state["shot"])
        follower._before = state["before"] if state["before"].size else None
        for number, first in enumerate(state["first"].tolist()):
            rows = state["tracks"][state["tracks"][:, 0] == number, 1:]
            weak = [value for value in state["weak"][number].tolist() if not np.isnan(value)]
            follower._tracks.append(
                Track(
                    [_mark(row) for row in rows],
                    None if np.isnan(first) else first,
                    misses=int(state["misses"][number]),
                    weak=weak,
                )
            )
        done = state["done"]
        for number in np.unique(done[:, 0]).tolist():
            rows = done[done[:, 0] == number]
            marks = tuple(_mark(row) for row in rows[:, 2:])
            follower._done.append(Scratch(marks, float(rows[0, 1])))
        return follower

    def scratches(self) -> list[Scratch]:
        """All that were found; nothing more comes."""
        self._close_all()
        return self._done

    def _nearest(self, track: Track, free: Sequence[Mark]) -> Mark | None:
        last = track.marks[-1]
        gate = _GATE * self._unit * (1 + track.misses / 2)
        near = [
            mark
            for mark in free
            if mark.is_bright == last.is_bright
            and abs(mark.x - last.x) <= gate
            and min(mark.bottom, last.bottom) > max(mark.top, last.top)
        ]
        return min(near, key=lambda mark: abs(mark.x - last.x), default=None)

    def _strength(self, profile: np.ndarray, mark: Mark) -> float:
        """How far the place of ``mark`` stands out in another frame."""
        height = self._size[0]
        first = round(mark.top * _BANDS / height)
        bands = slice(first, max(round(mark.bottom * _BANDS / height), first + 1))
        x, reach = round(mark.x), max(1, round(_GATE * self._unit))
        near = profile[0 if mark.is_bright else 1][bands, max(x - reach, 0) : x + reach + 1]
        return float(near.mean(axis=0).max())

    def _close_all(self) -> None:
        for track in self._tracks:
            self._close(track)
        self._tracks = []

    def _close(self, track: Track) -> None:
        scratch = self._judged(track)
        if scratch is not None:
            self._done.append(scratch)

    def _judged(self, track: Track) -> Scratch | None:
        """What a line turned out to be; None where it may be the scene's."""
        if len(track.marks) < _LEAST_FRAMES:
            return None
        track.after = track.weak[0] if track.weak else None
        sure = self._sureness(track)
        if sure == 0:
            return None
        return Scratch(tuple(_without_gaps(_as_long(track.marks, self._size[0]))), sure)

    def _sureness(self, track: Track) -> float:
        """0 where nothing says that the line is on the film and not in the scene."""
        places = np.array([mark.x for mark in track.marks]) / self._unit
        scene = np.cumsum([mark.scene for mark in track.marks]) / self._unit
        strength = float(np.mean([mark.strength for mark in track.marks]))
        own, moved = float(np.ptp(places)), float(np.ptp(scene))
        if float(np.abs(np.diff(places)).mean()) > _JITTER:
            return 0.0
        if strength >= _FAINT and moved >= _MOVES and own <= _STAYS * moved:
            return 0.9
        edges = [value for value in (track.before, track.after) if value is not None]
        if strength >= _STRONG and edges and max(edges) <= _SUDDEN * strength:
            return 0.8
        stands = moved <= _STANDS
        return 0.7 if strength >= _STRONG and stands and own >= _WEAVES else 0.0


def _row(mark: Mark) -> tuple[float, ...]:
    return (
        *(mark.frame, mark.x, mark.top, mark.bottom),
        *(mark.is_bright, mark.strength, mark.scene),
    )


def _mark(row: np.ndarray) -> Mark:
    frame, x, top, bottom, is_bright, strength, scene = row.tolist()
    return Mark(int(frame), x, int(top), int(bottom), bool(is_bright), strength, scene)


def _as_long(marks: Sequence[Mark], height: int) -> list[Mark]:
    """The marks, each at least as long as most are: a dark ground hides a part of a dark line."""
    top = int(np.quantile([mark.top for mark in marks], _LONG))
    bottom = int(np.quantile([mark.bottom for mark in marks], 1 - _LONG))
    band = 1.5 * height / _BANDS
    top, bottom = 0 if top < band else top, height if bottom > height - band else bottom
    return [
        replace(mark, top=min(mark.top, top), bottom=max(mark.bottom, bottom)) for mark in marks
    ]


def _without_gaps(marks: Sequence[Mark]) -> Iterator[Mark]:
    """The marks, with those of frames between that were not seen."""
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        yield mark
        if following is None:
            return
        span = following.frame - mark.frame
        for step in range(1, span):
            part = step / span
            yield Mark(
                mark.frame + step,
                mark.x + part * (following.x - mark.x),
                min(mark.top, following.top),
                max(mark.bottom, following.bottom),
                *(mark.is_bright, mark.strength, 0.0),
            )


def draw(mask: np.ndarray, mark: Mark, value: int) -> None:
    """Write the line of ``mark`` into ``mask``, (H, W) uint8."""
    half = half_width(unit_of(*mask.shape))
    x = round(mark.x)
    mask[mark.top : mark.bottom, max(x - half, 0) : x + half + 1] = value
