"""Tensors out of archives that hold more than weights, read as data: nothing in them is run.

Two kinds are read: TorchScript files, which hold programs beside their tensors, and checkpoints of
Lightning, which hold the training's settings as objects. A pickle in them is followed by an
unpickler that knows tensors, plain containers and numbers; objects of the programs that wrote the
file become empty shells; anything else ends the reading.
"""

from __future__ import annotations

import collections
import pickle
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from cleanplate.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor

PICKLE = "data.pkl"
MOST_PICKLED = 1 << 28  # bytes of a pickle, which holds names and shapes
MOST_UNPACKED = 1 << 33  # bytes of a checkpoint inside another archive
_SHELLS = ("__torch__.", "pytorch_lightning.", "lightning.", "omegaconf.", "torch.jit.")
_SUFFIXES = (".ckpt", ".pt", ".pth")
_KINDS = {
    "FloatStorage": "float32",
    "DoubleStorage": "float64",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
}
_PLAIN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("collections", "defaultdict"): lambda *_: {},
    ("typing", "Any"): object,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("builtins", "set"): set,
    ("builtins", "int"): int,
    ("builtins", "float"): float,
    ("builtins", "str"): str,
    ("builtins", "bool"): bool,
}


class Shell:
    """What stands for an object of another program: its attributes, and no behaviour."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.held: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        self.held = state if isinstance(state, dict) else {}

    def __setitem__(self, _: Any, __: Any) -> None:
        pass

    def append(self, _: Any) -> None:
        """A list's item in a pickle: dropped, as all that a shell is given."""

    def extend(self, _: Any) -> None:
        """A list's items in a pickle: dropped, too."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor that has not been read yet."""

    key: str
    kind: str
    count: int
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class DataUnpickler(pickle.Unpickler):
    """Builds tensors, containers and shells; imports nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """What stands for the name: a plain container, a tensor's parts, or a shell.

        Raises:
            UnpicklingError: any other name; nothing is imported for it.
        """
        if (module, name) in _PLAIN:
            return _PLAIN[module, name]
        if module == "torch" and name in _KINDS:
            return _KINDS[name]
        if module == "torch._utils" and name in ("_rebuild_tensor_v2", "_rebuild_tensor"):
            return _stored
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda tensor, *_: tensor
        if module.startswith(_SHELLS) or f"{module}." in _SHELLS:
            return Shell
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        """A storage, as torch writes them: kind, key, place, count."""
        if not (isinstance(pid, tuple) and len(pid) >= 5 and pid[0] == "storage"):
            raise pickle.UnpicklingError("something that is no tensor")
        return str(pid[1]), str(pid[2]), int(pid[4])


def _stored(storage: Any, offset: int, size: Any, stride: Any, *_: Any) -> Stored:
    kind, key, count = storage
    return Stored(key, kind, count, int(offset), tuple(size), tuple(stride))


def is_torchscript(path: Path) -> bool:
    """Whether ``path`` is a zip archive of a TorchScript program."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(PurePosixPath(name).name == "constants.pkl" for name in archive.namelist())


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """The checkpoint itself: ``path``, or what lies in it when it is an archive around one.

    Raises:
        WeightsError: it is an archive without a checkpoint, or with several.
    """
    if not zipfile.is_zipfile(path):
        yield path
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if any(PurePosixPath(name).name == PICKLE for name in names):
            yield path
            return
        wanted = [entry for entry in archive.infolist() if entry.filename.endswith(_SUFFIXES)]
        if len(wanted) != 1 or wanted[0].file_size > MOST_UNPACKED:
            raise WeightsError(
                f"{path} is an archive with {len(wanted)} checkpoints in it; give one that holds "
                "a single one, or the checkpoint itself."
            )
        with tempfile.TemporaryDirectory(prefix="cleanplate-") as folder:
            inner = Path(folder) / PurePosixPath(wanted[0].filename).name
            with archive.open(wanted[0]) as source, inner.open("wb") as target:
                shutil.copyfileobj(source, target)
            yield inner


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a TorchScript file or a Lightning checkpoint, by their keys.

    Raises:
        WeightsError: it asks for anything but tensors and containers, or is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            root = _root(archive)
            entry = archive.getinfo(f"{root}{PICKLE}")
            if entry.file_size > MOST_PICKLED:
                raise pickle.UnpicklingError(f"{entry.file_size} bytes of objects")
            with archive.open(entry) as file:
                content = DataUnpickler(file).load()
            return {key: _tensor(archive, root, tensor) for key, tensor in _tensors(content)}
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{path} holds more than weights ({error}), so it was not read; give the weights as "
            "big-lama.zip from the authors, as its best.ckpt, or as a .safetensors file."
        ) from error
    except (KeyError, ValueError, TypeError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"{path} ({path.stat().st_size} bytes) cannot be read as a checkpoint: it is cut off, "
            "damaged or of another kind; get it again."
        ) from error


def _root(archive: zipfile.ZipFile) -> str:
    """How the names in it begin: ``archive/``."""
    return next(n for n in archive.namelist() if n.endswith(f"/{PICKLE}")).removesuffix(PICKLE)


def _tensors(content: Any) -> Iterator[tuple[str, Stored]]:
    """All tensors of a program or of a ``state_dict``, by their keys."""
    if isinstance(content, Shell):
        content = content.held
    elif isinstance(content.get("state_dict"), dict):
        content = content["state_dict"]
    stack = [("", content)]
    while stack:
        prefix, held = stack.pop()
        for key, value in held.items():
            if isinstance(value, Stored):
                yield f"{prefix}{key}", value
            elif isinstance(value, Shell):
                stack.append((f"{prefix}{key}.", value.held))


def _tensor(archive: zipfile.ZipFile, root: str, stored: Stored) -> Tensor:
    import torch

    kind = getattr(torch, stored.kind)
    last = sum((s - 1) * step for s, step in zip(stored.size, stored.stride, strict=True))
    empty = any(s == 0 for s in stored.size)
    if stored.offset < 0 or min(stored.stride, default=0) < 0 or min(stored.size, default=0) < 0:
        raise ValueError("a tensor with negative sides")
    if not empty and stored.offset + last >= stored.count:
        raise ValueError("a tensor larger than its storage")
    raw = bytearray(archive.read(f"{root}data/{stored.key}"))
    if len(raw) != stored.count * kind.itemsize:
        raise ValueError("a storage of another length than told")
    if not raw:
        return torch.zeros(stored.size, dtype=kind)
    flat = torch.frombuffer(raw, dtype=kind)
    return flat.as_strided(stored.size, stored.stride, stored.offset).clone()
