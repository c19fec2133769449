"""What may be said of a clip: each edit makes a new state of the one that stands."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.errors import InputError
from cleanplate.files.locking import locked
from cleanplate.jobs import job
from cleanplate.media.survey import Survey
from cleanplate.projects import edits
from cleanplate.projects.folder import Folder
from cleanplate.projects.outlines import Asked, Outline, Outliner
from cleanplate.projects.pointing import Pointing
from cleanplate.projects.state import State
from cleanplate.projects.view import Row, View
from cleanplate.types import Prompt


class Editing(ABC):
    """The part of a project that is edited.

    Edits are made one after the other, in this program and others. They raise InputError where
    what is said does not fit; nothing is changed then.
    """

    survey: Survey
    _outliner: Outliner
    _pointing: Pointing

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = Folder(path)
        self._edit = threading.RLock()
        self._seen: tuple[int, ...] = ()
        self._state = self._read()

    @abstractmethod
    def view(self) -> View:
        """All that is shown now."""

    @abstractmethod
    def _view_of(self, state: State) -> View: ...

    @abstractmethod
    def doubtful(self) -> list[Row]:
        """The stretches that a person should look at, worst first."""

    @property
    def state(self) -> State:
        """What was said, as it stands now, other programs' edits included."""
        if self.folder.signature() != self._seen:
            with self._edit:
                self._state = self._read()
        return self._state

    @property
    def version(self) -> int:
        """Grows with every edit, undo and redo."""
        return self.folder.progress()[0]

    @property
    def settings(self) -> job.Settings:
        """The settings of all jobs of this project."""
        return settings_of(self.state)

    def _read(self) -> State:
        for _ in range(100):
            seen = self.folder.signature()
            state = self.folder.read()
            if seen == self.folder.signature():
                self._seen = seen
                return state
        raise InputError(f"{self.path} is being changed without a pause; try again.")

    def _change(self, made: Any) -> Any:
        """Put what ``made(state)`` returns, (new state, answer), in place of the state."""
        with self._edit, locked(self.path / "edit.lock"):
            state = self.state
            changed, answer = made(state)
            if changed != state:
                self.folder.record(changed)
                self._state = self._read()
            return answer

    def add_object(self, name: str | None = None, static: bool = False) -> int:
        """A new thing to remove; returns its id."""
        return self._change(lambda state: edits.add_object(state, name, static, self.version + 1))

    def add_overlay(self, name: str, mask: np.ndarray, start: int, stop: int) -> int:
        """A new thing that does not move and is there in a part of the clip; returns its id.

        Args:
            name: what it is called.
            mask: (H, W) bool, where it is.
            start: the first frame that shows it.
            stop: one past the last one.
        """
        for frame in (start, stop - 1):
            self._check_frame(frame)
        if start >= stop:
            raise InputError(f"No frame lies from {start} up to {stop}; give an end after it.")
        kept = self.folder.keep(mask)
        count = self.survey.count
        return self._change(
            lambda state: edits.add_overlay(
                state, name, kept, start, stop, count=count, version=self.version + 1
            )
        )

    def change_object(
        self,
        object_id: int,
        *,
        name: str | None = None,
        hidden: bool | None = None,
        static: bool | None = None,
    ) -> None:
        """Rename, hide from view, or say that it does not move; None leaves as it is."""
        values = {"name": name, "hidden": hidden, "static": static}
        self._change(lambda state: edits.change_object(state, object_id, values))

    def remove_object(self, object_id: int) -> None:
        """Forget the object and its prompts; undo brings it back."""
        self._change(lambda state: (state.without_object(object_id), None))

    def set_prompt(
        self, frame: int, object_id: int, prompt: Prompt | None, painted: bool = False
    ) -> Outline | None:
        """All that points at the object in this frame, in place of what did before.

        Points and strokes on a frame where a mask is shown already mend that mask; a box or a mask
        outlines anew. ``prompt.object_id`` and ``prompt.at`` are not looked at.

        Args:
            frame: index in the clip.
            object_id: an object of the project.
            prompt: None takes the anchor in this frame away, whatever its kind.
            painted: strokes are the mask itself, painted and erased in their order; otherwise they
                are hints for the segmenter.

        Returns:
            The outline that is shown now; None when the anchor was taken away.

        Raises:
            InputError: no such frame or object, a prompt outside the picture, or nothing was found.
        """
        self._check_frame(frame)
        if prompt is None:
            self._change(lambda state: (state.with_anchor(object_id, frame, None), None))
            return None
        if prompt.points or prompt.box or (prompt.brushes and not painted):
            self.prepare(frame)  # the slow part, while other edits go on

        def made(state: State) -> tuple[State, Outline]:
            asked = self._pointing.asked(self._view_of(state), frame, object_id, prompt, painted)
            return self._anchored(state, frame, object_id, asked, 0)

        return self._change(made)

    def _anchored(
        self, state: State, frame: int, object_id: int, asked: Asked, chosen: int
    ) -> tuple[State, Outline]:
        answer = self._pointing.answer(frame, object_id, asked, chosen, settings_of(state))
        anchor = self._pointing.anchor(asked, answer)
        return state.with_anchor(object_id, frame, anchor), answer.outline

    def choose(self, frame: int, object_id: int, candidate: int) -> Outline:
        """Take another of the candidates of a prompt, counted from 0."""

        def made(state: State) -> tuple[State, Outline]:
            asked = self._pointing.asked_again(state, frame, object_id, candidate)
            return self._anchored(state, frame, object_id, asked, candidate)

        return self._change(made)

    def preview(self, frame: int, object_id: int, prompt: Prompt, painted: bool = False) -> Outline:
        """What ``set_prompt`` would show; nothing is changed."""
        self._check_frame(frame)
        view = self.view()
        asked = self._pointing.asked(view, frame, object_id, prompt, painted)
        return self._pointing.answer(frame, object_id, asked, 0, settings_of(view.state)).outline

    def prepare(self, frame: int) -> None:
        """Look at a frame beforehand, so that the first click in it is answered quickly."""
        self._check_frame(frame)
        self._outliner.prepare(frame, self.settings)

    def gone(self, frame: int, object_id: int, until: int | None = None) -> None:
        """The object is not to be seen from ``frame`` to ``until``; None: to its next anchor.

        What is shown in the frames before, and after ``until``, stays as it is.
        """
        for one in (frame, frame if until is None else until):
            self._check_frame(one)
        self._change(lambda state: edits.gone(state, self._view_of(state), frame, object_id, until))

    def begins(self, frame: int, object_id: int) -> None:
        """What does not move is first seen in ``frame``."""
        self._check_frame(frame)
        self._change(lambda state: edits.begins(state, object_id, frame))

    def ends(self, frame: int, object_id: int) -> None:
        """What does not move is last seen in ``frame``, or until it is marked again after it."""
        self._check_frame(frame)
        self._change(lambda state: edits.ends(state, object_id, frame, self.survey.count))

    def approve(self, frame: int, object_id: int | None = None) -> None:
        """What is shown in ``frame`` is right, of one object or of all; tracking ends there."""
        self._check_frame(frame)
        self._change(
            lambda state: edits.approve(state, self._view_of(state), self.folder, frame, object_id)
        )

    def dismiss(self, row_id: str) -> None:
        """A row of ``doubtful`` is right as it is."""
        self._change(lambda state: edits.dismiss(state, row_id, self.doubtful()))

    def set_span(self, start: int, stop: int) -> None:
        """Follow and remove in the frames from ``start`` up to, not including, ``stop``."""
        self._change(lambda state: edits.set_span(state, start, stop, self.survey.count))

    def set_settings(
        self,
        values: Mapping[str, Any] | None = None,
        engine_fields: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Change settings; a value of None takes the default again.

        Args:
            values: fields of ``EngineSettings``, ``MaskSettings``, ``RegionSettings`` and
                ``EncoderSettings``.
            engine_fields: of single engines, name -> field -> value.
        """
        self._change(lambda state: edits.set_settings(state, values or {}, engine_fields or {}))

    def undo(self) -> bool:
        """Take the latest edit back; False when there is none."""
        return self._step(back=True)

    def redo(self) -> bool:
        """Make the edit again that was taken back; False when there is none."""
        return self._step(back=False)

    def _step(self, back: bool) -> bool:
        with self._edit, locked(self.path / "edit.lock"):
            moved = self.folder.step(back)
            self._state = self._read()
            return moved

    def _check_frame(self, frame: int) -> None:
        if not 0 <= frame < self.survey.count:
            raise InputError(
                f"Frame {frame} is not in the clip; its frames are 0 to {self.survey.count - 1}."
            )


def settings_of(state: State) -> job.Settings:
    """The settings of all jobs of a project in this state."""
    return job.settings_from(state.settings, state.engine_fields)
