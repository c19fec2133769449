"""Where clips come from and results go: local paths, s3://, gs://, https://, by fsspec.

A file that is written appears whole or not at all: on a local disk by rename, in an object store
because it puts whole objects only.
"""

from __future__ import annotations

import json
import posixpath
import shutil
from pathlib import Path
from typing import Any

import fsspec
from fsspec import AbstractFileSystem

from cleanplate.errors import InputError, MissingDependencyError
from cleanplate.files.publish import publishing

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_TELLING = ("ETag", "etag", "md5Hash", "crc32c", "LastModified", "mtime", "updated", "created")
"""What file systems say of a file's content or its last change, most telling first."""


def opened(address: str) -> tuple[AbstractFileSystem, str]:
    """The file system that ``address`` lies in, and its path there.

    Raises:
        InputError: no such kind of storage.
        MissingDependencyError: what speaks to it is not installed.
    """
    # Listings are never cached: other machines write to the same place.
    try:
        return fsspec.url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        kind = address.split("://")[0]
        extra = _EXTRAS.get(kind, "batch")
        raise MissingDependencyError(
            f"{address} needs what is not installed; install it with: "
            f"pip install 'cleanplate[{extra}]'."
        ) from error
    except ValueError as error:
        raise InputError(
            f"{address} is in no storage that is known ({error}); give a path, or an address that "
            "begins with s3://, gs:// or https://."
        ) from error


def local_path(address: str) -> Path | None:
    """The path of an address on this machine's disks; None for any other."""
    if "://" not in address:
        return Path(address)
    return Path(address.removeprefix("file://")) if address.startswith("file://") else None


def absolute(address: str) -> str:
    """The same address, for programs that run in other folders."""
    local = local_path(address)
    return address if local is None else str(local.absolute())


def joined(address: str, *names: str) -> str:
    """An address below another."""
    return posixpath.join(address, *names)


def exists(address: str) -> bool:
    """Whether there is something at ``address``."""
    filesystem, path = opened(address)
    return filesystem.exists(path)


def identity(address: str) -> list[Any]:
    """What tells a file or folder from what it was, without reading it.

    Raises:
        InputError: there is nothing.
    """
    filesystem, path = opened(address)
    try:
        info = filesystem.info(path)
    except FileNotFoundError as error:
        raise InputError(f"There is no file or folder {address}; check the name.") from error
    if info.get("type") != "directory":
        return [address, *_told(info)]
    found: Any = filesystem.find(path, detail=True)
    return [address, [[name[len(path) :], *_told(found[name])] for name in sorted(found)]]


def _told(info: dict[str, Any]) -> list[Any]:
    return [info.get("size"), next((str(info[key]) for key in _TELLING if info.get(key)), "")]


def size(address: str) -> int:
    """Bytes of a file, or of all files in a folder; 0 where the storage does not say."""
    filesystem, path = opened(address)
    info = filesystem.info(path)
    if info["type"] == "directory":
        return sum(names_below(address).values())
    return int(info.get("size") or 0)


def fetch(address: str, to: Path) -> None:
    """Copy a file, or a folder with all that is in it, to ``to``, which appears when it is whole.

    Raises:
        OSError: the storage does not answer, or the disk is full.
    """
    filesystem, path = opened(address)
    draft = to.with_name(f".{to.name}.part")
    if draft.is_dir():
        shutil.rmtree(draft)
    draft.parent.mkdir(parents=True, exist_ok=True)
    if filesystem.info(path)["type"] == "directory":  # isdir would read a whole file by http
        for name in filesystem.find(path):
            target = draft / name[len(path) :].lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            filesystem.get_file(name, str(target))
    else:
        filesystem.get_file(path, str(draft))
    draft.replace(to)


def publish(source: Path, address: str) -> None:
    """Copy the file ``source`` to ``address``, where it appears when it is whole."""
    local = local_path(address)
    if local is not None:
        with publishing(local) as draft:
            shutil.copyfile(source, draft)
        return
    filesystem, path = opened(address)
    if not _holds_objects(filesystem):
        filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
    filesystem.put_file(str(source), path)


def publish_all(source: Path, address: str) -> None:
    """``publish`` of a file, or of each file in a folder."""
    if source.is_file():
        publish(source, address)
        return
    for file in sorted(path for path in source.rglob("*") if path.is_file()):
        publish(file, joined(address, file.relative_to(source).as_posix()))


def _holds_objects(filesystem: AbstractFileSystem) -> bool:
    kinds = filesystem.protocol
    return bool({"s3", "s3a", "gs", "gcs"} & {*([kinds] if isinstance(kinds, str) else kinds)})


def write_json(address: str, value: Any) -> None:
    """Write ``value`` as JSON; it appears whole."""
    write_text(address, json.dumps(value, indent=1, default=str) + "\n")


def write_text(address: str, text: str) -> None:
    """Write ``text`` as UTF-8; it appears whole."""
    local = local_path(address)
    if local is not None:
        with publishing(local) as draft:
            draft.write_text(text, encoding="utf-8")
        return
    filesystem, path = opened(address)
    if not _holds_objects(filesystem):
        filesystem.makedirs(posixpath.dirname(path), exist_ok=True)
    filesystem.pipe_file(path, text.encode())


def read_json(address: str) -> Any:
    """What ``write_json`` wrote; None where there is nothing."""
    filesystem, path = opened(address)
    try:
        return json.loads(filesystem.cat_file(path))
    except FileNotFoundError:
        return None


def names_below(address: str) -> dict[str, int]:
    """All files below ``address``, by their path from there, with their sizes."""
    filesystem, path = opened(address)
    if not filesystem.exists(path):
        return {}
    found: Any = filesystem.find(path, detail=True)
    return {name[len(path) :].lstrip("/"): int(info["size"] or 0) for name, info in found.items()}


def remove(address: str) -> None:
    """Remove a file or a folder, if it is there."""
    filesystem, path = opened(address)
    if filesystem.exists(path):
        filesystem.rm(path, recursive=True)
