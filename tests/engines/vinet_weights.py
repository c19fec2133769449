"""Named weights under which VINet is alive: with plain ones its signals fade to a constant."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from tests.weights import named_weights

_FLOW, _OTHER = (
    1.4,
    2.6,
)  # rectified layers keep their signals at the first, gated ones at the second
_LAST = 0.6  # keeps pictures within what can be shown


def save_lively(network: nn.Module, path: Path) -> Path:
    """Write weights of ``network`` with which signals neither fade nor grow."""
    torch.save({name: w * _gain(name) for name, w in named_weights(network).items()}, path)
    return path


def _gain(name: str) -> float:
    if not name.endswith("weight"):
        return 1
    if name == "decoder.dc6.weight":
        return _LAST
    return _FLOW if name.startswith(("flownet", "masknet")) else _OTHER
