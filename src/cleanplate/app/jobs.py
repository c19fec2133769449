"""A job as the page sees it, and its file, which the server and the worker both read."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from cleanplate.files.publish import write_text

QUEUED, RUNNING, STOPPING = "queued", "running", "stopping"
STOPPED, DONE, FAILED = "stopped", "done", "failed"
FINAL = (STOPPED, DONE, FAILED)
ALIVE = 5.0  # seconds after its last sign of life for which a worker is believed to live


@dataclass(slots=True)
class Job:
    """Something that takes long. ``args`` say all that the worker needs."""

    id: str
    kind: str
    """``open``, ``proxy``, ``suggest``, ``attached``, ``damage``, ``track``, ``try``, ``remove``,
    ``crop``, ``retarget``, ``order`` or ``fetch``."""
    args: dict[str, Any] = field(default_factory=dict)
    created: float = field(default_factory=time.time)
    state: str = QUEUED
    stage: str = ""
    done: int = 0
    total: int | None = None
    rate: float | None = None
    """Frames a second, of late."""
    left: float | None = None
    """Seconds to the end of this stage."""
    part: float | None = None
    """How much of this stage is done, 0..1, by what it is expected to take; never falls."""
    frame: int | None = None
    """The last frame that was done, where the stage goes through frames in order."""
    shown: int | None = None
    """The frame of the still that ``glance_of`` has: one that was filled a moment ago."""
    sentence: str = ""
    notes: list[str] = field(default_factory=list)
    beat: float = 0.0
    """The worker's last sign of life, in seconds of ``time.time``."""
    place: int | None = None
    """How many jobs run or wait before this one, while it waits."""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, well or not."""
        return self.state in FINAL

    @property
    def result(self) -> str | None:
        """Name of the result that it makes."""
        about = self.args.get("about")
        return None if about is None else about["name"]

    def as_json(self) -> dict[str, Any]:
        """What the page gets."""
        command = self.args.get("about", {}).get("command", "")
        shown = asdict(self) | {"result": self.result, "command": command}
        for private in ("args", "beat"):
            del shown[private]
        return shown

    def update(self, values: dict[str, Any]) -> None:
        """Set fields by name."""
        for name, value in values.items():
            setattr(self, name, value)


def path_of(folder: Path, job_id: str) -> Path:
    """Where the job lies in the project in ``folder``."""
    return folder / "jobs" / f"{job_id}.json"


def glance_of(folder: Path, job_id: str) -> Path:
    """Where a worker keeps a still of what it filled last."""
    return folder / "jobs" / f"{job_id}.jpg"


def save(folder: Path, job: Job) -> None:
    """Write the job's file in the project's folder."""
    write_text(path_of(folder, job.id), json.dumps(asdict(job), indent=1))


def load(path: Path) -> Job:
    """The job that a file tells of."""
    values = json.loads(path.read_text(encoding="utf-8"))
    known = {listed.name for listed in fields(Job)}
    return Job(**{name: value for name, value in values.items() if name in known})


def all_of(folder: Path) -> list[Job]:
    """The project's jobs, oldest first."""
    jobs = [load(path) for path in (folder / "jobs").glob("[!.]*.json")]
    return sorted(jobs, key=lambda job: job.created)


def is_alive(job: Job) -> bool:
    """Whether a worker, of this server or one before it, gave a sign of life just now."""
    return not job.is_over and time.time() - job.beat < ALIVE
