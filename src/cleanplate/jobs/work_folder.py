"""The work folder: what a job has finished, kept beside the output until the output is whole.

The same job run again finds its folder and goes on. A job is the same when its fingerprint is: the
version of cleanplate, the source, the prompts or masks, and every setting.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cleanplate.errors import DiskError, InputError
from cleanplate.files.locking import locked
from cleanplate.files.publish import beside_name, disk_error, is_about_the_disk, write_text

_IDENTITY = "job.json"
_LOCK = "lock"


class WorkFolder:
    """A folder that belongs to one job, and to one program at a time."""

    def __init__(self, path: Path, resumed: bool) -> None:
        self.path = path
        self.resumed = resumed
        """Whether an earlier run of the same job left something here."""

    @classmethod
    @contextlib.contextmanager
    def opened(cls, out: Path, job: dict[str, Any]) -> Iterator[WorkFolder]:
        """Hold the folder of ``job``, whose output is ``out``; emptied if it was another job's.

        Raises:
            InputError: another program is making ``out`` at this moment.
        """
        path, work = cls.location(out), None
        try:
            with locked(path / _LOCK, wait=False) as held:
                if not held:
                    raise InputError(
                        f"{out} is being made by another program; wait for it, or stop that one."
                    )
                work = cls(path, resumed=cls.is_begun(out, job))
                if not work.resumed:
                    work.empty()
                    write_text(path / _IDENTITY, _text(job))
                yield work
        except DiskError as error:
            if work is None or work.is_empty:
                raise
            sentence = str(error).removesuffix(".")
            raise DiskError(f"{sentence}; what is finished is kept in {path}.") from error
        except OSError as error:
            if is_about_the_disk(error):
                raise disk_error(path, error) from error
            raise
        finally:
            if work is not None and work.is_empty:
                (path / _LOCK).unlink(missing_ok=True)
                with contextlib.suppress(OSError):  # another program has taken it already
                    path.rmdir()

    @classmethod
    def is_begun(cls, out: Path, job: dict[str, Any]) -> bool:
        """Whether an earlier run of ``job`` left something for ``out``."""
        known = cls.location(out) / _IDENTITY
        return known.is_file() and known.read_text(encoding="utf-8") == _text(job)

    @classmethod
    def adopt(cls, out: Path, job: dict[str, Any]) -> None:
        """Take what lies in the work folder of ``out`` for that of ``job``.

        For one who brought it from another place, where the same job had another source path.
        """
        write_text(cls.location(out) / _IDENTITY, _text(job))

    @staticmethod
    def location(out: Path) -> Path:
        """Where the work folder of ``out`` lies, there or not."""
        return out.parent / beside_name(out.name, ".cleanplate")

    def folder(self, name: str) -> Path:
        """A folder in it, made if need be."""
        path = self.path / name
        path.mkdir(exist_ok=True)
        return path

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept for a later run."""
        return not any(entry.name != _LOCK for entry in self.path.iterdir())

    def empty(self) -> None:
        """Keep nothing; its name goes first, lest half a folder be believed."""
        (self.path / _IDENTITY).unlink(missing_ok=True)
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            elif entry.name != _LOCK:
                entry.unlink()


def _text(job: dict[str, Any]) -> str:
    return json.dumps(job, sort_keys=True, default=str, indent=1)


def identity(path: Path) -> list[Any]:
    """What tells a file or folder from what it was: cheap enough for a film of any length.

    Raises:
        InputError: there is nothing at ``path``.
    """
    if not path.exists():
        raise InputError(f"There is no file or folder {path}; check the name.")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(file.name, file.stat()) for file in files]
    listing = json.dumps([(name, s.st_size, s.st_mtime_ns) for name, s in stats])
    return [str(path.resolve()), hashlib.sha256(listing.encode()).hexdigest()]


def checksum(path: Path) -> str:
    """The SHA-256 of a file, or of the names and contents of a folder's files."""
    digest = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(file.name.encode())
        with file.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
