"""Between masks and fill: the shadows that objects cast are removed with them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cleanplate.arrays.masks import grow
from cleanplate.attached.camera import step
from cleanplate.attached.shadows import Plate, plate_of, shaded
from cleanplate.files.publish import write_text
from cleanplate.jobs.stages.masks import FilledMasks
from cleanplate.media.mask_files import Masks
from cleanplate.media.mask_track import read_mask_track, write_mask_track
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress

if TYPE_CHECKING:
    from cleanplate.media.read import Clip

_SIDE = 640  # px: the longest side of the pictures that are compared
_SAMPLES = 15  # frames of a shot that its plate is made from
_ROOM = 2  # px of the small picture that an object is grown by, for its plate
_OFTEN = 0.5  # share of an object's frames that must show a shadow


@dataclass(slots=True)
class _Shots:
    """What the first pass knows: the plate of each shot and where each frame looks."""

    plates: dict[int, Plate] = field(default_factory=dict[int, Plate])
    ways: dict[int, np.ndarray | None] = field(default_factory=dict[int, np.ndarray | None])


def with_shadows(
    filled: FilledMasks,
    clip: Clip,
    survey: Survey,
    span: Span,
    folder: Path,
    progress: Progress,
) -> tuple[FilledMasks, list[dict[str, Any]]]:
    """``filled`` with the shadows of its objects, and what was proposed of each.

    Args:
        filled: the masks; those that never move cast no shadow that could be told.
        clip: the clip.
        survey: what it was found to be.
        span: the frames to work on.
        folder: where shadows are kept; those that an earlier run left are taken.
        progress: told about every frame, twice.
    """
    if filled.masks.constant is not None:
        progress.note("What does not move has no shadow that could be told from the ground.")
        return filled, []
    track, verdicts = folder / "shadows.mkv", folder / "shadows.json"
    if not (track.exists() and verdicts.exists()):
        _find(filled.masks, clip, survey, span, track, verdicts, progress)
    proposed: list[dict[str, Any]] = json.loads(verdicts.read_text(encoding="utf-8"))
    taken = [one["object"] for one in proposed if one["taken"]]
    for one in proposed:
        says = "is removed with it" if one["taken"] else "was not found"
        progress.note(f"Object {one['object']}: its shadow {says} ({one['confidence']:.0%}).")
    if not taken:
        return filled, proposed
    masks = _joined(filled.masks, track, span, taken)
    return replace(filled, masks=masks), proposed


def _find(
    masks: Masks,
    clip: Clip,
    survey: Survey,
    span: Span,
    track: Path,
    verdicts: Path,
    progress: Progress,
) -> None:
    shots = _looked(masks, clip, survey, span, progress)
    present: dict[int, int] = {}
    cast: dict[int, int] = {}

    def found() -> Iterator[np.ndarray]:
        progress.start("shadows", span.stop - span.start)
        for index, image, mask in _small(masks, clip, span):
            way, plate = shots.ways[index], shots.plates.get(int(survey.shots[index]))
            shadow = np.zeros_like(mask)
            if way is not None and plate is not None:
                shadow = shaded(image, mask, plate, way)
            for object_id in np.unique(mask[mask > 0]).tolist():
                present[object_id] = present.get(object_id, 0) + 1
                cast[object_id] = cast.get(object_id, 0) + bool((shadow == object_id).any())
            yield shadow
            progress.advance()
        progress.finish()

    times = (survey.time(index) for index in range(span.start, span.stop))
    write_mask_track(track, zip(times, found(), strict=True), clip.info.average_rate)
    proposed = [
        {
            "object": object_id,
            "kind": "shadow",
            "confidence": round(cast[object_id] / count, 3),
            "taken": cast[object_id] / count >= _OFTEN,
        }
        for object_id, count in sorted(present.items())
    ]
    write_text(verdicts, json.dumps(proposed))


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


def _joined(masks: Masks, track: Path, span: Span, taken: list[int]) -> Masks:
    """The masks with the shadows of the objects in ``taken``; masks keep their own pixels."""

    def read(start: int) -> Iterator[np.ndarray]:
        shadows = read_mask_track(track, max(start - span.start, 0))
        for index, mask in enumerate(masks.read(start), start):
            if not span.start <= index < span.stop:
                yield mask
                continue
            shadow = next(shadows)
            shadow = np.where(np.isin(shadow, taken), shadow, 0).astype(np.uint8)
            if not shadow.any():
                yield mask
                continue
            size = (mask.shape[1], mask.shape[0])
            large = cv2.resize(shadow, size, interpolation=cv2.INTER_NEAREST)
            yield np.where(mask > 0, mask, large)

    return Masks(masks.origin, read, key=f"{masks.key} with shadows" if masks.key else "")
