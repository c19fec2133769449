"""Still boxes narrowed to the letters in them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate import api
from cleanplate.errors import InputError
from cleanplate.media.mask_track import read_mask_track
from cleanplate.media.new_clip import write_clip
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.types import Box
from tests.projects import stage
from tests.scene import HEIGHT, RATE, WIDTH, texture

BOX = Box(30, 80, 162, 118)


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 40 frames whose background moves behind a half-transparent word."""
    path, wide = tmp_path_factory.mktemp("marked") / "marked.mp4", texture(WIDTH + 200, HEIGHT, 5)
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.putText(drawn, "mark", (36, 108), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 255, 3, cv2.LINE_AA)
    share = 0.7 * drawn[..., None] / 255

    def frames():
        for index in range(40):
            behind = wide[:, 5 * index : 5 * index + WIDTH]
            yield np.rint(behind * (1 - share) + 255 * share).astype(np.uint8)

    write_clip(path, frames(), RATE, None, crf=14)
    return path


class Notes(Progress):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, message: str) -> None:
        self.notes.append(message)


@pytest.fixture
def boxed(marked: Path, tmp_path: Path) -> Project:
    project = Project.create(tmp_path / "project", marked)
    project.set_prompt(5, project.add_object(static=True), stage.prompt(BOX))
    return project


def test_a_still_box_is_narrowed_to_its_letters_as_the_one_shot_command_does(
    boxed: Project, marked: Path, tmp_path: Path
) -> None:
    assert (boxed.mask(0) > 0).sum() == BOX.width * BOX.height
    assert boxed.can_follow()[0], "the letters are to be looked for"
    stamp, notes = boxed.masks_key, Notes()
    boxed.follow(notes)
    assert any("letters" in note for note in notes.notes)
    assert boxed.masks_key != stamp
    assert not boxed.can_follow()[0]
    api.track(marked, tmp_path / "one.mkv", stage.prompt(BOX), static=True)
    one = next(iter(read_mask_track(tmp_path / "one.mkv")))
    np.testing.assert_array_equal(boxed.mask(20), one)
    assert 0.1 < (one > 0).sum() / (BOX.width * BOX.height) < 0.8


def test_removal_looks_for_letters_by_itself_and_the_whole_box_can_be_had(
    boxed: Project, tmp_path: Path
) -> None:
    masks = boxed.removal(tmp_path / "clean.mp4").masks
    assert (masks.constant > 0).sum() < 0.8 * BOX.width * BOX.height  # type: ignore[union-attr]
    boxed.set_settings({"overlay": "box"})
    masks = boxed.removal(tmp_path / "clean.mp4").masks
    assert (masks.constant > 0).sum() == BOX.width * BOX.height  # type: ignore[union-attr]


def test_letters_that_are_demanded_and_not_there_are_said_to_be_missing(boxed: Project) -> None:
    boxed.set_settings({"overlay": "letters"})
    boxed.set_prompt(5, 1, stage.prompt(Box(100, 5, 130, 25)))
    with pytest.raises(InputError, match="No letters were found"):
        boxed.follow()
