"""A process that does one job, which the first line of stdin names: ``{"folder": …, "job": …}``.

It tells where it is as JSON lines on stdout and in the job's file; another line or the end of stdin
stops it. So a worker whose server has gone stops by itself, and nothing that it finished is lost.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from cleanplate.app import jobs
from cleanplate.app.sentences import told
from cleanplate.app.sessions import Session
from cleanplate.app.worker.reporter import Reporter
from cleanplate.app.worker.tasks import TASKS
from cleanplate.errors import CancelledError


def run(folder: Path, job: jobs.Job, reporter: Reporter) -> None:
    """Do ``job`` and say how it ended."""
    try:
        sentence = TASKS[job.kind](folder, job, reporter)
        reporter.end(jobs.DONE, sentence)
    except CancelledError:
        is_counted = job.total is not None and job.kind != "fetch"  # whose bytes say nothing
        where = f" at {job.done} of {job.total}" if is_counted else ""
        reporter.end(jobs.STOPPED, f"Stopped{where}. What is done is kept.")
    except Exception as error:  # noqa: BLE001  the last door of the process
        about = Session(folder).about
        reporter.end(jobs.FAILED, told(error)[1].replace(about.clip, about.name))


def main() -> None:
    """Wait for the job that the server names, and do it."""
    # Ctrl-C in a terminal reaches the server's children too: it is the server's to stop them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    line = sys.stdin.readline()
    if not line:  # the server ended while this one waited
        os._exit(0)
    order = json.loads(line)
    folder, job_id = Path(order["folder"]), order["job"]
    log = os.open(folder / "jobs" / f"{job_id}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 2)
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
    main()
