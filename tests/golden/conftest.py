"""Goldens: what each network must compute, with weights made from the names of its tensors.

The manifests drive the tests. One that is marked ``compares(family, kind)`` runs once for every
case of that kind, whatever its name, its size and its inputs (``kinds.py`` tells kinds apart), and
when it ends it must have compared every output that the case lists. ``test_manifests.py`` fails for
a folder or a case that no test compares.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from tests.golden.kinds import FAMILIES, NESTED, family_of, kind_of

ROOT = Path(__file__).resolve().parents[2]


def load(path: Path) -> ModuleType:
    """A Python file as a module of its own."""
    spec = importlib.util.spec_from_file_location(f"golden_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Case:
    """One case of a manifest, and which of its outputs were compared."""

    def __init__(self, golden: Golden, name: str, manifest: dict[str, Any]) -> None:
        self.golden, self.name, self.manifest = golden, name, manifest
        self._compared: set[str] = set()
        self.listed: dict[str, str] = {}
        """Each output under its own name, without that of the case before it."""
        for listed in manifest.get("outputs", {}):
            short = listed.removeprefix(f"{name}/").removeprefix(f"{name}.")
            if golden.family not in NESTED:
                short = short.rpartition("/")[2]
            self.listed[short] = listed
        self.kind = kind_of(golden.family, manifest, set(self.listed))

    @property
    def inputs(self) -> Any:
        """The golden's ``inputs.py``."""
        return self.golden.inputs

    def __getitem__(self, key: str) -> Any:
        return self.manifest[key]

    def output(self, name: str) -> dict[str, Any] | None:
        """What the manifest says of an output; None when it does not list it."""
        return self.manifest["outputs"].get(self.listed.get(name))

    def wanted(self, name: str) -> np.ndarray:
        """An output as the golden holds it; whoever takes it compares it."""
        listed = self.listed[name]
        self._compared.add(name)
        for key in (self.manifest["outputs"][listed].get("array"), listed):
            if key in self.golden.arrays:
                return self.golden.arrays[key]
        return self.golden.arrays[f"{self.name}/{name}"]

    def leave(self, *names: str) -> None:
        """Outputs that another test of the same kind compares."""
        self._compared |= set(names)

    def complete(self) -> None:
        """Fail when an output was not compared."""
        left = sorted(set(self.listed) - self._compared)
        assert not left, f"{self}: no test knows how to compute {', '.join(left)}"

    def __str__(self) -> str:
        return f"{self.golden.folder.name}-{self.name}"


class Golden:
    """One network's folder: its manifest, inputs, outputs and weights."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.family = family_of(folder.name)
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        listed = self.manifest["cases"]
        if isinstance(listed, list):
            listed = {case["name"]: case for case in listed}
        self.listed: dict[str, dict[str, Any]] = listed

    @property
    def inputs(self) -> Any:
        """The module that makes the inputs."""
        return _inputs(self.folder)

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """All that ``golden.npz`` holds."""
        return _arrays(self.folder)

    def case(self, name: str) -> Case:
        return Case(self, name, self.listed[name])

    def cases(self) -> list[Case]:
        return [self.case(name) for name in self.listed]

    def weights(self, listed: str = "manifest.json") -> dict[str, np.ndarray]:
        """Every tensor of the published layout that the file ``listed`` holds."""
        maker = load(self.folder.parent / "deterministic_weights.py")
        constants = self.constants() if listed == "manifest.json" else {}
        return maker.state_dict(self.folder / listed) | constants

    def constants(self) -> dict[str, np.ndarray]:
        """The constants of the published layout, which no rule makes."""
        made: dict[str, np.ndarray] = {}
        for name, constant in self.manifest["weights"].get("constants", {}).items():
            if isinstance(constant, dict):
                kind = constant.get("dtype", "float32")
                value = np.array(constant["values"], kind).reshape(constant["shape"])
                made |= dict.fromkeys(constant.get("keys", [name]), value)
        return made

    def input(self, expression: str, **known: Any) -> Any:
        """What an input's expression in the manifest stands for; a remark may follow it."""
        depth = np.cumsum([(c in "([") - (c in ")]") for c in expression])
        ends = [i for i, c in enumerate(expression) if c in ",;:" and depth[i] == 0]
        code = expression[: ends[0]] if ends else expression
        return eval(code, {"inputs": self.inputs, "np": np} | known)


@lru_cache(maxsize=4)
def _arrays(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "golden.npz") as archive:
        return {name: archive[name] for name in archive.files}


@lru_cache(maxsize=64)
def _inputs(folder: Path) -> Any:
    return load(folder / "inputs.py")


@lru_cache(maxsize=64)
def _golden(folder: Path) -> Golden:
    return Golden(folder)


def root_of(config: pytest.Config) -> Path:
    """The folder of all goldens."""
    given = config.getoption("--goldens")
    if given and not Path(given).is_dir():
        raise pytest.UsageError(f"--goldens: {given} is no folder; give one of goldens.")
    return Path(given) if given else ROOT.parent / "shared" / "goldens"


def goldens_in(root: Path) -> list[Golden]:
    return [_golden(path.parent) for path in sorted(root.glob("*/manifest.json"))]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "compares(family, kind): runs once for every such case of the goldens"
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    marker = metafunc.definition.get_closest_marker("compares")
    if marker is None:
        return
    family, kind = marker.args
    slow = getattr(metafunc.module, "SLOW", ())
    found = [
        pytest.param(
            (golden.folder, case.name),
            id=str(case),
            marks=[pytest.mark.slow] if golden.name in slow else [],
        )
        for golden in goldens_in(root_of(metafunc.config))
        if golden.family == family
        for case in golden.cases()
        if case.kind == kind
    ]
    metafunc.parametrize("case", found or [pytest.param(None, id="none")], indirect=True)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    """One case; when the test is over, everything that it lists must have been compared."""
    if request.param is None:
        root, marker = root_of(request.config), request.node.get_closest_marker("compares")
        family, kind = marker.args
        names = ", ".join(FAMILIES[family])
        pytest.skip(f"NO GOLDENS: no case of '{kind}' for {names} in {root}; give --goldens DIR")
    folder, name = request.param
    one = _golden(folder).case(name)
    yield one
    one.complete()


@pytest.fixture(scope="module")
def built() -> dict[Any, Any]:
    """What the tests of one file share: networks, by whatever tells them apart."""
    return {}


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Callable[[str], Golden]:
    """``golden(network)``; the test is skipped, and says so, where there is no such folder."""
    root = root_of(pytestconfig)

    def find(network: str) -> Golden:
        if not (root / network / "manifest.json").is_file():
            pytest.skip(f"NO GOLDENS: {root / network} is not there; give --goldens DIR")
        return _golden(root / network)

    return find
