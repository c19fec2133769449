"""Reading a weights file of any known wrapping, without running what it may hold."""

from __future__ import annotations

import importlib
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanplate.checkpoints import archives
from cleanplate.errors import MissingDependencyError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

HEAD = 16
"""Bytes that tell a weights file from another."""
# Keys under which training programs keep the weights beside optimisers and counters.
_WRAPPINGS = ("state_dict", "model", "params_ema", "params", "netG")
_LAMA_FIRST = "model.1.ffc.convl2l.weight"  # the first key of LaMa's generator, without a prefix
_LIGHTNING = (
    "pytorch_lightning.",
    "lightning.",
    "omegaconf.",
)  # what writes objects beside weights
_PREFIX = "module."  # what torch's DataParallel puts in front of every key


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint file, by their keys, on the CPU, unwrapped.

    Args:
        path: a ``.safetensors`` file or what ``torch.save`` wrote, whatever its name.

    Raises:
        WeightsError: it is missing, truncated, no checkpoint, or holds more than weights.
        MissingDependencyError: torch is not installed.
    """
    torch = _torch()
    if not path.is_file():
        raise WeightsError(f"There is no weights file {path}; give the path of one.")
    with path.open("rb") as file:
        head = file.read(512)
    if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
        raise WeightsError(
            f"{path} is a web page, not a checkpoint: open its address in a browser, press its "
            "download button there, and give the file that comes."
        )
    if _is_safetensors(head):
        return _of_one_network(_read_safetensors(path))
    with archives.opened(path) as file:
        if archives.is_torchscript(file):
            return _of_one_network(archives.read(file))
        return _of_one_network(_unwrapped(_read_pickle(torch, file), path))


def _of_one_network(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what stands beside LaMa's generator, whatever its keys begin with."""
    first = next((key for key in state if key.endswith(_LAMA_FIRST)), None)
    if first is None:
        return state
    prefix = first.removesuffix(_LAMA_FIRST)
    return {
        f"generator.{key.removeprefix(prefix)}": tensor
        for key, tensor in state.items()
        if key.startswith(f"{prefix}model.")
    }


def write_safetensors(state: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors as ``.safetensors``, by the keys they have."""
    from safetensors.torch import save_file

    # Tensors that share memory are refused by the format: each gets its own.
    save_file({key: tensor.contiguous().clone() for key, tensor in state.items()}, path)


def _torch() -> Any:
    try:
        return importlib.import_module("torch")
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "Weights need torch, which is not installed; install it with: "
            "pip install 'cleanplate[networks]'."
        ) from error


def begins_as_weights(head: bytes) -> bool:
    """Whether the first ``HEAD`` bytes are those of a torch or a safetensors file."""
    pickled = head[:1] == b"\x80" and 2 <= head[1] <= 5
    return head.startswith(b"PK") or pickled or _is_safetensors(head)


def _is_safetensors(head: bytes) -> bool:
    """Eight bytes of length, then JSON."""
    return len(head) > 9 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 1 << 28


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise _damaged(path) from error


def _read_pickle(torch: Any, path: Path) -> Any:
    # Counters that numpy made stand beside the weights in files of older training programs.
    numpy = importlib.import_module("numpy")
    scalars = [numpy._core.multiarray.scalar, numpy.dtype]
    scalars += [type(numpy.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?")]
    # Files written by numpy 1 name the module by its older path.
    scalars.append((numpy._core.multiarray.scalar, "numpy.core.multiarray.scalar"))
    try:
        with torch.serialization.safe_globals(scalars), warnings.catch_warnings():
            # Of pickle protocols that it knows less well: what it cannot read it refuses anyway.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        requested = re.search(r"GLOBAL ([\w.]+)", str(error))
        if requested is None:
            raise _damaged(path) from error
        if requested[1].startswith(_LIGHTNING):
            return archives.read(path)
        raise WeightsError(
            f"{path} holds more than weights (it asks for {requested[1]}), which could run code on "
            "this machine, so it was not read; get the file from where it is published."
        ) from error
    except (RuntimeError, OSError, EOFError, LookupError, ValueError, AttributeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> WeightsError:
    return WeightsError(
        f"{path} ({path.stat().st_size} bytes) cannot be read as a checkpoint: it is cut off, "
        "damaged or of another kind; get it again."
    )


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    torch = _torch()
    for key in _WRAPPINGS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        raise WeightsError(f"{path} holds no weights, but {_kind(content)}; give a checkpoint.")
    odd = next((k for k, v in content.items() if not isinstance(v, torch.Tensor)), None)
    if odd is not None:
        raise WeightsError(
            f"{path} holds {_kind(content[odd])} under {str(odd)[:60]!r} where a tensor was "
            "expected; give a checkpoint."
        )
    if all(key.startswith(_PREFIX) for key in content):
        return {key.removeprefix(_PREFIX): tensor for key, tensor in content.items()}
    return dict(content)


def _kind(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping" if value else "an empty mapping"
    return f"something of type {type(value).__name__}"
