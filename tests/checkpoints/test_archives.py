"""LaMa's published wrappings are read as data; nothing that lies in them is run."""

from __future__ import annotations

import pickle
import sys
import types
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from cleanplate.checkpoints import files, layouts
from cleanplate.errors import WeightsError
from cleanplate.networks import lama
from tests.weights import make_lama_small, named_weights


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        make_lama_small(patch)
        yield


@pytest.fixture(scope="module")
def network() -> lama.Lama:
    network = lama.lama().eval()
    network.load_state_dict(named_weights(network))
    return network


def same(found: dict[str, Tensor], network: lama.Lama) -> None:
    wanted = network.state_dict()
    layouts.load_into(lama.lama(), found, "lama", Path("big-lama"))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


class Callback:
    """Stands for what Lightning keeps beside weights."""

    def __init__(self) -> None:
        self.best = 0.5


@pytest.fixture
def lightning(monkeypatch: pytest.MonkeyPatch) -> type[Callback]:
    """``Callback`` as a class of Lightning, as its checkpoints name it."""
    module = types.ModuleType("pytorch_lightning.callbacks.model_checkpoint")
    monkeypatch.setattr(Callback, "__module__", module.__name__)
    module.Callback = Callback  # type: ignore[attr-defined]
    for name in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return Callback


def checkpoint(network: lama.Lama, extra: Any, path: Path) -> Path:
    state = network.state_dict() | {"discriminator.model0.0.weight": torch.ones(3)}
    torch.save({"epoch": 3, "state_dict": state, "callbacks": {"one": extra}}, path)
    return path


def test_a_lightning_checkpoint_gives_the_generator_and_nothing_else(
    network: lama.Lama, lightning: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = checkpoint(network, lightning(), tmp_path / "best.ckpt")
    monkeypatch.delitem(sys.modules, "pytorch_lightning.callbacks.model_checkpoint")
    same(files.read(path), network)


def test_the_published_archive_is_looked_into(
    network: lama.Lama, lightning: type, tmp_path: Path
) -> None:
    inner = checkpoint(network, lightning(), tmp_path / "best.ckpt")
    path = tmp_path / "big-lama.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "big-lama/models/best.ckpt")
        archive.writestr("big-lama/config.yaml", "generator: {}")
    same(files.read(path), network)


class Whole(torch.nn.Module):
    """As the published program: the network under ``model``."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.model = inner

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        return self.model(image, hole)


def traced(network: lama.Lama, path: Path) -> Path:
    program = torch.jit.trace(
        Whole(network), (torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32)), check_trace=False
    )
    torch.jit.save(program, path)
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_a_torchscript_program_gives_its_tensors_without_being_run(
    network: lama.Lama, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = traced(network, tmp_path / "big-lama.pt")

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("a program was loaded")

    monkeypatch.setattr(torch.jit, "load", never)
    monkeypatch.setattr(torch, "load", never)
    same(files.read(path), network)


@pytest.mark.parametrize("prefix", ["", "generator.", "model.generator."])
def test_safetensors_may_have_any_of_the_known_prefixes(
    prefix: str, network: lama.Lama, tmp_path: Path
) -> None:
    path = tmp_path / "mirror.safetensors"
    state = {
        prefix + key.removeprefix("generator."): value
        for key, value in network.state_dict().items()
    }
    files.write_safetensors(state, path)
    same(files.read(path), network)


class Evil:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return exec, (f"open({str(self.place)!r}, 'w').write('run')",)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
def test_what_asks_for_more_is_refused_and_does_not_run(
    network: lama.Lama, lightning: type, tmp_path: Path
) -> None:
    place = tmp_path / "run"
    program = traced(network, tmp_path / "big-lama.pt")
    evil = tmp_path / "evil.pt"
    with zipfile.ZipFile(program) as old, zipfile.ZipFile(evil, "w") as new:
        for name in old.namelist():
            kept = old.read(name)
            new.writestr(name, pickle.dumps(Evil(place)) if name.endswith("/data.pkl") else kept)
    both = checkpoint(network, [lightning(), Evil(place)], tmp_path / "both.ckpt")
    for path in (evil, both):
        with pytest.raises(WeightsError, match=r"exec.*not read; give .*safetensors"):
            files.read(path)
    assert not place.exists()


def test_an_archive_without_a_checkpoint_or_with_two_is_refused(tmp_path: Path) -> None:
    for count in (0, 2):
        path = tmp_path / f"{count}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme.txt", "nothing")
            for number in range(count):
                archive.writestr(f"{number}.ckpt", "x")
        with pytest.raises(WeightsError, match=f"archive with {count} checkpoints"):
            files.read(path)


def test_a_cut_off_program_is_called_damaged(network: lama.Lama, tmp_path: Path) -> None:
    path = tmp_path / "short.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("short/constants.pkl", b"")
        archive.writestr("short/data.pkl", b"\x80\x02}")
    with pytest.raises(WeightsError, match="cut off, damaged"):
        files.read(path)
