"""A job: a clip and prompts or masks in, masks or a clean clip out; resumable at every stage.

survey ──▶ outline ──▶ track ──▶ masks ──▶ fill ──▶ write
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from cleanplate.errors import InputError
from cleanplate.jobs.engines import JobEngines
from cleanplate.jobs.order import Order, check, check_free, fingerprint
from cleanplate.jobs.outputs import PlannedOutput, plan_output, write_output
from cleanplate.jobs.report import Report, Timed
from cleanplate.jobs.stages import masks as mask_stage
from cleanplate.jobs.stages.attached import with_attached
from cleanplate.jobs.stages.fill import PlannedFill, plan_fill
from cleanplate.jobs.stages.masks import FilledMasks
from cleanplate.jobs.stages.measure import measured
from cleanplate.jobs.stages.outline import outlined
from cleanplate.jobs.stages.survey import span_of, surveyed
from cleanplate.jobs.stages.track import tracked
from cleanplate.jobs.stages.unseen import UnseenShares
from cleanplate.jobs.work_folder import WorkFolder, checksum
from cleanplate.media.mask_files import Masks
from cleanplate.media.read import Clip, open_clip
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.runtime import MakeEngine, make_engine
from cleanplate.tracks.choice import prompted_trackers
from cleanplate.tracks.reported import reported
from cleanplate.tracks.tracks import Tracks

if TYPE_CHECKING:
    from cleanplate.protocols import Inpainter


def run(order: Order, progress: Progress | None = None, make: MakeEngine = make_engine) -> Report:
    """Do the job, or go on with it where an earlier run of the same order stopped.

    Args:
        order: what is to be done.
        progress: told about every stage and frame; may raise CancelledError to stop.
        make: makes engines, or gives those that the program has already.

    Raises:
        InputError: prompts, masks or settings that do not fit the clip.
        MediaError: a clip that cannot be read or an output that cannot be written.
    """
    with begun(order, progress, make) as job:
        _write(job, planned(job))
    return job.report


@dataclass(frozen=True, slots=True, eq=False)
class _Tools:
    """What a job works with, found before the first frame is decoded: what cannot work is said."""

    engines: JobEngines
    inpainter: Inpainter | None
    """None where only masks are wanted."""
    output: PlannedOutput | None
    """None where only masks are wanted, or pictures are written."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """An order being carried out in its work folder."""

    order: Order
    clip: Clip
    tools: _Tools
    work: WorkFolder
    report: Report
    progress: Timed


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A job when its masks are known: what is to be filled."""

    survey: Survey
    shown: Span
    """The frames of the output."""
    masks: Masks
    """All that goes: what is filled, and shadows that are undone."""
    fill: PlannedFill | None
    """None where only masks are wanted."""
    unseen: UnseenShares


@contextlib.contextmanager
def begun(
    order: Order, progress: Progress | None = None, make: MakeEngine = make_engine
) -> Iterator[Job]:
    """Check ``order`` and hold its work folder; arguments and errors as of ``run``."""
    check(order)
    with open_clip(order.source, stream=order.settings.span.stream) as clip:
        report = Report(
            order.command, str(order.source), str(order.out.path), asdict(order.settings)
        )
        timed = Timed(progress or Progress(), report)
        tools = _tools(order, clip, report, timed, make)
        identity = fingerprint(order)
        check_free(order, WorkFolder.is_begun(order.out.path, identity))
        with WorkFolder.opened(order.out.path, identity) as work:
            try:
                yield Job(order, clip, tools, work, report, timed)
            except InputError:
                work.empty()  # something else must be typed: nothing here serves that
                raise


