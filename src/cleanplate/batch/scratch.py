"""A worker's own disk: clips that came from far, and jobs in the making; limited and cleaned."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cleanplate.batch import storage
from cleanplate.errors import DiskError, InputError
from cleanplate.files.locking import locked

_LOCK = "lock"


class ScratchFullError(DiskError):
    """There is no room at this moment; there will be when other work is done."""


def mark_of(text: str) -> str:
    """A short name for ``text`` that no other text has."""
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class Scratch:
    """The folder of one batch on one machine; all its workers there share it."""

    path: Path
    limit: int | None
    """Bytes that may lie in it before something is fetched; None for no limit."""

    @contextlib.contextmanager
    def fetched(self, address: str, identity: object) -> Iterator[Path]:
        """What lies at ``address`` as a local path, held while it is used.

        A local address is used where it is. Others are copied once for all workers of a machine.

        Args:
            address: of a file or a folder.
            identity: changes when its content does.

        Raises:
            InputError: it is larger than the scratch may be.
            ScratchFullError: what else is in use leaves no room for it.
        """
        local = storage.local_path(address)
        if local is not None:
            yield local
            return
        folder = self.path / "clips" / mark_of(f"{address} {identity}")
        name = PurePosixPath(address.split("?")[0].rstrip("/")).name
        with locked(folder / _LOCK, shared=True):
            if not (folder / name).exists():
                with locked(self.path / _LOCK):  # one at a time makes room and fetches
                    if not (folder / name).exists():
                        self._make_room(storage.size(address), address)
                        storage.fetch(address, folder / name)
            yield folder / name

    @contextlib.contextmanager
    def job_folder(self, name: str) -> Iterator[Path]:
        """A folder for one step of one clip, removed at the end whatever happens."""
        path = self.path / "jobs" / mark_of(name)
        with locked(path.with_suffix(".lock")):
            try:
                shutil.rmtree(path, ignore_errors=True)  # what a killed worker left
                path.mkdir(parents=True)
                yield path
            finally:
                shutil.rmtree(path, ignore_errors=True)

    def remove(self) -> bool:
        """Remove all of it, unless another program uses it; whether it is gone."""
        if not self.path.exists():
            return True
        for folder in [*self.path.glob("clips/*")]:
            _remove_unused(folder)
        for lock in self.path.glob("jobs/*.lock"):
            with locked(lock, wait=False) as held:
                if held:
                    shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                    lock.unlink()
        for folder in (self.path / "clips", self.path / "jobs"):
            with contextlib.suppress(OSError):
                folder.rmdir()
        if not any(path.name != _LOCK for path in self.path.iterdir()):
            shutil.rmtree(self.path, ignore_errors=True)
        return not self.path.exists()

    def _make_room(self, wanted: int, address: str) -> None:
        if self.limit is None:
            return
        if wanted > self.limit:
            raise InputError(
                f"{address} has {wanted / 1e9:.2f} GB and the scratch may hold "
                f"{self.limit / 1e9:.2f} GB; allow more with --scratch-limit."
            )
        oldest = sorted(self.path.glob("clips/*"), key=lambda folder: folder.stat().st_mtime)
        for folder in oldest:
            if _bytes_in(self.path) + wanted <= self.limit:
                return
            _remove_unused(folder)
        if _bytes_in(self.path) + wanted > self.limit:
            raise ScratchFullError(
                f"{address} needs {wanted / 1e9:.2f} GB of scratch and what is in use leaves less; "
                "it waits for other clips."
            )


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # removed by another worker meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total


def _remove_unused(folder: Path) -> None:
    if folder.is_dir():
        with locked(folder / _LOCK, wait=False) as held:
            if held:
                shutil.rmtree(folder, ignore_errors=True)
