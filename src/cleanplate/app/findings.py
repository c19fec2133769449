"""What is looked for beside the objects: their shadows and reflections, and damage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.attached.find import find
from cleanplate.errors import InputError
from cleanplate.files.publish import write_text
from cleanplate.media.mask_files import Masks
from cleanplate.media.survey import Span
from cleanplate.progress import Progress
from cleanplate.projects.found import (
    FINDINGS,
    SEARCHED,
    Finding,
    Place,
    object_of,
    read_findings,
    shapes,
)
from cleanplate.projects.project import Project
from cleanplate.projects.state import State
from cleanplate.restoration.detect import VALUES, Damage, detect
from cleanplate.settings.groups import REFLECTION, SHADOW
from cleanplate.settings.restoration import RestorationSettings
from cleanplate.tracks.filled_masks import grown, growths
from cleanplate.types import Box

_MOST_PLACES = 500
"""Damaged places that are listed; masks hold all."""
ATTACHED = (SHADOW, REFLECTION)
"""What may go where an object goes."""


class Findings:
    """What was found in the clip of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._path = project.path / FINDINGS

    @staticmethod
    def stamp(folder: Path) -> int:
        """Changes whenever something was looked for in the project in ``folder``."""
        path = folder / FINDINGS
        return path.stat().st_mtime_ns if path.exists() else 0

    def all(self) -> list[Finding]:
        """What was found, in the order of their numbers."""
        return read_findings(self._project.path)

    def as_json(self) -> list[dict[str, Any]]:
        """What the page gets, with what became of each finding.

        ``object``: that which it is now, ``rejected``: the numbers of its places in which nothing
        is masked any more, ``stale``: its caster changed since.
        """
        listed = self.all()
        if not listed:  # of most projects; the page asks often
            return []
        state, now = self._project.state, shapes(self._project.view())
        known = {tracked.id for tracked in state.objects}
        return [
            asdict(found)
            | {
                "object": object_of(state, found),
                "rejected": self._rejected(state, found),
                "stale": bool(found.caster) and now.get(found.caster) != found.shape,
            }
            for found in listed
            if not found.caster or found.caster in known
        ]

    def take(self, number: int) -> int:
        """Make an object of a finding; returns its id.

        Raises:
            InputError: there is no such finding, or it is an object already.
        """
        project, found = self._project, self.get(number)
        if object_of(project.state, found) is not None:
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
        number_of = object_of(self._project.state, found)
        if number_of is None:
            raise InputError(f"Finding {number} is not taken; there is nothing to leave.")
        if not 0 <= place < len(found.places):
            raise InputError(f"Finding {number} has {len(found.places)} places, not a {place}th.")
        at = found.places[place]
        self._project.leave(number_of, Box(*at.box), range(at.first, at.last + 1))

    def _rejected(self, state: State, found: Finding) -> list[int]:
        anchors = state.anchors.get(object_of(state, found) or 0, {})
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

    def look_for_attached(self, search: str, progress: Progress) -> list[Finding]:
        """Look for what goes with tracked objects; replaces what was found before.

        Args:
            search: a name for it; one that was stopped goes on under its name.
            progress: told about each frame.
        """
        project = self._project
        taken = {object_of(project.state, found) for found in self.all()} - {None}
        view = project.view(without=[number for number in taken if number is not None])
        growth = growths(view, project.settings.masks)
        masks = grown(view, growth, project.survey.count, still=False)
        span = Span(*view.marks.span, project.survey.shots)
        known, made = shapes(project.view()), list[Finding]()
        searches = project.path / SEARCHED
        folder = searches / search
        folder.mkdir(parents=True, exist_ok=True)
        attached = find(masks, project.clip, project.survey, span, ATTACHED, folder, progress)
        for kind in ATTACHED:
            sure = [each for each in attached.proposals if each.kind == kind and each.taken]
            if not sure:
                continue
            alone = Masks(kind, partial(attached.masks, sure))
            _, run = project.keep_masks(alone, progress)
            for proposal in sure:
                number = proposal.object_id
                finding = Finding(0, kind, run, number, proposal.confidence, number, known[number])
                if proposal.undone:
                    finding = replace(finding, searched=search, span=view.marks.span)
                made.append(finding)
        kept = [found for found in self.all() if not found.caster]
        numbered = self._keep(kept, made)
        for other in searches.iterdir():
            if other != folder:
                shutil.rmtree(other)
        return numbered

    def look_for_damage(self, folder: Path, progress: Progress) -> list[Finding]:
        """Look for damage of film and tape between in and out; replaces what was found before.

        Args:
            folder: for what is worked out on the way; removed afterwards by the caller.
            progress: told about each frame.
        """
        project = self._project
        span = Span(*project.state.span, project.survey.shots)
        folder.mkdir(parents=True, exist_ok=True)
        seen = detect(project.clip, project.survey, span, RestorationSettings(), folder, progress)
        made = list[Finding]()
        if seen.damage:
            _, run = project.keep_masks(seen.masks, progress)
            for kind, value in VALUES.items():
                damage = [each for each in seen.damage if each.kind == kind]
                if damage:
                    made.append(_of_damage(kind, run, value, damage))
        kept = [found for found in self.all() if found.caster]
        return self._keep(kept, made)

    def _keep(self, kept: list[Finding], made: list[Finding]) -> list[Finding]:
        first = 1 + max((found.id for found in self.all()), default=0)
        numbered = [replace(found, id=first + place) for place, found in enumerate(made)]
        plain = [asdict(found) for found in (*kept, *numbered)]
        write_text(self._path, json.dumps(plain, indent=1))
        return numbered


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
