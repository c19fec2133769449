"""From what matters to the path of the crop, shot by shot, and what it has to leave out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import TypedDict

import numpy as np

from cleanplate.media.crop import CropSize
from cleanplate.media.layout import find_layout
from cleanplate.media.survey import Span, Survey
from cleanplate.retargeting import planner
from cleanplate.retargeting.foci import SAFE, TEXT_KEY, Foci
from cleanplate.retargeting.path import CropPath, settled
from cleanplate.types import VideoInfo

_TOLD = 0.01  # of a focus's box: less is not told as lost
_GAP = 5  # frames between two stretches that are told as one


class LostStretch(TypedDict):
    """Frames in a row in which some of an object or caption is cut off."""

    what: str
    """``object 1`` or ``caption 2``."""
    first: int
    last: int
    share: float
    """Of its box, 0..1, in the frame in which it is largest."""
    fits: bool
    """Whether it would fit into the crop by itself."""


def plan_path(foci: Foci, size: CropSize, survey: Survey, span: Span, info: VideoInfo) -> CropPath:
    """The path of a crop of ``size`` through the frames of ``span``; a cut begins anew."""
    corners = np.zeros((span.stop - span.start, 2))
    grids = _grids(info)
    for start, stop in shots_of(span):
        times = np.array([float(survey.time(n)) for n in range(start, stop)])
        inside = foci.within(start, stop)
        for axis, (length, room) in enumerate(
            ((size.width, info.width), (size.height, info.height))
        ):
            along = planner.Foci(
                inside.frames - start,
                inside.keys,
                np.clip(inside.boxes[:, axis], 0, room),
                np.clip(inside.boxes[:, axis + 2], 0, room),
                inside.weights,
            )
            places = planner.plan_axis(times, along, length, room)
            corners[start - span.start : stop - span.start, axis] = settled(
                places, grids[axis], room - length
            )
    return CropPath(span.start, corners, size.width, size.height)


def shots_of(span: Span) -> Iterator[tuple[int, int]]:
    """The first frame of each shot in ``span``, and one past its last."""
    shots = span.shots[span.start : span.stop]
    edges = [0, *(np.flatnonzero(np.diff(shots)) + 1).tolist(), len(shots)]
    for start, stop in itertools.pairwise(edges):
        yield span.start + start, span.start + stop


def _grids(info: VideoInfo) -> tuple[int, int]:
    """px across and down, of the upright picture, in which whole samples of all planes begin."""
    layout = find_layout(info.pixel_format)
    across, down = (1, 1) if layout is None else (1 << layout.x_shift, 1 << layout.y_shift)
    return (down, across) if info.rotation in (90, 270) else (across, down)


def keeping_fields(path: CropPath, info: VideoInfo) -> CropPath:
    """``path``; of interlaced clips one that moves by whole pairs of rows, lest fields be mixed."""
    if info.field_order not in ("top first", "bottom first"):
        return path
    axis = 0 if info.rotation in (90, 270) else 1
    grid = 2 * _grids(info)[axis]
    most = (info.width - path.width, info.height - path.height)[axis] // grid * grid
    corners = path.corners.copy()
    corners[:, axis] = np.clip(np.rint(corners[:, axis] / grid) * grid, 0, most)
    return replace(path, corners=corners)


def lost_parts(foci: Foci, path: CropPath) -> list[LostStretch]:
    """Where the crop leaves out some of an object or a caption; the same one's in order."""
    lost: list[LostStretch] = []
    crops = path.boxes()
    for key in np.unique(foci.keys[foci.keys > 0]).tolist():
        rows = foci.keys == key
        safe = SAFE if key < TEXT_KEY else 0.0
        frames = foci.frames[rows]
        boxes = foci.boxes[rows] + np.array([safe, safe, -safe, -safe])
        crop = crops[frames - path.start]
        shown = np.minimum(boxes[:, 2:], crop[:, 2:]) - np.maximum(boxes[:, :2], crop[:, :2])
        whole = boxes[:, 2:] - boxes[:, :2]
        share = 1 - np.prod(np.clip(shown, 0, None), axis=1) / np.prod(whole, axis=1)
        what = f"caption {key - TEXT_KEY + 1}" if key >= TEXT_KEY else f"object {key}"
        stretches: list[LostStretch] = []
        for frame, part, length in zip(frames.tolist(), share, whole, strict=True):
            if part <= _TOLD:
                continue
            fits = bool(length[0] <= path.width and length[1] <= path.height)
            if stretches and frame - stretches[-1]["last"] <= _GAP:
                latest = stretches[-1]
                latest["last"] = frame
                latest["share"] = max(latest["share"], round(float(part), 3))
                latest["fits"] &= fits
            else:
                stretches.append(
                    LostStretch(
                        what=what, first=frame, last=frame, share=round(float(part), 3), fits=fits
                    )
                )
        lost += stretches
    return lost


def lost_sentence(lost: LostStretch, path: CropPath) -> str:
    """What a person is told of it."""
    why = (
        "what comes before it does not leave it room"
        if lost["fits"]
        else f"it is larger than the crop of {path.width}x{path.height}"
    )
    frames = f"frames {lost['first']} to {lost['last']}"
    return f"{lost['what'].capitalize()} is cut in {frames}, by up to {lost['share']:.0%}: {why}."
