"""What a person sees while a job runs and when it is done."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cleanplate.jobs.progress import Progress

if TYPE_CHECKING:
    from cleanplate.jobs.report import Report

_TITLES = {
    "survey": "Looking at the clip",
    "segment": "Outlining",
    "suggest": "Comparing",
    "track": "Following",
    "masks": "Reading masks",
    "inpaint": "Painting the background",
    "write": "Writing",
    "evaluate": "Evaluating clips",
}


class Bars(Progress):
    """A bar for each stage on stderr, with rate and time left; sentences as they come."""

    def __init__(self, quiet: bool = False) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            ProgressColumn,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as RichProgress
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Any) -> Text:
                speed = task.finished_speed or task.speed
                return Text("" if speed is None or task.total is None else f"{speed:.1f} fps")

        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self._bars = RichProgress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task: Any = None

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        title = _TITLES.get(stage, stage)
        self._task = self._bars.add_task(title, total=total, completed=done)
        if self._bars.disable:
            self.console.print(f"{title} ...")

    def advance(self) -> None:
        self._bars.advance(self._task)

    def finish(self) -> None:
        done = self._bars.tasks[-1].completed if self._bars.tasks else 0
        self._bars.update(self._task, total=done or 1, completed=done or 1)

    def note(self, message: str) -> None:
        self.console.print(message, soft_wrap=True)


def conclude(report: Report, bars: Bars, as_json: bool) -> None:
    """Say what was made, and which frames to look at."""
    if as_json:
        print(json.dumps(asdict(report), indent=1, default=str))
        return
    spent = sum(report.seconds.values())
    bars.console.print(
        f"{report.output}: {report.frame_count} frames in {spent:.1f} s", soft_wrap=True
    )
    doubtful = report.doubtful()
    if doubtful:
        listed = ", ".join(str(frame["frame"]) for frame in doubtful)
        bars.console.print(f"Worth a look (least sure first): frames {listed}", soft_wrap=True)
