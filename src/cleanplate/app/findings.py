"""What was found for the user to take or leave: what objects leave on the ground, and damage.

Each finding is a run of masks beside the project's own; taken, it is an object like all others.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.attached.find import Attached, Proposal, find
from cleanplate.errors import InputError
from cleanplate.files.publish import write_text
from cleanplate.jobs.order import Order
from cleanplate.jobs.stages.attached import joined_with
from cleanplate.jobs.stages.masks import FilledMasks
from cleanplate.media.mask_files import Masks
from cleanplate.media.survey import Span
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.projects.state import State
from cleanplate.restoration.detect import VALUES, Damage, detect
from cleanplate.settings.groups import REFLECTION, SHADOW
from cleanplate.settings.restoration import RestorationSettings
from cleanplate.tracks.filled_masks import grown, growths
from cleanplate.types import Box

_FILE = "findings.json"
_MOST_PLACES = 500
"""Damaged places that are listed; masks hold all."""
ATTACHED = (SHADOW, REFLECTION)
_WORK = "attached"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding is to be seen."""

    first: int
    last: int
    box: tuple[int, int, int, int]
    confidence: float


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that can be taken."""

    id: int
    kind: str
    """``shadow``, ``reflection``, or a kind of damage."""
    run: str
    value: int
    """Its id in the run."""
    confidence: float
    """0..1."""
    caster: int = 0
    """The object that it belongs to; 0: none."""
    shape: str = ""
    """What tells the caster's masks from others, when it was looked for."""
    undone: float = 0.0
    """Of a shadow: the share of it whose light can be given back, so that it need not be filled."""
    work: str = ""
    """Where in the project's folder the search keeps what it saw, and of which frames."""
    span: tuple[int, int] = (0, 0)
    count: int = 0
    """Of damage: in how many places it is."""
    places: Sequence[Place] = field(default_factory=tuple[Place, ...])
    """The surest of them, by frame."""


