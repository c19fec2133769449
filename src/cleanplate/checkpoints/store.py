"""The folder of checkpoints on this machine."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanplate.checkpoints import files, layouts
from cleanplate.checkpoints.catalogue import Checkpoint, find, unknown
from cleanplate.errors import InputError, WeightsError
from cleanplate.files.publish import check_target, publishing, write_text

if TYPE_CHECKING:
    from torch import Tensor, nn

PLACE = "CLEANPLATE_WEIGHTS"
"""Environment variable that names the folder."""


def folder() -> Path:
    """Where checkpoints lie: ``CLEANPLATE_WEIGHTS``, or the user's cache."""
    chosen = os.environ.get(PLACE)
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "cleanplate" / "weights"


def path_of(name: str) -> Path:
    """Where the checkpoint ``name`` lies, or would lie."""
    return folder() / f"{name}{Path(find(name).file).suffix}"


def is_here(name: str) -> bool:
    """Whether the checkpoint ``name`` is in the store."""
    return path_of(name).is_file()


def lacking(*groups: Sequence[str]) -> str:
    """What keeps an engine from its weights, as a sentence; empty when nothing does.

    Args:
        groups: names of checkpoints; one of each group is needed (``About.checkpoints``,
            ``About.also``).
    """
    for names in filter(None, groups):
        fault = unknown(names)
        if fault:
            return fault
        if not any(map(is_here, names)):
            return f"{how_to_get(find(names[0])).rstrip('.')}."
    return ""


def load(network: nn.Module, name: str, path: str = "", unused: str = "") -> None:
    """Load a checkpoint into a network, strictly.

    Args:
        network: the network as built.
        name: the checkpoint that it needs, one of the catalogue's.
        path: a file of the user's; empty takes the one in the store.
        unused: how the keys of a part begin that the file may have and the network was built
            without; empty: there is none.

    Raises:
        WeightsError: the file is not there, damaged, or of another network.
        MissingDependencyError: torch is not installed.
    """
    if not path and not is_here(name):
        raise WeightsError(how_to_get(find(name)))
    file = Path(path) if path else path_of(name)
    state = files.read(file)
    if unused:
        state = {key: tensor for key, tensor in state.items() if not key.startswith(unused)}
    layouts.load_into(network, state, name, file)


def how_to_get(checkpoint: Checkpoint) -> str:
    """The sentence that says how the weights come here."""
    if checkpoint.url:
        return (
            f"The weights of {checkpoint.name} are not here; get them with: "
            f"cleanplate weights fetch {checkpoint.name}"
        )
    return (
        f"The weights of {checkpoint.name} are not here, and can only be had with a browser: "
        f"download {checkpoint.file} through the links of {checkpoint.page}, then: "
        f"cleanplate weights import {checkpoint.file} --name {checkpoint.name}"
    )


def identify(path: Path, name: str = "") -> Checkpoint:
    """Which checkpoint a file is.

    Args:
        path: any file.
        name: what the user says that it is; needed where files differ in values alone and
            neither digest nor published name tells them apart.

    Raises:
        WeightsError: it fits no known network, or not the one of ``name``.
        InputError: several fit and ``name`` is empty.
    """
    fitting = layouts.recognise(files.read(path), path)
    if name:
        named = find(name)
        if named in fitting:
            return named
        names = ", ".join(checkpoint.name for checkpoint in fitting)
        raise WeightsError(f"{path} holds the weights of {names}, not of {name}.")
    for agrees in (_digest_agrees, _file_name_agrees):
        agreeing = [checkpoint for checkpoint in fitting if agrees(path, checkpoint)]
        if len(agreeing) == 1:
            return agreeing[0]
    if len(fitting) == 1:
        return fitting[0]
    names = " or ".join(checkpoint.name for checkpoint in fitting)
    raise InputError(
        f"{path} can be {names}: their keys and shapes are the same; say which with --name."
    )


