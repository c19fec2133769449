"""What nobody will ask for again is removed: when the server starts, and then on a schedule."""

from __future__ import annotations

import json
import logging
import shutil
import threading
import time
from pathlib import Path

from cleanplate.app.server.desk import Desk

_INTERVAL = 600.0  # seconds between two rounds
_TEMPORARY = 6 * 3600.0  # seconds that a temporary file is kept
_ABANDONED = 24 * 3600.0  # seconds after which an upload that nobody worked with is removed
_DAY = 24 * 3600.0
_log = logging.getLogger("cleanplate.app")


def start_sweeping(desk: Desk) -> threading.Event:
    """Sweep now, and again every ten minutes until the event that is returned is set."""
    over = threading.Event()
    sweep(desk, at_start=True)

    def loop() -> None:
        while not over.wait(_INTERVAL):
            sweep(desk)

    threading.Thread(target=loop, name="sweep", daemon=True).start()
    return over


def sweep(desk: Desk, at_start: bool = False) -> None:
    """Remove old temporary files, uploads that broke off or were abandoned, and old projects.

    Args:
        desk: the server's things.
        at_start: no request is under way, so everything that is temporary is left over.
    """
    kept = 0.0 if at_start else _TEMPORARY
    temporary = desk.options.temporary
    for path in [*temporary.glob("gradio/*"), *temporary.iterdir()]:
        if path.name != "gradio" and _age(path) >= kept:
            _remove(path)
    for folder in desk.sessions.folders():
        if not desk.queue.live(folder) and _is_left(desk, folder, at_start):
            _log.info("removing %s, which nobody uses", folder)
            desk.frames.forget(folder)
            _remove(folder)


def _is_left(desk: Desk, folder: Path, at_start: bool) -> bool:
    if not (folder / "app.json").exists():
        return at_start or _age(folder) > _ABANDONED  # an upload that broke off
    unseen = time.time() - desk.sessions.last_seen(folder)
    keep_days = desk.options.keep_days
    if keep_days and unseen > keep_days * _DAY:
        return True
    return unseen > _ABANDONED and not _has_work(folder)


def _has_work(folder: Path) -> bool:
    """Whether somebody marked or made anything in the project."""
    project = folder / "project.json"
    if (folder / "out").exists():
        return True
    return project.exists() and bool(json.loads(project.read_text(encoding="utf-8"))["objects"])


def _age(path: Path) -> float:
    """Seconds since the newest thing in ``path`` was written."""
    times = [path.stat().st_mtime]
    if path.is_dir():
        times += [file.stat().st_mtime for file in path.iterdir()]
    return time.time() - max(times)


def _remove(path: Path) -> None:
    try:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    except OSError as error:  # it is tried again in the next round
        _log.warning("cannot remove %s: %s", path, error)
