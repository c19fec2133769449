"""Stage 5: regions are cropped, filled and written into the source's own samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from cleanplate.arrays.masks import components
from cleanplate.arrays.regions import Margins, Region, plan
from cleanplate.arrays.streams import prefetch
from cleanplate.jobs.stages.masks import FilledMasks
from cleanplate.jobs.stages.measure import Measured
from cleanplate.jobs.stages.study import studied
from cleanplate.media.mask_files import Masks, constant_masks
from cleanplate.media.survey import Span, Survey, cut_at
from cleanplate.pipeline.fill import MaskedPicture, fill
from cleanplate.pipeline.regions import PlannedRegions, first_needed, plan_causal
from cleanplate.progress import Progress
from cleanplate.protocols import HasDoubts, PlansRegions, Tell
from cleanplate.settings.groups import Settings

if TYPE_CHECKING:
    from cleanplate.media.picture import Picture
    from cleanplate.media.read import Clip


class FillFrom(Protocol):
    """Gives the pictures of an output, from any frame on."""

    def __call__(self, start: int, stop: int | None = None) -> Iterator[Picture]:
        """From frame ``start`` up to, not including, ``stop``; None: all that are to be given."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class PlannedFill:
    """What is going to be filled, and how to have it done."""

    regions: Sequence[Region]
    fill_from: FillFrom
    first_needed: Callable[[int], int]
    """The first frame that the engine must see so that frames from the given one on can be
    filled."""


def plan_fill(
    clip: Clip,
    filled: FilledMasks,
    measured: Measured,
    survey: Survey,
    span: Span,
    shown: Span,
    inpainter: Any,
    settings: Settings,
    progress: Progress,
    tell: Tell | None = None,
) -> PlannedFill:
    """Plan the filling of the frames ``shown``, as all of ``span`` would be filled.

    Args:
        clip: the clip.
        filled: its masks.
        measured: where they are.
        survey: what the clip was found to be.
        span: the frames to work on.
        shown: those of them to give.
        inpainter: the engine.
        settings: regions and feather.
        progress: told about each frame that is filled.
        tell: told of the frames in which something was made up.
    """
    apart = survey if filled.known is None else cut_at(survey, *filled.known)
    masks = filled.masks
    if masks.constant is not None:
        parts = components(masks.constant, 2 * settings.regions.least_context)
        masks = constant_masks(parts, survey.count, masks.origin)
        measured = Measured.of_constant(parts, survey.count)
    regions = _regions(
        clip, masks, measured.within(span.start, span.stop), apart, inpainter, settings
    )
    _note_plans(regions, inpainter, settings, progress)
    if masks.constant is not None:
        # What stays is told best by all that the clip shows behind it, in and out or not.
        whole = replace(span, start=0, stop=survey.count)
        inpainter = studied(inpainter, clip, masks.constant, regions, whole)
        _warn_of_doubts(inpainter, progress)
    feather = settings.masks.feathered_by(filled.growth)
    last = max([shown.stop, *(region.stop for region in regions)])

    worked = range(*filled.known) if filled.known else range(shown.start, shown.stop)
    worked = range(max(worked.start, shown.start), min(worked.stop, shown.stop))

    def masked(first: int) -> Iterator[MaskedPicture[Picture]]:
        changes = repeat(None) if filled.light is None else filled.light.read(first)
        pictures = zip(clip.pictures(first, last), masks.read(first), changes, strict=False)
        for picture, mask, change in pictures:
            lit = picture if change is None else change.of(picture)
            yield MaskedPicture(lit, mask, int(apart.shots[picture.index]))

    def needed(start: int) -> int:
        return first_needed(regions, start, inpainter.lookback)

    def fill_from(start: int, stop: int | None = None) -> Iterator[Picture]:
        stop = shown.stop if stop is None else stop
        source = prefetch(masked(needed(start)))
        planned = PlannedRegions(regions, inpainter.lookback, start)
        line = fill(source, planned, inpainter, feather, start, stop, tell=tell)
        return prefetch(_counted(line, start, worked, progress))

    return PlannedFill(regions, fill_from, needed)


def _regions(
    clip: Clip,
    masks: Masks,
    boxes: dict[int, np.ndarray],
    survey: Survey,
    inpainter: Any,
    settings: Settings,
) -> list[Region]:
    margins = Margins(settings.regions.context, settings.regions.least_context)
    width, height = clip.info.width, clip.info.height
    lookback, lookahead = inpainter.lookback, inpainter.lookahead
    if lookahead == 0 and masks.constant is None:  # as a stream would be filled
        return plan_causal(boxes, survey.shots, (height, width), margins, lookback)
    return plan(boxes, survey.shots, width, height, margins, lookback, lookahead)


def _note_plans(
    regions: Sequence[Region], inpainter: Any, settings: Settings, progress: Progress
) -> None:
    """Say how an engine that must divide its work will do it; raises where it cannot."""
    if isinstance(inpainter, PlansRegions):
        sizes = dict.fromkeys((region.width, region.height) for region in regions)
        for sentence in dict.fromkeys(str(inpainter.plan(*size)) for size in sizes):
            progress.note(f"{settings.engines.inpainter}: {sentence}.")
    if not regions:
        progress.note("No frame has a mask: the output shows the source unchanged.")


def _warn_of_doubts(inpainter: object, progress: Progress) -> None:
    if isinstance(inpainter, HasDoubts):
        for sentence in inpainter.doubts:
            progress.warn(sentence)


def _counted(
    pictures: Iterator[Picture], start: int, worked: range, progress: Progress
) -> Iterator[Picture]:
    """The same pictures; those of ``worked`` are counted, others only pass through."""
    done = max(0, min(start, worked.stop) - worked.start)
    progress.start("inpaint", len(worked), done)
    for picture in pictures:
        progress.at(picture.index)
        progress.show(picture)
        yield picture
        if picture.index in worked:
            progress.advance()
    progress.finish()
