"""From what a user points at in one frame to the anchor that it becomes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.errors import InputError
from cleanplate.jobs import job
from cleanplate.projects.folder import Folder
from cleanplate.prompts.outliner import Asked, Outline, Outliner
from cleanplate.projects.state import Anchor, Kind, State
from cleanplate.tracks.view import View
from cleanplate.types import Prompt


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """An outline, and whether the user drew it."""

    outline: Outline
    exact: bool


class Pointing:
    """Outlines prompts in one clip, and makes anchors of them."""

    def __init__(self, folder: Folder, outliner: Outliner, size: tuple[int, int]) -> None:
        self._folder, self._outliner, self._size = folder, outliner, size

    def asked(self, view: View, frame: int, object_id: int, prompt: Prompt, painted: bool) -> Asked:
        """``prompt`` with the mask that it mends: the one that is shown, if it is not a prompt's.

        A box or a mask outlines anew; so does what does not move, whose mask is another frame's.

        Raises:
            InputError: no such object, or a stroke or a mask that is empty.
        """
        one, known = view.state.object(object_id), view.state.anchor(object_id, frame)
        for brush in prompt.brushes:
            if not brush.points or not 0 < brush.radius < 1e5:
                raise InputError("A stroke needs a point at least, and a radius above 0.")
        if prompt.mask is not None and not prompt.mask.any():
            raise InputError(
                "The mask is empty; say that the object is gone from this frame instead."
            )
        if prompt.box is not None or prompt.mask is not None:
            return Asked(prompt, painted, None)
        if known is not None and known.kind is Kind.PROMPT:
            return Asked(prompt, painted, self._mask(known.start))
        stamp = None if one.static else view.stamp(object_id, frame)
        return Asked(prompt, painted, None if stamp is None else stamp.on(self._size))

    def asked_again(self, state: State, frame: int, object_id: int, candidate: int) -> Asked:
        """What was asked at ``frame``, of which ``candidate`` is wanted now.

        Raises:
            InputError: nothing was, or there is no such candidate.
        """
        state.object(object_id)
        anchor = state.anchor(object_id, frame)
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
        return Asked(prompt, anchor.painted, start)

    def answer(
        self, frame: int, object_id: int, asked: Asked, chosen: int, settings: job.Settings
    ) -> Answer:
        """The outline of what is asked.

        Raises:
            InputError: a prompt outside the picture, or nothing was found.
        """
        found, drawn = self._outliner.candidates(frame, asked, settings)
        chosen = min(chosen, len(found.masks) - 1)
        mask = found.masks[chosen]
        if not mask.any() and not asked.painted:
            raise InputError(
                f"Nothing was found for object {object_id}; point at its middle, or draw a box "
                "around it."
            )
        scores = tuple(round(float(one), 4) for one in found.confidences)
        outline = Outline(mask, len(found.masks), scores, chosen)
        return Answer(outline, drawn and chosen == 0)

    def anchor(self, asked: Asked, answer: Answer) -> Anchor:
        """What is kept of a prompt and its outline."""
        outline = answer.outline
        return Anchor(
            Kind.PROMPT,
            mask=self._folder.keep(outline.mask),
            points=asked.prompt.points,
            box=asked.prompt.box,
            brushes=asked.prompt.brushes,
            drawn=self._kept(asked.prompt.mask),
            painted=asked.painted,
            start=self._kept(asked.start),
            candidates=outline.candidates,
            chosen=outline.chosen,
            scores=outline.scores,
            exact=answer.exact,
        )

    def _kept(self, mask: np.ndarray | None) -> str:
        return "" if mask is None else self._folder.keep(mask != 0)

    def _mask(self, name: str) -> np.ndarray | None:
        stamp = self._folder.stamp(name)
        return None if stamp is None else stamp.on(self._size)
