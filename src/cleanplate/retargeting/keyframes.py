"""A path to correct by hand: the few frames between which the crop glides as it was planned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cleanplate.media.crop import CropSize
from cleanplate.media.read import Clip
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.retargeting.foci import Foci, of_objects
from cleanplate.retargeting.path import CropPath, glide
from cleanplate.retargeting.plan import plan_path, shots_of
from cleanplate.retargeting.watch import caption_foci, seen_foci

_WITHIN = 0.004  # of the crop's longest side by which the glide may leave the plan
_MOST = 60  # keyframes of one shot


def planned(
    clip: Clip,
    survey: Survey,
    span: Span,
    size: CropSize,
    boxes: Mapping[int, np.ndarray],
    progress: Progress,
) -> CropPath:
    """The path of a crop through ``span``: after the objects, and in shots without, what moves.

    Args:
        clip: the clip.
        survey: what it was found to be.
        span: the frames to plan for.
        size: of the crop.
        boxes: for each object (N, 4) x0, y0, x1, y1 in each frame of the clip, ``NONE`` where it
            is not.
        progress: told about each frame that is looked at.
    """
    objects = of_objects(dict(boxes)).within(span.start, span.stop)
    parts = [objects]
    empty = [shot for shot in shots_of(span) if not len(objects.within(*shot).frames)]
    if empty:
        seen = seen_foci(clip, survey, span, size, progress)
        parts += [seen.within(*shot) for shot in empty]
    if not boxes:
        parts.append(caption_foci(clip, survey, span, progress))
    return plan_path(Foci.joined(parts), size, survey, span, clip.info)


def key_frames(path: CropPath, survey: Survey, span: Span) -> list[int]:
    """The fewest frames, found greedily, between which the crop glides as ``path`` leads it."""
    within = _WITHIN * max(path.width, path.height)
    keys: list[int] = []
    for start, stop in shots_of(span):
        times = np.array([float(survey.time(n)) for n in range(start, stop)])
        corners = path.corners[start - path.start : stop - path.start]
        chosen = [0]
        while len(chosen) < min(_MOST, len(times)):
            at = times[chosen]
            made = np.stack([glide(times, at, corners[chosen, axis]) for axis in (0, 1)], axis=1)
            off = np.abs(made - corners).max(axis=1)
            worst = int(off.argmax())
            if off[worst] <= within:
                break
            chosen = sorted({*chosen, worst})
        keys += [start + place for place in chosen]
    return keys
