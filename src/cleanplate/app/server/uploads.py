"""What a person sends: streamed to disk, limited, its name never believed."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath, PureWindowsPath

from starlette.concurrency import run_in_threadpool

from cleanplate.app.sentences import Refusal, gigabytes

_BLOCK = 1 << 20  # bytes written at once
_SPARE = 200 << 20  # bytes of disk that an upload must leave free
_LONGEST = 100  # characters of a name that are shown


def shown_name(name: str) -> str:
    """What a page may show of a file's name: its last part, printable, not too long."""
    last = PurePosixPath(PureWindowsPath(name).name).name
    clean = "".join(character for character in last if character.isprintable()).strip()
    return clean[-_LONGEST:] or "clip"


def safe_suffix(name: str) -> str:
    """The ending of ``name`` when it is a plain one, such as ``.mp4``; else nothing."""
    match = re.search(r"\.[A-Za-z0-9]{1,8}$", name)
    return match[0].lower() if match else ""


async def receive(
    body: AsyncIterator[bytes], target: Path, name: str, claimed: int | None, limit: int
) -> int:
    """Write ``body`` to ``target``; on any failure nothing is left there.

    Args:
        body: the parts of the file, as they come.
        target: a new file.
        name: shown in messages.
        claimed: bytes that the client says it will send.
        limit: bytes that may be sent.

    Returns:
        How many bytes came.

    Raises:
        Refusal: it is larger than ``limit`` or than the disk, or breaks off.
    """
    _check(name, claimed or 0, limit)
    target.parent.mkdir(parents=True, exist_ok=True)
    _check_disk(name, claimed or 0, target.parent)
    size, pending = 0, bytearray()
    with target.open("xb") as file:
        try:
            async for part in body:
                pending += part
                size += len(part)
                _check(name, size, limit)
                if len(pending) >= _BLOCK:
                    await run_in_threadpool(file.write, bytes(pending))
                    pending.clear()
            await run_in_threadpool(file.write, bytes(pending))
            if claimed is not None and size != claimed:
                raise Refusal(400, f"{name} broke off after {gigabytes(size)}; send it again.")
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    return size


def _check(name: str, size: int, limit: int) -> None:
    if size > limit:
        raise Refusal(
            413,
            f"{name} is {gigabytes(size)}; uploads here end at {gigabytes(limit)}. Give its path "
            "instead, or raise --max-upload.",
        )


def _check_disk(name: str, size: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if size + _SPARE > free:
        raise Refusal(
            507,
            f"{name} is {gigabytes(size)} and {gigabytes(free)} are free in {folder}; give its "
            "path instead, or start with another --folder.",
        )
