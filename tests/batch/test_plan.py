"""Chunks and the schedule: pure, without a clip and without Ray."""

from __future__ import annotations

from typing import Any

import pytest

from cleanplate.batch.faults import Fault, fault_of
from cleanplate.batch.needs import Needs, needs_of
from cleanplate.batch.orders import ClipOrder
from cleanplate.batch.plan import chunks, frames_in
from cleanplate.batch.schedule import Schedule, Step
from cleanplate.batch.scratch import ScratchFullError
from cleanplate.batch.steps import Looked, Prepared, Record
from cleanplate.errors import DiskError, InputError, MediaError
from cleanplate.jobs.shares import Shared
from cleanplate.prompts.typed import Word

MACHINES, OWN = Fault("The disk failed.", True), Fault("It is no video.", False)


def shared(stop: int, back: Any) -> Shared:
    starts = tuple(range(0, stop, 250))
    return Shared(starts, stop, tuple(max(0, back(start)) for start in starts))


def test_chunks_hold_what_is_asked_and_all_pieces() -> None:
    clip = shared(2600, lambda start: start - 40)
    assert chunks(clip, 1000) == [range(4), range(4, 8), range(8, 11)]
    assert [frames_in(clip, numbers) for numbers in chunks(clip, 1000)] == [1000, 1000, 600]
    assert chunks(clip, 250) == [range(n, n + 1) for n in range(11)]


def test_an_engine_that_wants_all_of_a_shot_is_cut_where_a_shot_is_young() -> None:
    def shot_start(start: int) -> int:
        return 0 if start < 1400 else 1400

    assert chunks(shared(2600, shot_start), 500) == [range(6), range(6, 11)]
    assert chunks(shared(2600, lambda start: 0), 500) == [range(11)]


def orders(count: int) -> list[ClipOrder]:
    return [ClipOrder(f"{n}.mp4", f"{n}.mp4", suggest=True) for n in range(count)]


def looked(is_long: bool = False) -> Looked:
    return Looked("mark", None, Needs(cpus=2), is_long, 100)


def record(name: str) -> Record:
    return Record(name, name, "mark", 100)


def test_no_more_clips_are_known_than_the_window_holds() -> None:
    drawn: list[str] = []

    def tell(order: ClipOrder) -> ClipOrder:
        drawn.append(order.out)
        return order

    schedule = Schedule.of(map(tell, orders(1000)), window=4, retries=0)
    for done in range(1000):
        step = schedule.next(0.0)
        assert step is not None
        assert len(drawn) <= done + 4
        schedule.succeeded(step, record(step.order.out), "", 0.0)
    assert schedule.next(0.0) is None
    assert schedule.is_done


def steps(schedule: Schedule, now: float = 0.0) -> list[Step]:
    return list(iter(lambda: schedule.next(now), None))


def test_a_long_clip_is_prepared_filled_in_chunks_and_joined() -> None:
    schedule = Schedule.of(orders(1), 4, 0)
    (look,) = steps(schedule)
    schedule.succeeded(look, looked(is_long=True), "", 0.0)
    (prepare,) = steps(schedule)
    assert (prepare.kind, prepare.needs.cpus) == ("prepare", 2)
    schedule.succeeded(prepare, Prepared((range(2), range(2, 3)), (500, 20), 3.0), "", 0.0)
    first, second = steps(schedule)
    assert [first.title, second.title] == ["chunk-0000", "chunk-0001"]
    schedule.succeeded(second, 1.0, "", 0.0)
    assert steps(schedule) == []
    schedule.succeeded(first, 2.0, "", 0.0)
    (join,) = steps(schedule)
    assert (join.kind, join.spent, join.mark) == ("join", 6.0, "mark")
    settled = schedule.succeeded(join, record("0.mp4"), "", 0.0)
    assert settled is not None
    assert settled.fault is None
    assert schedule.is_done


