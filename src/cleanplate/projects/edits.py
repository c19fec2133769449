"""Edits: each makes a new state of an old one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.projects.state import State
from cleanplate.protocols import Task
from cleanplate.runtime import check_device, engine_fields
from cleanplate.settings import parse
from cleanplate.settings.groups import Settings, settings_from
from cleanplate.tracks.choice import tracker_key
from cleanplate.tracks.marks import NEVER, Anchor, Kind, TrackedObject, colour_of
from cleanplate.tracks.mask_store import MaskStore
from cleanplate.tracks.timeline import NOT_FOLLOWED, WORDS
from cleanplate.tracks.view import ListedDoubt, View
from cleanplate.types import FOUND_FROM, Box

_LONGEST_NAME = 80


def add_object(state: State, name: str | None, static: bool, version: int) -> tuple[State, int]:
    """``version`` is that in which the object appears."""
    object_id = state.latest_id + 1
    if object_id >= FOUND_FROM:  # all were given once; what is born later is told from the dead
        free = set(range(1, FOUND_FROM)) - {known.id for known in state.objects}
        if not free:
            raise InputError(f"A project holds {FOUND_FROM - 1} objects at most; remove one first.")
        object_id = min(free)
    named = _name(name) if name else f"Object {object_id}"
    added = TrackedObject(object_id, named, colour_of(object_id), False, static, version)
    return state.with_object(added), object_id


def add_overlay(
    state: State, name: str, mask: str, start: int, stop: int, *, count: int, version: int
) -> tuple[State, int]:
    """What does not move; ``mask`` is its hash, and it is there in the frames [start, stop)."""
    if mask == NEVER:
        raise InputError("The mask is empty; give the pixels that are to be removed.")
    state, object_id = add_object(state, name, True, version)
    shown = Anchor(Kind.PROMPT, mask, drawn=mask, candidates=1, scores=(1.0,), exact=True)
    anchors = {start: shown}
    if start > 0:
        anchors[0] = Anchor(Kind.GONE)
    if stop < count:
        anchors[stop] = Anchor(Kind.GONE)
    for frame, anchor in anchors.items():
        state = state.with_anchor(object_id, frame, anchor)
    return state, object_id


def add_given(state: State, name: str, run: str, given_id: int, version: int) -> tuple[State, int]:
    """What a run of masks shows under ``given_id``, as an object of its own."""
    state, object_id = add_object(state, name, False, version)
    added = replace(state.object(object_id), given=run, given_id=given_id)
    return state.with_object(added), object_id


def leave(
    state: State, view: View, store: MaskStore, object_id: int, box: Box, frames: range
) -> tuple[State, None]:
    """What touches ``box`` in these frames is not the object's; the rest of it stays as it is."""
    track = view.tracks[object_id]
    for frame in frames:
        crop = view.crop(object_id, frame)
        if crop is None:
            continue
        _, parts = cv2.connectedComponents(crop.on(view.size).astype(np.uint8), connectivity=8)
        mask = (parts > 0) & ~np.isin(parts, parts[box.slices])
        passing = track.passing(frame)
        fixed = Anchor(Kind.APPROVED, store.keep(mask), approved=True, passing=passing)
        state = state.with_anchor(object_id, frame, fixed)
    return state, None


def begins(state: State, object_id: int, frame: int) -> tuple[State, None]:
    """What does not move is first seen in ``frame``."""
    anchors, source = _still(state, object_id, frame)
    kept = {at: anchor for at, anchor in anchors.items() if at > frame} | {frame: anchors[source]}
    if frame > 0:
        kept[0] = Anchor(Kind.GONE)
    return state.with_anchors(object_id, kept), None


def ends(state: State, object_id: int, frame: int, count: int) -> tuple[State, None]:
    """What does not move is last seen in ``frame``, or until it is marked again."""
    anchors, source = _still(state, object_id, frame)
    kept = {at: a for at, a in anchors.items() if not (a.is_empty and source < at <= frame)}
    if frame + 1 < count:
        kept.setdefault(frame + 1, Anchor(Kind.GONE))
    return state.with_anchors(object_id, kept), None


def _still(state: State, object_id: int, frame: int) -> tuple[Mapping[int, Anchor], int]:
    """Anchors of what does not move, and the frame of that whose mask is meant in ``frame``."""
    anchors = state.anchors.get(object_id, {})
    seen = [at for at, anchor in anchors.items() if not anchor.is_empty]
    if not state.object(object_id).static or not seen:
        raise InputError(
            f"Object {object_id} is not marked as something that does not move; mark it first."
        )
    return anchors, max((at for at in seen if at <= frame), default=min(seen))