def trained_card(path: Path) -> dict[str, Any] | None:
    """The card that ``cleanplate train`` wrote beside ``path``; None where the file has none, or
    is not what its card was written for."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    try:
        card = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError:  # somebody's other file
        return None
    is_card = isinstance(card, dict) and {"network", "sha256", "data", "configuration"} <= set(card)
    return card if is_card and card["sha256"] == digest(path).removeprefix("sha256:") else None


def own_licence(card: dict[str, Any] | None) -> str:
    """What binds weights that were trained here: the licences of what they learned from; "" where
    they began with published weights, whose licence holds for them too."""
    if card is None or any(card["configuration"][key] for key in ("start_from", "start_flow_from")):
        return ""
    sources = [f"{next(iter(source.values()))}: {source['licence']}" for source in card["data"]]
    return f"your own; learned from {'; '.join(sources)}"


def _digest_agrees(path: Path, checkpoint: Checkpoint) -> bool:
    return bool(checkpoint.digest) and digest(path, checkpoint.digest) == checkpoint.digest


def _file_name_agrees(path: Path, checkpoint: Checkpoint) -> bool:
    return path.name == checkpoint.file


def add(
    path: Path, checkpoint: Checkpoint, source: str, move: bool = False, licence: str = ""
) -> Path:
    """Put a file into the store as ``checkpoint``, byte for byte; where it lies is returned.

    Args:
        path: the file, already identified.
        checkpoint: what it is.
        source: where it came from, for the record beside it.
        move: the file is ours to take; else it is copied.
        licence: of this file; empty: the published one's.
    """
    target = path_of(checkpoint.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.resolve() != target.resolve():
        if move:
            path.replace(target)
        else:
            with publishing(target) as draft:
                shutil.copyfile(path, draft)
    record = {
        "name": checkpoint.name,
        "source": source,
        "size": target.stat().st_size,
        "sha256": digest(target).removeprefix("sha256:"),
        "licence": licence or checkpoint.licence,
        "added": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_text(_record_of(checkpoint.name), json.dumps(record, indent=1))
    return target


def record(name: str) -> dict[str, Any]:
    """What was noted when ``name`` was added: source, size, sha256, licence; empty if nothing."""
    path = _record_of(name)
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _record_of(name: str) -> Path:
    return folder() / f"{name}.json"


def remove(name: str) -> int:
    """Delete a checkpoint from the store; the bytes that it took are returned.

    Raises:
        InputError: it is not there.
    """
    path = path_of(name)
    if not path.is_file():
        raise InputError(
            f"The weights of {name} are not in {folder()}; there is nothing to remove."
        )
    size = path.stat().st_size
    path.unlink()
    _record_of(name).unlink(missing_ok=True)
    return size


def export(name: str, target: Path, overwrite: bool = False) -> None:
    """Write a checkpoint of the store as ``.safetensors``: the published keys, nothing else.

    Raises:
        InputError: ``target`` does not end in ``.safetensors``, or is there.
        WeightsError: the checkpoint is not in the store.
    """
    if target.suffix != ".safetensors":
        raise InputError(f"{target} must end in .safetensors; that is what export writes.")
    if not is_here(name):
        raise WeightsError(how_to_get(find(name)))
    check_target(target, overwrite, path_of(name))
    state: dict[str, Tensor] = files.read(path_of(name))
    with publishing(target) as draft:
        files.write_safetensors(state, draft)


def digest(path: Path, like: str = "sha256:") -> str:
    """``sha256:...`` of a file, or ``md5:...`` when ``like`` begins so."""
    kind = like.split(":")[0]
    with path.open("rb") as file:
        return f"{kind}:{hashlib.file_digest(file, kind).hexdigest()}"


def agreed() -> dict[str, str]:
    """The licences that were agreed to on this machine, and when."""
    path = folder() / "licences.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def agree(checkpoint: Checkpoint) -> None:
    """Note that the licence of ``checkpoint`` was agreed to."""
    folder().mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    noted = agreed() | {licence_key(checkpoint): now}
    write_text(folder() / "licences.json", json.dumps(noted, indent=1))


def licence_key(checkpoint: Checkpoint) -> str:
    """Under which an agreement is noted: the licence of these weights, of this page."""
    return f"{checkpoint.licence} | {checkpoint.page}"
