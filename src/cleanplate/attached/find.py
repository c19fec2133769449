"""What goes with the objects of a clip, in two passes over it: the ground, then what differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import cv2
import numpy as np

from cleanplate.arrays.masks import grow
from cleanplate.attached import kept
from cleanplate.attached.camera import step
from cleanplate.attached.ground import Plate, Sight, plate_of, sight_of
from cleanplate.attached.kept import Seen
from cleanplate.attached.layer import FADE, layer_of
from cleanplate.attached.reflections import mirrored
from cleanplate.attached.shadows import shaded
from cleanplate.files.publish import write_text
from cleanplate.media.mask_files import Masks
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.settings.groups import REFLECTION, SHADOW

if TYPE_CHECKING:
    from cleanplate.media.read import Clip

T = TypeVar("T")

_SIDE = 640  # px: the longest side of the pictures that are compared
_SAMPLES = 15  # frames of a shot that its plate is made from
_ROOM = 2  # px of the small picture that an object is grown by, for its plate
_OFTEN = 0.5  # share of an object's frames that must show what is taken
_UNDONE = 0.75  # share of a shadow that must be known well: with less, all of it is filled
_PROPOSALS = "proposals.json"
_TOUCH = 2  # px around an object, where it stands on its shadow, that are filled
_STAYS = 0.12  # of the object's size: within which a mirror stays where it is


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something that seems to go with an object."""

    object_id: int
    kind: str
    """``shadow`` or ``reflection``."""
    confidence: float
    """0..1, the share of the object's frames that show it; for a reflection times how alike it is.
    """
    taken: bool
    """Whether it is sure enough to be removed without asking."""
    undone: float
    """Share of its area whose light can be given back; 0 for what is filled as a whole."""


@dataclass(frozen=True, slots=True, eq=False)
class Attached:
    """What was proposed for the frames of ``span``, kept in ``folder``."""

    proposals: tuple[Proposal, ...]
    folder: Path
    span: Span
    size: tuple[int, int]
    """(H, W) of the clip's pictures."""

    def masks(self, proposals: Sequence[Proposal], start: int) -> Iterator[np.ndarray]:
        """All of ``proposals`` in the frames of the clip from ``start`` on.

        Yields:
            (H, W) uint8, value = id of the object that each pixel goes with.
        """

        def shown(seen: Seen) -> np.ndarray:
            shadow = _only(seen.shadow, proposals, SHADOW)
            return self._large(np.maximum(shadow, _only(seen.reflection, proposals, REFLECTION)))

        return self._each(start, shown, np.zeros(self.size, np.uint8))

    def filled(self, proposals: Sequence[Proposal], start: int) -> Iterator[np.ndarray]:
        """As ``masks``, without what is undone instead of being filled."""
        undone = [p for p in proposals if p.undone]
        whole = [p for p in proposals if not p.undone]

        def shown(seen: Seen) -> np.ndarray:
            parts = (
                _only(seen.shadow, whole, SHADOW),
                _only(seen.doubtful, undone, SHADOW),
                _only(seen.reflection, whole, REFLECTION),
            )
            return self._large(np.maximum.reduce(parts))

        return self._each(start, shown, np.zeros(self.size, np.uint8))

    def shades(self, proposals: Sequence[Proposal], start: int) -> Iterator[np.ndarray | None]:
        """What the light was multiplied by, in the frames of the clip from ``start`` on.

        Yields:
            (h, w, 3) float32 in 0..1, at the size of the search, 1 where nothing is undone; None
            for a frame in which nothing of ``proposals`` is.
        """
        undone = [p for p in proposals if p.undone]

        def shade(seen: Seen) -> np.ndarray | None:
            near = cv2.dilate(seen.shadow, np.ones((2 * FADE + 1,) * 2, np.uint8))
            wanted = _only(np.asarray(near), undone, SHADOW) > 0
            return np.where(wanted[..., None], seen.shade, 1) if wanted.any() else None

        return self._each(start, shade, None)

    def _each(self, start: int, show: Callable[[Seen], T], outside: T) -> Iterator[T]:
        """What ``show`` makes of each frame of the clip from ``start`` on; outside of the span
        nothing was looked at."""
        span = self.span
        yield from repeat(outside, span.start - start)
        first = max(start - span.start, 0)
        yield from map(show, kept.read(self.folder, first, span.stop - span.start))
        yield from repeat(outside, len(span.shots) - max(start, span.stop))

    def _large(self, small: np.ndarray) -> np.ndarray:
        if not small.any():
            return np.zeros(self.size, np.uint8)
        return cv2.resize(small, self.size[::-1], interpolation=cv2.INTER_NEAREST)


