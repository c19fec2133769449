"""Finds the damage of a clip and keeps it as a mask track, piece by piece, so that it can go on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cleanplate.arrays.masks import clipped, widened
from cleanplate.files.publish import publishing
from cleanplate.media.mask_files import Masks
from cleanplate.media.mask_track import read_mask_track, write_mask_track
from cleanplate.progress import Progress
from cleanplate.restoration.analysis import Analysed, Frame, analysed
from cleanplate.restoration.blotches import AROUND, Leaps, Patch, judged, without_weather
from cleanplate.restoration.lines import LineFollower, Mark, Scratch, draw, half_width, unit_of
from cleanplate.restoration.tape import TapeFollower
from cleanplate.settings.restoration import DIRT, DROPOUTS, SCRATCHES, RestorationSettings
from cleanplate.types import Box

if TYPE_CHECKING:
    from cleanplate.media.read import Clip
    from cleanplate.media.survey import Span, Survey

VALUES = {DIRT: 1, SCRATCHES: 2, DROPOUTS: 3}
"""What a pixel of a mask holds for each kind of damage."""
_PIECE = 100  # frames between two points from which an interrupted search goes on
_BEFORE = 2 * AROUND + 3  # frames before a piece that its first masks depend on
_MARGIN = 1.5  # px around a patch, whose rim is soft
_WIDE, _FLAT, _THIN = 24, 4, 5  # px; a drop-out is so many times wider than high, and so low
_LEVEL = "level_"  # before the names of what is kept of level lines
_ONE_SIDED = 0.95  # confidence asked for at the end of a shot, which neighbours cannot frame


@dataclass(frozen=True, slots=True)
class Damage:
    """One proposal."""

    kind: str
    """``dirt``, ``scratches`` or ``dropouts``."""
    start: int
    """First frame that shows it."""
    stop: int
    """One past the last one."""
    box: Box
    """Around it in all of these frames."""
    confidence: float
    """0..1."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The damage of a clip."""

    masks: Masks
    """One for each frame of the clip, values as in ``VALUES``."""
    damage: Sequence[Damage]
    """Dirt and drop-outs frame by frame, then scratches, then lines of tape."""


def detect(
    clip: Clip,
    survey: Survey,
    span: Span,
    settings: RestorationSettings,
    folder: Path,
    progress: Progress,
) -> Found:
    """Find the damage in ``span`` of ``clip``, or go on where an earlier run in ``folder`` stopped.

    Args:
        clip: the clip.
        survey: what it was found to be.
        span: the frames to look at.
        settings: what is looked for, and how sure it must be.
        folder: of the search alone; masks are kept and read from here.
        progress: told about every frame; may raise CancelledError, what is done is kept.
    """
    size = clip.info.height, clip.info.width
    pieces = [_Piece(folder, start) for start in range(span.start, span.stop, _PIECE)]
    done = next((n for n, piece in enumerate(pieces) if not piece.is_whole), len(pieces))
    if done < len(pieces):
        _search(clip, survey, span, settings, pieces[done:], pieces[done - 1 : done], progress)
    followers = _Followers.resumed(size, pieces[-1].arrays())
    lines = [
        line
        for line in followers.lines()
        if line.scratch.confidence >= settings.least_confidence and line.kind in settings.kinds
    ]
    damage = [damage for piece in pieces for damage in piece.damage()]
    damage += [line.whole(size) for line in lines]
    return Found(_masks(pieces, lines, survey.count, span, size), damage)


