"""Which network a state dict belongs to: its keys and shapes say it, never its file name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanplate.checkpoints.catalogue import Checkpoint, all_checkpoints
from cleanplate.errors import WeightsError

if TYPE_CHECKING:
    from torch import Tensor, nn

Shapes = dict[str, tuple[int, ...]]
# A counter that no forward pass of a trained network reads; torch 0.4 did not write it.
_COUNTER = ".num_batches_tracked"


def shapes(state: Mapping[str, Tensor]) -> Shapes:
    """The shape of every tensor that matters, by key."""
    return {key: tuple(t.shape) for key, t in state.items() if not key.endswith(_COUNTER)}


@cache
def expected(network: str) -> Shapes:
    """The keys and shapes of the network that ``package.module:builder`` names; takes no memory.

    Raises:
        WeightsError: there is no such network.
    """
    import torch

    module, builder = network.split(":")
    try:
        build: Any = getattr(importlib.import_module(module), builder)
    except (ImportError, AttributeError) as error:
        raise WeightsError(
            f"The network {network} of a checkpoint cannot be found ({error}); repair or remove "
            "the package that brings it."
        ) from error
    with torch.device("meta"):
        built: Any = build()
    return shapes(built.state_dict())


def difference(actual: Shapes, expected: Shapes) -> str:
    """The first key in which ``actual`` differs from ``expected``, in words; empty when none
    does."""
    for key in sorted(expected.keys() | actual.keys()):
        if key not in actual:
            return f"{key} {expected[key]} is missing"
        if key not in expected:
            return f"{key} {actual[key]} is unknown to the network"
        if actual[key] != expected[key]:
            return f"{key} is {actual[key]}, expected {expected[key]}"
    return ""


def recognise(state: Mapping[str, Tensor], path: Path) -> list[Checkpoint]:
    """The checkpoints whose layout ``state`` has: several when they differ in values alone.

    Raises:
        WeightsError: it fits none; the nearest and the first difference are named.
    """
    layout = shapes(state)
    fitting = [
        checkpoint for checkpoint in all_checkpoints() if layout == expected(checkpoint.network)
    ]
    if fitting:
        return fitting
    nearest = max(
        all_checkpoints(), key=lambda checkpoint: _likeness(layout, expected(checkpoint.network))
    )
    if _likeness(layout, expected(nearest.network)) < 0.1:
        raise WeightsError(
            f"{path} holds the weights of a network that cleanplate does not know (its first key "
            f"is {next(iter(sorted(layout)), 'none')}); cleanplate weights lists what it knows."
        )
    raise WeightsError(
        f"{path} is most like {nearest.name}, but "
        f"{difference(layout, expected(nearest.network))}; get the file as it was published."
    )


def _likeness(layout: Shapes, other_layout: Shapes) -> float:
    same = sum(other_layout.get(key) == shape for key, shape in layout.items())
    return same / max(len(layout), len(other_layout), 1)


def load_into(network: nn.Module, state: Mapping[str, Tensor], name: str, path: Path) -> None:
    """Copy ``state`` into ``network``, strictly.

    Raises:
        WeightsError: a key is missing, unknown or of another shape; the first is named.
    """
    parameters = network.state_dict()
    wrong = difference(shapes(state), shapes(parameters))
    if wrong:
        raise WeightsError(
            f"{path} does not hold the weights of {name}: {wrong}; give the file as it was "
            "published, or leave the setting empty for the one that cleanplate weights keeps."
        )
    counters = {
        key: t for key, t in parameters.items() if key.endswith(_COUNTER) and key not in state
    }
    try:
        network.load_state_dict({**state, **counters}, strict=True)
    except RuntimeError as error:  # a constant that stands in the file has another value
        reason = str(error).strip().splitlines()[-1].strip()
        raise WeightsError(f"{path} does not hold the weights of {name}: {reason}") from error
