"""Of many who ask one after the other, only the latest is worth an answer."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator


class Latest:
    """Answers one request of a kind at a time, and tells those that waited whether one came after
    them."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._counting = threading.Lock()
        self._working: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def supersede(self, kind: str) -> None:
        """What is being answered of a kind is not worth going on with."""
        with self._counting:
            self._numbers[kind] += 1

    @contextlib.contextmanager
    def newest(self, kind: str) -> Iterator[Callable[[], bool]]:
        """Wait for those before; what is given tells whether nobody has come since."""
        with self._counting:
            self._numbers[kind] += 1
            mine, working = self._numbers[kind], self._working[kind]
        with working:
            yield lambda: self._numbers[kind] == mine
