"""Masks into a project and out of it, and the job that removes what they show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from os import fspath
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.masks import grow
from cleanplate.errors import InputError, MaskError
from cleanplate.files.publish import check_target
from cleanplate.jobs import job
from cleanplate.jobs.passes import PIECE
from cleanplate.jobs.progress import Progress
from cleanplate.jobs.records import Record, save_piece
from cleanplate.jobs.settings import SpanSettings
from cleanplate.media.mask_files import (
    Masks,
    frame_numbers,
    open_masks,
    write_mask_folder,
    write_mask_image,
)
from cleanplate.media.mask_track import write_mask_track
from cleanplate.projects.runs import GIVEN, Runs, Source
from cleanplate.projects.state import COLOURS, Anchor, Kind, Object, State
from cleanplate.projects.view import View
from cleanplate.types import ObjectState, TrackedMask, Visibility

if TYPE_CHECKING:
    from cleanplate.projects.project import Project

_RIM = 2  # px that what does not move grows by where other masks are faded in


@dataclass(slots=True)
class Taken:
    """Masks that were read."""

    ids: list[int]
    run: str = ""
    still: dict[int, str] = field(default_factory=dict)
    """For each object the hash of its one mask, where it serves all frames."""


def read_masks(project: Project, runs: Runs, path: Path, progress: Progress) -> Taken:
    """Read all masks in ``path`` into the project's folder.

    Raises:
        MaskError: count, size or colours that do not fit the clip.
    """
    count, info = project.survey.count, project.info
    masks = open_masks(path, frame_numbers(project.source, count), info.width, info.height)
    if masks.constant is not None:
        ids = _ids(masks.constant)
        _check_any(ids, path)
        return Taken(ids, "", {one: project.folder.keep(masks.constant == one) for one in ids})
    run = runs.begin(GIVEN, 0, "", {})
    pieces, found = runs.pieces(run), set()
    records: list[Record] = []
    seen = 0
    for frame, mask in enumerate(progress.over("masks", masks.read(0), count)):
        seen += 1
        if seen > count:
            break
        ids = _ids(mask)
        found.update(ids)
        states = tuple(ObjectState(one, 1.0, Visibility.VISIBLE) for one in ids)
        records.append(Record.pack(frame, TrackedMask(mask, states)))
        if len(records) == PIECE or frame == count - 1:
            save_piece(pieces.path(frame), records)
            records = []
    if seen != count:
        raise MaskError(
            f"{path} holds {'more than ' if seen > count else ''}{min(seen, count)} masks and the "
            f"clip has {count} frames; give one mask for each frame, or a single PNG for all."
        )
    _check_any(sorted(found), path)
    runs.meant_for(run, {one: Source("", 0, count - 1) for one in found})
    return Taken(sorted(found), run.name)


def _ids(mask: np.ndarray) -> list[int]:
    return [int(one) for one in np.flatnonzero(np.bincount(mask.ravel(), minlength=256)) if one]


def _check_any(ids: list[int], path: Path) -> None:
    if not ids:
        raise InputError(f"All masks in {path} are empty; there is nothing to take from them.")


def with_masks(state: State, taken: Taken, version: int) -> tuple[State, list[int]]:
    """``state`` with the masks that were read in place of what its objects of those ids had."""
    known = {one.id: one for one in state.objects}
    for object_id in taken.ids:
        colour = COLOURS[(object_id - 1) % len(COLOURS)]
        one = known.get(object_id, Object(object_id, f"Object {object_id}", colour))
        still = taken.still.get(object_id)
        one = replace(one, born=version, given=taken.run, given_id=object_id)
        one = replace(one, static=still is not None)
        state = state.with_object(one)
        for frame in list(state.anchors.get(object_id, {})):
            state = state.with_anchor(object_id, frame, None)
        if still is not None:
            drawn = Anchor(
                *(Kind.PROMPT, still), drawn=still, candidates=1, scores=(1.0,), exact=True
            )
            state = state.with_anchor(object_id, state.span[0], drawn)
    return state, taken.ids


def write_masks(project: Project, target: Path | str, overwrite: bool, progress: Progress) -> None:
    """Write the masks of all frames: ``.mkv``, or a folder of PNGs."""
    wanted, view, count = job.Target.parse(fspath(target)), project.view(), project.survey.count
    path, suffix = wanted.path, wanted.path.suffix.lower()
    if not wanted.as_folder and suffix not in (".mkv", ".png"):
        raise InputError(
            f"{target} is no mask track; give a name that ends in .mkv, or {target}/ for a folder "
            "of PNGs."
        )
    if not wanted.as_folder:
        check_target(path, overwrite, project.source)
    elif path.exists() and (path.is_file() or (any(path.iterdir()) and not overwrite)):
        raise InputError(f"{path} exists; say that it may be replaced, or give another name.")
    if suffix == ".png" and not wanted.as_folder:
        write_mask_image(path, _constant(view, path))
        return
    masks = progress.over("masks", _spanned(view, count).read(0), count)
    if wanted.as_folder:
        write_mask_folder(path, masks, frame_numbers(project.source, count))
        return
    times = map(project.survey.time, range(count))
    write_mask_track(path, zip(times, masks, strict=True), project.info.average_rate)


def _constant(view: View, path: Path) -> np.ndarray:
    if not view.is_constant():
        raise InputError(
            f"The masks change from frame to frame and {path} is one picture; give a name that "
            f"ends in .mkv, or {path}/ for a folder of PNGs."
        )
    return view.mask(view.state.span[0])


def _spanned(view: View, count: int) -> Masks:
    """The masks of all frames, empty outside of the span."""
    empty = np.zeros(view.size, np.uint8)
    first, last = view.state.span

    def read(start: int) -> Iterator[np.ndarray]:
        yield from (empty for _ in range(start, min(first, count)))
        yield from view.masks(max(start, first), last)
        yield from (empty for _ in range(max(start, last), count))

    return Masks("the project's masks", read)


def removal(
    project: Project,
    out: Path | str,
    start: int | None,
    stop: int | None,
    overwrite: bool,
    save_masks: Path | str | None,
    whole: bool,
) -> job.Order:
    """The order that removes what ``project`` shows."""
    view = project.view()
    settings, (first, last) = project.settings, view.state.span
    able, reason = project.can_remove()
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
    growth = growths(project, view)
    is_all = (first, last) == (0, project.survey.count)
    grown = _grown(view, growth, project.survey.count, still=is_all or not whole)
    changed = replace(
        settings,
        masks=replace(
            settings.masks, grow=0, feather=settings.masks.feathered_by(min(growth.values()))
        ),
        span=SpanSettings() if is_all or whole else SpanSettings(f"@{first}", f"@{last}"),
    )
    return job.Order(
        "inpaint",
        project.source,
        job.Target.parse(fspath(out)),
        masks=grown,
        settings=changed,
        save_masks=None if save_masks is None else job.Target.parse(fspath(save_masks)),
        overwrite=overwrite,
        part=part,
        survey=project.survey,
        known=None if is_all else (first, last),
    )


def growths(project: Project, view: View) -> dict[int, int]:
    """How much each object's mask grows before it is filled, in px, as ``cleanplate remove`` would.

    Masks and still boxes that the user gave do not grow; beside others, whose fill fades in at the
    rim, they do by that rim.
    """
    masks, height = project.settings.masks, project.info.height
    segmenter = project.settings.engines.segmenter
    wanted = {
        one.id: masks.grown_by(height, view.is_exact(one), segmenter)
        for one in view.state.objects
        if view.is_shown(one.id)
    }
    most = max(wanted.values())
    return {one: max(grown, min(_RIM, most)) for one, grown in wanted.items()}


def _grown(view: View, growth: dict[int, int], count: int, still: bool) -> Masks:
    """The masks that are filled.

    ``still``: where one mask serves the whole span, it may stand for all frames of the clip.
    """
    amounts = sorted(set(growth.values()))
    groups = {amount: [one for one, own in growth.items() if own == amount] for amount in amounts}

    def one(mask: np.ndarray) -> np.ndarray:
        if len(groups) == 1:
            return grow(mask, amounts[0])
        filled = np.zeros_like(mask)
        for amount, ids in groups.items():
            part = grow(np.where(np.isin(mask, ids), mask, 0).astype(np.uint8), amount)
            filled = np.where(filled > 0, filled, part)
        return np.where(mask > 0, mask, filled)

    key = hashlib.sha256(f"{sorted(growth.items())} {view.state.span}".encode())
    for frame in range(*view.state.span):
        key.update(view.key(frame).encode())
    if still and view.is_constant():
        mask = one(view.mask(view.state.span[0]))
        return Masks(
            *("the project's masks", lambda start: (mask for _ in range(start, count)), mask),
            key=key.hexdigest(),
        )
    spanned = _spanned(view, count)

    def read(start: int) -> Iterator[np.ndarray]:
        latest: tuple[np.ndarray | None, np.ndarray] = None, np.zeros(0)
        for mask in spanned.read(start):
            if latest[0] is not mask:
                latest = mask, one(mask)
            yield latest[1]

    return Masks("the project's masks", read, key=key.hexdigest())