def _only(ids: np.ndarray, proposals: Sequence[Proposal], kind: str) -> np.ndarray:
    """``ids`` of the objects that a proposal of ``kind`` is about, 0 elsewhere."""
    wanted = [p.object_id for p in proposals if p.kind == kind]
    return np.where(np.isin(ids, wanted), ids, 0).astype(np.uint8)


def find(
    masks: Masks,
    clip: Clip,
    survey: Survey,
    span: Span,
    kinds: Sequence[str],
    folder: Path,
    progress: Progress,
) -> Attached:
    """Propose what goes with the objects of ``masks``; nothing is changed.

    Args:
        masks: of the objects, as they are filled. Those that never move have nothing that could
            be told from the ground: nothing is proposed of them.
        clip: the clip.
        survey: what it was found to be.
        span: the frames to work on.
        kinds: ``shadow``, ``reflection``.
        folder: where proposals are kept; those that an earlier call left are taken.
        progress: told about every frame, twice.
    """
    size = (clip.info.height, clip.info.width)
    if masks.constant is not None:
        progress.note("What does not move has nothing attached that could be told from the ground.")
        return Attached((), folder, span, size)
    if not (folder / _PROPOSALS).exists():
        shots = _looked(masks, clip, survey, span, progress)
        search = _Search(kinds)
        frames = search.over(shots, masks, clip, survey, span)
        kept.write(folder, progress.over("attached", frames, span.stop - span.start))
        write_text(folder / _PROPOSALS, json.dumps([asdict(p) for p in search.proposals()]))
    return read_attached(folder, span, size)


def read_attached(folder: Path, span: Span, size: tuple[int, int]) -> Attached:
    """What ``find`` kept in ``folder``, of the same ``span`` and of pictures of ``size`` (H, W)."""
    entries = json.loads((folder / _PROPOSALS).read_text(encoding="utf-8"))
    return Attached(tuple(Proposal(**entry) for entry in entries), folder, span, size)


@dataclass(slots=True)
class _Shots:
    """What the first pass knows: the plate of each shot and where each frame looks."""

    plates: dict[int, Plate] = field(default_factory=dict[int, Plate])
    ways: dict[int, np.ndarray | None] = field(default_factory=dict[int, np.ndarray | None])


@dataclass(slots=True)
class _Tally:
    """What was seen of one object."""

    frames: int = 0
    shaded: int = 0
    shadow_area: int = 0
    doubtful_area: int = 0
    mirrors: list[tuple[str, float, float]] = field(default_factory=list[tuple[str, float, float]])
    """Kind of mirror, its place, and how alike its image is."""


