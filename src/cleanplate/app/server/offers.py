"""Where a learned engine would help, and what it takes to get it: a sentence and a button."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cleanplate import registry
from cleanplate.checkpoints import find, store
from cleanplate.checkpoints.catalogue import all_checkpoints
from cleanplate.errors import InputError
from cleanplate.projects.project import Project
from cleanplate.runtime import PICKED, picked_engine
from cleanplate.settings.groups import AUTO
from cleanplate.tracks.choice import is_picked
from cleanplate.tracks.marks import Anchor, Kind

_PEOPLE, _UNSEEN = "sam2_1_hiera_tiny", "lama"


@dataclass(frozen=True, slots=True)
class Offer:
    """Weights that would help with what a person does now."""

    place: str
    """The step that it belongs to: ``track`` or ``remove``."""
    names: tuple[str, ...]
    """Checkpoints, as ``fetch`` takes them."""
    says: str
    """Why."""
    size: int | None
    """Bytes; None where it is not published."""
    licence: str
    commercial: bool


def offers(project: Project, is_unseen: bool) -> list[dict[str, Any]]:
    """What to offer now; nothing that is here, or that could not run once it were.

    Args:
        project: what is marked and set in it.
        is_unseen: a result was filled in part from nothing: no frame shows that background.
    """
    settings, wanted = project.settings, []
    picked = [
        tracked.name
        for tracked in project.state.objects
        if not tracked.static and _may_bend(project.state.anchors.get(tracked.id, {}))
    ]
    is_open = AUTO in (settings.engines.tracker, settings.engines.segmenter)
    if picked and is_open and not picked_engine("track", settings) and _can_run("track", PICKED):
        wanted.append(
            _offer(
                "track",
                _PEOPLE,
                "People, animals and whatever bends are tracked well with SAM 2.1: through turns, "
                "behind others, in clips of any length. Without it they hold for a second or two.",
            )
        )
    if is_unseen and not store.is_here(_UNSEEN) and _can_run("inpaint", "lama"):
        wanted.append(
            _offer(
                "remove",
                _UNSEEN,
                "Some background is in no frame, so it was filled smoothly. LaMa paints it as it "
                "might look.",
            )
        )
    return [asdict(offer) for offer in wanted]


def _may_bend(anchors: Mapping[int, Anchor]) -> bool:
    """Whether an object was picked out or painted, not boxed: a person may be."""
    if is_picked(anchors):
        return True
    marks = (anchors[at] for at in sorted(anchors))
    first = next(
        (anchor for anchor in marks if anchor.kind is Kind.PROMPT and not anchor.is_empty), None
    )
    return first is not None and first.painted


def _offer(place: str, name: str, says: str) -> Offer:
    checkpoint = find(name)
    return Offer(place, (name,), says, checkpoint.size, checkpoint.licence, checkpoint.commercial)


def _can_run(task: Any, name: str) -> bool:
    """Whether the engine would run here if only its weights were."""
    about = registry.find(task, name).about
    return not about.fault and not registry.missing(about)


def fetchable(names: Any) -> list[str]:
    """The checkpoints that a page asks for.

    Raises:
        InputError: something else than names of checkpoints that can be fetched.
    """
    known = {checkpoint.name for checkpoint in all_checkpoints() if checkpoint.url}
    if not isinstance(names, list) or not names or not all(name in known for name in names):
        raise InputError(f"{names!r} names no weights that can be fetched.")
    return names
