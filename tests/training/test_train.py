"""A run goes on where it was stopped, and nothing that it has written is ever lost or broken."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cleanplate.errors import DiskError, InputError
from cleanplate.progress import Progress
from cleanplate.training import record as record_module
from cleanplate.training.record import NotFiniteError
from cleanplate.training.train import train
from tests.training.tiny import Tiny, configuration


class Said(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


def weights(folder: Path, step: int) -> dict[str, torch.Tensor]:
    return torch.load(folder / f"e2fgvi_{step:08d}.pth", weights_only=True)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of six steps that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    assert train(configuration(folder), make_recipe=Tiny).step == 6
    return folder


def test_a_run_that_was_stopped_ends_with_the_same_weights_bit_by_bit(
    whole: Path, tmp_path: Path
) -> None:
    said = Said()
    for steps in (1, 3, 5, None):
        train(configuration(tmp_path), said, steps=steps, make_recipe=Tiny)
    assert same(weights(whole, 6), weights(tmp_path, 6))
    assert not same(weights(whole, 6), weights(whole, 4))
    assert f"{tmp_path} is gone on with, from step 3." in said.notes
    both = [(folder / "figures.jsonl").read_text().splitlines() for folder in (whole, tmp_path)]
    figures = [[json.loads(line) for line in lines] for lines in both]
    assert [line["step"] for line in figures[1]] == [1, 2, 3, 4, 5, 6]
    assert [line["total"] for line in figures[0]] == [line["total"] for line in figures[1]]
    assert [line["rate"] for line in figures[0]] == pytest.approx([0.01] * 3 + [0.001] * 3)


def test_a_run_that_was_killed_between_checkpoints_goes_on_from_the_latest(
    whole: Path, tmp_path: Path
) -> None:
    class Killed(Tiny):
        def step(self, parts: Any) -> Any:
            if self.taken == 3:
                raise RuntimeError("power cut")
            return super().step(parts)

    with pytest.raises(RuntimeError):
        train(configuration(tmp_path), make_recipe=Killed)
    train(configuration(tmp_path), make_recipe=Tiny)
    assert same(weights(whole, 6), weights(tmp_path, 6))


def test_ctrl_c_stops_at_the_end_of_a_step_and_keeps_it(whole: Path, tmp_path: Path) -> None:
    class Interrupted(Tiny):
        def step(self, parts: Any) -> Any:
            if self.taken == 2:
                os.kill(os.getpid(), signal.SIGINT)
            return super().step(parts)

    done = train(configuration(tmp_path), make_recipe=Interrupted)
    assert done.is_stopped
    assert done.step == 3
    train(configuration(tmp_path), make_recipe=Tiny)
    assert same(weights(whole, 6), weights(tmp_path, 6))


def test_a_batch_in_parts_is_the_batch(whole: Path, tmp_path: Path) -> None:
    train(configuration(tmp_path, accumulate=2), make_recipe=Tiny)
    for name, value in weights(whole, 6).items():
        torch.testing.assert_close(weights(tmp_path, 6)[name], value, rtol=0, atol=1e-5)


def test_a_step_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    class Broken(Tiny):
        broken_at = (1, 2)

    said = Said()
    done = train(configuration(tmp_path, keep=9), said, make_recipe=Broken)
    assert done.step == 6
    assert "Step 2 changed nothing, since the gradients are " in " ".join(said.notes)
    files = sorted(tmp_path.glob("*.p*"))
    assert len(files) == 6
    for file in files:
        assert "nan" not in str(torch.load(file, weights_only=True))
    assert all(torch.isfinite(value).all() for value in weights(tmp_path, 6).values())


def test_too_many_of_them_in_a_row_end_the_run_with_the_way_out(tmp_path: Path) -> None:
    class Broken(Tiny):
        broken_at = (2, 3, 4)

    with pytest.raises(NotFiniteError, match=r"3 steps in a row changed nothing.*optimiser\.clip"):
        train(configuration(tmp_path, most_skipped=3), make_recipe=Broken)
    # What was kept after steps that changed nothing is whole, and is what was there before them.
    states = sorted(file.name for file in tmp_path.glob("state*"))
    assert states == ["state_00000002.pt", "state_00000004.pt"]
    assert same(weights(tmp_path, 2), weights(tmp_path, 4))


def test_weights_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    class Spoilt(Tiny):
        def step(self, parts: Any) -> Any:
            outcome = super().step(parts)
            if self.taken == 4:
                with torch.no_grad():
                    self.network.weight[0, 0] = float("nan")
            return outcome

    with pytest.raises(
        NotFiniteError, match=r"modules\.generator\.weight holds a number that is not"
    ):
        train(configuration(tmp_path), make_recipe=Spoilt)
    assert sorted(file.name for file in tmp_path.glob("*.p*")) == [
        "e2fgvi_00000002.pth",
        "state_00000002.pt",
    ]


def test_a_full_disk_is_one_sentence_and_the_checkpoint_before_is_kept(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(configuration(tmp_path), steps=2, make_recipe=Tiny)
    save = torch.save

    def full(content: Any, path: Path) -> None:
        save(content, path)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(record_module.torch, "save", full)
        with pytest.raises(DiskError, match="No space left on device; make room and run the same"):
            train(configuration(tmp_path), make_recipe=Tiny)
    assert [file.name for file in tmp_path.glob("*.pt")] == ["state_00000002.pt"]
    train(configuration(tmp_path), make_recipe=Tiny)
    assert same(weights(whole, 6), weights(tmp_path, 6))


def test_the_latest_and_the_best_are_kept_with_their_cards(tmp_path: Path) -> None:
    train(configuration(tmp_path, keep=2, validate_every=1), make_recipe=Tiny)
    assert len(list(tmp_path.glob("*.pt"))) == 2
    card = json.loads((tmp_path / "e2fgvi_best.json").read_text())
    assert card["figures"]["hole_psnr"] > 5
    assert card["figures"]["telea_hole_psnr"] > 5
    assert card["data"] == [
        {"pictures": "textures made from the seed", "licence": "none is needed"}
    ]
    assert len(card["sha256"]) == 64
    assert card["commit"] == record_module.commit()
    assert card["configuration"]["batch"] == 4


def test_the_commit_of_a_card_is_that_of_the_code(tmp_path: Path) -> None:
    code, other = tmp_path / "code", tmp_path / "installed"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "--quiet"], check=True)
    for folder in (code, other):
        folder.mkdir()
        (folder / "a.py").touch()
    subprocess.run([*git, "add", "code"], check=True)
    subprocess.run([*git, "commit", "--quiet", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert record_module.commit(code) == head.stdout.strip()
    assert record_module.commit(other) == "", "it only lies in somebody's checkout"
    assert record_module.commit(Path("/")) == ""


def test_a_dry_run_takes_one_step_and_leaves_nothing(tmp_path: Path) -> None:
    done = train(configuration(tmp_path / "none"), dry_run=True, make_recipe=Tiny)
    assert done.step == 1
    assert done.figures["seconds"] > 0
    assert done.figures["memory"] > 0
    assert not (tmp_path / "none").exists()


def test_a_folder_with_another_run_is_not_gone_on_with(whole: Path) -> None:
    before = sorted(file.name for file in whole.iterdir())
    with pytest.raises(InputError, match="a run whose batch, seed differ"):
        train(configuration(whole, seed=1, batch=2), make_recipe=Tiny)
    assert sorted(file.name for file in whole.iterdir()) == before


def test_two_processes_of_torchrun_learn_what_one_does(whole: Path, tmp_path: Path) -> None:
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*start, "-m", "tests.training.parallel", str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        check=True,
        timeout=240,
    )
    for name, value in weights(whole, 6).items():
        torch.testing.assert_close(weights(tmp_path, 6)[name], value, rtol=0, atol=1e-5)


def test_a_longer_run_goes_on_from_a_shorter_one(whole: Path, tmp_path: Path) -> None:
    longer = replace(configuration(tmp_path), steps=3)
    train(longer, make_recipe=Tiny)
    train(configuration(tmp_path), make_recipe=Tiny)
    assert same(weights(whole, 6), weights(tmp_path, 6))


def test_the_mean_of_weights_is_kept_for_use_and_goes_on_after_a_stop(
    whole: Path, tmp_path: Path
) -> None:
    for folder, stops in ((tmp_path / "a", (None,)), (tmp_path / "b", (2, 5, None))):
        for steps in stops:
            train(configuration(folder, average=0.9), steps=steps, make_recipe=Tiny)
    assert same(weights(tmp_path / "a", 6), weights(tmp_path / "b", 6))
    assert not same(weights(tmp_path / "a", 6), weights(whole, 6))
    state = torch.load(tmp_path / "a" / "state_00000006.pt", weights_only=True)
    assert same(state["modules"]["generator"], weights(whole, 6)), "what is trained is the same"
