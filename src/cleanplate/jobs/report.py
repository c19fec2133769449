"""What a job did: settings, versions, times, frames, states, checksums."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cleanplate.files.publish import write_text
from cleanplate.jobs.stages.unseen import UnseenStretch
from cleanplate.progress import Progress
from cleanplate.tracks.doubts import Doubt, due_sentence, of_report

_LIBRARIES = ("cleanplate", "numpy", "opencv-python-headless", "av")


def versions() -> dict[str, str]:
    """Python's version and those of the libraries that make the pixels."""
    return {"python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in _LIBRARIES
    }


@dataclass(slots=True)
class Report:
    """Filled while a job runs; ``write`` gives it as JSON."""

    command: str
    source: str
    output: str
    settings: dict[str, Any]
    versions: dict[str, str] = field(default_factory=versions)
    engines: dict[str, Any] = field(default_factory=dict)
    resumed: bool = False
    frame_count: int = 0
    """Frames in the output."""
    first_frame: int = 0
    """Index in the source of the output's first frame."""
    shot_cuts: list[int] = field(default_factory=list)
    """First frame, in the source, of each shot but the first."""
    overlays: list[dict[str, Any]] = field(default_factory=list)
    """For each still box whether its letters or all of it was removed, and why."""
    regions: list[dict[str, int]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    """For each frame its time, and the confidence, state and area in px of each object."""
    prompts_due: list[dict[str, int]] = field(default_factory=list)
    """Where an object was given up: the ``frame`` by which a prompt for ``object`` is due,
    and the stretch, ``first`` to ``last``, without it."""
    unseen: list[UnseenStretch] = field(default_factory=list[UnseenStretch])
    """Stretches, ``first`` to ``last``, in which a ``share`` (0..1) of what was filled is shown by
    no frame; empty, too, where the engine cannot tell."""
    attached: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """For each object and kind that was asked for what was proposed: ``object``, ``kind``,
    ``confidence`` (0..1), whether it was ``taken``, and which share of it was ``undone``."""
    damage: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """What restoration proposed: ``kind``, first frame ``start``, ``stop``, ``box``,
    ``confidence``."""
    encoding: Any = None
    streams: list[dict[str, Any]] = field(default_factory=list)
    """What became of the clip's other streams: copied, written anew, encoded or left out."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall-clock seconds of each stage of this run; what an earlier run did is not in it."""
    warnings: list[str] = field(default_factory=list)
    checksums: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the source and the output."""

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        write_text(path, json.dumps(asdict(self), indent=1, default=str) + "\n")

    def warn(self, message: str) -> None:
        """Keep a sentence that the user should read, once."""
        if message not in self.warnings:
            self.warnings.append(message)

    def doubtful(self) -> list[Doubt]:
        """The stretches of frames that a person should look at, worst first."""
        return of_report(self.frames, self.shot_cuts)

    def tell_prompts_due(self, doubtful: Sequence[Doubt]) -> list[str]:
        """Fill ``prompts_due`` from what is ``doubtful``; the sentences that say it."""
        due = [(doubt.due, doubt) for doubt in doubtful if doubt.due is not None]
        self.prompts_due = [
            {"object": doubt.object_id, "frame": frame, "first": doubt.first, "last": doubt.last}
            for frame, doubt in due
        ]
        return [due_sentence(doubt, f"object {doubt.object_id}") for _, doubt in due]


class Timed(Progress):
    """Passes everything on and writes each stage's seconds into a report."""

    def __init__(self, inner: Progress, report: Report) -> None:
        self._inner, self._report = inner, report
        self._stage, self._began = "", 0.0

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        """See ``Progress``."""
        self._stage, self._began = stage, time.perf_counter()
        self._inner.start(stage, total, done)

    def advance(self) -> None:
        """See ``Progress``."""
        self._inner.advance()

    def at(self, frame: int) -> None:
        """See ``Progress``."""
        self._inner.at(frame)

    def show(self, picture: Any) -> None:
        """See ``Progress``."""
        self._inner.show(picture)

    def finish(self) -> None:
        """See ``Progress``; the stage's seconds go into the report."""
        spent = time.perf_counter() - self._began
        seconds = self._report.seconds
        seconds[self._stage] = round(seconds.get(self._stage, 0.0) + spent, 3)
        self._inner.finish()

    def note(self, message: str) -> None:
        """See ``Progress``; the sentence goes into the report."""
        self._report.warn(message)
        self._inner.note(message)

    def warn(self, message: str) -> None:
        """Keep a sentence that the user should read, once."""
        self._report.warn(message)
        self._inner.warn(message)
