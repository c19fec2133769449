"""Progress of a worker: JSON lines on stdout and in the job's file; stopped through stdin."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

from cleanplate.app import jobs
from cleanplate.errors import CancelledError
from cleanplate.files.publish import publishing
from cleanplate.progress import Progress

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
        """See ``Progress``; raises CancelledError when the work is to stop."""
        self.check()
        self._recent.clear()
        self._job.update({"stage": stage, "total": total, "done": done, "rate": None, "left": None})
        self._job.frame = None
        self._publish()

    def advance(self) -> None:
        """See ``Progress``; raises CancelledError when the work is to stop."""
        job, now = self._job, time.monotonic()
        job.done += 1
        self._recent.append((now, job.done))
        while now - self._recent[0][0] > _RECENT:
            self._recent.popleft()
        self.check()

    def at(self, frame: int) -> None:
        """See ``Progress``."""
        self._job.frame = frame

    def show(self, picture: Any) -> None:
        """Keep a small still of what was filled, now and then."""
        from cleanplate.app.server.frames import jpeg, narrowed

        if time.monotonic() - self._looked < _GLANCE:
            return
        self._looked = time.monotonic()
        with publishing(jobs.glance_of(self._folder, self._job.id)) as draft:
            draft.write_bytes(jpeg(narrowed(picture.rgb(), _GLANCE_WIDTH)))
        self._job.shown = picture.index

    def finish(self) -> None:
        """See ``Progress``; raises CancelledError when the work is to stop."""
        self.check()

    def note(self, message: str) -> None:
        """See ``Progress``; each sentence is kept once."""
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
        """Say how the job ended: a state of ``jobs`` and a sentence."""
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
