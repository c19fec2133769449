"""Goldens: what each network must compute, with weights made from the names of its tensors."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path) -> ModuleType:
    """A Python file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"golden_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Golden:
    """One network's folder: its manifest, inputs, outputs and weights."""

    def __init__(self, folder: Path) -> None:
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        self.inputs = load(folder / "inputs.py")
        self._folder = folder
        with np.load(folder / "golden.npz") as archive:
            self._arrays = {name: archive[name] for name in archive.files}

    def weights(self) -> dict[str, np.ndarray]:
        """Every tensor of the published layout."""
        maker = load(self._folder.parent / "deterministic_weights.py")
        return maker.state_dict(self._folder / "manifest.json")

    def input(self, expression: str) -> np.ndarray:
        """What an input's expression in the manifest stands for."""
        return eval(expression, {"inputs": self.inputs, "np": np})

    def array(self, name: str) -> np.ndarray:
        """One of the arrays of golden.npz."""
        return self._arrays[name]

    def check(self, case: dict[str, Any], name: str, found: np.ndarray) -> None:
        """Hold one output to the case's tolerance."""
        output = case["outputs"][name]
        stride = tuple(slice(None, None, step) for step in output["stride"])
        tolerance = case["tolerance"]
        assert list(found.shape) == output["shape"]
        np.testing.assert_allclose(
            found[stride], self._arrays[output["array"]], tolerance["rel"], tolerance["abs"]
        )


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Callable[[str], Golden]:
    """``golden(network)``; the test is skipped, and says so, where there is no such folder."""
    given = pytestconfig.getoption("--goldens")
    root = Path(given) if given else ROOT.parent / "shared" / "goldens"

    def find(network: str) -> Golden:
        if not (root / network / "manifest.json").is_file():
            pytest.skip(f"NO GOLDENS: {root / network} is not there; give --goldens DIR")
        return Golden(root / network)

    return find
