"""How a job tells where it is. The command line and the app each show it in their own way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


class Progress:
    """Says nothing; the base of those that do. A method may raise CancelledError to stop."""

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        """A stage begins: ``survey``, ``segment``, ``track``, ``masks``, ``inpaint``, ``write``.

        Args:
            stage: its name.
            total: frames that it goes through; None if unknown.
            done: those of them that an earlier run has finished.
        """

    def advance(self) -> None:
        """One more frame is done."""

    def at(self, frame: int) -> None:
        """Frame ``frame`` of the clip has just been done, and can be looked at soon."""

    def show(self, picture: Any) -> None:
        """A ``media.picture.Picture`` as it will be written, for those who look on."""

    def finish(self) -> None:
        """The stage is over."""

    def note(self, message: str) -> None:
        """A sentence that the user should read."""

    def warn(self, message: str) -> None:
        """A sentence on what is lost, which the user must read."""
        self.note(message)

    def over(self, stage: str, items: Iterable[T], total: int | None, done: int = 0) -> Iterator[T]:
        """The same items, counted as frames of a stage."""
        self.start(stage, total, done)
        for item in items:
            yield item
            self.advance()
        self.finish()
