"""The shown frame, filled, from a few frames around it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.app.server.filled import NotWantedError, filled_frame
from cleanplate.app.server.frames import Frames
from cleanplate.media.new_clip import write_clip
from cleanplate.projects.project import Project
from cleanplate.types import Box, Prompt
from tests.scene import RATE, sign, texture

WIDTH, HEIGHT, COUNT = 320, 200, 41


def background(index: int) -> np.ndarray:
    wide = texture(WIDTH + 140, HEIGHT, 5)
    return np.ascontiguousarray(wide[:, 3 * index : 3 * index + WIDTH])


def box_at(index: int) -> Box:
    return Box(120 + index // 8, 80, 164 + index // 8, 108)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sign that moves a little before a background that moves past it."""

    def frames():  # type: ignore[no-untyped-def]
        picture = cv2.resize(sign(), (44, 28))
        for index in range(COUNT):
            image = background(index)
            image[box_at(index).slices] = picture
            yield image

    path = tmp_path_factory.mktemp("clip") / "moving.mp4"
    write_clip(path, frames(), RATE, None, crf=8)
    return path


@pytest.fixture
def boxed(moving: Path, tmp_path: Path) -> Project:
    project = Project.create(tmp_path / "project", moving)
    project.set_prompt(20, project.add_object(), Prompt(box=box_at(20)))
    return project


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((one.astype(float) - other) ** 2))


@pytest.mark.parametrize("is_sharp", [False, True])
def test_what_is_boxed_is_filled_from_the_frames_around_before_it_is_tracked(
    boxed: Project, is_sharp: bool
) -> None:
    frames = Frames()
    absent = boxed.path / "proxy.mp4"
    found = filled_frame(frames, boxed, absent, 20, is_sharp, lambda: True)
    assert found is not None
    source, box = boxed.image(20), box_at(20)
    here = found.image[box.slices]
    assert psnr(here, background(20)[box.slices]) > 24
    assert psnr(source[box.slices], background(20)[box.slices]) < 12
    outside = np.ones(source.shape[:2], bool)
    outside[box.y0 - 4 : box.y1 + 4, box.x0 - 4 : box.x1 + 4] = False  # masks grow
    np.testing.assert_array_equal(found.image[outside], source[outside])
    assert found.around.x0 < box.x0
    assert found.around.x1 > box.x1


def test_where_nothing_is_masked_there_is_nothing_to_fill(boxed: Project) -> None:
    absent = boxed.path / "proxy.mp4"
    assert filled_frame(Frames(), boxed, absent, 3, False, lambda: True) is None


def test_a_preview_that_nobody_waits_for_is_given_up(boxed: Project) -> None:
    absent = boxed.path / "proxy.mp4"
    with pytest.raises(NotWantedError):
        filled_frame(Frames(), boxed, absent, 20, False, lambda: False)
