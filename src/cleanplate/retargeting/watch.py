"""What matters in a clip, found by looking at it: movers, what stands out, captions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.retargeting.foci import TEXT, TEXT_KEY, Foci, of_stretch
from cleanplate.retargeting.saliency import LOOKS, WIDTH, Look, remembered, saliency
from cleanplate.suggestions.overlays import look_through

if TYPE_CHECKING:
    from cleanplate.media.crop import CropSize
    from cleanplate.media.read import Clip

_PIECE = 512  # looks whose foci are joined at once


def seen_foci(clip: Clip, survey: Survey, span: Span, size: CropSize, progress: Progress) -> Foci:
    """What moves otherwise than the camera, and where nothing does, what stands out."""
    seconds = float(survey.time(span.stop - 1) - survey.time(span.start))
    rate = (span.stop - span.start - 1) / seconds if seconds > 0 else 25.0
    step = max(1, round(rate / LOOKS))
    info = clip.info
    height = max(round(WIDTH * info.height / info.width), 16)
    scale = (info.width / WIDTH, info.height / height)

    def looks() -> Iterator[Look]:
        pictures = clip.pictures(span.start, span.stop)
        for picture in progress.over("focus", pictures, span.stop - span.start):
            if (picture.index - span.start) % step == 0:
                image = cv2.resize(picture.rgb(), (WIDTH, height), interpolation=cv2.INTER_AREA)
                shot = int(span.shots[picture.index])
                yield Look(picture.index, image, shot, float(picture.time))

    parts: list[Foci] = []
    batch: list[Foci] = []
    for part in saliency(looks(), scale, (size.width, size.height), step):
        batch.append(part)
        if len(batch) == _PIECE:
            parts, batch = [*parts, Foci.joined(batch)], []
    found = Foci.joined([*parts, *batch])
    shots = span.shots[np.clip(found.frames, span.start, span.stop - 1)]
    begun = span.shots[span.start + (found.frames - span.start) // step * step]
    inside = (found.frames < span.stop) & (shots == begun)
    return remembered(found.where(inside), span.shots, rate)


def caption_foci(clip: Clip, survey: Survey, span: Span, progress: Progress) -> Foci:
    """The burned-in captions that ``suggest`` finds; what stays all the time may be lost."""
    overlays = look_through(clip, survey, progress).overlays
    captions = [overlay for overlay in overlays if overlay.kind == "caption"]
    captions.sort(key=lambda caption: caption.start)
    parts = []
    for number, caption in enumerate(captions):
        start, stop = max(caption.start, span.start), min(caption.stop, span.stop)
        box = caption.box
        if start < stop:
            corners = np.array([box.x0, box.y0, box.x1, box.y1])
            parts.append(of_stretch(corners, start, stop, TEXT_KEY + number, TEXT))
    return Foci.joined(parts)
