"""Extend: room around the picture, filled with what other frames of the shot show there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.streams import prefetch
from cleanplate.jobs.stages.fill import FillFrom, plan_fill
from cleanplate.jobs.stages.masks import FilledMasks
from cleanplate.jobs.stages.measure import measured
from cleanplate.jobs.stages.unseen import UnseenShares
from cleanplate.media.crop import Cropper
from cleanplate.media.mask_files import Masks, constant_masks, mapped
from cleanplate.media.pad import PaddedClip, Room
from cleanplate.media.paste import Placement, paste
from cleanplate.retargeting.begun import Job
from cleanplate.retargeting.follow import followed
from cleanplate.retargeting.shape import extended_room
from cleanplate.tracks.filled_masks import grown, growths
from cleanplate.types import MAX_OBJECT_ID, Box

if TYPE_CHECKING:
    from cleanplate.media.picture import Picture
    from cleanplate.media.read import Clip


def extended(job: Job) -> tuple[FillFrom, UnseenShares]:
    """How to have the extended pictures, and what of their room no frame shows.

    What is pointed at is hidden from the inpainter, lest it be carried into the room; the picture
    itself is the source's, sample by sample.
    """
    order, clip, survey, span = job.order, job.clip, job.survey, job.span
    room = extended_room(order.shape, clip.info)
    masks = constant_masks(_around(room, clip), survey.count, "the room around the picture")
    if order.prompts:
        view = followed(job)
        objects = grown(view, growths(view, order.settings.masks), survey.count, still=False)
        masks = _with_room(objects, room, clip)
    inpainter, _ = job.engines.make("inpaint", order.settings.engines.inpainter, order.settings)
    padded = PaddedClip(clip, room)
    unseen = UnseenShares(job.work.path / "unseen.jsonl")
    where = measured(masks, survey.count, job.work.path / "boxes.npz", job.progress)
    plan = plan_fill(
        padded,
        FilledMasks(masks, 0, None),  # not faded in: below it there is nothing
        *(where, survey, span, span, inpainter, order.settings, job.progress),
        tell=unseen.tell,
    )

    def pictures(start: int, stop: int | None = None) -> Iterator[Picture]:
        cropper = Cropper(job.size)
        sources = prefetch(clip.pictures(start, span.stop if stop is None else stop))
        for filled, source in zip(plan.fill_from(start, stop), sources, strict=False):
            made = _restored(filled, source, room) if order.prompts else filled
            yield cropper.crop(made, 0, 0) if job.size.is_scaled else made

    return pictures, unseen


def _around(room: Room, clip: Clip) -> np.ndarray:
    """(H, W) uint8: the room around the picture."""
    mask = np.full((room.height, room.width), MAX_OBJECT_ID, np.uint8)
    mask[_inside(room, clip)] = 0
    return mask


def _inside(room: Room, clip: Clip) -> tuple[slice, slice]:
    info = clip.info
    return Box(room.left, room.top, room.left + info.width, room.top + info.height).slices


def _with_room(objects: Masks, room: Room, clip: Clip) -> Masks:
    around, inside = _around(room, clip), _inside(room, clip)

    def together(mask: np.ndarray) -> np.ndarray:
        made = around.copy()
        made[inside] = mask
        return made

    return mapped(objects, together)


def _restored(filled: Picture, source: Picture, room: Room) -> Picture:
    """``filled`` with all of ``source`` over it: only the room around it is filled."""
    whole = Box(0, 0, source.width, source.height)
    seen = np.ones((source.height, source.width), np.float32)
    return paste(filled, source, seen, whole, Placement(1.0, float(room.left), float(room.top)))
