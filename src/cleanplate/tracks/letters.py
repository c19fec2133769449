"""Still boxes narrowed to the letters in them, worked out once for each box and span."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.arrays.masks import clipped
from cleanplate.files.publish import write_text
from cleanplate.media.survey import Span
from cleanplate.progress import Progress
from cleanplate.prompts import lettering
from cleanplate.settings.groups import WHOLE_BOX
from cleanplate.tracks.marks import Anchor, Kind, Marks
from cleanplate.tracks.mask_store import MaskStore

if TYPE_CHECKING:
    from cleanplate.media.read import Clip


@dataclass(frozen=True, slots=True)
class _Case:
    """One box."""

    object_id: int
    anchor: Anchor
    key: str


class Letters:
    """What became of the still boxes of a clip."""

    def __init__(self, store: MaskStore, folder: Path) -> None:
        """
        Args:
            store: where masks are.
            folder: where it is noted what became of each box.
        """
        self._store, self._path = store, folder
        self._known: dict[str, dict[str, Any]] = {}

    def signature(self) -> int:
        """Changes whenever a box is worked out."""
        return self._path.stat().st_mtime_ns if self._path.exists() else 0

    def masks(self, marks: Marks, how: str) -> dict[Anchor, str]:
        """For the still boxes that are worked out, the hash of the mask that they stand for."""
        narrowed: dict[Anchor, str] = {}
        for _, anchor in _boxes(marks, how):
            outcome = self._outcome(_key(marks, how, anchor))
            if outcome is not None:
                narrowed[anchor] = outcome["mask"]
        return narrowed

    def verdicts(self, marks: Marks, how: str) -> list[dict[str, Any]]:
        """For the boxes that are worked out, what of each is removed, and why: see ``Verdict``."""
        outcomes = [self._outcome(_key(marks, how, anchor)) for _, anchor in _boxes(marks, how)]
        return [outcome["verdict"] for outcome in outcomes if outcome and "verdict" in outcome]

    def pending(self, marks: Marks, how: str) -> list[_Case]:
        """The boxes that are not worked out yet."""
        cases = [_Case(number, box, _key(marks, how, box)) for number, box in _boxes(marks, how)]
        return [case for case in cases if self._outcome(case.key) is None]

    def work_out(
        self, clip: Clip, marks: Marks, how: str, shots: np.ndarray, progress: Progress
    ) -> None:
        """Look at the clip for what is not worked out yet.

        Raises:
            InputError: letters are demanded and none were found.
        """
        cases = self.pending(marks, how)
        span = Span(*marks.span, shots)
        size = clip.info.height, clip.info.width
        for case in progress.over("letters", cases, len(cases)):
            crop, box = self._store.crop(case.anchor.mask), case.anchor.box
            assert crop is not None  # a lone box has a mask
            assert box is not None
            room = clipped(box, size[1], size[0])
            assert room is not None  # its outline was drawn
            mask = crop.on(size).astype(np.uint8) * case.object_id
            narrowed, verdicts = lettering.lettered(clip, mask, {case.object_id: room}, span, how)
            (verdict,) = verdicts
            progress.note(verdict.sentence)
            outcome = {"mask": self._store.keep(narrowed > 0), "verdict": asdict(verdict)}
            self._path.mkdir(parents=True, exist_ok=True)
            write_text(self._path / f"{case.key}.json", json.dumps(outcome))

    def _outcome(self, key: str) -> dict[str, Any] | None:
        if key not in self._known:
            path = self._path / f"{key}.json"
            if not path.exists():
                return None
            self._known[key] = json.loads(path.read_text(encoding="utf-8"))
        return self._known[key]


def _boxes(marks: Marks, how: str) -> Iterator[tuple[int, Anchor]]:
    """The lone boxes of objects that do not move, as far as their letters are asked for."""
    for tracked in marks.objects:
        for anchor in marks.anchors.get(tracked.id, {}).values():
            if tracked.static and how != WHOLE_BOX and _is_lone_box(anchor):
                yield tracked.id, anchor


def _is_lone_box(anchor: Anchor) -> bool:
    others = anchor.points or anchor.brushes or anchor.drawn
    return anchor.kind is Kind.PROMPT and anchor.box is not None and anchor.exact and not others


def _key(marks: Marks, how: str, anchor: Anchor) -> str:
    said = f"{marks.span} {how} {anchor.box} {anchor.mask}"
    return hashlib.sha256(said.encode()).hexdigest()[:16]
