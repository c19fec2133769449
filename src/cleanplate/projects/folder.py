"""A project's folder: one text for what was said, a history beside it, masks by their hash.

```
project.json      what was said, written by rename after each edit
history.json      the version, and which texts undo and redo lead to
history/N.json    those texts, byte for byte
anchors/HASH.png  masks of frames, 0 and 255
runs/             what trackers returned
```
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cleanplate.errors import InputError
from cleanplate.files.publish import write_text
from cleanplate.projects.state import State

PROJECT = "project.json"
_HISTORY = "history.json"
_MOST = 500  # edits that can be undone
_BLOCKS, _BLOCK = 64, 1 << 16  # bytes of a clip that are looked at to know it again


class Folder:
    """Reads and writes the files of a project, but for runs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    # --- what was said ---

    def is_project(self) -> bool:
        """Whether a project lies in the folder."""
        return (self.path / PROJECT).is_file()

    def read(self) -> State:
        """The state as it stands.

        Raises:
            InputError: the file is damaged or of another version.
        """
        path = self.path / PROJECT
        try:
            return State.parse(path.read_text(encoding="utf-8"))
        except InputError as error:
            raise InputError(f"{path} cannot be read: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path} is damaged; restore an earlier one from the folder history beside it."
            ) from error

    def signature(self) -> tuple[int, ...]:
        """Changes whenever another program has edited the project."""
        stats = [(self.path / name).stat() for name in (PROJECT, _HISTORY)]
        return tuple(number for s in stats for number in (s.st_mtime_ns, s.st_ino, s.st_size))

    def begin(self, state: State) -> None:
        """Write the first state of a project."""
        (self.path / "history").mkdir(parents=True, exist_ok=True)
        (self.path / "anchors").mkdir(exist_ok=True)
        (self.path / "runs").mkdir(exist_ok=True)
        self._write_history({"version": 1, "undo": [], "redo": [], "next": 0})
        write_text(self.path / PROJECT, state.text())

    def record(self, state: State) -> None:
        """Put ``state`` in place of the one that stands; undo leads back."""
        history = self._history()
        for number in history["redo"]:
            self._text(number).unlink(missing_ok=True)
        history["redo"] = []
        history["undo"].append(self._put_away(history))
        while len(history["undo"]) > _MOST:
            self._text(history["undo"].pop(0)).unlink(missing_ok=True)
        self._write_history(history)
        write_text(self.path / PROJECT, state.text())

    def step(self, back: bool) -> bool:
        """Undo (``back``) or redo; False when there is nothing to."""
        history = self._history()
        taken, given = ("undo", "redo") if back else ("redo", "undo")
        if not history[taken]:
            return False
        number = history[taken].pop()
        text = self._text(number).read_text(encoding="utf-8")
        history[given].append(self._put_away(history))
        self._write_history(history)
        write_text(self.path / PROJECT, text)
        self._text(number).unlink()
        return True

    def progress(self) -> tuple[int, int, int]:
        """The version, how many edits can be undone and how many redone."""
        history = self._history()
        return history["version"], len(history["undo"]), len(history["redo"])

    def _put_away(self, history: dict) -> int:
        """Keep the text that stands under a new number."""
        number = history["next"]
        history["next"] += 1
        standing = (self.path / PROJECT).read_text(encoding="utf-8")
        write_text(self._text(number), standing)
        history["version"] += 1
        return number

    def _text(self, number: int) -> Path:
        return self.path / "history" / f"{number}.json"

    def _history(self) -> dict:
        return json.loads((self.path / _HISTORY).read_text(encoding="utf-8"))

    def _write_history(self, history: dict) -> None:
        write_text(self.path / _HISTORY, json.dumps(history))


def fingerprint(clip: Path) -> str:
    """What tells a clip from another, wherever it lies: its size and samples of its bytes.

    Raises:
        InputError: there is nothing at ``clip``.
    """
    if not clip.exists():
        raise InputError(f"There is no file or folder {clip}; check the name.")
    digest = hashlib.sha256()
    for file in sorted(clip.iterdir()) if clip.is_dir() else [clip]:
        size = file.stat().st_size
        digest.update(f"{file.name if clip.is_dir() else ''} {size} ".encode())
        with file.open("rb") as stream:
            blocks = 1 if clip.is_dir() else _BLOCKS
            for number in range(blocks):
                stream.seek(max(0, size - _BLOCK) * number // max(1, blocks - 1))
                digest.update(stream.read(_BLOCK))
    return digest.hexdigest()
