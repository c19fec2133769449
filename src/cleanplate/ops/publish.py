"""Publish by rename: a file appears under its name when it is whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


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
    finally:
        draft.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write ``text`` as UTF-8, published by rename."""
    with publishing(path) as draft:
        draft.write_text(text, encoding="utf-8")
