"""What is pointed at, outlined and tracked through the clip as every job does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanplate.jobs.stages.measure import measured
from cleanplate.jobs.stages.outline import outlined
from cleanplate.jobs.stages.track import tracked
from cleanplate.retargeting.begun import Job
from cleanplate.tracks.filled_masks import spanned
from cleanplate.tracks.reported import reported
from cleanplate.tracks.tracks import Tracks
from cleanplate.tracks.view import View

if TYPE_CHECKING:
    import numpy as np


def followed(job: Job) -> View:
    """The objects through the span; what an earlier run tracked is not tracked again."""
    tracks = Tracks(job.work.path, job.clip, job.survey, job.engines.make)
    marks = outlined(
        *(job.clip, job.order.prompts, job.survey, job.span, tracks, job.order.settings),
        still=job.order.is_still,
        make=job.engines.make,
        progress=job.progress,
    )
    view = tracked(tracks, marks, job.order.settings, job.progress)
    job.report.frames = list(reported(view, job.survey))
    for sentence in job.report.tell_prompts_due(view.doubtful):
        job.progress.note(sentence)
    return view


def object_boxes(job: Job, view: View) -> dict[int, np.ndarray]:
    """Where each object is in each frame of the clip: (N, 4), ``NONE`` where it is not."""
    count = job.survey.count
    kept = job.work.path / "object_boxes.npz"
    return measured(spanned(view, count), count, kept, job.progress).boxes
