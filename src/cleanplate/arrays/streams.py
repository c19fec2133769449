"""Iterators that run ahead. The one place where cleanplate starts threads around a stream."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

_PATIENCE = 0.2  # seconds between two looks at whether the consumer is still there


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


class _Producer(Generic[T]):
    """Draws ``items`` on a thread of its own and keeps at most ``depth`` ready."""

    def __init__(self, items: Iterable[T], depth: int) -> None:
        self._items = items
        # Of these, unlike of ``queue.Queue``, an interrupt in the middle of a call leaves no lock
        # held that stopping would then wait for.
        self._ready: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._room: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(max(1, depth)):
            self._room.put(None)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._produce, name="prefetch", daemon=True)
        self._thread.start()

    def _produce(self) -> None:
        end = _End()
        try:
            for item in self._items:
                if not self._put(item):
                    break
                del item  # the queue holds it now; a window must not grow by one
        except BaseException as error:  # noqa: BLE001  handed to the consumer, raised there
            end = _End(error)
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
            self._put(end)

    def _put(self, item: T | _End) -> bool:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Empty):
                self._room.get(timeout=_PATIENCE)
                self._ready.put(item)
                return True
        return False

    def take(self) -> T | _End:
        item = self._ready.get()
        self._room.put(None)
        return item

    def stop(self, wait: float) -> None:
        self._stopped.set()
        with contextlib.suppress(queue.Empty):
            while True:
                self._ready.get_nowait()
        self._thread.join(wait)


def prefetch(items: Iterable[T], depth: int = 2, wait: float = 0.5) -> Generator[T]:
    """The same items, made on another thread while the consumer works.

    Args:
        items: drawn lazily, once, in order. What it raises is raised here, at its place.
        depth: most items that wait ready; one more is in the making.
        wait: seconds to wait for the thread when the consumer stops early. A thread in the middle
            of a long item is left to finish it by itself and closes ``items`` then.
    """
    producer = _Producer(items, depth)
    try:
        while not isinstance(item := producer.take(), _End):
            yield item
            del item
        if item.error is not None:
            raise item.error
    finally:
        producer.stop(wait)
