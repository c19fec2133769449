"""What was found beside the objects of a project, for the user to take or leave, as it is kept.

Each finding is a run of masks beside the project's own; taken, it is an object like all others. The
light that a shadow took is kept, too: a removal gives it back where it can be told.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.attached.find import Attached, Proposal, read_attached
from cleanplate.jobs.order import Order
from cleanplate.jobs.stages.attached import light_of
from cleanplate.media.mask_files import Masks
from cleanplate.media.survey import Span, Survey
from cleanplate.tracks.marks import Marks
from cleanplate.tracks.view import View

FINDINGS = "findings.json"
"""In the folder of a project."""
SEARCHED = "attached"
"""In the folder of a project: what was seen of shadows and reflections."""


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
    count: int = 0
    """Of damage: in how many places it is."""
    places: Sequence[Place] = field(default_factory=tuple[Place, ...])
    """The surest of them, by frame."""
    searched: str = ""
    """Of a shadow whose light can be given back: the folder in ``SEARCHED`` that holds it."""
    span: tuple[int, int] = (0, 0)
    """The frames, first and one past the last, that were searched."""


def read_findings(folder: Path) -> list[Finding]:
    """What was found in the project in ``folder``, in the order of their numbers."""
    path = folder / FINDINGS
    if not path.exists():
        return []
    return [_parsed(plain) for plain in json.loads(path.read_text(encoding="utf-8"))]


def object_of(marks: Marks, finding: Finding) -> int | None:
    """The object that a finding is; None: it was not taken."""
    wanted = (finding.run, finding.value)
    return next((o.id for o in marks.objects if (o.given, o.given_id) == wanted), None)


def shapes(view: View) -> Mapping[int, str]:
    """For each object what tells its masks from others, without looking at one."""
    return {
        number: hashlib.sha256(track.areas.tobytes() + track.codes.tobytes()).hexdigest()[:16]
        for number, track in view.tracks.items()
    }


@dataclass(frozen=True, slots=True, eq=False)
class Undone:
    """Taken shadows whose light is given back, so that only the rest of them is filled."""

    attached: Attached
    proposals: Sequence[Proposal]
    ids: Mapping[int, int]
    """The object that each is, by its caster."""

    def of(self, order: Order) -> Order:
        """``order``, to remove all that is shown, with the light given back."""
        if not isinstance(order.masks, Masks) or order.masks.constant is not None:
            return order
        light = light_of(self.attached, self.proposals)
        return replace(order, masks=self._filled(order.masks), light=light)

    def frame(
        self, index: int, image: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """One frame, (H, W, 3) uint8, lit, and what of ``mask``, as it is grown, is filled."""
        rest = next(self._filled(Masks("", lambda _: iter([mask]))).read(index))
        shade = next(self.attached.shades(self.proposals, index))
        if shade is None:
            return image, rest
        gain = 1 / cv2.resize(shade, (image.shape[1], image.shape[0]))
        return np.rint(np.clip(image * gain, 0, 255)).astype(np.uint8), rest

    def _filled(self, masks: Masks) -> Masks:
        """``masks`` with nothing of the shadows but what cannot be undone."""
        names = np.zeros(256, np.uint8)
        names[list(self.ids)] = list(self.ids.values())

        def read(start: int) -> Iterator[np.ndarray]:
            filled = self.attached.filled(self.proposals, start)
            for mask, rest in zip(masks.read(start), filled, strict=False):
                others = np.where(np.isin(mask, names[names > 0]), 0, mask)
                yield np.where(others > 0, others, names[rest]).astype(np.uint8)

        key = f"{masks.key} but {sorted(self.ids.values())} undone" if masks.key else ""
        return Masks(masks.origin, read, key=key)


def undone_in(folder: Path, view: View, survey: Survey) -> Undone | None:
    """What of ``view`` the project in ``folder`` undoes; None where nothing is.

    A shadow whose mask was corrected, or whose caster's was, is filled as it is shown.
    """
    marks = view.marks
    taken = {
        object_id: finding
        for finding in read_findings(folder)
        if finding.searched
        for object_id in [object_of(marks, finding)]
        if object_id is not None and view.is_shown(object_id) and not marks.anchors.get(object_id)
    }
    known = shapes(view) if taken else {}
    taken = {n: found for n, found in taken.items() if known.get(found.caster) == found.shape}
    if not taken:
        return None
    finding = next(iter(taken.values()))  # all are of one search
    span = Span(*finding.span, survey.shots)
    attached = read_attached(folder / SEARCHED / finding.searched, span, view.size)
    ids = {finding.caster: object_id for object_id, finding in taken.items()}
    undone = [p for p in attached.proposals if p.undone and p.object_id in ids]
    return Undone(attached, undone, ids)


def _parsed(plain: dict[str, Any]) -> Finding:
    places = tuple(Place(**place | {"box": tuple(place["box"])}) for place in plain["places"])
    return Finding(**plain | {"places": places, "span": tuple(plain["span"])})
