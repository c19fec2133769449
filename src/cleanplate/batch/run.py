"""A batch from its first order to its summary: the driver, which holds no more than a window."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from cleanplate.batch import storage
from cleanplate.batch.faults import Fault
from cleanplate.batch.orders import Orders
from cleanplate.batch.schedule import Schedule, Settled, Step
from cleanplate.batch.scratch import mark_of
from cleanplate.batch.steps import Batch
from cleanplate.batch.summary import Summary
from cleanplate.errors import CancelledError, InputError
from cleanplate.files.locking import locked

_LOOK = 0.5  # seconds between two looks at where the work is


class Machines(Protocol):
    """What the driver needs of a cluster."""

    cpus: float
    gpus: float

    @property
    def running(self) -> int:
        """Steps that run."""
        ...

    def begin(self, batch: Batch, step: Step) -> bool:
        """Begin a step; False where there is no room."""
        ...

    def ended(self, seconds: float) -> list[tuple[Step, Any, str]]:
        """What ended."""
        ...

    def places(self) -> dict[tuple[str, str], tuple[str, int, int]]:
        """Where the steps are."""
        ...

    def cancel(self, name: str | None = None) -> None:
        """Stop the steps of a clip, or all."""
        ...

    def clean(self, batch: Batch) -> None:
        """Remove the scratch everywhere."""
        ...


class Watch:
    """Told what happens; says nothing. The command line shows it."""

    def begin(self, count: int) -> None:
        """So many clips are to be done."""

    def settled(self, settled: Settled) -> None:
        """A clip is done, or set aside."""

    def retried(self, step: Step, fault: Fault) -> None:
        """A step is going to be tried again."""

    def places(self, places: dict[tuple[str, str], tuple[str, int, int]]) -> None:
        """Where the steps are that run."""

    def note(self, message: str) -> None:
        """A sentence that a person should read."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How a batch goes on when something goes wrong, and what it costs."""

    retries: int = 3
    """Tries after the first, for a machine's fault."""
    stops_at_first: bool = False
    """Whether nothing more is begun when a clip was set aside."""
    price: float | None = None
    """Of one hour of the whole cluster."""


def batch_of(out: str, scratch: str | None = None, **others: Any) -> Batch:
    """The batch that writes to ``out``; arguments as the fields of ``Batch``.

    Raises:
        InputError: results cannot be written there.
    """
    if out.startswith(("http://", "https://")):
        raise InputError(f"{out} can be read but not written; give a path, s3:// or gs://.")
    address = storage.absolute(out.rstrip("/"))
    below = Path(scratch or tempfile.gettempdir()).absolute()
    return Batch(address, str(below / f"cleanplate-batch-{mark_of(address)}"), **others)


def run(
    orders: Orders,
    batch: Batch,
    machines: Machines,
    rules: Rules | None = None,
    watch: Watch | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Summary:
    """Carry out ``orders``; what is done stays done, whatever happens.

    Args:
        orders: checked before anything is begun.
        batch: where to.
        machines: who does it.
        rules: what to do about faults.
        watch: told what happens.
        clock: seconds; stands in for ``time.monotonic``.

    Returns:
        The summary, which lies in the output, too.

    Raises:
        InputError: an order that cannot be carried out, or another batch writes to the same place.
        CancelledError: it was stopped; the summary says what is done.
    """
    rules, watch = rules or Rules(), watch or Watch()
    count = orders.checked()
    batch = replace(batch, has_gpus=machines.gpus > 0)
    lock = Path(f"{batch.scratch}.lock")
    with locked(lock, wait=False) as held:
        if not held:
            raise InputError(
                f"Another batch writes to {batch.out}; wait for it, or give another output."
            )
        with Summary(count, rules.price, clock) as summary:
            watch.begin(count)
            try:
                _drive(orders, batch, machines, rules, watch, summary, clock)
            except KeyboardInterrupt as stop:
                raise CancelledError("stopped with Ctrl-C") from stop
            finally:
                machines.cancel()
                machines.clean(batch)
                summary.write(batch.out)
                lock.unlink(missing_ok=True)
    return summary


def _drive(
    orders: Orders,
    batch: Batch,
    machines: Machines,
    rules: Rules,
    watch: Watch,
    summary: Summary,
    clock: Callable[[], float],
) -> None:
    most = round(2 * machines.cpus) + 2
    schedule = Schedule.of(orders, most, rules.retries)
    looked = 0.0
    while not schedule.is_done:
        while machines.running < most and (step := schedule.next(clock())):
            if not machines.begin(batch, step):
                schedule.give_back(step, clock() + _LOOK)
                break
        for step, result, node in machines.ended(_LOOK):
            settled = _told(schedule, step, result, node, clock(), watch)
            summary.retried = schedule.retried
            if settled is None:
                continue
            if settled.fault is not None:
                machines.cancel(settled.order.out)
                _keep_log(batch, settled, watch)
            summary.add(settled)
            watch.settled(settled)
            if settled.fault is not None and rules.stops_at_first:
                return
        if clock() - looked >= _LOOK:
            looked = clock()
            watch.places(machines.places())
        if not machines.running and schedule.waits_until is not None:
            time.sleep(max(0.0, min(_LOOK, schedule.waits_until - clock())))


def _told(
    schedule: Schedule, step: Step, result: Any, node: str, now: float, watch: Watch
) -> Settled | None:
    if not isinstance(result, Fault):
        return schedule.succeeded(step, result, node, now)
    settled = schedule.failed(step, result, now)
    if settled is None and not result.waits:
        watch.retried(step, result)
    return settled


def _keep_log(batch: Batch, settled: Settled, watch: Watch) -> None:
    """A worker that died could not write a log: the driver writes what it knows."""
    fault = settled.fault
    assert fault is not None
    address = batch.log_at(settled.order.out, settled.step)
    text = f"{fault.sentence}\n\nclip: {settled.order.clip}\nstep: {settled.step}\n\n"
    try:
        if not storage.exists(address):
            storage.write_text(address, text + fault.trace)
    except Exception as error:  # noqa: BLE001  the other clips matter more than this log
        watch.note(f"{address} cannot be written: {error}")
