"""Constants that stand in published state dicts: loaded like weights, and checked."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def hold_constant(module: nn.Module, name: str, value: Tensor) -> None:
    """Make ``value`` a buffer of ``module``; loading another value under its key is an error."""
    expected = value.clone()
    module.register_buffer(name, value)

    def check(_module: nn.Module, state: dict[str, Any], prefix: str, *others: Any) -> None:
        given, errors = state.get(prefix + name), others[-1]
        if isinstance(given, Tensor) and not _same(given, expected):
            errors.append(f"{prefix}{name} is a constant of this network, and differs from it.")

    module.register_load_state_dict_pre_hook(check)


def _same(given: Tensor, expected: Tensor) -> bool:
    return given.shape == expected.shape and torch.equal(
        given.detach().cpu().to(expected.dtype), expected
    )