def planned(job: Job) -> Planned:
    """All that comes before the filling, from the first look at the clip to the planned regions."""
    order, clip, work, progress = job.order, job.clip, job.work, job.progress
    job.report.resumed = work.resumed
    if work.resumed:
        progress.note(f"Going on from what an earlier run left for {order.out.name}.")
    survey = surveyed(clip, order.survey, work.path / "survey.npz", progress)
    span = span_of(order.settings.span, survey)
    filled = _masks(order, clip, survey, span, job.tools, work, job.report, progress)
    filled = replace(filled, light=order.light)
    goes, kinds = filled.masks, order.settings.attached.kinds
    if kinds and job.tools.inpainter is not None:
        filled, goes, job.report.attached = with_attached(
            *(filled, clip, survey, span, kinds, work.folder("attached"), progress)
        )
    shown = span
    if order.part is not None:
        shown = replace(span, start=order.part[0], stop=order.part[1])
        size = clip.info.height, clip.info.width
        filled = replace(filled, masks=mask_stage.near(filled.masks, survey, shown, size))
    boxes = measured(filled.masks, survey.count, work.path / "boxes.npz", progress)
    unseen, plan = UnseenShares(work.path / "unseen.jsonl"), None
    if job.tools.inpainter is not None:
        plan = plan_fill(
            *(clip, filled, boxes, survey, span, shown),
            *(job.tools.inpainter, order.settings, progress),
            tell=unseen.tell,
        )
        job.report.regions = [
            {"first": r.start, "stop": r.stop, "width": r.width, "height": r.height}
            for r in plan.regions
        ]
    return Planned(survey, shown, goes, plan, unseen)


def _write(job: Job, planned: Planned) -> None:
    """The outputs, filled and published; the work folder is emptied."""
    order, clip, work = job.order, job.clip, job.work
    survey, shown = planned.survey, planned.shown
    targets = [order.save_masks, order.out if order.command == "track" else None]
    mask_stage.save_masks(
        [target for target in targets if target is not None],
        *(planned.masks, order.source, clip.info, survey, shown),
    )
    if planned.fill is not None:
        write_output(
            *(planned.fill.fill_from, order.source, order.out, job.tools.output, clip.info),
            *(survey, shown, work, job.progress),
        )
        job.report.unseen = planned.unseen.stretches(shown.start, shown.stop)
    _conclude(order, survey, shown, work, job.report)


def _masks(
    order: Order,
    clip: Clip,
    survey: Survey,
    span: Span,
    tools: _Tools,
    work: WorkFolder,
    report: Report,
    progress: Timed,
) -> FilledMasks:
    """The masks to fill: the user's own, or tracked from prompts."""
    if order.masks is not None:
        return mask_stage.given(order, clip.info, survey, span, progress)
    tracks = Tracks(work.path, clip, survey, tools.engines.make)
    marks = outlined(
        *(clip, order.prompts, survey, span, tracks, order.settings),
        still=order.is_still,
        make=tools.engines.make,
        progress=progress,
    )
    view = tracked(tracks, marks, order.settings, progress)
    report.frames = list(reported(view, survey))
    for sentence in report.tell_prompts_due(view.doubtful):
        progress.note(sentence)
    report.overlays = tracks.letter_verdicts(marks, order.settings)
    return mask_stage.from_tracks(view, order, survey)


def _tools(order: Order, clip: Clip, report: Report, progress: Timed, make: MakeEngine) -> _Tools:
    engines, settings = JobEngines(report, progress, make), order.settings
    inpainter: Any = None
    output = None
    if order.command != "track":
        inpainter, _ = engines.make("inpaint", settings.engines.inpainter, settings)
        output = plan_output(order.source, order.out, clip.info, settings.encoder, report, progress)
    if order.masks is None:
        for name in sorted(prompted_trackers(order.prompts, settings)):
            engines.make("track", name, settings)
    return _Tools(engines, inpainter, output)


def _conclude(order: Order, survey: Survey, shown: Span, work: WorkFolder, report: Report) -> None:
    report.frame_count, report.first_frame = shown.stop - shown.start, shown.start
    report.shot_cuts = [int(cut) for cut in survey.cuts]
    if order.part is None:  # a trial is wanted in seconds, and a source may be large
        ends = {"source": order.source, "output": order.out.path}
        report.checksums = {name: checksum(path) for name, path in ends.items()}
    work.empty()
