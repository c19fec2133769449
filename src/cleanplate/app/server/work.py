"""The jobs of projects: beginning, finding again after a restart, going on, discarding."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cleanplate.app import disk, jobs
from cleanplate.app.jobs import Job
from cleanplate.app.results import Results
from cleanplate.app.sentences import Refusal
from cleanplate.app.server.queue import Queue
from cleanplate.app.sessions import Session
from cleanplate.types import VideoInfo

PROXY = "proxy.mp4"
FETCH = "fetch"
_BESIDE = frozenset({"proxy", FETCH})  # kinds of jobs that other work goes on beside
_NAMES = {
    "open": "Opening",
    "suggest": "Searching for logos",
    "attached": "Searching for shadows and reflections",
    "damage": "Searching for damage",
    "track": "Tracking",
    "try": "Trying",
    "remove": "Removing",
    "crop": "Planning the crop",
    "retarget": "Reframing",
}


class Work:
    """What runs, waits or was left for each project."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._beginning = threading.Lock()

    def current(self, session: Session) -> Job | None:
        """The project's job as the page shows it: the latest that others wait for."""
        live = [job for job in self._queue.live(session.folder) if job.kind not in _BESIDE]
        if live:
            return live[-1]
        left = [job for job in jobs.all_of(session.folder) if job.kind not in _BESIDE]
        return _as_left(left[-1]) if left else None

    def fetching(self, session: Session) -> Job | None:
        """The job that fetches weights, under way or the latest; None: nobody asked for any."""
        live = [job for job in self._queue.live(session.folder) if job.kind == FETCH]
        if live:
            return live[-1]
        left = [job for job in jobs.all_of(session.folder) if job.kind == FETCH]
        return _as_left(left[-1]) if left else None

    def fetch(self, session: Session, names: list[str]) -> Job:
        """Fetch weights while other work goes on; a second request joins the one under way."""
        with self._beginning:
            going = self.fetching(session)
            if going is not None and not going.is_over:
                return going
            for left in jobs.all_of(session.folder):
                if left.kind == FETCH:
                    jobs.path_of(session.folder, left.id).unlink()
            job = new_job(FETCH, {"names": names})
            self._queue.submit(session.folder, job)
            return job

    def stop_fetching(self, session: Session) -> None:
        """Ask the fetching to stop; what came is kept."""
        job = self.fetching(session)
        if job is None or not self._queue.stop(session.folder, job.id):
            raise Refusal(409, "Nothing is being fetched.")

    def proxy(self, session: Session) -> Job | None:
        """The job that makes the clip's proxy; None when it is made, or nobody has begun it."""
        if (session.folder / PROXY).exists():
            return None
        live = [job for job in self._queue.live(session.folder) if job.kind == "proxy"]
        left = live or [job for job in jobs.all_of(session.folder) if job.kind == "proxy"]
        return left[-1] if left else None

    def make_proxy(self, session: Session) -> None:
        """Begin to make the clip's proxy, or go on with it, unless it is there or on its way."""
        if not session.is_open or (session.folder / PROXY).exists():
            return
        with self._beginning:
            if any(job.kind == "proxy" for job in self._queue.live(session.folder)):
                return
            left = self.proxy(session)
            if left is None or left.state != jobs.FAILED:  # a failed one would fail again
                self._queue.submit(session.folder, left or new_job("proxy", {}))

    def begin(self, session: Session, kind: str, args: dict[str, Any]) -> Job:
        """Let a job wait its turn.

        Raises:
            Refusal: another one of the project is under way.
        """
        self._check_free(session)
        job = new_job(kind, args)
        self._queue.submit(session.folder, job)
        return job

    def resume(self, session: Session) -> Job:
        """Go on with the job that stopped."""
        self._check_free(session)
        job = self.current(session)
        if job is None or job.state == jobs.DONE:
            raise Refusal(409, "There is nothing to go on with.")
        job = replace(job)  # the one that stopped may still be on its way out
        self._queue.submit(session.folder, job)
        return job

    def discard(self, session: Session) -> None:
        """Forget the job that stopped, and what it had made of a result."""
        self._check_free(session)
        job = self.current(session)
        if job is None:
            return
        if job.result is not None and job.state != jobs.DONE:
            Results(session.results).delete(job.result)
        for path in (session.folder / "jobs").glob(f"{job.id}.*"):
            path.unlink()

    def stop(self, session: Session) -> None:
        """Ask the project's job to stop; it says itself when it has."""
        job = self.current(session)
        if job is None or not self._queue.stop(session.folder, job.id):
            raise Refusal(409, "Nothing is running that could be stopped.")

    def arrange(self, sessions: Sequence[Session]) -> None:
        """Let what waits of these projects be done in this order; others keep their places."""
        self._queue.arrange([session.folder for session in sessions])

    def clear(self, session: Session, seconds: float) -> bool:
        """Stop everything of the project; False when that takes longer than ``seconds``."""
        for job in self._queue.live(session.folder):
            self._queue.stop(session.folder, job.id)
        return self._queue.wait(session.folder, seconds)

    def _check_free(self, session: Session) -> None:
        job = self.current(session)
        if job is None or job.is_over:
            return
        if job.kind == "open" and session.is_open:  # its worker is on its way out
            return
        name = _NAMES.get(job.kind, "The work")
        if job.state == jobs.STOPPING:
            raise Refusal(409, f"{name} is stopping; wait a moment.")
        raise Refusal(409, f"{name} is under way; wait for it, or stop it first.")


def new_job(kind: str, args: dict[str, Any]) -> Job:
    """A job of a kind, with an id of its own, that nobody has begun."""
    return Job(secrets.token_hex(6), kind, args)


def _as_left(job: Job) -> Job:
    """A job that no worker of this server does: its own may have ended with an earlier server."""
    if job.is_over:
        return job
    if jobs.is_alive(job):
        job.update({"state": jobs.STOPPING, "sentence": "Finishing what an earlier server began."})
        return job
    where = "" if job.total is None else f" at {job.done} of {job.total}"
    sentence = f"The server ended{where}. What is done is kept: go on from there."
    job.update({"state": jobs.STOPPED, "sentence": sentence, "place": None})
    return job


def check_disk(session: Session, frames: int, lossless: bool) -> None:
    """Raise a refusal unless there is room for a result of ``frames`` frames."""
    project = session.project
    share = frames / project.survey.count
    wanted = disk.needed(project.info, disk.size_of(session.clip), share, lossless)
    disk.check(session.folder, wanted, "Removing")


def check_room(folder: Path, clip: Path, info: VideoInfo, lossless: bool) -> None:
    """Raise a refusal unless there is room in ``folder`` for all of ``clip``, filled."""
    disk.check(folder, disk.needed(info, disk.size_of(clip), 1.0, lossless), "Removing")
