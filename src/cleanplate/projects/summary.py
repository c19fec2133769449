"""What a page is told of a project, plain, and whether it may go on."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cleanplate.media.survey import Survey
from cleanplate.projects.state import State, plain_anchor
from cleanplate.tracks.view import ListedDoubt, View
from cleanplate.types import VideoInfo


def as_json(state: State, view: View) -> dict[str, Any]:
    """All that was said and is shown."""
    return {
        "span": list(state.span),
        "objects": [asdict(tracked) for tracked in state.objects],
        "prompts": _by_frame(state),
        "lanes": {str(number): lane for number, lane in view.lanes().items()},
        "confidence": {str(number): bins for number, bins in view.confidences().items()},
        "stale": view.stale(),
        "doubtful": [_plain_doubt(doubt) for doubt in view.doubtful],
        "settings": {**state.settings, "engine_fields": state.engine_fields},
    }


def clip_as_json(name: str, info: VideoInfo, survey: Survey) -> dict[str, Any]:
    """What the clip is."""
    rate = info.average_rate
    return {
        "name": name,
        "width": info.width,
        "height": info.height,
        "frames": survey.count,
        "rate": None if rate is None else float(rate),
        "seconds": float(survey.time(survey.count - 1) - survey.time(0)),
        "audio": any(stream.kind == "audio" for stream in info.streams),
        "codec": info.codec,
        "cuts": [int(cut) for cut in survey.cuts],
        "warnings": list(survey.warnings),
    }


def _by_frame(state: State) -> dict[str, dict[str, Any]]:
    frames: dict[str, dict[str, Any]] = {}
    for object_id, anchors in state.anchors.items():
        for frame, anchor in anchors.items():
            frames.setdefault(str(frame), {})[str(object_id)] = plain_anchor(anchor)
    return frames


def _plain_doubt(doubt: ListedDoubt) -> dict[str, Any]:
    plain = asdict(doubt)
    return {"object": plain.pop("object_id"), **plain}


def can_follow(view: View, pending: bool) -> tuple[bool, str]:
    """Whether there is something to follow; if not, why.

    Args:
        view: what is shown.
        pending: still boxes wait to be looked at for letters.
    """
    if pending or any(track.missing for track in view.tracks.values()):
        return True, ""
    moving = [tracked for tracked in view.marks.objects if not tracked.static]
    if any(view.is_shown(tracked.id) for tracked in moving):
        return False, "Everything is tracked. Fix a frame to track from it again."
    if view.marks.objects and not moving:
        return False, "What does not move needs no tracking."
    return False, "Pick an object first."


def can_remove(view: View) -> tuple[bool, str]:
    """Whether there is something to remove; if not, why."""
    shown = [tracked for tracked in view.marks.objects if view.is_shown(tracked.id)]
    if not shown:
        return False, "Pick an object first."
    for tracked in shown:
        if not tracked.static and not view.is_followed(tracked.id):
            return False, f"Track {tracked.name!r} first, or tick 'does not move' (a logo)."
    return True, ""
