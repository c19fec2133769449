"""``restore`` as a user has it: from a file to a file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate.errors import CancelledError
from cleanplate.evaluation.damage import Amounts, damaged
from cleanplate.media.mask_track import read_mask_track
from cleanplate.progress import Progress
from cleanplate.restoration import detect
from tests.restoration.finding import HEIGHT, WIDTH, panned, write_pictures

COUNT = 16
AMOUNTS = Amounts(blotches=3, fibres=0.3, scratches=0, streaks=0.3, tape_lines=0)


@pytest.fixture(scope="module")
def clean() -> list[np.ndarray]:
    return panned(COUNT)


@pytest.fixture(scope="module")
def hurt(clean: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = [frame.image for frame in damaged(clean, 2, AMOUNTS)]
    return write_pictures(tmp_path_factory.mktemp("hurt") / "frames", images)


def pictures_of(path: Path) -> list[np.ndarray]:
    with cleanplate.open_clip(path) as clip:
        return [picture.rgb() for picture in clip.pictures()]


def decibels(truth: list[np.ndarray], result: list[np.ndarray], masks: list[np.ndarray]) -> float:
    errors = [
        (t[m > 0].astype(float) - r[m > 0]) ** 2
        for t, r, m in zip(truth, result, masks, strict=True)
    ]
    return 10 * np.log10(255**2 / np.concatenate(errors).mean())


def test_a_repair_is_4_db_better_than_telea_and_leaves_the_rest_bit_for_bit(
    clean: list[np.ndarray], hurt: Path, tmp_path: Path
) -> None:
    report = cleanplate.restore(hurt, f"{tmp_path}/out/", save_masks=tmp_path / "masks.mkv")
    masks = list(read_mask_track(tmp_path / "masks.mkv"))
    before, after = pictures_of(hurt), pictures_of(tmp_path / "out")
    assert report.damage
    assert all(damage["kind"] in detect.VALUES for damage in report.damage)
    for source, result, mask in zip(before, after, masks, strict=True):
        assert np.array_equal(source[mask == 0], result[mask == 0])
    base = f"{tmp_path}/telea/"
    cleanplate.restore(hurt, base, masks=tmp_path / "masks.mkv", inpainter="telea")
    ours = decibels(clean, after, masks)
    assert ours >= decibels(clean, pictures_of(Path(base)), masks) + 4
    assert not list(tmp_path.glob(".*")), "no work folder is left"


def test_masks_can_be_looked_at_mended_and_given_back(hurt: Path, tmp_path: Path) -> None:
    folder = tmp_path / "masks"
    report = cleanplate.detect_damage(hurt, f"{folder}/")
    assert report.frame_count == COUNT == len(list(folder.glob("*.png")))
    first = report.damage[0]
    x0, y0, x1, y1 = first["box"]
    path = folder / f"{first['start']:05d}.png"
    mask = cleanplate.mask_prompts(path, merge=True)[0].mask
    assert mask is not None
    mended = mask.astype(np.uint8)
    mended[max(y0 - 3, 0) : y1 + 3, max(x0 - 3, 0) : x1 + 3] = 0  # a person rejects it
    cv2.imwrite(str(path), mended * 255)
    cleanplate.restore(hurt, f"{tmp_path}/out/", masks=folder, inpainter="telea")
    before, after = (pictures_of(p)[first["start"]] for p in (hurt, tmp_path / "out"))
    assert np.array_equal(before[y0:y1, x0:x1], after[y0:y1, x0:x1])
    assert not np.array_equal(before, after) or not mended.any()


class Stopping(Progress):
    """Stops in the middle of the search."""

    def __init__(self, at: int) -> None:
        self._left = at
        self._stage = ""

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        self._stage = stage

    def advance(self) -> None:
        if self._stage == "damage":
            self._left -= 1
            if self._left == 0:
                raise CancelledError("stopped")


def test_a_search_that_was_stopped_goes_on_and_ends_the_same(
    hurt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parts = tmp_path / "whole.mkv", tmp_path / "parts.mkv"
    cleanplate.detect_damage(hurt, whole)
    monkeypatch.setattr(detect, "_PIECE", 5)
    with pytest.raises(CancelledError):
        cleanplate.detect_damage(hurt, parts, progress=Stopping(COUNT - 2))
    assert not parts.exists()
    report = cleanplate.detect_damage(hurt, parts)
    assert report.resumed
    for first, second in zip(read_mask_track(whole), read_mask_track(parts), strict=True):
        assert np.array_equal(first, second)


def test_only_what_is_asked_for_is_looked_for(hurt: Path, tmp_path: Path) -> None:
    report = cleanplate.detect_damage(hurt, tmp_path / "m.mkv", find="dropouts", end="@10")
    assert {damage["kind"] for damage in report.damage} <= {"dropouts"}
    masks = list(read_mask_track(tmp_path / "m.mkv"))
    assert len(masks) == 10
    assert masks[0].shape == (HEIGHT, WIDTH)
