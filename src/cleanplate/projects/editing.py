"""The state of a project as it stands, kept in its folder and shared with other programs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from cleanplate.errors import InputError
from cleanplate.files.locking import locked
from cleanplate.projects.folder import Folder
from cleanplate.projects.state import State

T = TypeVar("T")
_TRIES = 100  # looks at a folder that another program keeps changing


class EditedState:
    """Edits are made one after the other, in this program and others; reading waits for none."""

    def __init__(self, path: Path) -> None:
        self._path, self._folder = path, Folder(path)
        self._edit = threading.RLock()
        self._seen: tuple[int, ...] = ()
        self._state = self._read()

    @property
    def state(self) -> State:
        """What was said, as it stands now, other programs' edits included."""
        if self._folder.signature() != self._seen:
            with self._edit:
                self._state = self._read()
        return self._state

    @property
    def version(self) -> int:
        """Grows with every edit, undo and redo."""
        return self._folder.progress()[0]

    @property
    def progress(self) -> tuple[int, int, int]:
        """The version, how many edits can be undone and how many redone."""
        return self._folder.progress()

    def change(self, edit: Callable[[State], tuple[State, T]]) -> T:
        """Put the new state that ``edit`` makes of the present one in its place.

        Args:
            edit: returns the new state and an answer; what it raises leaves all as it was.

        Returns:
            The answer.
        """
        with self._edit, locked(self._path / "edit.lock"):
            state = self.state
            changed, answer = edit(state)
            if changed != state:
                self._folder.record(changed)
                self._state = self._read()
            return answer

    def step(self, back: bool) -> bool:
        """Undo (``back``) or redo; False when there is nothing to."""
        with self._edit, locked(self._path / "edit.lock"):
            moved = self._folder.step(back)
            self._state = self._read()
            return moved

    def _read(self) -> State:
        for _ in range(_TRIES):
            seen = self._folder.signature()
            state = self._folder.read()
            if seen == self._folder.signature():
                self._seen = seen
                return state
        raise InputError(f"{self._path} is being changed without a pause; try again.")