class _Search:
    """The second pass."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self._kinds = kinds
        self._tallies: dict[int, _Tally] = {}

    def over(
        self, shots: _Shots, masks: Masks, clip: Clip, survey: Survey, span: Span
    ) -> Iterator[Seen]:
        """What each frame shows."""
        for index, image, mask in _small(masks, clip, span):
            for object_id in np.unique(mask[mask > 0]).tolist():
                self._tallies.setdefault(object_id, _Tally()).frames += 1
            way, plate = shots.ways[index], shots.plates.get(int(survey.shots[index]))
            if way is None or plate is None or not mask.any():
                yield kept.nothing(mask.shape)
            else:
                yield self._seen(sight_of(image, mask, plate, way))

    def proposals(self) -> list[Proposal]:
        """What all frames together say, for each object and kind."""
        proposals: list[Proposal] = []
        for object_id, tally in sorted(self._tallies.items()):
            if SHADOW in self._kinds:
                proposals.append(_shadow_proposal(object_id, tally))
            if REFLECTION in self._kinds:
                proposals.append(_reflection_proposal(object_id, tally))
        return proposals

    def _seen(self, sight: Sight) -> Seen:
        seen = kept.nothing(sight.mask.shape)
        # Whichever is asked for: what passes for a shadow is no reflection, unless a mirror image
        # stands around it.
        shadow = shaded(sight)
        if REFLECTION in self._kinds:
            reflection = self._mirror_images(sight, shadow > 0)
            shadow = np.where(reflection > 0, 0, shadow).astype(np.uint8)
            seen = replace(seen, reflection=reflection)
        if SHADOW in self._kinds and shadow.any():
            layer = layer_of(sight, shadow > 0)
            doubtful = np.where(layer.doubtful, shadow, 0).astype(np.uint8)
            doubtful = np.maximum(doubtful, _contact(sight.mask, shadow))
            seen = replace(seen, shadow=shadow, doubtful=doubtful, light=kept.levels(layer.shade))
            self._count(shadow, doubtful)
        return seen

    def _mirror_images(self, sight: Sight, shadow: np.ndarray) -> np.ndarray:
        """(h, w) uint8, value = id of the object that is mirrored."""
        reflection = np.zeros_like(sight.mask)
        for object_id in np.unique(sight.mask[sight.mask > 0]).tolist():
            image = mirrored(sight, object_id, shadow)
            if image is not None:
                reflection[image.mask] = object_id
                self._tallies[object_id].mirrors.append((*image.place, image.alike))
        return reflection

    def _count(self, shadow: np.ndarray, doubtful: np.ndarray) -> None:
        for object_id in np.unique(shadow[shadow > 0]).tolist():
            tally = self._tallies[object_id]
            tally.shaded += 1
            tally.shadow_area += int(np.count_nonzero(shadow == object_id))
            tally.doubtful_area += int(
                np.count_nonzero((doubtful == object_id) & (shadow == object_id))
            )


def _contact(mask: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """(h, w) uint8: where an object stands on its shadow, (h, w) uint8 both: its rim is mixed with
    it, and the small mask's rim is not the large one's."""
    disc = np.ones((2 * _TOUCH + 1,) * 2, np.uint8)
    spread = np.asarray(cv2.dilate(shadow, disc))
    return np.where(cv2.dilate(mask, disc) > 0, spread, 0).astype(np.uint8)


def _shadow_proposal(object_id: int, tally: _Tally) -> Proposal:
    confidence = tally.shaded / tally.frames
    well_known = 1 - tally.doubtful_area / max(tally.shadow_area, 1)
    undone = round(well_known, 3) if tally.shaded and well_known >= _UNDONE else 0.0
    return Proposal(object_id, SHADOW, round(confidence, 3), confidence >= _OFTEN, undone)


def _reflection_proposal(object_id: int, tally: _Tally) -> Proposal:
    """A mirror stands still beside its object: of the places seen, the usual one counts."""
    best, alike = 0, 0.0
    for side in ("below", "beside"):
        places = np.array([place for flip, place, _ in tally.mirrors if flip == side])
        likenesses = np.array([a for flip, _, a in tally.mirrors if flip == side])
        if side == "below" and len(places):
            steady = np.abs(places - np.median(places)) <= _STAYS
        else:
            steady = np.ones(len(places), bool)
        if np.count_nonzero(steady) > best:
            best, alike = int(np.count_nonzero(steady)), float(likenesses[steady].mean())
    often = best / tally.frames
    return Proposal(object_id, REFLECTION, round(often * alike, 3), often >= _OFTEN, 0.0)


def _looked(masks: Masks, clip: Clip, survey: Survey, span: Span, progress: Progress) -> _Shots:
    """The first pass."""
    shots = _Shots()
    samples: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    wanted: set[int] = set()
    shot, before = -1, np.zeros(0, np.uint8)
    way: np.ndarray | None = None
    progress.start("ground", span.stop - span.start)
    for index, image, mask in _small(masks, clip, span):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        covered = grow(mask, _ROOM) > 0
        if int(survey.shots[index]) != shot:
            if samples:
                shots.plates[shot] = plate_of(samples)
            shot, samples, way = int(survey.shots[index]), [], np.eye(3)
            inside = np.flatnonzero(survey.shots[span.start : span.stop] == shot) + span.start
            wanted = set(inside[np.linspace(0, len(inside) - 1, _SAMPLES).astype(int)].tolist())
        elif way is not None:
            one = step(grey, before, covered)
            way = None if one is None else way @ one
        shots.ways[index], before = way, grey
        if index in wanted and way is not None:
            samples.append((image, covered, way))
        progress.advance()
    if samples:
        shots.plates[shot] = plate_of(samples)
    progress.finish()
    return shots


def _small(masks: Masks, clip: Clip, span: Span) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Index, image and mask of each frame, no side longer than ``_SIDE``."""
    scale = min(1.0, _SIDE / max(clip.info.width, clip.info.height))
    size = (max(round(clip.info.width * scale), 1), max(round(clip.info.height * scale), 1))
    pictures = zip(clip.pictures(span.start, span.stop), masks.read(span.start), strict=False)
    for picture, mask in pictures:
        image = cv2.resize(picture.rgb(), size, interpolation=cv2.INTER_AREA)
        yield picture.index, image, cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
