"""Fetching a checkpoint: https, resumed where it broke off, verified before it is kept."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cleanplate.checkpoints import drive, files, store
from cleanplate.checkpoints.catalogue import Checkpoint, all_checkpoints
from cleanplate.errors import InputError, MissingDependencyError, WeightsError
from cleanplate.files.publish import write_text

Progress = Callable[[int, int | None], None]
"""Told the bytes that are here and the bytes there will be, if known."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ATTEMPTS = 5
_UNREACHED = 2  # attempts in which no server answered at all: nothing is gained by more
_PATIENCE = 30.0  # s without a byte
_PAGES = 2  # most pages of Drive's before a file
LARGEST = 4 << 30
"""Bytes: nothing that is larger is taken, of whatever size it says to be."""


class OfflineError(WeightsError):
    """No server could be reached."""


class _BrokenOffError(Exception):
    """The connection ended early; what came is kept."""


def fetch(
    checkpoint: Checkpoint,
    *,
    url: str = "",
    progress: Progress = lambda here, total: None,
    pause: float = 1.0,
) -> Path:
    """Download a checkpoint into the store; where it lies is returned.

    What an earlier call left unfinished is gone on with. The file appears in the store only after
    its size, its digest where published, and its keys and shapes were found right. Where two
    checkpoints are published at one address it becomes the one that its keys say.

    Args:
        checkpoint: which one.
        url: another address than the published one, such as a mirror.
        progress: called as bytes come in.
        pause: s to wait before the second attempt; doubled each time.

    Raises:
        InputError: the address is not https.
        OfflineError: no server could be reached.
        WeightsError: it has no address, the server does not give it, or what came is not it.
    """
    addresses = [url] if url else [*filter(None, (checkpoint.url, checkpoint.mirror))]
    failures: list[WeightsError] = []
    for address in addresses:
        try:
            return _fetch_from(address, checkpoint, progress, pause)
        except WeightsError as error:
            failures.append(error)
    told = " ".join(map(str, failures)) or store.how_to_get(checkpoint)
    is_offline = failures and all(isinstance(failure, OfflineError) for failure in failures)
    raise (OfflineError if is_offline else WeightsError)(told)


def _fetch_from(address: str, checkpoint: Checkpoint, progress: Progress, pause: float) -> Path:
    httpx = _httpx()
    store.folder().mkdir(parents=True, exist_ok=True)
    part = store.folder() / f".{checkpoint.name}.part"
    # The hook sees every address that is asked, those of redirections too.
    hooks = {"request": [lambda request: _check_address(request.url, address, checkpoint)]}
    with httpx.Client(follow_redirects=True, timeout=_PATIENCE, event_hooks=hooks) as client:
        _download(httpx, client, address, checkpoint, part, progress, pause)
    try:
        checkpoint = _verified(part, checkpoint, address)
    except WeightsError:
        _forget(part)  # to go on with what is wrong would never end
        raise
    path = store.add(part, checkpoint, source=address, move=True)
    _forget(part)
    return path


def _httpx() -> Any:
    try:
        return importlib.import_module("httpx")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "Fetching weights needs httpx, which is not installed; install it with: "
            "pip install 'cleanplate[networks]'."
        ) from error


def _check_address(url: Any, address: str, checkpoint: Checkpoint) -> None:
    if drive.is_drive(address):
        drive.check_host(url.host, address, checkpoint)
    if url.scheme == "https" or (url.scheme == "http" and url.host in _LOOPBACK):
        return
    raise InputError(
        f"{url} is not an https address, so nobody could tell whether {checkpoint.name} was "
        "changed on its way; give one, or download it yourself and use: cleanplate weights import"
    )


def _download(
    httpx: Any,
    client: Any,
    address: str,
    checkpoint: Checkpoint,
    part: Path,
    progress: Progress,
    pause: float,
) -> None:
    reason, unreached = "", 0
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(pause * 2 ** (attempt - 1))
        try:
            return _attempt(client, address, checkpoint, part, progress)
        except httpx.ConnectError as error:
            reason = str(error)
            unreached += 1
            if unreached == _UNREACHED:
                raise OfflineError(_offline(address, checkpoint, reason)) from error
        except (httpx.TransportError, _BrokenOffError) as error:
            reason = str(error) or type(error).__name__
    here = part.stat().st_size if part.is_file() else 0
    raise WeightsError(
        f"{address} broke off {_ATTEMPTS} times ({reason}); {here} bytes are kept: run the same "
        "command again to go on, or give another address with --url."
    )


def _offline(address: str, checkpoint: Checkpoint, reason: str) -> str:
    return (
        f"This machine does not reach {address} ({reason}); go online and run the same command "
        f"again, or bring {checkpoint.file} from another machine and type: cleanplate weights "
        f"import {checkpoint.file} --name {checkpoint.name}. All that needs no weights works "
        "without."
    )


