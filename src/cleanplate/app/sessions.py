"""Projects behind private links: a folder each, under a name that cannot be guessed."""

from __future__ import annotations

import json
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cleanplate.app.sentences import Refusal
from cleanplate.files.publish import write_text
from cleanplate.media.read import open_clip
from cleanplate.types import VideoInfo

if TYPE_CHECKING:
    from cleanplate.projects.project import Project

_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_ABOUT = "app.json"
_OPEN = 16  # projects that are kept open, with what was looked at in them


@dataclass(frozen=True, slots=True)
class About:
    """What the app remembers of a project's clip."""

    name: str
    """Shown to people."""
    clip: str
    """Absolute path."""
    uploaded: bool
    """Whether the clip lies in the project's folder and goes with it."""


class Session:
    """One project: its folder and, once the clip was surveyed, the ``Project`` in it."""

    def __init__(self, folder: Path) -> None:
        self.id, self.folder = folder.name, folder
        self.about = About(**json.loads((folder / _ABOUT).read_text(encoding="utf-8")))
        self._project: Project | None = None
        self._lock = threading.Lock()

    @property
    def clip(self) -> Path:
        """Where the clip lies."""
        return Path(self.about.clip)

    @property
    def is_open(self) -> bool:
        """Whether the clip was surveyed: there is a project to work on."""
        return self._project is not None or (self.folder / "project.json").is_file()

    @property
    def project(self) -> Project:
        """The project, opened when it is first asked for."""
        from cleanplate.projects.project import Project

        with self._lock:
            if self._project is None:
                if not self.is_open:
                    raise Refusal(409, f"{self.about.name} is still being opened; wait a moment.")
                self._project = Project.open(self.folder)
            return self._project

    @cached_property
    def info(self) -> VideoInfo:
        """What the clip's header says."""
        with open_clip(self.clip) as clip:
            return clip.info

    @property
    def results(self) -> Path:
        """The folder of what was removed."""
        return self.folder / "out"

    def touch(self) -> None:
        """Remember that somebody was here."""
        (self.folder / _ABOUT).touch()


class Sessions:
    """All projects of a folder, by id. Nothing lists them for others."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: OrderedDict[str, Session] = OrderedDict()
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def new_folder(self) -> Path:
        """An empty folder with an unguessable name."""
        folder = self._folder / secrets.token_urlsafe(16)
        folder.mkdir(mode=0o700)
        return folder

    def begin(self, folder: Path, name: str, clip: Path, uploaded: bool) -> Session:
        """Make ``folder``, from ``new_folder``, the project of ``clip``."""
        about = About(name, str(clip.resolve()), uploaded)
        write_text(folder / _ABOUT, json.dumps(asdict(about), indent=1))
        return self.get(folder.name)

    def get(self, session_id: str) -> Session:
        """The project behind a link.

        Raises:
            Refusal: there is none.
        """
        folder = self._folder / session_id
        if not _ID.fullmatch(session_id) or not (folder / _ABOUT).is_file():
            raise Refusal(
                404,
                "This link's project is not here any more. Open the clip again; projects lie in "
                f"{self._folder}.",
            )
        with self._lock:
            if session_id not in self._known:
                self._known[session_id] = Session(folder)
            self._known.move_to_end(session_id)
            while len(self._known) > _OPEN:
                self._known.popitem(last=False)
            return self._known[session_id]

    def delete(self, session: Session) -> None:
        """Remove a project and all that was made for it; the user's own clip stays."""
        with self._lock:
            self._known.pop(session.id, None)
        shutil.rmtree(session.folder)

    def folders(self) -> list[Path]:
        """Every project's folder, for cleaning up."""
        return [
            folder
            for folder in self._folder.iterdir()
            if folder.is_dir() and _ID.fullmatch(folder.name)
        ]

    @staticmethod
    def last_seen(folder: Path) -> float:
        """When somebody last opened the project in ``folder``, in seconds of ``time.time``."""
        about = folder / _ABOUT
        return about.stat().st_mtime if about.exists() else folder.stat().st_mtime
