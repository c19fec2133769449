"""A retargeting job that has begun: what each of its steps works with."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.jobs.engines import JobEngines
from cleanplate.jobs.outputs import PlannedOutput
from cleanplate.jobs.report import Timed
from cleanplate.jobs.work_folder import WorkFolder
from cleanplate.media.crop import CropSize
from cleanplate.media.read import Clip
from cleanplate.media.survey import Span, Survey
from cleanplate.retargeting.order import RetargetOrder
from cleanplate.retargeting.report import RetargetReport


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """An order being carried out in its work folder."""

    order: RetargetOrder
    clip: Clip
    survey: Survey
    span: Span
    size: CropSize
    """Of what is cut out, and of the output."""
    output: PlannedOutput | None
    """None where pictures are written."""
    engines: JobEngines
    work: WorkFolder
    report: RetargetReport
    progress: Timed
