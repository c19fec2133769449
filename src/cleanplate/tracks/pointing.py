"""From what a user points at in one frame to the anchor that it becomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.errors import InputError
from cleanplate.prompts.outliner import Outline, Outliner, OutlineRequest
from cleanplate.settings.groups import Settings
from cleanplate.tracks.marks import Anchor, Kind, Marks
from cleanplate.tracks.mask_store import MaskStore
from cleanplate.tracks.view import View
from cleanplate.types import Prompt


@dataclass(frozen=True, slots=True, eq=False)
class OutlineAnswer:
    """An outline, and whether the user drew it."""

    outline: Outline
    exact: bool


class Pointing:
    """Outlines prompts in one clip, and makes anchors of them."""

    def __init__(self, store: MaskStore, outliner: Outliner, size: tuple[int, int]) -> None:
        self._store, self._outliner, self._size = store, outliner, size

    def request(
        self, view: View, frame: int, object_id: int, prompt: Prompt, painted: bool
    ) -> OutlineRequest:
        """``prompt`` with the mask that it mends: the one that is shown, if it is not a prompt's.

        A box or a mask outlines anew; so does what does not move, whose mask is another frame's.

        Raises:
            InputError: no such object, or a stroke or a mask that is empty.
        """
        tracked, known = view.marks.object(object_id), view.marks.anchor(object_id, frame)
        for brush in prompt.brushes:
            if not brush.points or not 0 < brush.radius < 1e5:
                raise InputError("A stroke needs a point at least, and a radius above 0.")
        if prompt.mask is not None and not prompt.mask.any():
            raise InputError(
                "The mask is empty; say that the object is gone from this frame instead."
            )
        if prompt.box is not None or prompt.mask is not None:
            return OutlineRequest(prompt, painted, None)
        if known is not None and known.kind is Kind.PROMPT:
            return OutlineRequest(prompt, painted, self._mask(known.start))
        crop = None if tracked.static else view.crop(object_id, frame)
        return OutlineRequest(prompt, painted, None if crop is None else crop.on(self._size))

    def request_again(
        self, marks: Marks, frame: int, object_id: int, candidate: int
    ) -> OutlineRequest:
        """What was asked at ``frame``, of which ``candidate`` is wanted now.

        Raises:
            InputError: nothing was, or there is no such candidate.
        """
        marks.object(object_id)
        anchor = marks.anchor(object_id, frame)
        if anchor is None or anchor.kind is not Kind.PROMPT:
            raise InputError(
                f"Object {object_id} has no prompt in frame {frame}; click on it first."
            )
        if not 0 <= candidate < anchor.candidates:
            raise InputError(
                f"There is no candidate {candidate}; there are 0 to {anchor.candidates - 1}."
            )
        drawn, start = self._mask(anchor.drawn), self._mask(anchor.start)
        prompt = Prompt(anchor.points, anchor.box, anchor.brushes, drawn)
        return OutlineRequest(prompt, anchor.painted, start)

    def answer(
        self,
        frame: int,
        object_id: int,
        request: OutlineRequest,
        chosen: int,
        settings: Settings,
        *,
        alternatives: bool = True,
    ) -> OutlineAnswer:
        """The outline of what is request.

        Raises:
            InputError: a prompt outside the picture, or nothing was found.
        """
        candidates, drawn = self._outliner.candidates(frame, request, settings, alternatives)
        chosen = min(chosen, len(candidates.masks) - 1)
        mask = candidates.masks[chosen]
        if not mask.any() and not request.painted:
            raise InputError(
                f"Nothing was found for object {object_id}; point at its middle, or draw a box "
                "around it."
            )
        scores = tuple(round(float(confidence), 4) for confidence in candidates.confidences)
        outline = Outline(mask, len(candidates.masks), scores, chosen)
        return OutlineAnswer(outline, drawn and chosen == 0)

    def anchor(self, request: OutlineRequest, answer: OutlineAnswer) -> Anchor:
        """What is kept of a prompt and its outline."""
        outline = answer.outline
        return Anchor(
            Kind.PROMPT,
            mask=self._store.keep(outline.mask),
            points=request.prompt.points,
            box=request.prompt.box,
            brushes=request.prompt.brushes,
            drawn=self._kept(request.prompt.mask),
            painted=request.painted,
            start=self._kept(request.start),
            candidates=outline.candidates,
            chosen=outline.chosen,
            scores=outline.scores,
            exact=answer.exact,
        )

    def _kept(self, mask: np.ndarray | None) -> str:
        return "" if mask is None else self._store.keep(mask != 0)

    def _mask(self, name: str) -> np.ndarray | None:
        crop = self._store.crop(name)
        return None if crop is None else crop.on(self._size)
