"""What a person sees of a batch: one bar for all of it, one line for each clip."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Self

from cleanplate.batch.run import Watch

if TYPE_CHECKING:
    from cleanplate.batch.faults import Fault
    from cleanplate.batch.schedule import Settled, Step
    from cleanplate.batch.summary import Summary

_MOST = 3  # clips at work that are named beside the bar


class BatchBars(Watch):
    """On stderr; a set-aside clip is told even when quiet."""

    def __init__(self, quiet: bool, price: float | None) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._quiet, self._price = quiet, price
        self.console = Console(stderr=True, quiet=quiet, highlight=False)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[told]}"),
            console=self.console,
            disable=quiet or not sys.stderr.isatty(),
        )
        self._task: Any = None
        self._began = time.monotonic()
        self._frames = 0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def cluster(self, machines: int, cpus: float, gpus: float, dashboard: str) -> None:
        """Say what works."""
        parts = [f"{machines} {'machine' if machines == 1 else 'machines'}", f"{cpus:g} CPUs"]
        parts += [f"{gpus:g} GPUs"] if gpus else []
        parts += [f"dashboard {dashboard}"] if dashboard else []
        self.console.print(", ".join(parts), soft_wrap=True)

    def begin(self, count: int) -> None:
        """See ``Watch``."""
        self._began = time.monotonic()
        self._task = self._bars.add_task("Clips", total=count, told="")

    def settled(self, settled: Settled) -> None:
        """See ``Watch``: a line."""
        self._bars.advance(self._task)
        name, record = settled.order.out, settled.record
        if record is None:
            assert settled.fault is not None
            line = f"{name}: set aside: {settled.fault.sentence} Log: logs/{name}/"
            if self._quiet:
                print(line, file=sys.stderr)
        elif settled.again:
            line = f"{name}: done before"
        elif record.nothing_found:
            line = f"{name}: nothing to remove was found"
        else:
            self._frames += record.frames
            line = f"{name}: {record.frames} frames in {record.seconds:.1f} s"
            if record.doubts:
                count = len(record.doubts)
                line += f", {count} stretch{'' if count == 1 else 'es'} worth a look"
        self.console.print(line, soft_wrap=True, markup=False)

    def retried(self, step: Step, fault: Fault) -> None:
        """See ``Watch``: a line."""
        self.console.print(
            f"{step.order.out}: {step.title} is tried again: {fault.sentence}",
            soft_wrap=True,
            markup=False,
        )

    def places(self, places: dict[tuple[str, str], tuple[str, int, int]]) -> None:
        """See ``Watch``: beside the bar."""
        working = sum(done for stage, done, _ in places.values() if stage == "inpaint")
        seconds = max(time.monotonic() - self._began, 1e-9)
        told = [f"{(self._frames + working) / seconds:.1f} fps"]
        if self._price is not None:
            told.append(f"{seconds / 3600 * self._price:.2f} spent")
        for (name, _), (stage, done, total) in list(places.items())[:_MOST]:
            share = f" {done / total:.0%}" if total else ""
            told.append(f"{name} {stage}{share}")
        if self._task is not None:
            self._bars.update(self._task, told=", ".join(told))

    def note(self, message: str) -> None:
        """See ``Watch``: a line."""
        self.console.print(message, soft_wrap=True, markup=False)

    def conclude(self, summary: Summary, out: str) -> None:
        """Say what became of all clips, and where to look."""
        totals = summary.totals()
        cost = "" if totals["cost"] is None else f", {totals['cost']:.2f} spent"
        self.console.print(
            f"{totals['done']} of {totals['clips']} clips done in {totals['seconds']:.1f} s"
            f" ({totals['frames a second']:g} fps{cost}), {totals['done before']} done before,"
            f" {totals['set aside']} set aside: {out.rstrip('/')}/summary.html",
            soft_wrap=True,
            markup=False,
        )
