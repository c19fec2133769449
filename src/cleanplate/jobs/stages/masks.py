"""Stage 4: the masks that are filled, tracked or given, and where they lie in each frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.masks import grow
from cleanplate.jobs.order import Order, Target
from cleanplate.media.mask_files import (
    Masks,
    count_masks,
    mapped,
    open_masks,
    placed,
)
from cleanplate.media.mask_track import write_mask_track
from cleanplate.media.mask_writing import write_mask_folder, write_mask_image
from cleanplate.media.numbering import frame_numbers
from cleanplate.media.relight import Light
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.tracks.filled_masks import grown, growths
from cleanplate.tracks.view import View

if TYPE_CHECKING:
    from cleanplate.types import VideoInfo


@dataclass(frozen=True, slots=True, eq=False)
class FilledMasks:
    """The masks of a clip as they are filled."""

    masks: Masks
    growth: int
    """px that they have grown by, at least."""
    known: tuple[int, int] | None
    """As in ``Order``."""
    light: Light | None = None
    """How the light of the pictures is changed before anything is filled."""


def from_tracks(view: View, order: Order, survey: Survey) -> FilledMasks:
    """The masks that the tracks show, each object grown as its outline and the settings ask."""
    settings = order.settings
    growth = growths(view, settings.masks)
    if order.command == "track":
        growth = dict.fromkeys(growth, settings.masks.grow or 0)
    masks = grown(view, growth, survey.count, still=True)
    known = None if masks.constant is not None else view.marks.span
    return FilledMasks(masks, min(growth.values(), default=0), known)


def given(
    order: Order, info: VideoInfo, survey: Survey, span: Span, progress: Progress
) -> FilledMasks:
    """The user's own masks: one for each frame of the clip, or of the part worked on.

    Raises:
        MaskError: they do not fit the clip.
    """
    known, growth = order.known, order.settings.masks.grow or 0
    if isinstance(order.masks, Masks):
        masks = order.masks
    else:
        assert order.masks is not None  # the caller saw to it
        masks, is_part = _read(order.masks, order.source, info, survey, span)
        if is_part:
            known = (span.start, span.stop)
            progress.note(
                f"{order.masks} holds {span.stop - span.start} masks: they are taken for the "
                f"frames {span.start} to {span.stop - 1} that --start and --end leave."
            )
    return FilledMasks(mapped(masks, partial(grow, pixels=growth)), growth, known)


def _read(
    path: Path, source: Path, info: VideoInfo, survey: Survey, span: Span
) -> tuple[Masks, bool]:
    """The masks in ``path`` for the whole clip, and whether they are those of ``span`` alone."""
    width, height = info.width, info.height
    numbers = frame_numbers(source, survey.count)
    length = span.stop - span.start
    if length == survey.count or not path.exists() or count_masks(path) != length:
        return open_masks(path, numbers, width, height), False
    part_numbers = numbers[span.start : span.stop]
    if path.is_dir() and not (path / f"{part_numbers[0]:05d}.png").exists():
        part_numbers = range(length)
    part = open_masks(path, part_numbers, width, height)
    return placed(part, span.start, survey.count, np.zeros((height, width), np.uint8)), True


def near(masks: Masks, survey: Survey, shown: Span, size: tuple[int, int]) -> Masks:
    """``masks`` in the shots of ``shown``; others cannot matter there, and are not read."""
    if masks.constant is not None:
        return masks
    first = int(np.searchsorted(survey.shots, survey.shots[shown.start]))
    stop = int(np.searchsorted(survey.shots, survey.shots[shown.stop - 1], "right"))
    inside = Masks(
        masks.origin, lambda start: islice(masks.read(first + start), stop - first - start)
    )
    return placed(inside, first, survey.count, np.zeros(size, np.uint8))


def save_masks(
    targets: list[Target], masks: Masks, source: Path, info: VideoInfo, survey: Survey, span: Span
) -> None:
    """Write the masks of ``span`` to each of ``targets``."""
    for target in targets:
        part = islice(masks.read(span.start), span.stop - span.start)
        if target.as_folder:
            numbers = frame_numbers(source, survey.count)[span.start : span.stop]
            kept = span.start == 0 or source.is_dir()
            write_mask_folder(target.path, part, numbers if kept else None)
        elif target.path.suffix == ".png" and masks.constant is not None:
            write_mask_image(target.path, masks.constant)
        else:
            times = map(survey.time, range(span.start, span.stop))
            write_mask_track(target.path, zip(times, part, strict=True), info.average_rate)
