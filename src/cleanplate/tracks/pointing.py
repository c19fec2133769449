"""From what a user points at in one frame to the anchor that it becomes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cleanplate.arrays.prompts import draw_strokes
from cleanplate.errors import InputError
from cleanplate.prompts.outliner import Outline, Outliner, OutlineRequest
from cleanplate.settings.groups import Settings
from cleanplate.tracks.marks import Anchor, Kind, Marks
from cleanplate.tracks.mask_store import MaskStore
from cleanplate.tracks.timeline import static_frame
from cleanplate.tracks.view import View
from cleanplate.types import Brush, Prompt


@dataclass(frozen=True, slots=True, eq=False)
class OutlineAnswer:
    """An outline, whether the user drew it, and the engine that found it otherwise."""

    outline: Outline
    exact: bool
    outliner: str = ""
    masks: tuple[np.ndarray, ...] = ()
    """All candidates, (H, W) bool each, in the order of their scores."""


@dataclass(frozen=True, slots=True, eq=False)
class Painting:
    """A mask that strokes have changed, and nothing else."""

    frame: int
    """Where it is anchored: of what does not move, where its mask was given."""
    anchor: Anchor
    outline: Outline


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
        _check_strokes(prompt.brushes)
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

    def painted(self, view: View, frame: int, object_id: int, prompt: Prompt) -> Painting | None:
        """The mask that is shown, with the new strokes of ``prompt`` put on it pixel for pixel.

        None where more than strokes is new: an outline must be found then. The mask of what does
        not move is changed where it was given, so that it changes in all frames that it holds for.

        Raises:
            InputError: no such object, or an empty stroke.
        """
        tracked = view.marks.object(object_id)
        _check_strokes(prompt.brushes)
        anchors, at = view.marks.anchors.get(object_id, {}), frame
        holding = static_frame(anchors, frame) if tracked.static else None
        if frame not in anchors and holding is not None and not anchors[holding].is_empty:
            at = holding
        known = anchors.get(at)
        given = known if known is not None and known.kind is Kind.PROMPT else Anchor(Kind.PROMPT)
        strokes = prompt.brushes
        if at == frame:
            told = len(given.brushes)
            if (prompt.points, prompt.box) != (given.points, given.box):
                return None
            if strokes[:told] == given.brushes:
                strokes = strokes[told:]
        if not strokes or prompt.mask is not None:
            return None
        crop = view.crop(object_id, at)
        shown = np.zeros(self._size, bool) if crop is None else crop.on(self._size)
        mask = shown.copy()
        for stroke in strokes:
            mask[draw_strokes([stroke], self._size)] = stroke.positive
        base = self._store.keep(shown) if shown.any() else ""
        if given.painted and base == given.mask:
            anchor = replace(given, brushes=(*given.brushes, *strokes))
        elif given.points and not given.brushes and base == given.mask:
            anchor = replace(given, brushes=strokes, painted=True)
        else:  # what is shown is not this prompt's own, or more than strokes can be put on again
            exact = given.exact if given.mask else not base
            anchor = Anchor(Kind.PROMPT, brushes=strokes, painted=True, start=base, exact=exact)
            anchor = replace(anchor, candidates=1, scores=(1.0,), outliner=given.outliner)
        anchor = replace(anchor, mask=self._store.keep(mask), approved=False)
        outline = Outline(mask, anchor.candidates, anchor.scores, anchor.chosen)
        return Painting(at, anchor, outline)

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
        candidates = self._outliner.candidates(frame, request, settings, alternatives)
        if not candidates and not request.painted:
            raise InputError(
                f"Nothing was found for object {object_id}; point at its middle, or draw a box "
                "around it."
            )
        if not candidates:  # painted and erased again
            empty = np.zeros(self._size, bool)
            return OutlineAnswer(Outline(empty, 1, (1.0,), 0), True, masks=(empty,))
        chosen = min(chosen, len(candidates) - 1)
        scores = tuple(round(candidate.confidence, 4) for candidate in candidates)
        outline = Outline(candidates[chosen].mask, len(candidates), scores, chosen)
        taken = candidates[chosen]
        masks = tuple(candidate.mask for candidate in candidates)
        return OutlineAnswer(outline, taken.is_drawn, taken.outliner, masks)

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
            outliner=answer.outliner,
        )

    def _kept(self, mask: np.ndarray | None) -> str:
        return "" if mask is None else self._store.keep(mask != 0)

    def _mask(self, name: str) -> np.ndarray | None:
        crop = self._store.crop(name)
        return None if crop is None else crop.on(self._size)


def _check_strokes(strokes: tuple[Brush, ...]) -> None:
    for stroke in strokes:
        if not stroke.points or not 0 < stroke.radius < 1e5:
            raise InputError("A stroke needs a point at least, and a radius above 0.")
