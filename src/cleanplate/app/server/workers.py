"""Worker processes; one more may wait with all imported, so that the next job begins at once."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from pathlib import Path

_LAST_WAIT = 5.0  # seconds that a waiting worker is given to end


class Workers:
    """Starts the process of a job."""

    def __init__(self, spare: bool) -> None:
        """``spare`` says whether a worker waits for the next job."""
        self._wanted = spare
        self._lock = threading.Lock()
        self._spare: subprocess.Popen[str] | None = None

    def start(self, folder: Path, job_id: str) -> subprocess.Popen[str]:
        """A process that does the job of the project in ``folder``.

        Raises:
            OSError: the project was removed, or the machine is full.
        """
        (folder / "jobs" / f"{job_id}.log").touch()  # raises where the project was removed
        order = json.dumps({"folder": str(folder), "job": job_id}) + "\n"
        with self._lock:
            waiting, self._spare = self._spare, None
        process = waiting or _process()
        try:
            _tell(process, order)
        except BrokenPipeError:
            if waiting is None:
                raise
            _end(waiting)  # the one that waited has ended
            process = _process()
            _tell(process, order)
        self.prepare()
        return process

    def prepare(self) -> None:
        """Have a worker wait, if one is to."""
        with self._lock:
            if self._wanted and self._spare is None:
                self._spare = _process()

    def close(self) -> None:
        """End the one that waits; none waits any more."""
        with self._lock:
            self._wanted, waiting, self._spare = False, self._spare, None
        if waiting is not None:
            _end(waiting)


def _process() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cleanplate.app.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def _tell(process: subprocess.Popen[str], order: str) -> None:
    assert process.stdin is not None  # a pipe
    process.stdin.write(order)
    process.stdin.flush()


def _end(process: subprocess.Popen[str]) -> None:
    """The end of its stdin ends a worker."""
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
    try:
        process.wait(_LAST_WAIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
