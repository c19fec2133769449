"""Learning from one clip: nothing that is removed or measured is learned from, and a worse result
is not used."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cleanplate.errors import InputError
from cleanplate.evaluation.datasets import Video
from cleanplate.training import finetuning
from cleanplate.training.configuration import Configuration, DataSettings
from cleanplate.training.data import Samples
from cleanplate.training.finetuning import Comparison, FineTuning, finetune
from cleanplate.training.recipes import known
from cleanplate.training.train import made_recipe
from cleanplate.types import Frame, MaskedFrame
from tests.training.tiny import Tiny

COUNT, WIDTH, HEIGHT = 26, 96, 64


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pan over soft scenery with a red sign that is to be removed."""
    folder = tmp_path_factory.mktemp("panned") / "frames"
    folder.mkdir()
    noise = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH + COUNT, 3), np.uint8)
    wide = cv2.GaussianBlur(noise, (0, 0), 4)
    for number in range(COUNT):
        image = np.ascontiguousarray(wide[:, number : number + WIDTH])
        image[8:24, 10:40] = (0, 0, 255)
        cv2.imwrite(str(folder / f"{number:04d}.png"), image)
    return folder


@pytest.fixture(scope="module")
def sign(clip: Path) -> Path:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[8:24, 10:40] = 255
    path = clip.parent / "sign.png"
    cv2.imwrite(str(path), mask)
    return path


def wanted(clip: Path, sign: Path | None, folder: Path, **changes: object) -> FineTuning:
    return replace(FineTuning("vinet_256", clip, sign, folder, steps=2, side=64), **changes)


def prepared(clip: Path, sign: Path, folder: Path) -> Video:
    return finetuning._prepared(wanted(clip, sign, folder), finetuning.Progress())


def test_the_test_hole_lies_apart_from_what_is_removed(
    clip: Path, sign: Path, tmp_path: Path
) -> None:
    masks = list(prepared(clip, sign, tmp_path).object_masks(64, 64))
    assert len(masks) == COUNT
    for mask in masks:
        assert (mask[8:24, 7:26] == 1).all()
        assert (mask == 2).sum() > 0.02 * mask.size
        assert not (mask == 2)[:28, :30].any()


def test_what_is_left_out_is_a_hole_that_nothing_is_learned_from(
    clip: Path, sign: Path, tmp_path: Path
) -> None:
    video = prepared(clip, sign, tmp_path)
    data = DataSettings(clips=("x",), width=64, height=64, flip=False, leave_out=True)
    configuration = Configuration(network="vinet_256", steps=4, batch=1, data=data)
    sample = Samples(configuration, [video])[0]
    unknown = sample["unknown"]
    assert unknown[:, 0, 8:24, 7:26].all()
    assert 0.1 < float(unknown.mean()) < 0.5
    assert (sample["masks"] >= unknown).all()
    red = sample["frames"][:, 0] - sample["frames"][:, 1:].amax(dim=1)
    assert float(red.max()) < 0.9, "the sign is seen"
    truths = torch.rand(1, 3, 4, 4)
    pictures = torch.rand(1, 3, 4, 4, requires_grad=True)
    left_out = torch.zeros(1, 1, 4, 4)
    left_out[..., :2] = 1
    (known(pictures, truths, left_out) - truths).abs().sum().backward()
    assert pictures.grad is not None
    assert not pictures.grad[..., :2].any()
    assert pictures.grad[..., 2:].all()


def test_a_clip_is_learned_from_and_measured_before_and_after(
    clip: Path, sign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[Path] = []

    def measure(wanted: FineTuning, video: Video, weights: Path) -> float:
        measured.append(weights)
        return float(torch.load(weights, weights_only=True)["bias"].sum())

    monkeypatch.setattr(finetuning, "_measured", measure)
    order = wanted(clip, sign, tmp_path, steps=3)
    comparison = finetune(order, make_recipe=Tiny)
    assert measured == [tmp_path / "before.pth", comparison.weights]
    assert comparison.steps == 3
    assert comparison.before != comparison.after
    told = json.loads((tmp_path / "comparison.json").read_text())
    assert told["hole_psnr_after"] == comparison.after
    assert told["is_better"] == comparison.is_better
    again = finetune(order, make_recipe=Tiny)
    assert again.after == comparison.after, "a run that is done is only measured again"


def test_the_test_hole_alone_is_measured(clip: Path, sign: Path, tmp_path: Path) -> None:
    video = prepared(clip, sign, tmp_path)

    class Painter:
        """Gives every hole one grey."""

        lookback = lookahead = 0

        def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
            for masked in frames:
                image = np.where(masked.mask[..., None] > 0, np.uint8(200), masked.frame.image)
                yield replace(masked.frame, image=image)

    errors = []
    marks = video.object_masks(64, 64, 24)
    for image, mark in zip(video.images(64, 64, 24), marks, strict=True):
        errors.append((image[mark == 2].astype(float) - 200) ** 2)
    psnr = 10 * np.log10(255**2 / np.concatenate(errors).mean())
    assert finetuning._hole_psnr(Painter(), video) == pytest.approx(psnr, abs=1e-6)


def test_a_worse_result_is_not_used() -> None:
    comparison = Comparison(20.0, 19.5, 25.0, Path("w.pth"), 9, False, "vinet", {})
    assert not comparison.is_better
    assert "not used" in comparison.text()
    assert "19.50 dB" in comparison.text()
    assert "not used" not in replace(comparison, after=20.5).text()


def test_a_clip_that_is_too_short_or_all_masked_says_so(
    clip: Path, sign: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no network resnet"):
        finetune(wanted(clip, sign, tmp_path, network="resnet"))
    everything = tmp_path / "all.png"
    cv2.imwrite(str(everything), np.full((HEIGHT, WIDTH), 255, np.uint8))
    with pytest.raises(InputError, match="at least a fifth"):
        finetune(wanted(clip, everything, tmp_path / "a"))
    short = tmp_path / "short"
    short.mkdir()
    for number in range(3):
        (short / f"{number}.png").write_bytes((clip / "0000.png").read_bytes())
    with pytest.raises(InputError, match="3 frames; at least"):
        finetune(wanted(short, None, tmp_path / "b"))


def test_the_same_seed_begins_with_the_same_weights(clip: Path, tmp_path: Path) -> None:
    configuration = Configuration(network="vinet_256", seed=5)
    states = [made_recipe(configuration).modules["generator"].state_dict() for _ in range(2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


@pytest.mark.parametrize(
    ("network", "side", "size"),
    [
        ("e2fgvi", 0, (432, 240)),
        ("e2fgvi_hq", 0, (432, 240)),
        ("e2fgvi_hq", 1000, (972, 540)),
        ("vinet_512", 0, (512, 512)),
        ("vinet_256", 64, (64, 64)),
    ],
)
def test_what_is_learned_from_has_a_size_that_the_network_takes(
    network: str, side: int, size: tuple[int, int], tmp_path: Path
) -> None:
    order = FineTuning(network, tmp_path, None, tmp_path, side=side)
    assert finetuning._size(order, 1920, 1080) == size
