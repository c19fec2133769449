"""A step as a worker process carries it out: engines kept, progress told, faults written down."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import cv2

from cleanplate.batch import steps, storage
from cleanplate.batch.faults import Fault, fault_of
from cleanplate.batch.schedule import Step
from cleanplate.batch.steps import Batch
from cleanplate.progress import Progress
from cleanplate.protocols import Runtime, Task
from cleanplate.runtime import make_engine
from cleanplate.settings.groups import Settings

_PAUSE = 0.5  # seconds between two messages on one stage
_MOST_ENGINES = 4

Tell = Callable[[str, str, str, int, int], None]
"""``tell(name, step, stage, done, total)``: where the work on a clip is."""

_kept: dict[str, tuple[Any, Runtime]] = {}


def kept_engine(task: Task, name: str, settings: Settings) -> tuple[Any, Runtime]:
    """``runtime.make_engine``, but each engine is made once in this process.

    Engines do not change after they were made, and may serve any number of clips.
    """
    fields = settings.engine_fields.get(name, {})
    key = json.dumps([task, name, asdict(settings.engines), fields], sort_keys=True)
    if key not in _kept:
        while len(_kept) >= _MOST_ENGINES:
            _kept.pop(next(iter(_kept)))
        _kept[key] = make_engine(task, name, settings)
    return _kept[key]


class Told(Progress):
    """Tells the driver where a step is, not too often, and keeps what was noted."""

    def __init__(self, name: str, title: str, tell: Tell) -> None:
        self._name, self._title, self._tell = name, title, tell
        self._stage, self._done, self._total = "", 0, 0
        self._latest = 0.0
        self.notes: list[str] = []

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        """See ``Progress``."""
        self._stage, self._done, self._total = stage, done, total or 0
        self._send()

    def advance(self) -> None:
        """See ``Progress``."""
        self._done += 1
        if time.monotonic() - self._latest >= _PAUSE:
            self._send()

    def finish(self) -> None:
        """See ``Progress``."""
        self._send()

    def note(self, message: str) -> None:
        """See ``Progress``."""
        self.notes.append(message)

    def _send(self) -> None:
        self._latest = time.monotonic()
        self._tell(self._name, self._title, self._stage, self._done, self._total)


def carry_out(batch: Batch, step: Step, tell: Tell) -> Any:
    """Do ``step``; what it returns, or a ``Fault``. A fault's log lies in the output's storage."""
    cv2.setNumThreads(max(1, round(step.needs.cpus)))  # torch is told by Ray, through OpenMP
    told = Told(step.order.out, step.title, tell)
    began = time.strftime("%Y-%m-%d %H:%M:%S")
    try:
        return _result(batch, step, told)
    except Exception as error:  # noqa: BLE001  whatever it was, the other clips go on
        fault = fault_of(error)
        if not fault.waits:
            _write_log(batch, step, fault, told.notes, began)
        return fault


def _result(batch: Batch, step: Step, told: Told) -> Any:
    order = step.order
    if step.kind == "look":
        return steps.look(batch, order)
    if step.kind == "whole":
        return steps.whole(batch, order, step.mark, told, kept_engine)
    if step.kind == "prepare":
        return steps.prepare(batch, order, step.mark, told, kept_engine)
    if step.kind == "fill":
        return steps.fill(batch, order, step.numbers, told, kept_engine)
    return steps.join(batch, order, step.mark, step.spent, told, kept_engine)


def _write_log(batch: Batch, step: Step, fault: Fault, notes: list[str], began: str) -> None:
    lines = [
        fault.sentence,
        "",
        f"clip: {step.order.clip}",
        f"step: {step.title}, try {step.tries + 1}, on {platform.node()}",
        f"began: {began}",
        f"failed: {time.strftime('%Y-%m-%d %H:%M:%S')}",
        *(f"note: {note}" for note in notes),
        "",
        fault.trace,
    ]
    try:
        storage.write_text(batch.log_at(step.order.out, step.title), "\n".join(lines))
    except Exception as error:  # noqa: BLE001  the fault itself matters more than its log
        print(f"The log of {step.order.out} cannot be written: {error}", file=sys.stderr)
