"""Publish by rename: a file appears under its name when it is whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from cleanplate.errors import InputError, MediaError


@contextlib.contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; flush and rename it to ``path`` at the end.

    When the block raises, what was written is removed and ``path`` is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # One name for a target: what a killed run left is overwritten by the next.
    draft = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield draft
        with draft.open("rb") as written:
            os.fsync(written.fileno())
        draft.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk names no file by itself
        raise
    finally:
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
