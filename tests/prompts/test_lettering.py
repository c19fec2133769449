"""Letters in place of a box, in a whole job."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate import Box, InputError, Prompt
from cleanplate.media.new_clip import write_clip
from cleanplate.media.read import open_clip
from tests.scene import HEIGHT, RATE, WIDTH, texture

BOX = Box(30, 80, 162, 118)


@pytest.fixture(scope="module")
def letters() -> np.ndarray:
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.putText(drawn, "mark", (36, 108), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 3, cv2.LINE_AA)
    return drawn.astype(np.float32) / 255


@pytest.fixture(scope="module")
def marked(letters: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path, wide = tmp_path_factory.mktemp("marked") / "marked.mp4", texture(WIDTH + 200, HEIGHT, 5)
    share = 0.7 * letters[..., None]

    def frames():
        for n in range(40):
            behind = wide[:, 5 * n : 5 * n + WIDTH]
            yield np.rint(behind * (1 - share) + 255 * share).astype(np.uint8)

    write_clip(path, frames(), RATE, None, crf=14)
    return path


def removed(marked: Path, out: Path, **settings: object):
    masks = out.with_suffix(".mkv")
    report = cleanplate.track(marked, masks, Prompt(box=BOX), static=True, **settings)
    with open_clip(masks) as clip:
        mask = next(clip.pictures(3, 4)).rgb()[..., 0]
    return report, mask > 0


def test_a_still_box_is_narrowed_to_its_letters_and_the_report_says_so(
    marked: Path, letters: np.ndarray, tmp_path: Path
) -> None:
    report, mask = removed(marked, tmp_path / "auto")
    (said,) = report.overlays
    assert said["mask"] == "letters"
    assert any("letters" in note for note in report.warnings)
    assert mask[letters > 0.1].all()
    assert mask[BOX.slices].mean() == pytest.approx(said["share"])
    assert 0.1 < said["share"] < 0.8
    outside = mask.copy()
    outside[BOX.slices] = False
    assert not outside.any()
    json.dumps(report.overlays)


def test_overlay_box_takes_the_box_as_it_is_drawn(marked: Path, tmp_path: Path) -> None:
    report, mask = removed(marked, tmp_path / "box", overlay="box")
    assert mask[BOX.slices].all()
    assert report.overlays == []


def test_where_the_evidence_is_weak_the_box_stays_and_why_is_said(
    marked: Path, tmp_path: Path
) -> None:
    report, mask = removed(marked, tmp_path / "few", end="@5")
    assert mask[BOX.slices].all()
    (said,) = report.overlays
    assert said["mask"] == "box"
    assert "at least 8 frames" in said["doubt"]


def test_letters_that_are_demanded_and_not_there_are_an_error(marked: Path, tmp_path: Path) -> None:
    nowhere = Prompt(box=Box(10, 4, 60, 40))
    with pytest.raises(InputError, match="No letters"):
        cleanplate.track(marked, tmp_path / "a.mkv", nowhere, static=True, overlay="letters")


def test_letters_of_what_moves_are_refused(marked: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--static"):
        cleanplate.track(marked, tmp_path / "a.mkv", Prompt(box=BOX), overlay="letters")
