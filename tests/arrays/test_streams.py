import threading
import time
import weakref
from collections.abc import Iterator

import pytest

from cleanplate.arrays.streams import prefetch


class Thing:
    pass


def test_all_items_come_in_order() -> None:
    assert list(prefetch(iter(range(100)), 3)) == list(range(100))


def test_an_error_is_raised_at_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken here")

    stream = prefetch(items())
    assert next(stream) == 1
    with pytest.raises(ValueError, match="broken here"):
        next(stream)


def test_stopping_early_closes_the_source_and_ends_the_thread() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    stream = prefetch(items())
    next(stream)
    stream.close()
    assert closed.wait(2)
    deadline = time.monotonic() + 2
    while any(t.name == "prefetch" for t in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(t.name == "prefetch" for t in threading.enumerate())


def test_no_more_items_live_than_the_depth_allows() -> None:
    alive: weakref.WeakSet[Thing] = weakref.WeakSet()
    most = 0

    def items() -> Iterator[Thing]:
        for _ in range(50):
            thing = Thing()
            alive.add(thing)
            yield thing
            del thing

    for thing in prefetch(items(), 2):
        time.sleep(0.001)
        most = max(most, len(alive))
        del thing
    assert most <= 5  # two ready, one being made, one handed over, one in the consumer's hands