def change_object(state: State, object_id: int, values: Mapping[str, Any]) -> tuple[State, None]:
    """``values`` that are None are left as they are."""
    given = {key: value for key, value in values.items() if value is not None}
    if "name" in given:
        given["name"] = _name(given["name"])
    return state.with_object(replace(state.object(object_id), **given)), None


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InputError(f"{text!r} cannot be a name; give 1 to {_LONGEST_NAME} letters.")
    return name


def gone(
    state: State, view: View, frame: int, object_id: int, until: int | None
) -> tuple[State, None]:
    """Not to be seen from ``frame`` to ``until``; what is shown before and after stays."""
    tracked, track = state.object(object_id), view.tracks[object_id]
    if until is not None and until < frame:
        raise InputError(f"Frame {until} is before frame {frame}; give the first frame first.")
    last = frame if until is None else until
    for known in list(state.anchors.get(object_id, {})):
        if frame < known < last:
            state = state.with_anchor(object_id, known, None)
    before, after = track.passing(max(frame - 1, 0))[1], ""
    if until is not None:
        after = track.passing(min(last + 1, len(track.codes) - 1))[0] or tracked.given
    if last != frame:
        state = state.with_anchor(object_id, last, Anchor(Kind.GONE, passing=(after, "")))
        after = ""
    return state.with_anchor(object_id, frame, Anchor(Kind.GONE, passing=(after, before))), None


def approve(
    state: State, view: View, store: MaskStore, frame: int, object_id: int | None
) -> tuple[State, None]:
    """Anchor what is shown in ``frame``."""
    wanted = state.objects if object_id is None else (state.object(object_id),)
    approved = 0
    for tracked in wanted:
        anchor, track = state.anchor(tracked.id, frame), view.tracks[tracked.id]
        if anchor is not None:
            state = state.with_anchor(tracked.id, frame, replace(anchor, approved=True))
        elif WORDS[track.codes[frame]] == NOT_FOLLOWED:
            continue
        elif not tracked.static:  # nothing changes what does not move anyway
            crop = view.crop(tracked.id, frame)
            mask = NEVER if crop is None else store.keep(crop.on(view.size))
            fixed = Anchor(Kind.APPROVED, mask, approved=True, passing=track.passing(frame))
            state = state.with_anchor(tracked.id, frame, fixed)
        approved += 1
    if not approved:
        raise InputError(f"Frame {frame} has no mask yet to approve; track first.")
    return state, None


def dismiss(state: State, row_id: str, doubts: Sequence[ListedDoubt]) -> tuple[State, None]:
    """Take a row off the list."""
    if row_id in state.dismissed:
        return state, None
    if row_id not in {doubt.id for doubt in doubts}:
        raise InputError(f"There is no row {row_id!r} in the list of frames to look at.")
    return replace(state, dismissed=(*state.dismissed, row_id)), None


def set_span(state: State, start: int, stop: int, count: int) -> tuple[State, None]:
    """Track and remove in the frames [start, stop) of a clip of ``count`` frames."""
    if not 0 <= start < stop <= count:
        raise InputError(
            f"There is no part from frame {start} up to {stop}; give a first frame from 0 and an "
            f"end after it, {count} at most."
        )
    return replace(state, span=(start, stop)), None


def set_settings(
    state: State, values: Mapping[str, Any], engine_fields: Mapping[str, Mapping[str, Any]]
) -> tuple[State, None]:
    """Values of None take the default again."""
    for name in ("static", "stream", "start", "end"):
        if name in values:
            raise InputError(
                f"{name} is not a setting of a project: each object is static or not, and its span "
                "is set by frames."
            )
    merged = {**state.settings, **values}
    kept = {name: value for name, value in sorted(merged.items()) if value is not None}
    fields = {name: dict(texts) for name, texts in state.engine_fields.items()}
    for engine, changed in engine_fields.items():
        texts = {**fields.get(engine, {}), **changed}
        fields[engine] = {key: str(value) for key, value in texts.items() if value is not None}
    fields = {name: texts for name, texts in sorted(fields.items()) if texts}
    settings = settings_from(kept, fields)
    _check(settings)
    return replace(state, settings=kept, engine_fields=fields), None


def _check(settings: Settings) -> None:
    """Raise InputError for an engine, a device or an engine's setting that is not there."""
    check_device(settings.engines)
    tracker_key(settings, settings.engines.tracker_name)
    registry.find("inpaint", settings.engines.inpainter)
    if settings.engines.segmenter != "auto":
        registry.find("segment", settings.engines.segmenter)
    for name in settings.engine_fields:
        tasks: list[Task] = [task for task in registry.TASKS if name in registry.names(task)]
        if not tasks:
            raise InputError(f"There is no engine {name!r} to set.")
        for task in tasks:
            parse(registry.find(task, name).Settings, engine_fields(task, name, settings))
