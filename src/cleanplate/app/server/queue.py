"""Workers, one at a time on a device, and the queue before them.

Lanes are apart: ``device`` has the work that fills the machine (track, try, remove), ``light``
what a person waits for before the first click (opening, proxies, proposals), ``loading`` fetches
weights. So nobody's removal keeps another from beginning.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from cleanplate.app import jobs
from cleanplate.app.jobs import Job
from cleanplate.app.sentences import told
from cleanplate.app.server.workers import Workers

LANES = {"device": 1, "light": 2, "loading": 1}
_LIGHT = frozenset({"open", "proxy", "suggest"})
_LOADING = frozenset({"fetch"})
_log = logging.getLogger("cleanplate.app")


@dataclass(eq=False)
class _Task:
    folder: Path
    job: Job
    process: subprocess.Popen[str] | None = None
    is_wanted: bool = True
    over: threading.Event = field(default_factory=threading.Event)


class Queue:
    """Takes jobs, starts their workers in turn, stops them."""

    def __init__(
        self,
        grace: float,
        ended: Callable[[Path, Job], None] = lambda folder, job: None,
        spare: bool = False,
    ) -> None:
        """
        Args:
            grace: seconds that a worker has to stop by itself.
            ended: called with each job that is over, and its project's folder.
            spare: whether a worker waits with all imported, so that jobs begin sooner.
        """
        self._grace, self._ended = grace, ended
        self._workers = Workers(spare)
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[_Task]] = {lane: deque() for lane in LANES}
        self._running: dict[str, list[_Task]] = {lane: [] for lane in LANES}
        self._closed = False
        self._threads = [
            threading.Thread(target=self._serve, args=(lane,), daemon=True)
            for lane, width in LANES.items()
            for _ in range(width)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, folder: Path, job: Job) -> None:
        """Let ``job`` of the project in ``folder`` wait its turn."""
        job.update({"state": jobs.QUEUED, "sentence": "", "beat": time.time()})
        jobs.save(folder, job)
        with self._changed:
            self._waiting[_lane(job)].append(_Task(folder, job))
            self._renumber()
            self._changed.notify_all()

    def make_ready(self) -> None:
        """Have a worker wait for the first job, if one is to."""
        self._workers.prepare()

    def live(self, folder: Path) -> list[Job]:
        """Jobs of the project in ``folder`` that wait or run, oldest first."""
        with self._changed:
            jobs = [task.job for task in self._tasks() if task.folder == folder]
        return sorted(jobs, key=lambda job: job.created)

    def stop(self, folder: Path, job_id: str) -> bool:
        """Ask a job to stop; False when it neither waits nor runs.

        It is ``stopping`` until its worker says ``stopped``, or was killed after the grace.
        """
        with self._changed:
            matching = [t for t in self._tasks() if t.folder == folder and t.job.id == job_id]
            if not matching:
                return False
            task = matching[-1]  # one before it may have said that it is over and not have gone yet
            task.is_wanted = False
            if task.process is None:
                self._waiting[_lane(task.job)].remove(task)
                self._renumber()
                self._conclude(task, jobs.STOPPED, "Stopped before it began.")
                return True
            task.job.state = jobs.STOPPING
        self._say_stop(task)
        return True

    def arrange(self, folders: Sequence[Path]) -> None:
        """Let the waiting jobs of these projects take, in this order, the places they have now.

        Jobs of other projects keep theirs: nobody is overtaken by who does not know of them.
        """
        rank = {folder: place for place, folder in enumerate(folders)}
        with self._changed:
            for waiting in self._waiting.values():
                tasks = list(waiting)
                places = [n for n, task in enumerate(tasks) if task.folder in rank]
                moved = sorted((tasks[n] for n in places), key=lambda task: rank[task.folder])
                for place, task in zip(places, moved, strict=True):
                    tasks[place] = task
                waiting.clear()
                waiting.extend(tasks)
            self._renumber()

    def wait(self, folder: Path, seconds: float) -> bool:
        """Wait until no job of the project is left; False when that takes longer."""
        end = time.monotonic() + seconds
        with self._changed:
            tasks = [task for task in self._tasks() if task.folder == folder]
        return all(task.over.wait(max(0.0, end - time.monotonic())) for task in tasks)

    def close(self, seconds: float = 5.0) -> None:
        """Stop all workers; those that do not stop within ``seconds`` stop by themselves later."""
        with self._changed:
            self._closed = True
            running = [task for lane in self._running.values() for task in lane]
            for lane in self._waiting.values():
                while lane:
                    self._conclude(lane.popleft(), jobs.STOPPED, "The server was stopped.")
            self._changed.notify_all()
        for task in running:
            self._say_stop(task)
        self._workers.close()
        end = time.monotonic() + seconds
        for task in running:
            task.over.wait(max(0.0, end - time.monotonic()))

    # --- within ---

    def _tasks(self) -> list[_Task]:
        lanes = (*self._running.values(), *self._waiting.values())
        return list(itertools.chain.from_iterable(lanes))

    def _renumber(self) -> None:
        for lane, waiting in self._waiting.items():
            for ahead, task in enumerate(waiting, len(self._running[lane])):
                task.job.place = ahead

    def _serve(self, lane: str) -> None:
        while True:
            with self._changed:
                while not self._waiting[lane] and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                task = self._waiting[lane].popleft()
                self._running[lane].append(task)
                task.job.place = None
                task.job.state = jobs.RUNNING
                try:
                    task.process = self._workers.start(task.folder, task.job.id)
                except OSError as error:  # the project was removed, or the machine is full
                    self._conclude(task, jobs.FAILED, told(error)[1])
                self._renumber()
            try:
                if task.process is not None:
                    self._follow(task, task.process)
            finally:
                with self._changed:
                    self._running[lane].remove(task)
                    self._renumber()
                task.over.set()
                self._ended(task.folder, task.job)

    def _follow(self, task: _Task, process: subprocess.Popen[str]) -> None:
        """Take what the worker says until it is gone."""
        assert process.stdout is not None  # a pipe
        for line in process.stdout:
            with contextlib.suppress(json.JSONDecodeError):  # the last line of a killed worker
                task.job.update(json.loads(line))
            if not task.is_wanted and not task.job.is_over:
                task.job.state = jobs.STOPPING
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                _close(pipe)
        if not task.job.is_over:
            _log.error("worker of %s %s ended with %s", task.job.kind, task.job.id, code)
            if task.is_wanted:
                sentence = "The work ended unexpectedly. What is done is kept: go on, or try again."
                self._conclude(task, jobs.FAILED, sentence)
            else:
                self._conclude(task, jobs.STOPPED, "Stopped. What is done is kept.")

    def _conclude(self, task: _Task, state: str, sentence: str) -> None:
        end = {"state": state, "sentence": sentence, "place": None, "left": None}
        if task.folder.is_dir():  # a project may be deleted while its worker is killed
            jobs.save(task.folder, replace(task.job, **end))
        task.job.update(end)  # when it is written: whoever sees it may go on with it at once
        task.over.set()

    def _say_stop(self, task: _Task) -> None:
        process = task.process
        assert process is not None  # only running tasks are told
        with contextlib.suppress(OSError):  # it has gone already
            _close(process.stdin)
        timer = threading.Timer(self._grace, process.kill)
        timer.daemon = True
        timer.start()


def _close(pipe: IO[str] | None) -> None:
    if pipe is not None:
        pipe.close()


def _lane(job: Job) -> str:
    if job.kind in _LOADING:
        return "loading"
    return "light" if job.kind in _LIGHT else "device"
