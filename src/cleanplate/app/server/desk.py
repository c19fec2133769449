"""What every route works with: the options, the projects, their work, their frames."""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cleanplate.app.jobs import DONE, Job
from cleanplate.app.sentences import Refusal
from cleanplate.app.server.clips import Clips
from cleanplate.app.server.engines import device
from cleanplate.app.server.frames import Frames
from cleanplate.app.server.latest import Latest
from cleanplate.app.server.options import Options
from cleanplate.app.server.queue import Queue
from cleanplate.app.server.work import Work
from cleanplate.app.sessions import Session, Sessions
from cleanplate.app.speeds import Speeds


class Desk:
    """One server's things."""

    def __init__(self, options: Options) -> None:
        self.options = options
        options.temporary.mkdir(parents=True, exist_ok=True)
        self.sessions = Sessions(options.projects)
        self.queue = Queue(options.grace, self._go_on, options.spare)
        self.work = Work(self.queue)
        self.frames = Frames()
        self.speeds = Speeds(options.folder)
        self.filling = Latest()
        """The previews of frames that are being filled, by project."""
        self.clips = Clips(options, self.sessions, self.work)

    def _go_on(self, folder: Path, job: Job) -> None:
        """A clip that was opened is made ready to play."""
        if job.kind == "open" and job.state == DONE:
            self.work.make_proxy(self.sessions.get(folder.name))

    def about(self) -> dict[str, Any]:
        """What the page knows before there is a project."""
        return {
            "version": version("cleanplate"),
            "folder": str(self.options.folder),
            "max_upload": self.options.max_upload,
            "device": device(),
            "sample": find_spec("skimage") is not None,
            "local": self.options.is_local,
        }

    def delete(self, session: Session) -> None:
        """Stop what a project does and remove it.

        Raises:
            Refusal: its worker does not stop in time.
        """
        if not self.work.clear(session, self.options.grace + 5):
            raise Refusal(409, f"{session.about.name} is still being worked on; try again.")
        self.frames.forget(session.folder)
        self.sessions.delete(session)