@dataclass(frozen=True, slots=True)
class _Piece:
    """Some frames whose dirt is found."""

    folder: Path
    start: int

    @property
    def masks(self) -> Path:
        """The mask track of its dirt and drop-outs."""
        return self.folder / f"{self.start:07d}.mkv"

    @property
    def facts(self) -> Path:
        """Its proposals, and the state of the lines after its last frame."""
        return self.folder / f"{self.start:07d}.npz"

    @property
    def is_whole(self) -> bool:
        return self.masks.exists() and self.facts.exists()

    def arrays(self) -> dict[str, np.ndarray]:
        with np.load(self.facts, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def damage(self) -> Iterator[Damage]:
        names = {value: kind for kind, value in VALUES.items()}
        for frame, value, x0, y0, x1, y1, sure in self.arrays()["patches"].tolist():
            box = Box(int(x0), int(y0), int(x1), int(y1))
            yield Damage(names[int(value)], int(frame), int(frame) + 1, box, sure)


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """One frame with what was found in it."""

    index: int
    patches: list[tuple[Patch, float]]


def _search(
    clip: Clip,
    survey: Survey,
    span: Span,
    settings: RestorationSettings,
    pieces: Sequence[_Piece],
    before: Sequence[_Piece],
    progress: Progress,
) -> None:
    size = clip.info.height, clip.info.width
    first = pieces[0].start
    lines = _Followers.resumed(size, before[0].arrays()) if before else _Followers.new(size)
    shot_start = int(np.searchsorted(survey.shots, survey.shots[first]))
    begin = max(first - _BEFORE, shot_start, span.start)
    source = _Source(clip, survey, begin, span.stop, settings.least_confidence)
    found = source.judged(progress, first, span)
    for piece in pieces:
        stop = min(piece.start + _PIECE, span.stop)
        rows: list[list[float]] = []
        masks = _drawn(found, range(piece.start, stop), size, settings, source, rows)
        times = (survey.time(index) for index in range(piece.start, stop))
        write_mask_track(piece.masks, zip(times, masks, strict=False), clip.info.average_rate)
        source.follow(lines, range(piece.start, stop))
        state: dict[str, Any] = lines.state()
        with publishing(piece.facts) as draft, draft.open("wb") as file:
            np.savez_compressed(file, patches=np.array(rows, float).reshape(-1, 7), **state)
    progress.finish()


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A scratch, or a line of tape in px of the picture on its side."""

    scratch: Scratch
    is_upright: bool

    @property
    def kind(self) -> str:
        """``scratches`` or ``dropouts``."""
        return SCRATCHES if self.is_upright else DROPOUTS

    def whole(self, size: tuple[int, int]) -> Damage:
        """As a proposal for pictures of ``size``, (H, W)."""
        marks, half = self.scratch.marks, half_width(unit_of(*size))
        xs = [round(mark.x) for mark in marks]
        low, high = min(mark.top for mark in marks), max(mark.bottom for mark in marks)
        left, right = min(xs) - half, max(xs) + half + 1
        box = Box(left, low, right, high) if self.is_upright else Box(low, left, high, right)
        inside = clipped(box, size[1], size[0])
        assert inside is not None  # marks lie in the picture
        return Damage(
            *(self.kind, self.scratch.start, self.scratch.stop, inside, self.scratch.confidence)
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Followers:
    """Those of upright lines and of level ones."""

    upright: LineFollower
    level: TapeFollower

    @classmethod
    def new(cls, size: tuple[int, int]) -> _Followers:
        return cls(LineFollower(size), TapeFollower((size[1], size[0])))

    @classmethod
    def resumed(cls, size: tuple[int, int], state: dict[str, np.ndarray]) -> _Followers:
        level = {name[len(_LEVEL) :]: a for name, a in state.items() if name.startswith(_LEVEL)}
        followed = TapeFollower.resumed((size[1], size[0]), level)
        return cls(LineFollower.resumed(size, state), followed)

    def see(self, one: Analysed) -> None:
        self.upright.see(one.profile, one.marks, one.index, one.shot)
        self.level.see(*one.level, one.index, one.shot)

    def state(self) -> dict[str, Any]:
        level = {f"{_LEVEL}{name}": array for name, array in self.level.state().items()}
        return {**self.upright.state(), **level}

    def lines(self) -> list[Line]:
        """All that were found; nothing more comes."""
        return [
            *(Line(scratch, True) for scratch in self.upright.scratches()),
            *(Line(scratch, False) for scratch in self.level.scratches()),
        ]


class _Source:
    """The analysed frames, split into what leaps and what stands upright."""

    def __init__(self, clip: Clip, survey: Survey, begin: int, stop: int, least: float) -> None:
        self._least = least
        self._clip, self._survey, self._begin, self._stop = clip, survey, begin, stop
        self._lines: dict[int, Analysed] = {}
        self.one_sided: set[int] = set()
        """Frames, of those in hand, at the end of a shot."""

    def _frames(self) -> Iterator[Frame]:
        for picture in self._clip.pictures(self._begin, self._stop):
            grey = cv2.cvtColor(picture.rgb(), cv2.COLOR_RGB2GRAY)
            yield Frame(picture.index, int(self._survey.shots[picture.index]), grey)

    def judged(self, progress: Progress, first: int, span: Span) -> Iterator[_Judged]:
        """Each frame from ``first`` on with its patches."""
        progress.start("damage", span.stop - span.start, first - span.start)
        empty: list[int] = []

        def leaps() -> Iterator[Leaps | None]:
            shot = -1
            for one in analysed(self._frames()):
                if one.index >= first:
                    self._lines[one.index] = one
                    progress.at(one.index)
                    progress.advance()
                if one.shot != shot:
                    yield None
                    shot = one.shot
                if one.leaps is None:
                    empty.append(one.index)
                    continue
                if one.leaps.is_one_sided:
                    self.one_sided.add(one.index)
                yield one.leaps

        waiting = first
        size = self._clip.info.height, self._clip.info.width
        for index, patches in without_weather(judged(leaps()), size, self._least):
            while waiting < index:
                yield _Judged(waiting, [])
                waiting += 1
            if index >= first:
                yield _Judged(index, patches)
                waiting = index + 1
        while waiting < self._stop:
            yield _Judged(waiting, [])
            waiting += 1

    def follow(self, lines: _Followers, frames: range) -> None:
        """Show ``lines`` those of ``frames``."""
        for index in frames:
            one = self._lines.pop(index)
            lines.see(one)


def _drawn(
    found: Iterator[_Judged],
    frames: range,
    size: tuple[int, int],
    settings: RestorationSettings,
    source: _Source,
    rows: list[list[float]],
) -> Iterator[np.ndarray]:
    """The masks of ``frames``; what is in them is told in ``rows``."""
    for one in itertools.islice(found, len(frames)):
        mask = np.zeros(size, np.uint8)
        least = settings.least_confidence
        if one.index in source.one_sided:
            least = max(least, _ONE_SIDED)
            source.one_sided.discard(one.index)
        for patch, sure in one.patches:
            kind = _kind(patch, size)
            if sure >= least and kind in settings.kinds:
                _paint(mask, patch, VALUES[kind])
                box = patch.box
                rows.append([one.index, VALUES[kind], box.x0, box.y0, box.x1, box.y1, sure])
        yield mask


def _kind(patch: Patch, size: tuple[int, int]) -> str:
    height = np.count_nonzero(patch.mask) / patch.box.width
    is_flat = patch.box.width >= _FLAT * height and height <= _THIN * unit_of(*size)
    return DROPOUTS if is_flat and patch.box.width >= _WIDE * unit_of(*size) else DIRT


def _paint(mask: np.ndarray, patch: Patch, value: int) -> None:
    margin = max(round(_MARGIN * unit_of(*mask.shape)), 1)
    height, width = mask.shape
    room = widened(patch.box, margin, width, height)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * margin + 1,) * 2)
    padded = cv2.copyMakeBorder(
        patch.mask.astype(np.uint8),
        *(patch.box.y0 - room.y0, room.y1 - patch.box.y1),
        *(patch.box.x0 - room.x0, room.x1 - patch.box.x1),
        cv2.BORDER_CONSTANT,
    )
    mask[room.slices][cv2.dilate(padded, disc) > 0] = value


def _masks(
    pieces: Sequence[_Piece],
    lines: Sequence[Line],
    count: int,
    span: Span,
    size: tuple[int, int],
) -> Masks:
    marks: dict[int, list[tuple[Line, Mark]]] = {}
    for line in lines:
        for mark in line.scratch.marks:
            marks.setdefault(mark.frame, []).append((line, mark))
    empty = np.zeros(size, np.uint8)

    def read(start: int) -> Iterator[np.ndarray]:
        index = start
        while index < min(span.start, count):
            yield empty
            index += 1
        for piece in pieces:
            if piece.start + _PIECE <= index:
                continue
            for mask in read_mask_track(piece.masks, index - piece.start):
                whole = mask if mask.flags.writeable else mask.copy()
                for line, mark in marks.get(index, []):
                    draw(whole if line.is_upright else whole.T, mark, VALUES[line.kind])
                yield whole
                index += 1
        while index < count:
            yield empty
            index += 1

    return Masks("what was found", read)


def plain(damage: Damage) -> dict[str, Any]:
    """A proposal as JSON has it."""
    box = damage.box
    return asdict(damage) | {"box": [box.x0, box.y0, box.x1, box.y1]}
