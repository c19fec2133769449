"""Publish by rename: a file appears under its name when it is whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from cleanplate.errors import DiskError, InputError, MediaError

_LONGEST_NAME = 255  # bytes of a name in a folder, on all common file systems
_FULL = "make room and run the same command again"
_FORBIDDEN = "choose another place"
_WAYS_OUT = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: "allow larger files there, or choose another place",
    errno.EIO: "check the disk, or choose another place",
    errno.EROFS: _FORBIDDEN,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
}


def is_about_the_disk(error: BaseException) -> bool:
    """Whether the disk refused, and not the format: it is full, the file too large, not ours."""
    return getattr(error, "errno", None) in _WAYS_OUT


def disk_error(path: Path, error: BaseException) -> DiskError:
    """What to raise when the disk refused to write ``path`` with ``error``."""
    code = getattr(error, "errno", 0)
    return DiskError(f"{path} cannot be written: {os.strerror(code)}; {_WAYS_OUT[code]}.")


def beside_name(name: str, ending: str) -> str:
    """A hidden name made from ``name``, told apart by a checksum where it would be too long."""
    plain = f".{name}{ending}"
    if len(os.fsencode(plain)) <= _LONGEST_NAME:
        return plain
    import hashlib  # only for long names: the commands start without it

    mark = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    room = _LONGEST_NAME - len(os.fsencode(f".~{mark}{ending}"))
    start = os.fsencode(name)[:room].decode("utf-8", "ignore")
    return f".{start}~{mark}{ending}"


@contextlib.contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; flush and rename it to ``path`` at the end.

    When the block raises, what was written is removed and ``path`` is untouched.

    Raises:
        DiskError: the disk is full, or does not let us write.
    """
    # One name for a target: what a killed run left is overwritten by the next.
    draft = path.with_name(beside_name(path.stem, f".part{path.suffix}"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    except Exception as error:
        if is_about_the_disk(error):  # FFmpeg's errors, too, which are no OSError
            raise disk_error(path, error) from error
        raise
    finally:
        with contextlib.suppress(OSError):  # no folder to hold it, or not ours: nothing is there
            draft.unlink(missing_ok=True)


def check_target(path: Path, overwrite: bool, *sources: Path) -> None:
    """Say before any work that a file cannot, or must not, be written to ``path``.

    Raises:
        InputError: it is one of ``sources``, a folder, or there and not to be replaced.
        MediaError: its folder cannot be written to.
    """
    if any(path.resolve() == source.resolve() for source in sources):
        raise InputError(f"{path} is the source itself; give the output another name.")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file.")
    if path.exists() and not overwrite:
        raise InputError(f"{path} exists; add --overwrite to replace it, or give another name.")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InputError(f"{folder} is a file, and {path} would lie in it; give another name.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise MediaError(f"The folder {folder} cannot be written to; choose another for {path}.")


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, published by rename."""
    with publishing(path) as draft:
        draft.write_text(text, encoding="utf-8")
