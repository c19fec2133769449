"""Burned-in overlays that were found without a click: kept until a person takes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cleanplate.errors import InputError
from cleanplate.files.publish import write_text
from cleanplate.projects.project import Project
from cleanplate.projects.state import State
from cleanplate.suggestions.overlays import Suggested

_FILE = "proposals.json"


class Proposals:
    """What was found in the clip of the project in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    @property
    def stamp(self) -> int:
        """Changes whenever they were looked for."""
        return self._path.stat().st_mtime_ns if self._path.exists() else 0

    def write(self, suggested: Suggested, project: Project) -> None:
        """Keep what was found, surest first, and its masks with the project's."""
        plain = []
        for number, overlay in enumerate(suggested.overlays, 1):
            known = {
                "id": number,
                "kind": overlay.kind,
                "box": [overlay.box.x0, overlay.box.y0, overlay.box.x1, overlay.box.y1],
                "first": overlay.start,
                "last": overlay.stop - 1,
                "middle": (overlay.start + overlay.stop - 1) // 2,
                "confidence": overlay.confidence,
                "mask": project.mask_store.keep(overlay.mask),
            }
            plain.append(known)
        write_text(self._path, json.dumps({"overlays": plain, "still": suggested.still}, indent=1))

    def as_json(self, state: State) -> dict[str, Any] | None:
        """What the page gets; None: nobody has looked. ``taken``: an object has this mask."""
        if not self._path.exists():
            return None
        kept = json.loads(self._path.read_text(encoding="utf-8"))
        drawn = {
            anchor.drawn for by_frame in state.anchors.values() for anchor in by_frame.values()
        }
        for overlay in kept["overlays"]:
            overlay["taken"] = overlay["mask"] in drawn
        return kept

    def get(self, state: State, number: int) -> dict[str, Any]:
        """One proposal.

        Raises:
            InputError: there is none of that number.
        """
        kept = self.as_json(state) or {"overlays": []}
        for overlay in kept["overlays"]:
            if overlay["id"] == number:
                return overlay
        raise InputError(
            f"There is no proposal {number}; let logos and captions be looked for first."
        )

    def take(self, project: Project, number: int) -> int:
        """Make an object of a proposal; returns its id.

        Raises:
            InputError: there is no such proposal, or it is an object already.
        """
        wanted = self.get(project.state, number)
        if wanted["taken"]:
            raise InputError(f"Proposal {number} is an object already; undo takes it back.")
        crop = project.mask_store.crop(wanted["mask"])
        assert crop is not None  # no empty mask is proposed
        names = {tracked.name for tracked in project.state.objects}
        name = wanted["kind"].capitalize()
        if name in names:
            name = next(n for n in (f"{name} {i}" for i in range(2, 1000)) if n not in names)
        return project.add_overlay(name, crop.on(project.size), wanted["first"], wanted["last"] + 1)
