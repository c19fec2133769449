"""A weights file is read whatever wraps it, recognised by its keys, and never run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.checkpoints import files, layouts, store
from cleanplate.errors import InputError, WeightsError
from tests.checkpoints.conftest import FIRST, NARROW, NETWORKS, SECOND

Weights = dict[str, Tensor]


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3, "best": np.float64(0.5)},
        lambda state: {"model": state},
        lambda state: {"state_dict": {f"module.{key}": one for key, one in state.items()}},
    ],
    ids=["bare", "state_dict with counters", "model", "DataParallel"],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_every_known_wrapping_gives_the_same_tensors(
    wrap: object, zipped: bool, narrow: Weights, tmp_path: Path
) -> None:
    path = tmp_path / "anything.bin"
    assert callable(wrap)
    torch.save(wrap(narrow), path, _use_new_zipfile_serialization=zipped)
    found = files.read(path)
    assert found.keys() == narrow.keys()
    assert all(torch.equal(found[key], narrow[key]) for key in narrow)
    assert store.identify(path) == NARROW


def test_safetensors_are_read_whatever_their_name(narrow: Weights, tmp_path: Path) -> None:
    files.write_safetensors(narrow, tmp_path / "weights.dat")
    assert store.identify(tmp_path / "weights.dat") == NARROW


def test_counters_that_old_programs_did_not_write_are_not_missed(
    narrow: Weights, tmp_path: Path
) -> None:
    del narrow["1.num_batches_tracked"]
    torch.save(narrow, tmp_path / "old.pth")
    store.load(NETWORKS["small:narrow"](), "narrow", str(tmp_path / "old.pth"))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_was_cut_off_is_refused(
    share: float, zipped: bool, wide: Weights, tmp_path: Path
) -> None:
    path = tmp_path / "cut.pth"
    torch.save(wide, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(WeightsError, match="cut off"):
        files.read(path)


class _Code:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch ran-code",)


def test_a_file_that_holds_code_is_refused_and_the_code_does_not_run(
    narrow: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": narrow, "hook": _Code()}, "code.pth")
    with pytest.raises(WeightsError, match=r"asks for posix\.system"):
        files.read(Path("code.pth"))
    Path("bare.pth").write_bytes(pickle.dumps(_Code()))
    with pytest.raises(WeightsError, match=r"bare\.pth"):
        files.read(Path("bare.pth"))
    assert not Path("ran-code").exists()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"<!DOCTYPE html><html>confirm the download", "a web page"),
        (b"not weights at all", "cut off, damaged or of another kind"),
    ],
)
def test_what_is_no_checkpoint_is_called_what_it_is(
    content: bytes, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=sentence):
        files.read(path)


def test_the_first_key_that_differs_is_named(narrow: Weights, tmp_path: Path) -> None:
    network, path = NETWORKS["small:narrow"](), tmp_path / "w.pth"
    for changed, sentence in (
        ({key: one for key, one in narrow.items() if key != "0.weight"}, r"0\.weight .* missing"),
        (narrow | {"2.bias": torch.zeros(3)}, r"2\.bias \(3,\) is unknown"),
        (narrow | {"0.bias": torch.zeros(3)}, r"0\.bias is \(3,\), expected \(4,\)"),
    ):
        torch.save(changed, path)
        with pytest.raises(WeightsError, match=sentence):
            store.load(network, "narrow", str(path))
        with pytest.raises(WeightsError, match=sentence):
            layouts.recognise(changed, path)


def test_weights_of_an_unknown_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="does not know"):
        layouts.recognise({"alien.weight": torch.zeros(2, 2)}, tmp_path / "w.pth")


def test_files_of_one_layout_are_told_apart_by_their_published_name_or_the_user(
    wide: Weights, tmp_path: Path
) -> None:
    torch.save(wide, tmp_path / "wide_b.pth")
    assert store.identify(tmp_path / "wide_b.pth") == SECOND
    (tmp_path / "wide_b.pth").rename(tmp_path / "download(1).pth")
    with pytest.raises(InputError, match="wide_first or wide_second"):
        store.identify(tmp_path / "download(1).pth")
    assert store.identify(tmp_path / "download(1).pth", "wide_first") == FIRST


def test_a_file_is_not_taken_for_what_it_is_not(narrow: Weights, tmp_path: Path) -> None:
    torch.save(narrow, tmp_path / "wide_a.pth")
    with pytest.raises(WeightsError, match="holds the weights of narrow, not of wide_first"):
        store.identify(tmp_path / "wide_a.pth", "wide_first")


def test_a_checkpoint_added_is_loaded_exported_and_removed(narrow: Weights, tmp_path: Path) -> None:
    network = NETWORKS["small:narrow"]()
    with pytest.raises(WeightsError, match=r"Narrow-2022\.pth through the links of https://"):
        store.load(network, "narrow")
    torch.save(narrow, tmp_path / "mine.pth")
    kept = store.add(tmp_path / "mine.pth", NARROW, source="mine.pth")
    assert kept.read_bytes() == (tmp_path / "mine.pth").read_bytes()
    store.load(network, "narrow")
    assert torch.equal(network.state_dict()["0.weight"], narrow["0.weight"])
    store.export("narrow", tmp_path / "out.safetensors")
    assert files.read(tmp_path / "out.safetensors").keys() == narrow.keys()
    with pytest.raises(InputError, match="exists"):
        store.export("narrow", tmp_path / "out.safetensors")
    with pytest.raises(InputError, match="safetensors"):
        store.export("narrow", tmp_path / "out.pth")
    assert store.record("narrow")["sha256"] == store.digest(kept).removeprefix("sha256:")
    store.remove("narrow")
    assert not store.is_here("narrow")
    assert store.record("narrow") == {}
