"""What is pointed at, outlined and tracked through the clip as every job does it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanplate.jobs.engines import JobEngines
from cleanplate.jobs.report import Report, Timed
from cleanplate.jobs.stages.measure import measured
from cleanplate.jobs.stages.outline import outlined
from cleanplate.jobs.stages.track import tracked
from cleanplate.jobs.work_folder import WorkFolder
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.retargeting.order import RetargetOrder
from cleanplate.tracks.filled_masks import spanned
from cleanplate.tracks.reported import reported
from cleanplate.tracks.tracks import Tracks
from cleanplate.tracks.view import View

if TYPE_CHECKING:
    import numpy as np

    from cleanplate.media.read import Clip


def followed(
    order: RetargetOrder,
    clip: Clip,
    survey: Survey,
    span: Span,
    engines: JobEngines,
    work: WorkFolder,
    report: Report,
    progress: Timed,
) -> View:
    """The objects through the span; what an earlier run tracked is not tracked again."""
    tracks = Tracks(work.path, clip, survey, engines.make)
    marks = outlined(
        *(clip, order.prompts, survey, span, tracks, order.settings),
        still=order.is_still,
        make=engines.make,
        progress=progress,
    )
    view = tracked(tracks, marks, order.settings, progress)
    report.frames = list(reported(view, survey))
    for sentence in report.tell_prompts_due(view.doubtful):
        progress.note(sentence)
    return view


def object_boxes(
    view: View, survey: Survey, work: WorkFolder, progress: Progress
) -> dict[int, np.ndarray]:
    """Where each object is in each frame of the clip: (N, 4), ``NONE`` where it is not."""
    masks = spanned(view, survey.count)
    return measured(masks, survey.count, work.path / "object_boxes.npz", progress).boxes
