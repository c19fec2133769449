"""Recompose: objects out, background into the new shape, objects back at their own proportions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.regions import NONE
from cleanplate.arrays.streams import prefetch
from cleanplate.jobs.stages.fill import FillFrom, plan_fill
from cleanplate.jobs.stages.masks import FilledMasks
from cleanplate.jobs.stages.measure import measured
from cleanplate.jobs.stages.unseen import UnseenShares
from cleanplate.media.crop import Cropper, CropSize
from cleanplate.media.paste import Placement, paste
from cleanplate.media.survey import Span, Survey
from cleanplate.retargeting.begun import Job
from cleanplate.retargeting.follow import followed, object_boxes
from cleanplate.retargeting.order import RetargetOrder
from cleanplate.retargeting.recompose import matte, placements
from cleanplate.retargeting.report import Placed
from cleanplate.tracks.filled_masks import grown, growths, spanned
from cleanplate.types import Box

if TYPE_CHECKING:
    from cleanplate.media.picture import Picture
    from cleanplate.media.read import Clip

_MADE_UP = 0.1  # of what was hidden: what no frame shows is told from here on


def recomposed(job: Job) -> tuple[FillFrom, UnseenShares]:
    """How to have the pictures of the new shape, and what of the background no frame shows."""
    order, clip, survey, span, size = job.order, job.clip, job.survey, job.span, job.size
    view = followed(job)
    boxes = object_boxes(job, view)
    masks = spanned(view, survey.count)
    growth = growths(view, order.settings.masks)
    filled = FilledMasks(
        grown(view, growth, survey.count, still=True), min(growth.values(), default=0), None
    )
    inpainter, _ = job.engines.make("inpaint", order.settings.engines.inpainter, order.settings)
    unseen = UnseenShares(job.work.path / "unseen.jsonl")
    where = measured(filled.masks, survey.count, job.work.path / "boxes.npz", job.progress)
    plan = plan_fill(
        *(clip, filled, where, survey, span, span, inpainter, order.settings, job.progress),
        tell=unseen.tell,
    )
    placed = _placed(boxes, survey, span, clip, size)
    job.report.placements = [
        Placed(
            frame=frame,
            object=number,
            scale=round(place.scale, 4),
            dx=round(place.dx, 3),
            dy=round(place.dy, 3),
        )
        for number, by_frame in placed.items()
        for frame, place in by_frame.items()
    ]
    whole = CropSize(clip.info.width, clip.info.height, size.out_width, size.out_height)

    def pictures(start: int, stop: int | None = None) -> Iterator[Picture]:
        cropper = Cropper(whole)
        backgrounds = plan.fill_from(start, stop)
        sources = prefetch(clip.pictures(start, span.stop if stop is None else stop))
        both = zip(backgrounds, sources, masks.read(start), strict=False)
        for background, source, mask in both:
            made = cropper.crop(background, 0, 0)
            yield _put_back(made, source, mask, boxes, placed)

    return pictures, unseen


def _placed(
    boxes: dict[int, np.ndarray], survey: Survey, span: Span, clip: Clip, size: CropSize
) -> dict[int, dict[int, Placement]]:
    """Where each object goes in each frame of the span."""
    seconds = float(survey.time(span.stop - 1) - survey.time(span.start))
    rate = (span.stop - span.start - 1) / seconds if seconds > 0 else 25.0
    made = {}
    for number, rows in boxes.items():
        inside = rows.copy()
        inside[: span.start] = inside[span.stop :] = NONE
        made[number] = placements(
            *(inside, survey.shots, (clip.info.width, clip.info.height)),
            (size.out_width, size.out_height),
            size.out_height / size.height,
            rate,
        )
    return made


def _put_back(
    onto: Picture,
    source: Picture,
    mask: np.ndarray,
    boxes: dict[int, np.ndarray],
    placed: dict[int, dict[int, Placement]],
) -> Picture:
    """Objects in the order of their ids: where they overlap the higher is on top, as in masks."""
    for number in sorted(placed):
        place = placed[number].get(source.index)
        if place is not None:
            box = Box(*(int(end) for end in boxes[number][source.index]))
            alpha, wide = matte(mask, number, box)
            onto = paste(onto, source, alpha, wide, place)
    return replace(onto, index=source.index)


def unseen_sentences(unseen: UnseenShares, span: Span, order: RetargetOrder) -> list[str]:
    """What a person is told of the background that no frame shows."""
    what = "Of what was added" if order.retarget.extends else "Behind what was taken out"
    return [
        f"{what} in frames {part['first']} to {part['last']}, up to {part['share']:.0%} is shown "
        "by no frame and was made up."
        for part in unseen.stretches(span.start, span.stop)
        if part["share"] >= _MADE_UP
    ]
