"""What a live picture can be told while it plays: messages, from the page or from a socket.

A message is a JSON object; so is the answer, with ``ok``, and where that is false an ``error`` in a
sentence. On the socket each stands on a line. docs/live.md lists them.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanplate.errors import CleanplateError, InputError
from cleanplate.types import Box, Point, Prompt

if TYPE_CHECKING:
    from cleanplate.live.line import Line

_LONGEST = 1 << 16  # bytes of a line


class Control:
    """Answers messages about one live picture; thread-safe."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._adding = threading.Lock()  # an id is free until it is taken
        self.shows_mask = True
        """Whether those who watch see the rims of masks."""
        self._actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "add": self._add,
            "drop": self._drop,
            "clear": self._clear,
            "show": self._show,
            "status": self._status,
            "stop": self._stop,
        }

    def answer(self, message: Any) -> dict[str, Any]:
        """Do what ``message`` says, and tell how it went; never raises for what was asked."""
        try:
            if not isinstance(message, dict):
                raise InputError('A message is a JSON object such as {"do": "status"}.')
            name = message.get("do")
            action = self._actions.get(name) if isinstance(name, str) else None
            if action is None:
                raise InputError(f"There is no message {name!r}; there are: {self._known()}.")
            return {"ok": True, **action(message)}
        except CleanplateError as error:
            return {"ok": False, "error": str(error)}

    def _known(self) -> str:
        return ", ".join(self._actions)

    def _add(self, message: dict[str, Any]) -> dict[str, Any]:
        frame = message.get("frame", self._line.latest)
        if not isinstance(frame, int) or isinstance(frame, bool):
            raise InputError(f"frame {frame!r} is no frame; leave it out for the one shown last.")
        with self._adding:
            object_id = message.get("object")
            if object_id is None:
                object_id = self._line.follower.free_id()
            if not isinstance(object_id, int) or isinstance(object_id, bool):
                raise InputError(f"object {object_id!r} is no object id; use 1 to 255.")
            prompt = _prompt(message, object_id)
            return {"object": self._line.follower.point(prompt, frame), "frame": frame}

    def _drop(self, message: dict[str, Any]) -> dict[str, Any]:
        object_id = message.get("object")
        if not isinstance(object_id, int):
            raise InputError('drop needs an object: {"do": "drop", "object": 1}.')
        self._line.follower.drop(object_id)
        return {}

    def _clear(self, _: dict[str, Any]) -> dict[str, Any]:
        for target in self._line.follower.report():
            with contextlib.suppress(InputError):  # dropped meanwhile
                self._line.follower.drop(target["object"])
        return {}

    def _show(self, message: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(message.get("mask"), bool):
            raise InputError('show needs true or false: {"do": "show", "mask": true}.')
        self.shows_mask = message["mask"]
        return {}

    def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        line = self._line
        return {
            "frame": line.latest,
            "objects": line.follower.report(),
            "shows_mask": self.shows_mask,
            "effort": line.effort_words,
            "stats": line.stats.summary(),
        }

    def _stop(self, _: dict[str, Any]) -> dict[str, Any]:
        self._line.stop()
        return {}


def _prompt(message: dict[str, Any], object_id: int) -> Prompt:
    if "box" in message:
        return Prompt(box=Box(*map(round, _numbers(message, "box", 4))), object_id=object_id)
    if "point" in message:
        x, y = _numbers(message, "point", 2)
        return Prompt(points=(Point(x, y),), object_id=object_id)
    raise InputError('add needs "point": [X, Y] or "box": [X0, Y0, X1, Y1], in pixels.')


def _numbers(message: dict[str, Any], name: str, count: int) -> list[float]:
    given = message[name]
    fits = isinstance(given, list) and len(given) == count
    if not fits or not all(type(n) in (int, float) and abs(n) < 1e6 for n in given):
        raise InputError(f"{name} {given!r} is not {count} numbers, in pixels.")
    return [float(number) for number in given]


@contextlib.contextmanager
def listening(control: Control, path: Path) -> Iterator[None]:
    """Answer messages on a Unix socket at ``path`` that only this user can open.

    Raises:
        InputError: something is there already, or this system has no such sockets.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise InputError("This system has no Unix sockets; send messages to the page instead.")
    if path.exists():
        raise InputError(f"{path} exists; give --control another path, or remove it.")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            server.bind(str(path))
        except OSError as error:
            raise InputError(
                f"No socket can be made at {path} ({error.strerror or error}); give a short path "
                "in a folder of yours."
            ) from error
        finally:
            os.umask(before)
        server.listen(4)
        threading.Thread(target=_accept, args=(server, control), daemon=True).start()
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


def _accept(server: socket.socket, control: Control) -> None:
    with contextlib.suppress(OSError):  # closed: it is over
        while True:
            connection, _ = server.accept()
            threading.Thread(target=_serve, args=(connection, control), daemon=True).start()


def _serve(connection: socket.socket, control: Control) -> None:
    with connection, contextlib.suppress(OSError), connection.makefile("rb") as lines:
        while line := lines.readline(_LONGEST):
            try:
                message = json.loads(line)
            except ValueError:
                answer = {"ok": False, "error": "That line is no JSON; send one object a line."}
            else:
                answer = control.answer(message)
            connection.sendall(json.dumps(answer).encode() + b"\n")
