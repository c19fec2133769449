"""Files held by one program at a time; a program that dies lets go."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cleanplate.errors import MediaError


@contextlib.contextmanager
def locked(path: Path, wait: bool = True, *, shared: bool = False) -> Iterator[bool]:
    """Hold the file ``path`` against other programs; False when it is held and not waited for.

    Several programs may hold it ``shared`` at once, where the system knows that.

    Raises:
        MediaError: the disk cannot hold files for one program.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        if not _hold(file, wait, shared):
            if wait:
                raise MediaError(f"{path} cannot be locked; use another disk.")
            yield False
            return
        try:
            yield True
        finally:
            _let_go(file)


def _hold(file: BinaryIO, wait: bool, shared: bool) -> bool:
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
            fcntl.flock(file, kind | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


def _let_go(file: BinaryIO) -> None:
    if os.name == "nt":
        import msvcrt

        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_UN)
