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
_ALMOST = 0.97  # of a stage that time alone makes done
_LEAST_LEFT = 0.2  # of the time for what is not counted yet that is left at least
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
        self._began, self._latest, self._first = time.monotonic(), 0.0, 0

    # --- what the work calls ---

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        """See ``Progress``; raises CancelledError when the work is to stop."""
        self.check()
        self._recent.clear()
        self._began, self._latest, self._first = time.monotonic(), 0.0, done
        self._job.update({"stage": stage, "total": total, "done": done, "rate": None, "left": None})
        self._job.update({"frame": None, "part": None})
        self._publish()

    def advance(self) -> None:
        """See ``Progress``; raises CancelledError when the work is to stop."""
        job, now = self._job, time.monotonic()
        job.done += 1
        self._latest = now
        self._recent.append((now, job.done))
        while now - self._recent[0][0] > _RECENT:
            self._recent.popleft()
        self.check()

    def reach(self, done: int, total: int | None) -> None:
        """``done`` of ``total`` bytes are here; raises CancelledError when the work is to stop."""
        now = time.monotonic()
        self._job.update({"done": done, "total": total})
        self._recent.append((now, done))
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
                self._tell_part()
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

    def _expected(self) -> float | None:
        """Seconds that the stage is expected to take in all; None where nothing is known.

        What earlier work took here counts until frames come, and less with each: engines that
        fill many frames together give them in bursts, with long pauses between.
        """
        job = self._job
        if job.total is None or job.total <= self._first:
            return None
        count, done = job.total - self._first, job.done - self._first
        usual = job.args.get("seconds_per_frame") if job.stage == "inpaint" else None
        measured = (self._latest - self._began) / done if done > 0 else None
        if usual is None or measured is None:
            each = usual if measured is None else measured
        else:
            weight = min(1.0, 2 * done / count)
            each = usual * (1 - weight) + measured * weight
        return None if each is None else each * count

    def _tell_part(self) -> None:
        """Say how far the stage is and what is left of it, moving on between frames, too."""
        job, expected = self._job, self._expected()
        if expected is None or job.total is None:
            return
        spent = time.monotonic() - self._began
        counted = (job.done - self._first) / (job.total - self._first)
        timed = min(spent / expected, _ALMOST) if expected > 0 else 0.0
        job.part = round(max(job.part or 0.0, counted, timed), 4)
        if job.stage == "inpaint":
            job.left = round(max(expected - spent, expected * (1 - counted) * _LEAST_LEFT, 0.5), 1)
