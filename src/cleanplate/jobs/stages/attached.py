"""Between masks and fill: what goes with objects is removed with them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.attached.find import Attached, Proposal, find
from cleanplate.jobs.stages.masks import FilledMasks
from cleanplate.media.mask_files import Masks
from cleanplate.media.relight import Light, Relight
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress

if TYPE_CHECKING:
    from cleanplate.media.read import Clip


def with_attached(
    filled: FilledMasks,
    clip: Clip,
    survey: Survey,
    span: Span,
    kinds: Sequence[str],
    folder: Path,
    progress: Progress,
) -> tuple[FilledMasks, Masks, list[dict[str, Any]]]:
    """What is filled when the shadows and reflections of its objects go, too.

    Args:
        filled: the masks of the objects.
        clip, survey, span, kinds, folder, progress: as for ``attached.find.find``.

    Returns:
        The masks of what is filled, with the light that is given back; the masks of all that goes,
        undone or filled; what was proposed, for the report.
    """
    attached = find(filled.masks, clip, survey, span, kinds, folder, progress)
    for proposal in attached.proposals:
        progress.note(_sentence(proposal))
    taken = [proposal for proposal in attached.proposals if proposal.taken]
    told = [_plain(proposal) for proposal in attached.proposals]
    if not taken:
        return filled, filled.masks, told
    whole = _joined(filled.masks, attached, taken, filled=False)
    return joined_with(filled, attached, taken, survey), whole, told


def joined_with(
    filled: FilledMasks, attached: Attached, taken: Sequence[Proposal], survey: Survey
) -> FilledMasks:
    """``filled`` with what is to be filled of the proposals ``taken``, and the light given back."""
    masks, span = _joined(filled.masks, attached, taken, filled=True), attached.span
    if not any(proposal.undone for proposal in taken):
        return replace(filled, masks=masks)

    def changes(start: int) -> Iterator[Relight | None]:
        yield from (None for _ in range(start, span.start))
        for shade in attached.shades(taken, max(start, span.start)):
            yield None if shade is None else Relight(1 / shade)
        yield from (None for _ in range(span.stop, survey.count))

    light = Light(changes, key=f"{len(taken)} undone")
    return replace(filled, masks=masks, light=light)


def _sentence(proposal: Proposal) -> str:
    thing = f"Object {proposal.object_id}: its {proposal.kind}"
    if not proposal.taken:
        return f"{thing} was not found ({proposal.confidence:.0%})."
    if not proposal.undone:
        return f"{thing} is removed with it and filled ({proposal.confidence:.0%})."
    return (
        f"{thing} is removed with it: the light is given back in {proposal.undone:.0%} of it, "
        f"the rest is filled ({proposal.confidence:.0%})."
    )


def _plain(proposal: Proposal) -> dict[str, Any]:
    told = asdict(proposal)
    return {"object": told.pop("object_id"), **told}


def _joined(masks: Masks, attached: Attached, taken: Sequence[Proposal], filled: bool) -> Masks:
    """The masks with what goes with their objects; masks keep their own pixels."""
    span = attached.span

    def read(start: int) -> Iterator[np.ndarray]:
        begin = max(start, span.start)
        goes = attached.filled(taken, begin) if filled else attached.masks(taken, begin)
        for index, mask in enumerate(masks.read(start), start):
            if not span.start <= index < span.stop:
                yield mask
                continue
            more = next(goes)
            yield np.where(mask > 0, mask, more) if more.any() else mask

    return Masks(masks.origin, read, key=f"{masks.key} with {len(taken)}" if masks.key else "")