class Findings:
    """What was found in the clip of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._path = project.path / _FILE

    @staticmethod
    def stamp(folder: Path) -> int:
        """Changes whenever something was looked for in the project in ``folder``."""
        path = folder / _FILE
        return path.stat().st_mtime_ns if path.exists() else 0

    def all(self) -> list[Finding]:
        """What was found, in the order of their numbers."""
        if not self._path.exists():
            return []
        return [_parsed(plain) for plain in json.loads(self._path.read_text(encoding="utf-8"))]

    def as_json(self) -> list[dict[str, Any]]:
        """What the page gets, with what became of each finding.

        ``object``: that which it is now, ``rejected``: the numbers of its places in which nothing
        is masked any more, ``stale``: its caster changed since.
        """
        state, shapes = self._project.state, self._shapes()
        known = {tracked.id for tracked in state.objects}
        return [
            asdict(found)
            | {
                "object": _object_of(state, found),
                "rejected": self._rejected(state, found),
                "stale": bool(found.caster) and shapes.get(found.caster) != found.shape,
            }
            for found in self.all()
            if not found.caster or found.caster in known
        ]

    def take(self, number: int) -> int:
        """Make an object of a finding; returns its id.

        Raises:
            InputError: there is no such finding, or it is an object already.
        """
        project, found = self._project, self.get(number)
        if _object_of(project.state, found) is not None:
            raise InputError(f"Finding {number} is an object already; undo takes it back.")
        name = found.kind.capitalize()
        if found.caster:
            name = f"{name} of {project.state.object(found.caster).name}"
        return project.add_given(name[:80], found.run, found.value)

    def reject(self, number: int, place: int) -> None:
        """One place of damage is none: what is masked there is left as it is.

        Raises:
            InputError: there is no such place, or the finding was not taken.
        """
        found = self.get(number)
        number_of = _object_of(self._project.state, found)
        if number_of is None:
            raise InputError(f"Finding {number} is not taken; there is nothing to leave.")
        if not 0 <= place < len(found.places):
            raise InputError(f"Finding {number} has {len(found.places)} places, not a {place}th.")
        at = found.places[place]
        self._project.leave(number_of, Box(*at.box), range(at.first, at.last + 1))

    def _rejected(self, state: State, found: Finding) -> list[int]:
        anchors = state.anchors.get(_object_of(state, found) or 0, {})
        store = self._project.mask_store

        def is_empty(place: Place) -> bool:
            crop = store.crop(anchors[place.first].mask)
            return crop is None or not crop.on(self._project.size)[Box(*place.box).slices].any()

        return [n for n, at in enumerate(found.places) if at.first in anchors and is_empty(at)]

    def get(self, number: int) -> Finding:
        """One finding.

        Raises:
            InputError: there is none of that number.
        """
        for found in self.all():
            if found.id == number:
                return found
        raise InputError(f"There is no finding {number}; look for it first.")

    # --- looking ---

    def look_for_attached(self, name: str, progress: Progress) -> list[Finding]:
        """Look for what tracked objects leave on the ground; replaces what was found before.

        Args:
            name: of the search; one that was stopped goes on under its name.
            progress: told about each frame.
        """
        project, work = self._project, f"{_WORK}/{name}"
        view = project.view(without=self._taken())
        growth = growths(view, project.settings.masks)
        masks = grown(view, growth, project.survey.count, still=False)
        span = Span(*view.marks.span, project.survey.shots)
        (project.path / work).mkdir(parents=True, exist_ok=True)
        attached = find(
            *(masks, project.clip, project.survey, span, ATTACHED, project.path / work, progress)
        )
        shapes, made = self._shapes(), list[Finding]()
        for kind in ATTACHED:
            sure = [one for one in attached.proposals if one.taken and one.kind == kind]
            if not sure:
                continue
            _, run = project.keep_masks(self._placed(attached, sure, kind), progress)
            made += [
                Finding(
                    *(0, kind, run, one.object_id, one.confidence),
                    *(one.object_id, shapes[one.object_id], one.undone),
                    *(work, (span.start, span.stop)),
                )
                for one in sure
            ]
        kept = [found for found in self.all() if not found.caster]
        for other in (project.path / _WORK).iterdir():
            if other.name != name:
                shutil.rmtree(other)
        return self._keep(kept, made)

    def _taken(self) -> list[int]:
        """The objects that are what goes with others."""
        state = self._project.state
        objects = [_object_of(state, found) for found in self.all() if found.caster]
        return [number for number in objects if number is not None]

    def _placed(self, attached: Attached, sure: Sequence[Proposal], origin: str) -> Masks:
        """The masks of ``sure`` in all frames of the clip."""
        count, span = self._project.survey.count, attached.span
        empty = np.zeros(attached.size, np.uint8)

        def read(start: int) -> Iterator[np.ndarray]:
            yield from (empty for _ in range(start, span.start))
            yield from attached.masks(sure, max(start, span.start))
            yield from (empty for _ in range(max(start, span.stop), count))

        return Masks(origin, read)

    # --- removing ---

    def light_given_back(self) -> list[int]:
        """The objects whose light is given back instead of their being filled.

        They are shadows of which that can be told, and whose masks nobody has corrected.
        """
        state = self._project.state
        objects = [_object_of(state, found) for found in self.all() if found.undone]
        return [number for number in objects if number and not state.anchors.get(number)]

    def giving_light_back(self, order: Order, objects: Sequence[int]) -> Order:
        """``order``, whose masks leave out ``objects``, with their light given back.

        Args:
            order: to remove all else.
            objects: of ``light_given_back``.
        """
        project = self._project
        state = project.state
        chosen = [found for found in self.all() if _object_of(state, found) in objects]
        if not chosen:
            return order
        assert isinstance(order.masks, Masks)  # those of a project are
        span = Span(*chosen[0].span, project.survey.shots)
        work = project.path / chosen[0].work  # all are of one search
        attached = find(
            *(order.masks, project.clip, project.survey, span, ATTACHED, work, Progress())
        )
        wanted = {(found.kind, found.caster) for found in chosen}
        taken = [one for one in attached.proposals if (one.kind, one.object_id) in wanted]
        filled = FilledMasks(order.masks, order.settings.masks.grow or 0, order.known)
        joined = joined_with(filled, attached, taken, project.survey)
        return replace(order, masks=joined.masks, light=joined.light)

    def look_for_damage(self, folder: Path, progress: Progress) -> list[Finding]:
        """Look for damage of film and tape between in and out; see ``look_for_attached``."""
        project = self._project
        span = Span(*project.state.span, project.survey.shots)
        folder.mkdir(parents=True, exist_ok=True)
        seen = detect(project.clip, project.survey, span, RestorationSettings(), folder, progress)
        made = list[Finding]()
        if seen.damage:
            _, run = project.keep_masks(seen.masks, progress)
            made = [
                _of_damage(kind, run, value, [one for one in seen.damage if one.kind == kind])
                for kind, value in VALUES.items()
                if any(one.kind == kind for one in seen.damage)
            ]
        kept = [found for found in self.all() if found.caster]
        return self._keep(kept, made)

    def _keep(self, kept: list[Finding], made: list[Finding]) -> list[Finding]:
        first = 1 + max((found.id for found in self.all()), default=0)
        numbered = [replace(found, id=first + place) for place, found in enumerate(made)]
        plain = [asdict(found) for found in (*kept, *numbered)]
        write_text(self._path, json.dumps(plain, indent=1))
        return numbered

    def _shapes(self) -> Mapping[int, str]:
        """For each object what tells its masks from others, without looking at one."""
        tracks = self._project.view().tracks
        return {
            number: hashlib.sha256(track.areas.tobytes() + track.codes.tobytes()).hexdigest()[:16]
            for number, track in tracks.items()
        }


def _parsed(plain: dict[str, Any]) -> Finding:
    places = tuple(Place(**place | {"box": tuple(place["box"])}) for place in plain["places"])
    return Finding(**plain | {"places": places, "span": tuple(plain["span"])})


def _object_of(state: State, found: Finding) -> int | None:
    """The object that a finding is; None: it was not taken."""
    return next(
        (o.id for o in state.objects if (o.given, o.given_id) == (found.run, found.value)), None
    )


def _of_damage(kind: str, run: str, value: int, damage: Sequence[Damage]) -> Finding:
    surest = sorted(damage, key=lambda one: -one.confidence)[:_MOST_PLACES]
    places = tuple(
        Place(
            *(one.start, one.stop - 1, (one.box.x0, one.box.y0, one.box.x1, one.box.y1)),
            round(one.confidence, 3),
        )
        for one in sorted(surest, key=lambda one: one.start)
    )
    mean = round(float(np.mean([one.confidence for one in damage])), 3)
    return Finding(0, kind, run, value, mean, count=len(damage), places=places)
