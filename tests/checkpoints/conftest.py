"""A store of its own for every test, and a small network that the catalogue knows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cleanplate.checkpoints import catalogue, layouts
from cleanplate.checkpoints.catalogue import Checkpoint
from tests.weights import named_weights


def _network(width: int) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.BatchNorm2d(width))


NETWORKS = {"small:narrow": lambda: _network(4), "small:wide": lambda: _network(64)}


def _checkpoint(name: str, network: str, file: str) -> Checkpoint:
    return Checkpoint(name, file, network, "CC BY-NC 4.0", False, "https://example.org/small")


NARROW = _checkpoint("narrow", "small:narrow", "Narrow-2022.pth")
FIRST = _checkpoint("wide_first", "small:wide", "wide_a.pth")
SECOND = _checkpoint("wide_second", "small:wide", "wide_b.pth")


@pytest.fixture(autouse=True)
def store_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store and a catalogue of three small checkpoints, two of one layout."""
    known = (NARROW, FIRST, SECOND)
    monkeypatch.setenv("CLEANPLATE_WEIGHTS", str(tmp_path / "store"))
    monkeypatch.setattr(catalogue, "BUILT_IN", known)
    monkeypatch.setattr(
        layouts, "expected", lambda network: layouts.shapes(NETWORKS[network]().state_dict())
    )
    return tmp_path / "store"


@pytest.fixture
def narrow() -> dict[str, torch.Tensor]:
    """The weights of the small network."""
    return named_weights(NETWORKS["small:narrow"]())


@pytest.fixture
def wide() -> dict[str, torch.Tensor]:
    """The weights of the network that two checkpoints share."""
    return named_weights(NETWORKS["small:wide"]())
