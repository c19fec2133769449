"""Logos and captions that are found without a click."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.test_suggest import letters, scene

from .conftest import Server
from .test_projects import decoded


@pytest.fixture(scope="module")
def captioned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 frames; a caption is shown in the first 60."""
    drawn = {(0, 60): letters("caption", (90, 160))}
    return scene(tmp_path_factory.mktemp("clip") / "captioned.mp4", drawn, count=120)


def looked(server: Server, clip: Path) -> str:
    project = server.opened(clip)
    server.post(f"/project/{project}/job", {"kind": "suggest"})
    server.done(project)
    return project


def test_what_was_found_is_an_object_once_it_is_taken_and_is_offered_again_after_undo(
    server: Server, captioned: Path
) -> None:
    project = looked(server, captioned)
    state = server.get(f"/project/{project}")
    (one,) = state["proposals"]["overlays"]
    assert "Found 1 logo or caption" in state["job"]["sentence"]
    assert (one["kind"], one["first"], one["last"]) == ("caption", 0, 59), "to the frame"
    assert not one["taken"]
    assert state["objects"] == []

    number = server.edit(project, "take", proposal=one["id"])["object"]
    state = server.get(f"/project/{project}")
    assert state["proposals"]["overlays"][0]["taken"]
    assert [(o["name"], o["static"]) for o in state["objects"]] == [("Caption", True)]
    assert state["can"]["remove"][0]
    path = f"/project/{project}/mask"
    masks = [
        np.asarray(Image.open(io.BytesIO(server.client.get(f"{path}/{frame}.png").content)))
        for frame in (one["first"], one["last"], one["last"] + 1)
    ]
    assert [bool(mask.any()) for mask in masks] == [True, True, False]
    answer = server.client.post(
        f"/project/{project}/edit", json={"op": "take", "proposal": one["id"]}
    )
    assert answer.status_code == 400
    assert "already" in answer.json()["error"]
    assert number == 1

    server.edit(project, "undo")
    state = server.get(f"/project/{project}")
    assert not state["proposals"]["overlays"][0]["taken"]
    assert state["objects"] == []


def test_a_captions_ends_are_found_to_the_frame(server: Server, tmp_path: Path) -> None:
    drawn = {(31, 97): letters("caption", (90, 160))}
    project = looked(server, scene(tmp_path / "between.mp4", drawn, count=150))
    (one,) = server.get(f"/project/{project}")["proposals"]["overlays"]
    assert (one["kind"], one["first"], one["last"]) == ("caption", 31, 96)


def test_a_proposal_has_a_picture_of_what_was_found(server: Server, captioned: Path) -> None:
    project = looked(server, captioned)
    picture = server.client.get(f"/project/{project}/proposal/1.jpg")
    assert picture.headers["content-type"] == "image/jpeg"
    shown = decoded(picture.content)
    assert shown.shape[1] < 320  # of the surroundings of its box, not of the whole picture
    assert np.ptp(shown) > 150
    missing = server.client.get(f"/project/{project}/proposal/9.jpg")
    assert missing.status_code == 400
    assert "no proposal 9" in missing.json()["error"]


def test_that_nothing_was_found_is_said(server: Server, tmp_path: Path) -> None:
    project = looked(server, scene(tmp_path / "plain.mp4", {}))
    state = server.get(f"/project/{project}")
    assert state["proposals"] == {"overlays": [], "still": []}
    assert "Found no logo or caption" in state["job"]["sentence"]


def test_before_anybody_looked_there_are_none(server: Server, captioned: Path) -> None:
    project = server.opened(captioned)
    assert server.get(f"/project/{project}")["proposals"] is None
    answer = server.client.post(f"/project/{project}/edit", json={"op": "take", "proposal": 1})
    assert answer.status_code == 400
    assert "looked for first" in answer.json()["error"]
