"""What was picked decides which tracker is proposed, and the reason is given."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.app.server.frames import Frames
from cleanplate.app.server.kinds import PickedKind, kind_of
from cleanplate.checkpoints import store
from cleanplate.media.new_clip import write_clip
from cleanplate.projects.project import Project
from cleanplate.types import Box, Prompt
from tests.scene import RATE, texture

WIDTH, HEIGHT, COUNT = 320, 200, 60


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A burned-in mark over a picture that moves."""
    wide = texture(WIDTH + 4 * COUNT, HEIGHT, 5)

    def frames():  # type: ignore[no-untyped-def]
        for index in range(COUNT):
            image = np.ascontiguousarray(wide[:, 4 * index : 4 * index + WIDTH])
            cv2.putText(image, "MARK", (20, 40), cv2.FONT_HERSHEY_DUPLEX, 1, (250, 250, 250), 3)
            yield image

    path = tmp_path_factory.mktemp("clip") / "mark.mp4"
    write_clip(path, frames(), RATE, None, crf=8)
    return path


@pytest.fixture
def project(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setenv(store.PLACE, str(tmp_path / "weights"))
    return Project.create(tmp_path / "project", clip)


def taken_for(project: Project, prompt: Prompt) -> PickedKind:
    number = project.add_object()
    project.set_prompt(30, number, prompt)
    found = kind_of(project, Frames(), project.path / "proxy.mp4", number)
    assert found is not None
    return found


def test_nothing_is_said_of_what_is_not_marked(project: Project) -> None:
    number = project.add_object()
    assert kind_of(project, Frames(), project.path / "proxy.mp4", number) is None


def test_a_box_and_a_straight_outline_are_flat(project: Project) -> None:
    boxed = taken_for(project, Prompt(box=Box(150, 100, 220, 150)))
    assert (boxed.kind, boxed.tracker) == ("flat", "planar")
    assert "box" in boxed.reason
    turned = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillConvexPoly(turned, np.array([[150, 100], [220, 120], [210, 160], [140, 140]]), 1)
    shaped = taken_for(project, Prompt(mask=turned > 0))
    assert (shaped.kind, shaped.tracker) == ("flat", "planar")
    assert "rectangle" in shaped.reason


def test_an_irregular_outline_is_taken_for_something_that_bends(project: Project) -> None:
    figure = np.zeros((HEIGHT, WIDTH), np.uint8)
    for end in ((120, 170), (180, 170), (110, 90), (190, 90)):
        cv2.line(figure, (150, 120), end, 1, 10)
    found = taken_for(project, Prompt(mask=figure > 0))
    assert (found.kind, found.tracker) == ("bends", "flowtrack")
    assert "irregular" in found.reason


def test_what_stays_while_the_picture_moves_is_taken_for_burned_in(project: Project) -> None:
    letters = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.putText(letters, "MARK", (20, 40), cv2.FONT_HERSHEY_DUPLEX, 1, (1,), 3)
    found = taken_for(project, Prompt(mask=letters > 0))
    assert (found.kind, found.tracker) == ("burned", "")
