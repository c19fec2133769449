"""What a report says of the tracks, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from cleanplate.media.survey import Survey
from cleanplate.tracks.marks import Kind
from cleanplate.tracks.timeline import GIVEN, STATIC, WORDS
from cleanplate.tracks.view import View
from cleanplate.types import Visibility

_TRACKED = {visibility.value for visibility in Visibility}
_KNOWN = {STATIC, GIVEN, Kind.PROMPT.value, Kind.APPROVED.value}  # nobody needed to look for it


def reported(view: View, survey: Survey) -> Iterator[dict[str, Any]]:
    """For each frame of the span its number and time, and of each object that something is known
    of its id, confidence (0..1), state (a ``Visibility``) and area in px."""
    for frame in range(*view.marks.span):
        objects = [_object(view, object_id, frame) for object_id in sorted(view.tracks)]
        yield {
            "frame": frame,
            "time": float(survey.time(frame)),
            "objects": [said for said in objects if said is not None],
        }


def _object(view: View, object_id: int, frame: int) -> dict[str, Any] | None:
    track = view.tracks[object_id]
    word = WORDS[int(track.codes[frame])]
    if word not in _TRACKED and word not in _KNOWN:
        return None
    area = int(track.areas[frame])
    if word not in _TRACKED:
        crop = view.crop(object_id, frame)
        area = 0 if crop is None else int(np.count_nonzero(crop.bits))
    return {
        "object": object_id,
        "confidence": round(float(track.confidences[frame]), 3),
        "state": word if word in _TRACKED else Visibility.VISIBLE.value,
        "area": area,
    }
