"""A dataset made of any clips is one that training and evaluation read; what is broken is said."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.errors import InputError
from cleanplate.evaluation.datasets import find_videos
from cleanplate.training.data import videos_in
from cleanplate.training.preparation import Preparation, check, prepare
from tests import scene


def frames(folder: Path, count: int, seed: int, masks: bool = False) -> Path:
    random = np.random.default_rng(seed)
    (folder / "frames").mkdir(parents=True)
    for number in range(count):
        image = random.integers(0, 256, (48, 64, 3), np.uint8)
        cv2.imwrite(str(folder / "frames" / f"{number}.png"), image)
        if masks:
            (folder / "masks").mkdir(exist_ok=True)
            mask = np.zeros((48, 64), np.uint8)
            mask[10:20, 5 + number : 15 + number] = 255
            cv2.imwrite(str(folder / "masks" / f"{number}.png"), mask)
    return folder


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    root = tmp_path / "clips"
    frames(root / "a", 26, 1)
    frames(root / "z", 25, 2, masks=True)
    frames(root / "short", 3, 3)
    scene.write_scene(root / "pan.mp4", 24, sound=False)
    (root / "broken.mp4").write_bytes(b"no video at all" * 50)
    (root / "a" / "clip.json").write_text(json.dumps({"licence": "CC0"}))
    return root


def test_a_dataset_is_made_read_and_checked(clips: Path, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    prepared = prepare(Preparation([clips], root))
    assert prepared.train == {"a": 26, "pan": 24}
    assert prepared.test == {"z": 25}
    assert len(prepared.broken) == 2
    assert "3 frames; 24 are the least" in " ".join(prepared.broken)
    assert [video.count for video in videos_in((str(root),))] == [26, 24]
    (test,) = find_videos(root)
    masks = list(test.object_masks(64, 48))
    assert [int(np.flatnonzero(mask.any(axis=0))[0]) for mask in masks] == list(range(5, 30))
    image = next(videos_in((str(root),))[1].images(scene.WIDTH, scene.HEIGHT))
    truth = next(scene.frames(1))[0]
    assert np.abs(image.astype(int) - truth).mean() < 8
    assert json.loads((root / "licences.json").read_text())["a"] == "CC0"
    checked = check(root)
    assert (checked.train, checked.test, checked.broken) == (prepared.train, prepared.test, [])


def test_what_is_there_is_kept_and_a_new_clip_joins(clips: Path, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    prepare(Preparation([clips / "a"], root, test_share=0))
    made = (root / "JPEGImages" / "a.zip").stat().st_mtime_ns
    prepared = prepare(Preparation([clips / "a", clips / "pan.mp4"], root, test_share=0))
    assert (root / "JPEGImages" / "a.zip").stat().st_mtime_ns == made
    assert prepared.train == {"a": 26, "pan": 24}
    assert prepared.test == {}


def test_a_check_names_all_that_is_broken(clips: Path, tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    prepare(Preparation([clips], root))
    lists = json.loads((root / "train.json").read_text())
    (root / "train.json").write_text(json.dumps({**lists, "a": 27, "gone": 30, "z": 25}))
    (root / "test_masks" / "z" / "00003.png").unlink()
    (root / "JPEGImages" / "pan.zip").write_bytes(b"PK but no zip")
    said = " ".join(check(root).broken)
    assert "a is listed with 27 frames and has 26." in said
    assert "gone is listed, and neither" in said
    assert "has 24 masks for 25 frames" in said
    assert "pan: frame" in said
    assert "z is learned from and tested" in said


def test_two_clips_of_one_name_and_no_dataset_are_refused(clips: Path, tmp_path: Path) -> None:
    other = tmp_path / "more"
    frames(other / "a", 24, 9)
    with pytest.raises(InputError, match="both named a; rename one"):
        prepare(Preparation([clips, other], tmp_path / "dataset"))
    with pytest.raises(InputError, match="cleanplate data prepare"):
        check(tmp_path)
