"""A configuration is read strictly: our own, and the one that the E2FGVI project published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanplate.cli import app
from cleanplate.errors import InputError
from cleanplate.training.configuration import load

PUBLISHED: dict[str, Any] = {
    "seed": 2021,
    "save_dir": "release_model/",
    "train_data_loader": {
        "name": "youtube-vos",
        "data_root": "datasets",
        "w": 432,
        "h": 240,
        "num_local_frames": 5,
        "num_ref_frames": 3,
    },
    "losses": {
        "hole_weight": 1,
        "valid_weight": 1,
        "flow_weight": 1,
        "adversarial_weight": 0.01,
        "GAN_LOSS": "hinge",
    },
    "model": {"net": "e2fgvi", "no_dis": 0},
    "trainer": {
        "type": "Adam",
        "beta1": 0,
        "beta2": 0.99,
        "lr": 1e-4,
        "batch_size": 8,
        "num_workers": 2,
        "log_freq": 100,
        "save_freq": 5e3,
        "iterations": 500e3,
        "scheduler": {"type": "MultiStepLR", "milestones": [400e3], "gamma": 0.1},
    },
}


def written(folder: Path, plain: dict[str, Any]) -> Path:
    path = folder / "train_e2fgvi.json"
    path.write_text(json.dumps(plain))
    return path


def test_the_published_configuration_loads_as_it_is(tmp_path: Path) -> None:
    configuration, ignored = load(written(tmp_path, PUBLISHED))
    assert configuration.network == "e2fgvi"
    assert configuration.steps == 500_000
    assert configuration.save_every == 5000
    assert configuration.batch == 8
    assert configuration.data.clips == ("datasets",)
    assert (configuration.data.local_frames, configuration.data.reference_frames) == (5, 3)
    assert configuration.optimiser.beta1 == 0.0
    assert configuration.optimiser.milestones == (400_000,)
    assert configuration.losses.adversarial == 0.01
    (sentence,) = ignored
    assert "train_data_loader.name is ignored" in sentence


def test_without_the_discriminator_its_loss_is_left_out(tmp_path: Path) -> None:
    plain = PUBLISHED | {"model": {"net": "e2fgvi_hq", "no_dis": 1}}
    configuration, _ = load(written(tmp_path, plain))
    assert configuration.losses.adversarial == 0
    assert configuration.network == "e2fgvi_hq"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ema": 1}, "a key ema, which train_e2fgvi.json does not have"),
        ({"losses": {"GAN_LOSS": "lsgan"}}, "losses.GAN_LOSS is 'lsgan'; only hinge is here"),
        ({"trainer": {"lr": "fast"}}, "optimiser.learning_rate is 'fast'; it must be of type"),
        ({"trainer": {"batch_size": 0}}, "batch is 0; it must be at least 1"),
    ],
)
def test_what_the_published_one_does_not_have_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load(written(tmp_path, PUBLISHED | change))


def test_our_own_is_read_with_all_its_tables(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(
        'network = "vinet_256"\nsteps = 10\n[data]\nclips = ["a", "b"]\nmasks = ["figure"]\n'
        "[vinet]\ncausal = true\n[optimiser]\nlearning_rate = 1\n"
    )
    configuration, ignored = load(path)
    assert ignored == []
    assert configuration.data.clips == ("a", "b")
    assert configuration.vinet.causal
    assert configuration.optimiser.learning_rate == 1.0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("stepps = 1", "a key stepps, which is not known; there are: network"),
        ("[data]\ncrop = 2", "a key data.crop, which is not known"),
        ('[data]\nmasks = ["squares"]', "it must name some of: stationary, moving, figure"),
        ("[data]\ngenerated = 0.0", "There is nothing to learn from"),
        ("batch = 3\naccumulate = 2", "the first must be a multiple of the second"),
        ("data = 1", "data is 1; it must be a table"),
        ("steps = true", "steps is True; it must be of type int"),
        ("steps =", "cannot be read"),
    ],
)
def test_mistakes_in_our_own_are_said_with_their_key(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "run.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load(path)


def test_a_missing_configuration_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no configuration"):
        load(tmp_path / "none.toml")


def test_the_command_says_what_is_wrong_before_it_learns_anything(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text('network = "e2fgvi_hqq"')
    with pytest.raises(
        InputError, match="network is 'e2fgvi_hqq'; choose one of: e2fgvi, e2fgvi_hq"
    ):
        app(["train", str(path), "--dry-run"], standalone_mode=False)
