"""Weights for tests: a pure function of each tensor's name and shape, the same on every machine."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import torch
from torch import Tensor, nn


def named_weights(network: nn.Module) -> dict[str, Tensor]:
    """A state dict for ``network``, made from its keys; constant buffers keep their values."""
    parameters = {name for name, _ in network.named_parameters()}
    return {
        key: _fill(key, tensor) if key in parameters else tensor.clone()
        for key, tensor in network.state_dict().items()
    }


def _fill(name: str, like: Tensor) -> Tensor:
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "little")
    normal = torch.randn(like.shape, generator=torch.Generator().manual_seed(seed))
    if like.dim() >= 2:
        return normal / math.sqrt(like[0].numel())
    return 1 + 0.1 * normal if name.endswith("weight") else 0.02 * normal


def save(network: nn.Module, path: Path) -> Path:
    """Write named weights of ``network`` as a bare state dict."""
    torch.save(named_weights(network), path)
    return path
