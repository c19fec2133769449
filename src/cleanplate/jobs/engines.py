"""The engines of one job: each made once, noted in the report, its licence told."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cleanplate.jobs.report import Report
from cleanplate.progress import Progress
from cleanplate.protocols import Runtime, Task
from cleanplate.runtime import MakeEngine, make_engine
from cleanplate.settings.groups import Settings


class JobEngines:
    """Makes engines and keeps them; ``make`` stands in for ``runtime.make_engine``."""

    def __init__(
        self, report: Report, progress: Progress, make_one: MakeEngine = make_engine
    ) -> None:
        """``make_one`` constructs an engine, or gives one that the program has already."""
        self._report, self._progress, self._make_one = report, progress, make_one
        self._made: dict[tuple[Task, str], tuple[Any, Runtime]] = {}

    def make(self, task: Task, name: str, settings: Settings) -> tuple[Any, Runtime]:
        """See ``runtime.make_engine``; all calls of a job give the same settings."""
        if (task, name) not in self._made:
            engine, runtime = self._make_one(task, name, settings)
            self._made[task, name] = engine, runtime
            # Objects may have trackers of their own: the first is the task's, others are named.
            taken = task in self._report.engines
            self._report.engines[f"{task} {name}" if taken else task] = {
                "name": name,
                "settings": asdict(engine.settings),
                "runtime": asdict(runtime),
            }
            if not engine.about.commercial:
                free = "; flowfill has no such limit." if task == "inpaint" else "."
                self._progress.note(
                    f"The weights of {name} may not be used commercially ({engine.about.licence})"
                    f"{free}"
                )
        return self._made[task, name]
