"""Machines that are this process: the driver and the steps without Ray."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cleanplate.batch.schedule import Step
from cleanplate.batch.steps import Batch
from cleanplate.batch.worker import carry_out


class Inline:
    """Carries each step out when it is asked what ended."""

    cpus, gpus = 2.0, 0.0

    def __init__(self, before: Callable[[Step], Any] = lambda step: None) -> None:
        """``before`` is called before each step; what it returns, if anything, is its result."""
        self.before = before
        self.steps: list[tuple[str, str]] = []
        """(name, title) of each step that was begun, in order."""
        self.most = 0
        """Steps that waited at once."""
        self._waiting: list[tuple[Batch, Step]] = []

    @property
    def running(self) -> int:
        return len(self._waiting)

    def begin(self, batch: Batch, step: Step) -> bool:
        self._waiting.append((batch, step))
        self.most = max(self.most, len(self._waiting))
        return True

    def ended(self, seconds: float) -> list[tuple[Step, Any, str]]:
        if not self._waiting:
            return []
        batch, step = self._waiting.pop(0)
        self.steps.append((step.order.out, step.title))
        result = self.before(step)
        if result is None:
            result = carry_out(batch, step, lambda *place: None)
        return [(step, result, "here")]

    def places(self) -> dict[Any, Any]:
        return {}

    def cancel(self, name: str | None = None) -> None:
        self._waiting = [(b, s) for b, s in self._waiting if name not in (None, s.order.out)]

    def clean(self, batch: Batch) -> None:
        batch.on_disk.remove()
