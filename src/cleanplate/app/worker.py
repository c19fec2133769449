"""A process that does one job: ``python -m cleanplate.app.worker FOLDER JOB``.

It tells where it is as JSON lines on stdout and in the job's file; a line or the end of stdin stops
it. So a worker whose server has gone stops by itself, and nothing that it finished is lost.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from cleanplate.app import jobs
from cleanplate.app.sentences import told
from cleanplate.errors import CancelledError
from cleanplate.files.publish import publishing
from cleanplate.jobs.progress import Progress

_PULSE = 0.25  # seconds between two reports
_RECENT = 6.0  # seconds over which the rate is taken
_GLANCE, _GLANCE_WIDTH = 1.0, 960  # seconds between two stills of what was filled; px


class Reporter(Progress):
    """Progress as the server reads it; says stop where the work may be left."""

    def __init__(self, folder: Path, job: jobs.Job) -> None:
        self._folder, self._job = folder, job
        self._stop = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._recent: deque[tuple[float, int]] = deque()
        self._looked = -_GLANCE

    # --- what the work calls ---

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        self.check()
        self._recent.clear()
        self._job.update({"stage": stage, "total": total, "done": done, "rate": None, "left": None})
        self._job.frame = None
        self._publish()

    def advance(self) -> None:
        job, now = self._job, time.monotonic()
        job.done += 1
        self._recent.append((now, job.done))
        while now - self._recent[0][0] > _RECENT:
            self._recent.popleft()
        self.check()

    def at(self, frame: int) -> None:
        self._job.frame = frame

    def show(self, picture: Any) -> None:
        """Keep a small still of what was filled, now and then."""
        from cleanplate.app.frames import jpeg, narrowed

        if time.monotonic() - self._looked < _GLANCE:
            return
        self._looked = time.monotonic()
        with publishing(jobs.glance_of(self._folder, self._job.id)) as draft:
            draft.write_bytes(jpeg(narrowed(picture.rgb(), _GLANCE_WIDTH)))
        self._job.shown = picture.index

    def finish(self) -> None:
        self.check()

    def note(self, message: str) -> None:
        if message not in self._job.notes:
            self._job.notes = [*self._job.notes, message]

    def check(self) -> None:
        """Raise CancelledError when somebody wants the work to stop."""
        if self._stop.is_set():
            raise CancelledError("stopped")

    # --- what the process calls ---

    def listen(self) -> None:
        """Wait for a word, or for the server's end."""
        sys.stdin.readline()
        self._stop.set()

    def beat(self) -> None:
        """Tell where the work is until it is over."""
        while not self._over.wait(_PULSE):
            self._publish()

    def end(self, state: str, sentence: str) -> None:
        self._over.set()
        with self._lock:
            self._job.update({"state": state, "sentence": sentence, "rate": None, "left": None})
        self._publish()

    def _publish(self) -> None:
        with self._lock:
            job = self._job
            if not job.is_over:
                job.state = jobs.STOPPING if self._stop.is_set() else jobs.RUNNING
                job.rate, job.left = self._pace()
            job.beat = time.time()
            jobs.save(self._folder, job)
            try:
                print(json.dumps(dataclasses.asdict(job)), flush=True)
            except (BrokenPipeError, ValueError):
                # The server has gone: the file still tells, and stdin has ended as well.
                sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115

    def _pace(self) -> tuple[float | None, float | None]:
        recent = self._recent.copy()  # in one step: the work goes on meanwhile
        if len(recent) < 2 or recent[-1][0] - recent[0][0] < 0.2:
            return None, None
        rate = (recent[-1][1] - recent[0][1]) / (recent[-1][0] - recent[0][0])
        total, done = self._job.total, self._job.done
        left = None if total is None or rate <= 0 else round((total - done) / rate, 1)
        return round(rate, 2), left


def run(folder: Path, job: jobs.Job, reporter: Reporter) -> None:
    """Do ``job`` and say how it ended."""
    from cleanplate.app.sessions import Session
    from cleanplate.app.tasks import TASKS

    try:
        sentence = TASKS[job.kind](folder, job, reporter)
        reporter.end(jobs.DONE, sentence)
    except CancelledError:
        where = "" if job.total is None else f" at {job.done} of {job.total}"
        reporter.end(jobs.STOPPED, f"Stopped{where}. What is done is kept.")
    except Exception as error:  # noqa: BLE001  the last door of the process
        about = Session(folder).about
        reporter.end(jobs.FAILED, told(error)[1].replace(about.clip, about.name))


def main(arguments: list[str]) -> None:
    """Do the job that the server named."""
    # Ctrl-C in a terminal reaches the server's children too: it is the server's to stop them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    folder, job_id = Path(arguments[0]), arguments[1]
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    job = jobs.load(jobs.path_of(folder, job_id))
    job.update({"state": jobs.RUNNING, "sentence": "", "place": None})
    reporter = Reporter(folder, job)
    for loop in (reporter.listen, reporter.beat):
        threading.Thread(target=loop, daemon=True).start()
    run(folder, job, reporter)
    sys.stdout.flush()
    # Threads in the middle of a long computation would hold the process up.
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
