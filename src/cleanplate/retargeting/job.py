"""A retargeting job: a clip in, the same clip in another shape out; resumable at every stage.

reframe:   survey ──▶ what matters (outline, track | look) ──▶ path ──▶ crop ──▶ write
recompose: survey ──▶ outline ──▶ track ──▶ masks ──▶ fill ──▶ resize, put back ──▶ write
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.streams import prefetch
from cleanplate.errors import InputError
from cleanplate.jobs.engines import JobEngines
from cleanplate.jobs.outputs import plan_output, write_output
from cleanplate.jobs.report import Timed
from cleanplate.jobs.stages.fill import FillFrom
from cleanplate.jobs.stages.survey import span_of, surveyed
from cleanplate.jobs.work_folder import WorkFolder, checksum
from cleanplate.media.crop import Cropper, CropSize, reshaped
from cleanplate.media.read import Clip, open_clip
from cleanplate.media.survey import Span
from cleanplate.progress import Progress
from cleanplate.retargeting.begun import Job
from cleanplate.retargeting.extending import extended
from cleanplate.retargeting.foci import Foci, of_objects
from cleanplate.retargeting.follow import followed, object_boxes
from cleanplate.retargeting.order import RetargetOrder, check, check_free, fingerprint
from cleanplate.retargeting.path import CropPath, read_path, write_path
from cleanplate.retargeting.plan import (
    keeping_fields,
    lost_parts,
    lost_sentence,
    plan_path,
    shots_of,
)
from cleanplate.retargeting.recomposing import recomposed, unseen_sentences
from cleanplate.retargeting.report import RetargetReport
from cleanplate.retargeting.shape import output_size
from cleanplate.retargeting.watch import caption_foci, seen_foci
from cleanplate.settings.retarget import AUTO, KEEP, RECOMPOSE
from cleanplate.tracks.choice import prompted_trackers

if TYPE_CHECKING:
    from cleanplate.media.picture import Picture

_TOLD = 5  # stretches of lost parts that are told; the report has all


def run(order: RetargetOrder, progress: Progress | None = None) -> RetargetReport:
    """Do the job, or go on with it where an earlier run of the same order stopped.

    Raises:
        InputError: prompts, a path or settings that do not fit the clip.
        MediaError: a clip that cannot be read or an output that cannot be written.
    """
    check(order)
    with open_clip(order.source, stream=order.settings.span.stream) as clip:
        settings = asdict(order.settings) | {"retarget": asdict(order.retarget)}
        report = RetargetReport("retarget", str(order.source), str(order.out.path), settings)
        timed = Timed(progress or Progress(), report)
        size = output_size(order.shape, clip.info, order.retarget)
        identity = fingerprint(order)
        check_free(order, WorkFolder.is_begun(order.out.path, identity))
        output = plan_output(
            order.source,
            order.out,
            reshaped(clip.info, size),
            order.settings.encoder,
            report,
            timed,
        )
        engines = JobEngines(report, timed)
        for name in sorted(
            prompted_trackers(order.prompts, order.settings) if order.prompts else ()
        ):
            engines.make("track", name, order.settings)
        with WorkFolder.opened(order.out.path, identity) as work:
            try:
                report.resumed = work.resumed
                if work.resumed:
                    timed.note(f"Going on from what an earlier run left for {order.out.name}.")
                survey = surveyed(clip, None, work.path / "survey.npz", timed)
                span = span_of(order.settings.span, survey)
                _walk(Job(order, clip, survey, span, size, output, engines, work, report, timed))
            except InputError:
                work.empty()  # something else must be typed: nothing here serves that
                raise
    return report


def _walk(job: Job) -> None:
    """From what is known of the clip to the published output."""
    order, report, span = job.order, job.report, job.span
    if order.retarget.way == RECOMPOSE:
        _recompose(job)
    else:
        _reframe(job)
    report.frame_count, report.first_frame = span.stop - span.start, span.start
    report.shot_cuts = [int(cut) for cut in job.survey.cuts]
    report.checksums = {
        name: checksum(file)
        for name, file in {"source": order.source, "output": order.out.path}.items()
    }
    job.work.empty()


def _recompose(job: Job) -> None:
    report, span = job.report, job.span
    report.crop = asdict(job.size)
    make = extended if job.order.retarget.extends else recomposed
    pictures, unseen = make(job)
    _write(job, pictures, job.size)
    report.unseen = unseen.stretches(span.start, span.stop)
    for sentence in unseen_sentences(unseen, span, job.order):
        job.progress.warn(sentence)


def _reframe(job: Job) -> None:
    order, clip, survey, span, size = job.order, job.clip, job.survey, job.span, job.size
    if order.path is not None:
        path, size = read_path(order.path, order.shape, survey, span, clip.info)
        path = keeping_fields(path, clip.info)
        job.progress.note(f"The crop follows {order.path}.")
    else:
        foci = _foci(job)
        path = keeping_fields(plan_path(foci, size, survey, span, clip.info), clip.info)
        job.report.lost = lost_parts(foci.within(span.start, span.stop), path)
        for lost in sorted(job.report.lost, key=lambda lost: -lost["share"])[:_TOLD]:
            job.progress.note(lost_sentence(lost, path))
    job.report.crop = asdict(size)
    job.report.boxes = np.round(path.boxes(), 3).tolist()

    def cropped(start: int, stop: int | None = None) -> Iterator[Picture]:
        stop = span.stop if stop is None else stop
        return prefetch(_cropped(clip, path, size, range(start, stop), span, job.progress))

    _write(job, cropped, size)
    if order.save_path is not None:
        # Last, so that the same command, stopped and run again, still finds it missing.
        write_path(order.save_path, path, survey, clip.info, str(order.shape.aspect))


def _write(job: Job, pictures: FillFrom, size: CropSize) -> None:
    write_output(
        *(pictures, job.order.source, job.order.out, job.output, reshaped(job.clip.info, size)),
        *(job.survey, job.span, job.work, job.progress),
    )


def _cropped(
    clip: Clip, path: CropPath, size: CropSize, frames: range, span: Span, progress: Progress
) -> Iterator[Picture]:
    """The pictures of ``frames``, each cut to where the path leads."""
    cropper = Cropper(size)
    pictures = prefetch(clip.pictures(frames.start, frames.stop))
    done = frames.start - span.start
    for picture in progress.over("crop", pictures, span.stop - span.start, done):
        made = cropper.crop(picture, *path.corner(picture.index))
        progress.at(picture.index)
        progress.show(made)
        yield made


def _foci(job: Job) -> Foci:
    """What matters: what is pointed at, and where nothing is, what draws the eye."""
    order, clip, survey, span = job.order, job.clip, job.survey, job.span
    kept = job.work.path / "foci.npz"
    objects = Foci.joined([])
    if order.prompts:
        view = followed(job)
        boxes = object_boxes(job, view)
        objects = of_objects(boxes, order.first).within(span.start, span.stop)
    if kept.exists():
        return Foci.joined([objects, Foci.load(kept)])
    parts = []
    empty = [shot for shot in shots_of(span) if not len(objects.within(*shot).frames)]
    if empty:
        seen = seen_foci(clip, survey, span, job.size, job.progress)
        parts += [seen.within(*shot) for shot in empty]
        if order.prompts:
            job.progress.note(
                f"Nothing of what is pointed at is in {len(empty)} of the shots: there the crop "
                "follows what moves or stands out."
            )
    captions = order.retarget.captions
    if captions == KEEP or (captions == AUTO and not order.prompts):
        parts.append(caption_foci(clip, survey, span, job.progress))
    found = Foci.joined(parts)
    found.save(kept)
    return Foci.joined([objects, found])