def _attempt(
    client: Any, address: str, checkpoint: Checkpoint, part: Path, progress: Progress
) -> None:
    """One request for what is missing."""
    have = part.stat().st_size if part.is_file() else 0
    mark = _mark_of(part, address)
    if not mark and not checkpoint.digest:
        have = 0  # nobody could tell whether the file there is still the same
    # "identity": a compressed answer could be neither counted nor resumed.
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers |= {"Range": f"bytes={have}-"} | ({"If-Range": mark} if mark else {})
    asked = address
    for _ in range(_PAGES):
        with client.stream("GET", asked, headers=headers) as answer:
            asked = ""
            if drive.is_drive(address):
                asked = drive.onward(answer, address, checkpoint)
            if not asked:
                return _take(answer, address, checkpoint, part, have, progress)
    raise WeightsError(
        f"{address} answers its own confirmation with another; open {checkpoint.page} in a "
        f"browser, download {checkpoint.file} there, then type: cleanplate weights import "
        f"{checkpoint.file} --name {checkpoint.name}"
    )


def _take(
    answer: Any, address: str, checkpoint: Checkpoint, part: Path, have: int, progress: Progress
) -> None:
    """Write what an answer holds behind the ``have`` bytes that are here."""
    if answer.status_code == 416:
        _forget(part)
        raise _BrokenOffError("the server has less than was asked for")
    _check_answer(answer, address)
    start = _start(answer)
    if start not in (0, have):
        raise _BrokenOffError(f"asked for bytes from {have}, got them from {start}")
    length = answer.headers.get("Content-Length")
    total = start + int(length) if length is not None else None
    if checkpoint.size is not None and total not in (None, checkpoint.size):
        _forget(part)
        raise WeightsError(
            f"{address} offers {total} bytes where {checkpoint.name} has {checkpoint.size}; "
            "it is another file: give another address with --url."
        )
    if (total or 0) > LARGEST:
        raise WeightsError(_too_large(address, total))
    _note(part, address, answer)
    here = _write(answer.iter_raw(), part, start, total, progress, address)
    expected = total if total is not None else checkpoint.size
    if expected is not None and here < expected:
        raise _BrokenOffError(f"{here} of {expected} bytes came")


def _check_answer(answer: Any, address: str) -> None:
    code = answer.status_code
    if code >= 500 or code in (408, 429):
        raise _BrokenOffError(f"the server answered {code}")
    if code not in (200, 206):
        raise WeightsError(
            f"{address} is not available (the server answered {code}); give another address with "
            "--url, or download it yourself and use: cleanplate weights import"
        )
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise WeightsError(
            f"{address} gave a web page in place of a file; open it in a browser, download the "
            "file there and use: cleanplate weights import"
        )


def _start(answer: Any) -> int:
    """The first byte that the answer holds."""
    if answer.status_code == 200:
        return 0
    content_range = answer.headers.get("Content-Range", "")
    first = content_range.removeprefix("bytes ").split("-")[0]
    return int(first) if first.isdigit() else -1


def _write(
    blocks: Iterator[bytes],
    part: Path,
    start: int,
    total: int | None,
    progress: Progress,
    address: str,
) -> int:
    here, head = start, b""
    wrong = ""
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        file.truncate()
        for block in blocks:
            if here - start < files.HEAD and not start:
                head += block
                if len(head) >= files.HEAD and not files.begins_as_weights(head):
                    wrong = _no_weights(address)
            file.write(block)
            here += len(block)
            if here > LARGEST:
                wrong = _too_large(address, here)
            if wrong:
                break
            progress(here, total)
    if wrong:
        _forget(part)
        raise WeightsError(wrong)
    return here


def _too_large(address: str, size: int | None) -> str:
    return (
        f"{address} gives {size} bytes, and no checkpoint has more than {LARGEST}; it was not "
        "kept: give another address with --url."
    )


def _no_weights(address: str) -> str:
    return (
        f"What {address} gives does not begin as a weights file does (a torch or a safetensors "
        "file); it was not kept: give another address with --url."
    )


def _note_path(part: Path) -> Path:
    return part.with_suffix(".part.json")


def _note(part: Path, address: str, answer: Any) -> None:
    """Keep what says, at the next attempt, whether the file there is still the same one."""
    tag = answer.headers.get("ETag", "")
    strong = tag if not tag.startswith("W/") else ""
    mark = strong or answer.headers.get("Last-Modified", "")
    write_text(_note_path(part), json.dumps({"url": address, "mark": mark}))


def _mark_of(part: Path, address: str) -> str:
    note = _note_path(part)
    if not note.is_file():
        return ""
    known = json.loads(note.read_text(encoding="utf-8"))
    return known["mark"] if known["url"] == address else ""


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note_path(part).unlink(missing_ok=True)


def _verified(part: Path, checkpoint: Checkpoint, address: str) -> Checkpoint:
    """Which checkpoint it is: that one, or another of the same address."""
    size = part.stat().st_size
    if checkpoint.size is not None and size != checkpoint.size:
        raise WeightsError(
            f"{address} gave {size} bytes where {checkpoint.name} has {checkpoint.size}; it was "
            "not kept: give another address with --url."
        )
    if checkpoint.digest:
        digest = store.digest(part, checkpoint.digest)
        if digest != checkpoint.digest:
            raise WeightsError(
                f"What {address} gave is not {checkpoint.name}: its checksum is {digest}, expected "
                f"{checkpoint.digest}; it was not kept: give another address with --url."
            )
    sharing = [listed.name for listed in all_checkpoints() if listed.url == address]
    if checkpoint.name not in sharing or len(sharing) == 1:
        return store.identify(part, checkpoint.name)
    kept = store.identify(part)
    return kept if kept.name in sharing else store.identify(part, checkpoint.name)
