"""Which step of which clip is due: pure, told of what happened, asked for what comes next.

Only the clips in a window are known at a time; the next order is drawn when one has left it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from cleanplate.batch.faults import WAIT, Fault, delay
from cleanplate.batch.needs import LOOKING, Needs
from cleanplate.batch.orders import ClipOrder
from cleanplate.batch.steps import Looked, Prepared, Record


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work for one worker."""

    kind: str
    """``look``, ``whole``, ``prepare``, ``fill`` or ``join``."""
    order: ClipOrder
    needs: Needs
    number: int = 0
    """Of the chunk, for ``fill``."""
    numbers: range = range(0)
    """The pieces of the chunk."""
    mark: str = ""
    spent: float = 0.0
    """Seconds of the steps before, for ``join``."""
    tries: int = 0
    """Times that it failed."""
    near: str = ""
    """The node that has the clip already, if any."""

    @property
    def title(self) -> str:
        """What a person and the log call it."""
        return f"chunk-{self.number:04d}" if self.kind == "fill" else self.kind


@dataclass(slots=True)
class _Active:
    """A clip in the window."""

    order: ClipOrder
    looked: Looked | None = None
    lacking: int = 0
    """Chunks that are not filled yet."""
    spent: float = 0.0


@dataclass(frozen=True, slots=True)
class Settled:
    """A clip that has left the window."""

    order: ClipOrder
    record: Record | None
    fault: Fault | None = None
    step: str = ""
    """The step that failed."""
    again: bool = False
    """Whether an earlier run had done it."""


@dataclass(slots=True)
class Schedule:
    """The state of a batch."""

    orders: Iterator[ClipOrder]
    window: int
    """Clips that are worked on at once."""
    retries: int
    """Tries after the first, for a machine's fault."""
    retried: int = 0
    """Steps that were tried again, all clips together."""
    _due: list[tuple[float, int, Step]] = field(default_factory=list[tuple[float, int, Step]])
    _active: dict[str, _Active] = field(default_factory=dict[str, _Active])
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _is_drained: bool = False

    @classmethod
    def of(cls, orders: Iterable[ClipOrder], window: int, retries: int) -> Schedule:
        """A schedule of ``orders``, drawn one after the other."""
        return cls(iter(orders), window, retries)

    def next(self, now: float) -> Step | None:
        """A step to begin at the time ``now``; None where all that is due has been given out."""
        while not self._is_drained and len(self._active) < self.window:
            order = next(self.orders, None)
            if order is None:
                self._is_drained = True
                break
            self._active[order.out] = _Active(order)
            self._add(Step("look", order, LOOKING), now)
        if self._due and self._due[0][0] <= now:
            return heapq.heappop(self._due)[2]
        return None

    @property
    def waits_until(self) -> float | None:
        """When the next step is due; None where none is waiting."""
        return self._due[0][0] if self._due else None

    @property
    def is_done(self) -> bool:
        """Whether every clip has left the window."""
        return self._is_drained and not self._active

    def give_back(self, step: Step, now: float) -> None:
        """A step that could not be begun for lack of room."""
        self._add(step, now)

    def succeeded(self, step: Step, result: Any, node: str, now: float) -> Settled | None:
        """What ``step`` returned, on which node; the clip, if it is done with."""
        name = step.order.out
        active = self._active.get(name)
        if active is None:  # set aside for another chunk's fault
            return None
        if isinstance(result, Record):
            return self._settle(Settled(step.order, result))
        if isinstance(result, Looked):
            active.looked = result
            if result.record is not None:
                return self._settle(Settled(step.order, result.record, again=True))
            kind = "prepare" if result.is_long else "whole"
            self._add(Step(kind, step.order, result.needs, mark=result.mark, near=node), now)
        elif isinstance(result, Prepared):
            assert active.looked is not None
            active.lacking, active.spent = len(result.chunks), result.seconds
            for number, numbers in enumerate(result.chunks):
                self._add(replace(step, kind="fill", number=number, numbers=numbers, tries=0), now)
        elif step.kind == "fill":
            active.lacking -= 1
            active.spent += result
            if not active.lacking:
                joining = Step("join", step.order, step.needs, mark=step.mark, near=node)
                self._add(replace(joining, spent=active.spent), now)
        return None

    def failed(self, step: Step, fault: Fault, now: float) -> Settled | None:
        """``step`` did not succeed; the clip, if it is set aside for that."""
        if step.order.out not in self._active:
            return None
        if fault.waits:
            self._add(replace(step, near=""), now + WAIT)
            return None
        tries = step.tries + 1
        if fault.is_machines and tries <= self.retries:
            self.retried += 1
            self._add(replace(step, tries=tries, near=""), now + delay(tries))
            return None
        if fault.is_machines and tries > 1:
            fault = replace(fault, sentence=f"{fault.sentence} It was tried {tries} times.")
        return self._settle(Settled(step.order, None, fault, step.title))

    def _add(self, step: Step, due: float) -> None:
        # Of what is due, clips that were begun come before new ones: what is done leaves storage.
        heapq.heappush(self._due, (due, next(self._numbers), step))

    def _settle(self, settled: Settled) -> Settled:
        del self._active[settled.order.out]
        self._due = [entry for entry in self._due if entry[2].order.out != settled.order.out]
        heapq.heapify(self._due)
        return settled
