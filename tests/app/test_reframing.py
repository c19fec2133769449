"""A clip in another shape: the crop planned, corrected at its keyframes, cut out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cleanplate
from cleanplate.media.survey import Span, survey
from cleanplate.retargeting.keyframes import key_frames
from cleanplate.retargeting.path import CropPath
from tests.app_browser.clips import HEIGHT, WIDTH, coded_clip, sign_at

from .conftest import Server

COUNT = 40


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sign crosses the picture."""
    return coded_clip(tmp_path_factory.mktemp("clips") / "moving.mp4", COUNT)


def test_the_crop_is_planned_dragged_and_cut_out(server: Server, moving: Path) -> None:
    project = server.opened(moving)
    job = f"/project/{project}/job"
    refused = server.client.post(job, json={"kind": "retarget"})
    assert (refused.status_code, "plan it first" in refused.json()["error"]) == (409, True)
    assert server.client.post(job, json={"kind": "crop", "aspect": "wide"}).status_code == 400
    assert server.get(f"/project/{project}")["crop"] is None

    server.post(job, {"kind": "crop", "aspect": "9:16"})
    state = server.done(project)
    crop = state["crop"]
    assert (crop["aspect"], crop["height"]) == ("9:16", HEIGHT)
    assert crop["width"] == 90
    assert 1 < len(crop["keys"]) < COUNT / 2, "keyframes, not frames"
    corners = np.array(server.get(f"/project/{project}/crop.json"))
    assert corners.shape == (COUNT, 2)
    middles = [sign_at(frame)[0] + 33 for frame in range(COUNT)]
    inside = [x <= middle <= x + 90 for (x, _), middle in zip(corners, middles, strict=True)]
    assert np.mean(inside) > 0.9, "it follows what moves"

    path = f"/project/{project}/crop"
    frame = next(f for f in range(10, COUNT) if f not in crop["keys"])
    told = server.post(path, {"frame": frame, "x": 10_000, "y": 0})
    assert frame in told["keys"]
    moved = np.array(server.get(f"/project/{project}/crop.json"))
    assert moved[frame, 0] == WIDTH - 90, "kept inside the picture"
    nearest = [k for k in crop["keys"] if k != frame]
    assert np.allclose(moved[nearest], corners[nearest], atol=0.01), "others stay"
    server.post(path, {"frame": frame, "drop": True})
    assert np.allclose(server.get(f"/project/{project}/crop.json"), corners, atol=0.01)
    server.post(path, {"frame": frame, "x": 0, "y": 0})
    wrong = server.client.post(path, json={"frame": 10 * COUNT, "x": 0, "y": 0})
    assert wrong.status_code == 400

    server.edit(project, "settings", values={"preset": "ultrafast"})
    server.post(job, {"kind": "retarget"})
    state = server.done(project)
    (result,) = state["results"]
    assert (result["kind"], result["aspect"]) == ("retarget", "9:16")
    assert "90x160 px" in result["sentence"]
    assert "--path" in result["command"]
    made = server.folder(project) / "out" / result["name"] / result["clip"]
    with cleanplate.open_clip(made) as clip, cleanplate.open_clip(moving) as source:
        assert (clip.info.width, clip.info.height) == (90, HEIGHT)
        pictures = [picture.rgb() for picture in clip.pictures()]
        wanted = [picture.rgb() for picture in source.pictures()][frame][:, :90]
    assert len(pictures) == COUNT
    assert np.abs(pictures[frame].astype(int) - wanted).mean() < 6, "where it was dragged to"


def test_keyframes_lead_the_crop_as_the_plan_did(moving: Path) -> None:
    with cleanplate.open_clip(moving) as clip:
        surveyed = survey(clip)
    span = Span(0, COUNT, surveyed.shots)
    times = np.arange(COUNT)
    x = np.clip((times - 10) * 3.0, 0, 60)  # stands, pans, stands
    path = CropPath(0, np.stack([x, np.zeros(COUNT)], axis=1), 90, HEIGHT)
    keys = key_frames(path, surveyed, span)
    assert {10, 30} <= set(keys)
    assert len(keys) < 12
    assert key_frames(CropPath(0, np.zeros((COUNT, 2)), 90, HEIGHT), surveyed, span) == [0]
