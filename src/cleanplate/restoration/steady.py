"""Flicker measured through a clip, shot by shot, and kept so that a job can go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.files.publish import publishing
from cleanplate.media.relight import Light, Relight
from cleanplate.progress import Progress
from cleanplate.restoration.flicker import Correction, FlickerMeter

if TYPE_CHECKING:
    from cleanplate.media.read import Clip
    from cleanplate.media.survey import Span, Survey


def steadied(clip: Clip, survey: Survey, span: Span, kept: Path, progress: Progress) -> Light:
    """How the light of each frame is changed so that it flickers no more.

    Args:
        clip: the clip.
        survey: what it was found to be.
        span: the frames to work on.
        kept: an .npz that an earlier run left, or that is written.
        progress: told about every frame, and what was found.
    """
    if not kept.exists():
        corrections = list(_measured(clip, survey, span, progress))
        table = np.array([_row(correction) for correction in corrections], np.float32)
        with publishing(kept) as draft, draft.open("wb") as file:
            np.savez_compressed(file, table=table.reshape(-1, 6))
    with np.load(kept) as archive:
        table = archive["table"]
    steadied_frames = int(np.count_nonzero((table != _row(None)).any(axis=1)))
    progress.note(f"Flicker: the light of {steadied_frames} of {len(table)} frames is steadied.")

    def read(start: int) -> Iterator[Relight | None]:
        for index in range(start, survey.count):
            row = table[index - span.start] if span.start <= index < span.stop else _row(None)
            same = np.array_equal(row, _row(None))
            yield None if same else Relight(row[:3].reshape(1, 1, 3), row[3:])

    return Light(read, key="steadied")


def _measured(
    clip: Clip, survey: Survey, span: Span, progress: Progress
) -> Iterator[Correction | None]:
    progress.start("flicker", span.stop - span.start)
    meter, shot = FlickerMeter(), -1
    for picture in clip.pictures(span.start, span.stop):
        if int(survey.shots[picture.index]) != shot:
            yield from meter.corrections()
            meter, shot = FlickerMeter(), int(survey.shots[picture.index])
        meter.see(picture.rgb())
        progress.advance()
    yield from meter.corrections()
    progress.finish()


def _row(correction: Correction | None) -> np.ndarray:
    """Gain and offset as six numbers."""
    if correction is None:
        return np.array([1, 1, 1, 0, 0, 0], np.float32)
    return np.concatenate([correction.gain, correction.offset])
