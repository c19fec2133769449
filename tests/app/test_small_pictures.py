"""The routes of small pictures: outlines to choose from, objects to look at, the frame filled."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.app.conftest import Server
from tests.scene import sign_box


@pytest.fixture(scope="module")
def clicked(server: Server, scene_clip: Path) -> str:
    project = server.opened(scene_clip)
    server.edit(project, "add_object")
    box = sign_box(0)
    prompt = {"points": [[box.x0 + 20, box.y0 + 10, True]]}
    server.edit(project, "prompt", frame=0, object=1, prompt=prompt)
    return project


def picture(server: Server, path: str) -> np.ndarray:
    answer = server.client.get(path)
    assert answer.status_code == 200, answer.text
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_each_outline_to_choose_from_is_a_picture_of_its_own(server: Server, clicked: str) -> None:
    count = server.get(f"/project/{clicked}")["prompts"]["0"]["1"]["candidates"]
    pictures = [picture(server, f"/project/{clicked}/candidate/0/1/{n}.jpg") for n in range(count)]
    assert {one.shape for one in pictures} == {(60, 96, 3)}
    assert len({one.tobytes() for one in pictures}) == count > 1
    answer = server.client.get(f"/project/{clicked}/candidate/0/1/{count}.jpg")
    assert answer.status_code == 404


def test_what_is_to_be_looked_at_is_shown_close_also_where_it_is_not_masked(
    server: Server, clicked: str
) -> None:
    whole = picture(server, f"/project/{clicked}/frame/0.jpg")
    for frame in (0, 7):
        near = picture(server, f"/project/{clicked}/look/{frame}/1.jpg")
        assert near.shape[0] < whole.shape[0]


def test_the_filled_frame_says_where_it_was_filled_and_is_not_there_without_a_mask(
    server: Server, clicked: str
) -> None:
    answer = server.client.get(f"/project/{clicked}/filled/0.jpg")
    assert answer.status_code == 200
    x0, y0, x1, y1 = map(int, answer.headers["X-Around"].split(","))
    box = sign_box(0)
    assert x0 < box.x0 < box.x1 < x1
    assert y0 < box.y0 < box.y1 < y1
    source = picture(server, f"/project/{clicked}/frame/0.jpg").astype(int)
    filled = np.asarray(Image.open(io.BytesIO(answer.content))).astype(int)
    assert np.abs(filled - source)[box.slices].mean() > 10
    assert server.client.get(f"/project/{clicked}/filled/9.jpg").status_code == 204


def test_painted_strokes_taken_for_hints_are_shown_and_nothing_is_changed(
    server: Server, clicked: str
) -> None:
    stroke = {"points": [[20, 20], [40, 30]], "radius": 5}
    server.edit(clicked, "prompt", frame=5, object=1, prompt={"brushes": [stroke]}, painted=True)
    before = server.get(f"/project/{clicked}")["masks"]
    found = picture(server, f"/project/{clicked}/outlined?frame=5&object=1")
    assert found.any()
    assert server.get(f"/project/{clicked}")["masks"] == before
