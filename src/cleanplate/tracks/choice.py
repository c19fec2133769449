"""Which tracker follows which object: the named one, or what ``auto`` takes for each.

Projects and jobs ask here, so that the same marks are followed alike everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from cleanplate import registry
from cleanplate.runtime import PICKED, engine_fields, picked_engine
from cleanplate.settings import parse
from cleanplate.settings.groups import AUTO, Settings
from cleanplate.tracks.marks import Anchor, Kind, Marks
from cleanplate.types import Prompt


@dataclass(frozen=True, slots=True)
class ChosenTracker:
    """A tracker and how it is set."""

    name: str
    key: str
    """What tells it and its settings from others, wherever it computes."""


def tracker_key(settings: Settings, name: str) -> str:
    """``ChosenTracker.key`` of the tracker ``name``.

    Raises:
        InputError: there is no such tracker, or it has no such setting.
    """
    fields = parse(registry.find("track", name).Settings, engine_fields("track", name, settings))
    plain = json.dumps([name, asdict(fields), settings.engines.seed], sort_keys=True)
    return f"{name}-{hashlib.sha256(plain.encode()).hexdigest()[:12]}"


def chosen_trackers(marks: Marks, settings: Settings) -> dict[int, ChosenTracker]:
    """The tracker of each object, by its id.

    Where ``auto`` chooses and SAM 2.1 is here, what was first picked out, by points or strokes, is
    followed by it; what was boxed or drawn is taken to be flat.

    Raises:
        InputError: there is no such tracker, or it has no such setting.
    """
    plain = settings.engines.tracker_name
    picked = picked_engine("track", settings) if _is_open(settings) else ""
    names = {
        tracked.id: picked if picked and is_picked(marks.anchors.get(tracked.id, {})) else plain
        for tracked in marks.objects
    }
    keys = {name: tracker_key(settings, name) for name in {*names.values(), plain}}
    return {number: ChosenTracker(name, keys[name]) for number, name in names.items()}


def prompted_trackers(prompts: tuple[Prompt, ...], settings: Settings) -> set[str]:
    """The names of the trackers that ``prompts`` lead to, before anything is looked at."""
    picked = picked_engine("track", settings) if _is_open(settings) else ""
    if not picked:
        return {settings.engines.tracker_name}
    are_picked = {bool(prompt.points or prompt.brushes) for prompt in prompts}
    return {picked if each else settings.engines.tracker_name for each in are_picked}


def reasons(trackers: Mapping[int, ChosenTracker], settings: Settings) -> list[str]:
    """Why ``auto`` took what it took, where that is not what it takes without weights."""
    numbers = [number for number, chosen in trackers.items() if chosen.name == PICKED]
    if not numbers or not _is_open(settings):
        return []
    alone = len(numbers) == 1
    which, was, them = ("Object", "was", "it") if alone else ("Objects", "were", "them")
    listed = ", ".join(str(number) for number in sorted(numbers))
    return [
        f"{which} {listed} {was} picked by points and SAM 2.1 is here, so {PICKED} tracks "
        f"{them}; what was boxed or drawn is taken to be flat. For "
        f"flat things that were clicked choose the tracker {settings.engines.tracker_name}."
    ]


def _is_open(settings: Settings) -> bool:
    return settings.engines.tracker == AUTO and not settings.engines.static


def is_picked(anchors: Mapping[int, Anchor]) -> bool:
    """Whether points or strokes picked an object: the first prompt in time does; a later one only
    mends.

    Args:
        anchors: those of the object, by frame.
    """
    prompts = (
        anchors[frame]
        for frame in sorted(anchors)
        if anchors[frame].kind is Kind.PROMPT and not anchors[frame].is_empty
    )
    first = next(prompts, None)
    return first is not None and bool(first.points or (first.brushes and not first.painted))
