"""What a page is told of a project, plain, and whether it may go on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cleanplate.media.survey import Survey
from cleanplate.projects.state import State, plain_anchor
from cleanplate.tracks.view import Row, View
from cleanplate.types import VideoInfo


def as_json(view: View) -> dict[str, Any]:
    """All that was said and is shown."""
    state = view.state
    return {
        "span": list(state.span),
        "objects": [asdict(one) for one in state.objects],
        "prompts": _by_frame(state),
        "lanes": {str(number): lane for number, lane in view.lanes().items()},
        "confidence": {str(number): one for number, one in view.confidences().items()},
        "stale": view.stale(),
        "doubtful": [_plain_row(row) for row in view.doubtful],
        "settings": {**state.settings, "engine_fields": state.engine_fields},
    }


def clip_as_json(name: str, info: VideoInfo, found: Survey) -> dict[str, Any]:
    """What the clip is."""
    rate = info.average_rate
    return {
        "name": name,
        "width": info.width,
        "height": info.height,
        "frames": found.count,
        "rate": None if rate is None else float(rate),
        "seconds": float(found.time(found.count - 1) - found.time(0)),
        "audio": any(stream.kind == "audio" for stream in info.streams),
        "codec": info.codec,
        "cuts": [int(cut) for cut in found.cuts],
        "warnings": list(found.warnings),
    }


def _by_frame(state: State) -> dict[str, dict[str, Any]]:
    frames: dict[str, dict[str, Any]] = {}
    for object_id, own in state.anchors.items():
        for frame, anchor in own.items():
            frames.setdefault(str(frame), {})[str(object_id)] = plain_anchor(anchor)
    return frames


def _plain_row(row: Row) -> dict[str, Any]:
    plain = asdict(row)
    return {"object": plain.pop("object_id"), **plain}


def can_follow(view: View, pending: bool) -> tuple[bool, str]:
    """Whether there is something to follow; if not, why.

    Args:
        view: what is shown.
        pending: still boxes wait to be looked at for letters.
    """
    if pending or any(one.wants for one in view.shown.values()):
        return True, ""
    moving = [one for one in view.state.objects if not one.static]
    if any(view.is_shown(one.id) for one in moving):
        return False, "Everything is followed. Mend a frame to follow from it again."
    if view.state.objects and not moving:
        return False, "What does not move needs no following."
    return False, "Pick an object first."


def can_remove(view: View) -> tuple[bool, str]:
    """Whether there is something to remove; if not, why."""
    shown = [one for one in view.state.objects if view.is_shown(one.id)]
    if not shown:
        return False, "Pick an object first."
    for one in shown:
        if not one.static and not view.is_followed(one.id):
            return False, f"Follow {one.name!r} first, or tick 'does not move' (a logo)."
    return True, ""