def test_a_machines_fault_is_tried_again_later_and_later_and_then_given_up() -> None:
    schedule = Schedule.of(orders(1), 4, retries=3)
    (step,) = steps(schedule)
    for tries, wait in enumerate((1.0, 2.0, 4.0), 1):
        assert schedule.failed(step, MACHINES, 10.0) is None
        assert steps(schedule, 10.0 + wait - 0.01) == []
        (step,) = steps(schedule, 10.0 + wait)
        assert step.tries == tries
    settled = schedule.failed(step, MACHINES, 10.0)
    assert settled is not None
    assert settled.fault is not None
    assert settled.fault.sentence == "The disk failed. It was tried 4 times."
    assert schedule.retried == 3


def test_a_step_without_room_waits_and_counts_no_try() -> None:
    schedule = Schedule.of(orders(1), 4, retries=0)
    (step,) = steps(schedule)
    for round_ in range(1, 9):
        assert schedule.failed(step, fault_of(ScratchFullError("no room")), 0.0) is None
        (step,) = steps(schedule, 5.0)
        assert step.tries == 0, round_
    assert schedule.retried == 0


def test_a_clips_own_fault_sets_it_aside_at_once_with_all_its_chunks() -> None:
    schedule = Schedule.of(orders(2), 4, retries=3)
    look, other = steps(schedule)
    schedule.succeeded(look, looked(is_long=True), "", 0.0)
    (prepare,) = steps(schedule)
    schedule.succeeded(prepare, Prepared((range(1), range(1, 2)), (250, 9), 0.0), "", 0.0)
    first = schedule.next(0.0)
    assert first is not None
    settled = schedule.failed(first, OWN, 0.0)
    assert settled is not None
    assert (settled.step, settled.fault) == ("chunk-0000", OWN)
    assert steps(schedule) == [], "its other chunk is not begun"
    assert schedule.succeeded(first, 1.0, "", 0.0) is None
    schedule.succeeded(other, record("1.mp4"), "", 0.0)
    assert schedule.is_done


@pytest.mark.parametrize(
    ("error", "is_machines"),
    [
        (InputError("x"), False),
        (MediaError("x"), False),
        (DiskError("x"), True),
        (ConnectionResetError("x"), True),
        (MemoryError(), True),
        (ZeroDivisionError("x"), False),
    ],
)
def test_whose_fault_it_is(error: Exception, is_machines: bool) -> None:
    assert fault_of(error).is_machines is is_machines


def needs(width: int, height: int, has_gpus: bool = False, **values: Any) -> Needs:
    order = ClipOrder("a.mp4", "a.mp4", (Word("--box", "1,2,3,4"),), values=values)
    return needs_of(order, width, height, has_gpus)


def test_needs_follow_the_picture_the_engine_and_the_budget() -> None:
    small, large = needs(720, 576), needs(3840, 2160)
    assert (small.cpus, large.cpus) == (1, 4)
    assert small.memory < 1 << 30 < large.memory < 8 << 30
    assert not small.keeps_engine
    learned: dict[str, Any] = {"inpainter": "e2fgvi", "memory": "6GiB"}
    on_cpu, on_gpu = (needs(720, 576, has_gpus, **learned) for has_gpus in (False, True))
    assert on_cpu.keeps_engine
    assert (on_cpu.gpus, on_gpu.gpus) == (0, 1)
    assert 6 << 30 < on_cpu.memory < 8 << 30
    assert on_gpu.memory < 2 << 30, "the budget is the GPU's own memory"
    assert needs(720, 576, True, **learned, device="cpu").gpus == 0
    assert needs(720, 576, True, tracker="deaot").gpus == 1, "trackers count, too"
    assert needs(720, 576, True).gpus == 0, "without a network there is nothing to compute there"
    assert large.within(2, 1 << 30).cpus == 2
    assert large.within(2, 1 << 30).memory == 1 << 30
