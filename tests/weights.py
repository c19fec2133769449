"""Weights for tests: a pure function of each tensor's name and shape, the same on every machine."""

from __future__ import annotations

import hashlib
import importlib
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from cleanplate.checkpoints import find, store
from cleanplate.networks import lama, siammask
from cleanplate.networks.e2fgvi import e2fgvi, propagation
from cleanplate.networks.sam import sam, tiny_vit
from cleanplate.networks.sam.vit import Size
from cleanplate.networks.sam2 import hiera
from cleanplate.networks.vinet.vinet import VINet


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


# Factors under which networks without normalisation are alive: with plain named weights their
# signals fade to a constant, or saturate.
SIAMMASK_GAINS = {
    "features.features.conv1.weight": 0.02,
    "rpn_model.loc.head.3.weight": 0.05,
    "refine_model.deconv.weight": 20.0,
    "refine_model.post2.weight": 8.0,
}


def lively_weights(network: nn.Module) -> dict[str, Tensor]:
    """Named weights with which signals neither fade nor grow."""
    gain = _vinet_gain if isinstance(network, VINet) else lambda name: SIAMMASK_GAINS.get(name, 1)
    return {name: weight * gain(name) for name, weight in named_weights(network).items()}


def _vinet_gain(name: str) -> float:
    if not name.endswith("weight"):
        return 1
    if name == "decoder.dc6.weight":
        return 0.6  # keeps pictures within what can be shown
    # Rectified layers keep their signals at the first, gated ones at the second.
    return 1.4 if name.startswith(("flownet", "masknet")) else 2.6


def save(network: nn.Module, path: Path) -> Path:
    """Write named weights of ``network`` as a bare state dict."""
    torch.save(lively_weights(network), path)
    return path


def make_sam_small(patch: pytest.MonkeyPatch) -> None:
    """SAM's encoders with few blocks: promises of an engine are not those of its size."""
    patch.setattr(sam, "VIT_B", Size(width=32, depth=2, heads=2, whole=(1,)))
    patch.setattr(tiny_vit, "WIDTHS", (8, 16, 24, 32))
    patch.setattr(tiny_vit, "DEPTHS", (1, 1, 1, 1))
    patch.setattr(tiny_vit, "HEADS", (1, 1, 1, 1))
    patch.setattr(tiny_vit.TinyViT, "early_width", 24)


def make_sam2_small(patch: pytest.MonkeyPatch) -> None:
    """SAM 2's encoder with a block a stage."""
    patch.setattr(hiera, "TINY", hiera.Size(16, 1, (1, 1, 1, 1), (2,), (8, 4, 4, 4), 7))


def make_lama_small(patch: pytest.MonkeyPatch) -> None:
    """LaMa with one block of few channels."""
    patch.setattr(lama, "BLOCKS", 1)
    patch.setattr(lama, "BASE", 4)
    patch.setattr(lama, "LOCAL", 8)
    patch.setattr(lama, "GLOBAL", 24)


def make_siammask_small(patch: pytest.MonkeyPatch) -> None:
    """SiamMask with thin layers."""
    patch.setattr(siammask, "BASE", 4)
    patch.setattr(siammask, "WIDTH", 16)


def make_e2fgvi_small(patch: pytest.MonkeyPatch) -> None:
    """E2FGVI with thin layers, one block, and a sixteenth of its size."""
    patch.setattr(e2fgvi, "SIZE", e2fgvi.MULTIPLE)
    patch.setattr(e2fgvi, "BLOCKS", 1)
    for module in (e2fgvi, propagation):
        patch.setattr(module, "CHANNELS", 32)
    widths = ((3, 8), (8, 8), (8, 16), (16, 32), (32, 48), (80, 64), (96, 48), (80, 32), (64, 32))
    layers = (
        (*width, *rest) for width, (_, _, *rest) in zip(widths, e2fgvi.Encoder.LAYERS, strict=True)
    )
    patch.setattr(e2fgvi.Encoder, "LAYERS", tuple(layers))


def provide(name: str) -> None:
    """Put named weights for the checkpoint ``name`` into the store, if there are none."""
    if not store.is_here(name):
        module, builder = find(name).network.split(":")
        torch.manual_seed(0)  # for what no name makes: buffers
        save(
            getattr(importlib.import_module(module), builder)(),
            store.path_of(name),
        )
