"""Still boxes narrowed to the letters in them, worked out once for each box and span."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.masks import clipped
from cleanplate.files.publish import write_text
from cleanplate.jobs import lettering
from cleanplate.jobs.progress import Progress
from cleanplate.jobs.settings import WHOLE_BOX
from cleanplate.jobs.tracking import Span
from cleanplate.projects.folder import Folder
from cleanplate.projects.state import Anchor, Kind, State

if TYPE_CHECKING:
    from cleanplate.media.read import Clip


@dataclass(frozen=True, slots=True)
class _Case:
    """One box."""

    object_id: int
    anchor: Anchor
    key: str


class Letters:
    """What became of the still boxes of a project."""

    def __init__(self, folder: Folder) -> None:
        self._folder, self._path = folder, folder.path / "letters"
        self._known: dict[str, str] = {}

    def signature(self) -> int:
        """Changes whenever a box is worked out."""
        return self._path.stat().st_mtime_ns if self._path.exists() else 0

    def masks(self, state: State, how: str) -> dict[Anchor, str]:
        """For the still boxes that are worked out, the hash of the mask that they stand for."""
        found = {}
        for _, anchor in _boxes(state, how):
            name = self._found(_key(state, how, anchor))
            if name is not None:
                found[anchor] = name
        return found

    def pending(self, state: State, how: str) -> list[_Case]:
        """The boxes that are not worked out yet."""
        cases = [_Case(one, box, _key(state, how, box)) for one, box in _boxes(state, how)]
        return [case for case in cases if self._found(case.key) is None]

    def work_out(
        self, clip: Clip, state: State, how: str, shots: np.ndarray, progress: Progress
    ) -> None:
        """Look at the clip for what is not worked out yet.

        Raises:
            InputError: letters are demanded and none were found.
        """
        cases = self.pending(state, how)
        span = Span(*state.span, shots)
        size = clip.info.height, clip.info.width
        for case in progress.over("letters", cases, len(cases)):
            stamp, box = self._folder.stamp(case.anchor.mask), case.anchor.box
            assert stamp is not None  # a lone box has a mask
            assert box is not None
            room = clipped(box, size[1], size[0])
            assert room is not None  # its outline was drawn
            mask = stamp.on(size).astype(np.uint8) * case.object_id
            narrowed, verdicts = lettering.lettered(clip, mask, {case.object_id: room}, span, how)
            for verdict in verdicts:
                progress.note(verdict.sentence)
            name = self._folder.keep(narrowed > 0)
            write_text(self._path / f"{case.key}.json", json.dumps({"mask": name}))

    def _found(self, key: str) -> str | None:
        if key not in self._known:
            path = self._path / f"{key}.json"
            if not path.exists():
                return None
            self._known[key] = json.loads(path.read_text(encoding="utf-8"))["mask"]
        return self._known[key]


def _boxes(state: State, how: str) -> Iterator[tuple[int, Anchor]]:
    """The lone boxes of objects that do not move, as far as their letters are asked for."""
    for one in state.objects:
        for anchor in state.anchors.get(one.id, {}).values():
            if one.static and how != WHOLE_BOX and _is_lone_box(anchor):
                yield one.id, anchor


def _is_lone_box(anchor: Anchor) -> bool:
    others = anchor.points or anchor.brushes or anchor.drawn
    return anchor.kind is Kind.PROMPT and anchor.box is not None and anchor.exact and not others


def _key(state: State, how: str, anchor: Anchor) -> str:
    said = f"{state.span} {how} {anchor.box} {anchor.mask}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]
