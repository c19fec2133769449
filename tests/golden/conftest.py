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
        self._folder = folder
        self._arrays: dict[str, np.ndarray] = {}
        if not (folder / "golden.npz").is_file():
            return  # the names and shapes of the tensors only
        self.inputs = load(folder / "inputs.py")
        with np.load(folder / "golden.npz") as archive:
            self._arrays = {name: archive[name] for name in archive.files}

    def weights(self, listed: str = "manifest.json") -> dict[str, np.ndarray]:
        """Every tensor of the published layout that the file ``listed`` holds."""
        maker = load(self._folder.parent / "deterministic_weights.py")
        constants = self.constants() if listed == "manifest.json" else {}
        return maker.state_dict(self._folder / listed) | constants

    def constants(self) -> dict[str, np.ndarray]:
        """The constants of the published layout, which no rule makes."""
        made: dict[str, np.ndarray] = {}
        for name, constant in self.manifest["weights"].get("constants", {}).items():
            if isinstance(constant, dict):
                kind = constant.get("dtype", "float32")
                value = np.array(constant["values"], kind).reshape(constant["shape"])
                made |= dict.fromkeys(constant.get("keys", [name]), value)
        return made

    def input(self, expression: str) -> np.ndarray:
        """What an input's expression in the manifest stands for; a remark may follow it."""
        depth = np.cumsum([(c in "([") - (c in ")]") for c in expression])
        ends = [i for i, c in enumerate(expression) if c in ",;:" and depth[i] == 0]
        code = expression[: ends[0]] if ends else expression
        return eval(code, {"inputs": self.inputs, "np": np})

    def array(self, name: str) -> np.ndarray:
        """One of the arrays of golden.npz."""
        return self._arrays[name]

    def check(self, case: dict[str, Any], name: str, found: np.ndarray) -> None:
        """Hold one output to the case's tolerance."""
        output = case["outputs"][name]
        stride = tuple(slice(None, None, step) for step in output["stride"])
        tolerance = output.get("tolerance") or case["tolerance"]
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
