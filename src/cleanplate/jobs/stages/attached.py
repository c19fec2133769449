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
from cleanplate.settings.groups import AttachedSettings

if TYPE_CHECKING:
    from cleanplate.media.read import Clip


def with_attached(
    filled: FilledMasks,
    clip: Clip,
    survey: Survey,
    span: Span,
    settings: AttachedSettings,
    folder: Path,
    progress: Progress,
) -> tuple[FilledMasks, Masks, list[dict[str, Any]]]:
    """What is filled when the shadows and reflections of its objects go, too.

    Args:
        filled: the masks of the objects.
        settings: what is looked for, and what of it is taken.
        clip, survey, span, folder, progress: as for ``attached.find.find``.

    Returns:
        The masks of what is filled, with the light that is given back; the masks of all that goes,
        undone or filled; what was proposed, for the report.
    """
    attached = find(filled.masks, clip, survey, span, settings.kinds, folder, progress)
    proposals = [
        replace(p, taken=p.confidence > 0 and settings.takes(p.kind, p.object_id, p.taken))
        for p in attached.proposals
    ]
    for proposal in proposals:
        progress.note(_sentence(proposal))
    taken = [proposal for proposal in proposals if proposal.taken]
    told = [_plain(proposal) for proposal in proposals]
    if not taken:
        return filled, filled.masks, told
    whole = _joined(filled.masks, attached, taken, filled=False)
    masks = _joined(filled.masks, attached, taken, filled=True)

    if not any(proposal.undone for proposal in taken):
        return replace(filled, masks=masks), whole, told
    light = light_of(attached, taken)
    return replace(filled, masks=masks, light=light), whole, told


def light_of(attached: Attached, taken: Sequence[Proposal]) -> Light:
    """The light that ``taken`` took, given back."""

    def changes(start: int) -> Iterator[Relight | None]:
        for shade in attached.shades(taken, start):
            yield None if shade is None else Relight(1 / shade)

    span = attached.span
    told = ", ".join(f"{p.kind} of {p.object_id}, {p.undone}" for p in taken if p.undone)
    return Light(changes, key=f"{told} in {span.start} to {span.stop}")


def _sentence(proposal: Proposal) -> str:
    thing = f"Object {proposal.object_id}: its {proposal.kind}"
    if not proposal.taken:
        return f"{thing} stays; it was not found, or not surely ({proposal.confidence:.0%})."
    if not proposal.undone:
        return f"{thing} is removed with it and filled ({proposal.confidence:.0%})."
    return (
        f"{thing} is removed with it: the light is given back in {proposal.undone:.0%} of it, "
        f"the rest is filled ({proposal.confidence:.0%})."
    )


def _plain(proposal: Proposal) -> dict[str, Any]:
    told = asdict(proposal)
    return {"object": told.pop("object_id"), **told}


def _joined(masks: Masks, attached: Attached, taken: list[Proposal], filled: bool) -> Masks:
    """The masks with what goes with their objects; masks keep their own pixels."""

    def read(start: int) -> Iterator[np.ndarray]:
        goes = attached.filled(taken, start) if filled else attached.masks(taken, start)
        for mask, more in zip(masks.read(start), goes, strict=False):
            yield np.where(mask > 0, mask, more) if more.any() else mask

    return Masks(masks.origin, read, key=f"{masks.key} with {len(taken)}" if masks.key else "")
