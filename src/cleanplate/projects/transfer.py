"""Masks into a project and out of it, and the job that removes what they show."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.errors import InputError, MaskError
from cleanplate.files.publish import check_target
from cleanplate.jobs.order import Order, Target
from cleanplate.media.mask_files import Masks, open_masks
from cleanplate.media.mask_track import write_mask_track
from cleanplate.media.mask_writing import write_mask_folder, write_mask_image
from cleanplate.media.numbering import frame_numbers
from cleanplate.media.survey import Survey
from cleanplate.progress import Progress
from cleanplate.projects.state import State
from cleanplate.projects.summary import can_remove
from cleanplate.settings.groups import Settings, SpanSettings
from cleanplate.tracks.filled_masks import grown, growths, spanned
from cleanplate.tracks.marks import Anchor, Kind, TrackedObject, colour_of
from cleanplate.tracks.passes import PIECE
from cleanplate.tracks.records import Record, save_piece
from cleanplate.tracks.runs import GIVEN, FollowedFrom
from cleanplate.tracks.tracks import Tracks
from cleanplate.tracks.view import View
from cleanplate.types import ObjectState, TrackedMask, Visibility

if TYPE_CHECKING:
    from cleanplate.types import VideoInfo


@dataclass(slots=True)
class Taken:
    """Masks that were read."""

    ids: list[int]
    run: str = ""
    still: dict[int, str] = field(default_factory=dict)
    """For each object the hash of its one mask, where it serves all frames."""


def read_masks(
    path: Path,
    source: Path,
    info: VideoInfo,
    survey: Survey,
    tracks: Tracks,
    progress: Progress,
) -> Taken:
    """Read all masks in ``path`` into the folder of ``tracks``.

    Raises:
        MaskError: count, size or colours that do not fit the clip.
    """
    count = survey.count
    masks = open_masks(path, frame_numbers(source, count), info.width, info.height)
    if masks.constant is not None:
        ids = _ids(masks.constant)
        _check_any(ids, path)
        return Taken(ids, "", {i: tracks.store.keep(masks.constant == i) for i in ids})
    ids, run = keep_run(masks, str(path), count, tracks, progress)
    _check_any(ids, path)
    return Taken(ids, run)


def keep_run(
    masks: Masks, origin: str, count: int, tracks: Tracks, progress: Progress
) -> tuple[list[int], str]:
    """Keep one mask for each of ``count`` frames as a run; the ids that they show, and its name.

    Raises:
        MaskError: there are more masks than frames, or fewer.
    """
    run = tracks.runs.begin(GIVEN, 0, "", {})
    pieces, found = tracks.runs.pieces(run), set[int]()
    records: list[Record] = []
    seen = 0
    for frame, mask in enumerate(progress.over("masks", masks.read(0), count)):
        seen += 1
        if seen > count:
            break
        ids = _ids(mask)
        found.update(ids)
        states = tuple(ObjectState(i, 1.0, Visibility.VISIBLE) for i in ids)
        records.append(Record.pack(frame, TrackedMask(mask, states)))
        if len(records) == PIECE or frame == count - 1:
            save_piece(pieces.path(frame), records)
            records = []
    if seen != count:
        raise MaskError(
            f"{origin} holds {'more than ' if seen > count else ''}{min(seen, count)} masks and "
            f"the clip has {count} frames; give one mask for each frame, or a single PNG for all."
        )
    tracks.runs.meant_for(run, {i: FollowedFrom("", 0, count - 1) for i in found})
    return sorted(found), run.name


def _ids(mask: np.ndarray) -> list[int]:
    return [int(i) for i in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)) if i]


def _check_any(ids: list[int], path: Path) -> None:
    if not ids:
        raise InputError(f"All masks in {path} are empty; there is nothing to take from them.")


def with_masks(state: State, taken: Taken, version: int) -> tuple[State, list[int]]:
    """``state`` with the masks that were read in place of what its objects of those ids had."""
    known = {tracked.id: tracked for tracked in state.objects}
    for object_id in taken.ids:
        new = TrackedObject(object_id, f"Object {object_id}", colour_of(object_id))
        still = taken.still.get(object_id)
        tracked = replace(
            known.get(object_id, new),
            born=version,
            given=taken.run,
            given_id=object_id,
            static=still is not None,
        )
        state = state.with_object(tracked)
        for frame in list(state.anchors.get(object_id, {})):
            state = state.with_anchor(object_id, frame, None)
        if still is not None:
            drawn = Anchor(
                *(Kind.PROMPT, still), drawn=still, candidates=1, scores=(1.0,), exact=True
            )
            state = state.with_anchor(object_id, state.span[0], drawn)
    return state, taken.ids


def write_masks(
    view: View,
    source: Path,
    info: VideoInfo,
    survey: Survey,
    target: Path | str,
    overwrite: bool,
    progress: Progress,
) -> None:
    """Write the masks of all frames: ``.mkv``, or a folder of PNGs."""
    wanted, count = Target.parse(fspath(target)), survey.count
    path, suffix = wanted.path, wanted.path.suffix.lower()
    if not wanted.as_folder and suffix not in (".mkv", ".png"):
        raise InputError(
            f"{target} is not a mask track; give a name that ends in .mkv, or {target}/ for a "
            "folder of PNGs."
        )
    if not wanted.as_folder:
        check_target(path, overwrite, source)
    elif path.exists() and (path.is_file() or (any(path.iterdir()) and not overwrite)):
        raise InputError(f"{path} exists; say that it may be replaced, or give another name.")
    if suffix == ".png" and not wanted.as_folder:
        write_mask_image(path, _constant(view, path))
        return
    masks = progress.over("masks", spanned(view, count).read(0), count)
    if wanted.as_folder:
        write_mask_folder(path, masks, frame_numbers(source, count))
        return
    times = map(survey.time, range(count))
    write_mask_track(path, zip(times, masks, strict=True), info.average_rate)


def _constant(view: View, path: Path) -> np.ndarray:
    if not view.is_constant():
        raise InputError(
            f"The masks change from frame to frame and {path} is one picture; give a name that "
            f"ends in .mkv, or {path}/ for a folder of PNGs."
        )
    return view.mask(view.marks.span[0])


def removal(
    view: View,
    settings: Settings,
    source: Path,
    stream: int | None,
    survey: Survey,
    out: Path | str,
    start: int | None,
    stop: int | None,
    overwrite: bool,
    save_masks: Path | str | None,
    whole: bool,
) -> Order:
    """The order that removes what ``view`` shows; see ``Project.removal``."""
    first, last = view.marks.span
    able, reason = can_remove(view)
    if not able:
        raise InputError(reason)
    part = None
    if start is not None or stop is not None:
        part = (first if start is None else max(first, start), last if stop is None else stop)
        part = (part[0], min(part[1], last))
        if part[0] >= part[1]:
            raise InputError(
                f"The part from frame {start} to frame {stop} holds none of the frames {first} to "
                f"{last - 1} that are worked on."
            )
    growth = growths(view, settings.masks)
    is_all = (first, last) == (0, survey.count)
    masks = grown(view, growth, survey.count, still=is_all or not whole)
    changed = replace(
        settings,
        masks=replace(
            settings.masks, grow=0, feather=settings.masks.feathered_by(min(growth.values()))
        ),
        span=SpanSettings(stream)
        if is_all or whole
        else SpanSettings(stream, f"@{first}", f"@{last}"),
    )
    return Order(
        "inpaint",
        source,
        Target.parse(fspath(out)),
        masks=masks,
        settings=changed,
        save_masks=None if save_masks is None else Target.parse(fspath(save_masks)),
        overwrite=overwrite,
        part=part,
        survey=survey,
        known=None if is_all else (first, last),
    )
