"""Shadows and damage: found, shown with how sure that is, and an object each once it is taken."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from cleanplate.app.findings import Findings
from cleanplate.app.server.filled import filled_frame
from cleanplate.app.server.frames import Frames
from cleanplate.jobs import job
from cleanplate.jobs.order import fingerprint
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from tests.attached.test_shadows import walked
from tests.restoration.finding import panned, write_pictures

from .conftest import Server

COUNT = 18


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A figure that casts a shadow, and its masks."""
    folder = tmp_path_factory.mktemp("figure")
    images, _, masks, _ = walked(0.5, 2.0)
    write_pictures(folder / "frames", images)
    np.savez(folder / "masks.npz", np.stack(masks))
    return folder


def masked(server: Server, project: str, frame: int) -> np.ndarray:
    picture = server.client.get(f"/project/{project}/mask/{frame}.png").content
    return np.asarray(Image.open(io.BytesIO(picture)))


def test_a_shadow_is_an_object_once_it_is_ticked_and_none_after_undo(
    server: Server, figure: Path
) -> None:
    project = server.opened(figure / "frames")
    answer = server.client.post(f"/project/{project}/job", json={"kind": "attached"})
    assert answer.status_code == 409, "nothing is masked that could cast one"
    server.post(f"/project/{project}/masks", {"path": str(figure / "masks.npz")})
    server.post(f"/project/{project}/job", {"kind": "attached"})
    state = server.done(project)
    assert "Found 1 shadow." in state["job"]["sentence"]
    (found,) = state["findings"]
    assert (found["kind"], found["caster"], found["object"]) == ("shadow", 1, None)
    assert found["confidence"] > 0.8
    assert not found["stale"]
    assert set(np.unique(masked(server, project, 9))) == {0, 1}

    number = server.edit(project, "take_finding", finding=found["id"])["object"]
    state = server.get(f"/project/{project}")
    assert [o["name"] for o in state["objects"]] == ["Object 1", "Shadow of Object 1"]
    assert state["findings"][0]["object"] == number
    mask = masked(server, project, 9)
    x, y = 40 + 12 * 9, 100
    assert mask[y + 32, x + 40] == number, "the shadow"
    assert mask[y, x] == 1
    assert state["can"]["remove"][0]
    assert server.client.post(
        f"/project/{project}/edit", json={"op": "take_finding", "finding": found["id"]}
    ).status_code == 400  # fmt: skip

    server.edit(project, "undo")
    state = server.get(f"/project/{project}")
    assert state["findings"][0]["object"] is None
    assert set(np.unique(masked(server, project, 9))) == {0, 1}

    server.edit(project, "gone", frame=3, object=1, until=5)
    assert server.get(f"/project/{project}")["findings"][0]["stale"], "its masks are others now"


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 frames, two of which have a dark speck each."""
    images = panned(24)
    for frame, (x, y) in ((8, (100, 60)), (15, (200, 150))):
        cv2.circle(images[frame], (x, y), 7, (15, 12, 10), -1)
    return write_pictures(tmp_path_factory.mktemp("dirty") / "frames", images)


def test_damage_is_added_as_a_whole_and_rejected_place_by_place(
    server: Server, dirty: Path
) -> None:
    project = server.opened(dirty)
    server.post(f"/project/{project}/job", {"kind": "damage"})
    state = server.done(project)
    (found,) = state["findings"]
    assert (found["kind"], found["count"]) == ("dirt", 2)
    assert [place["first"] for place in found["places"]] == [8, 15]
    picture = server.client.get(f"/project/{project}/finding/{found['id']}/0.jpg")
    assert picture.headers["content-type"] == "image/jpeg"

    number = server.edit(project, "take_finding", finding=found["id"])["object"]
    assert masked(server, project, 8)[60, 100] == number
    assert masked(server, project, 15)[150, 200] == number
    assert not masked(server, project, 9).any()
    assert server.get(f"/project/{project}")["can"]["remove"][0]

    server.edit(project, "reject", finding=found["id"], place=1)
    state = server.get(f"/project/{project}")
    assert state["findings"][0]["rejected"] == [1]
    assert not masked(server, project, 15).any()
    assert masked(server, project, 8)[60, 100] == number, "the other one stays"
    assert state["can"]["remove"][0]
    assert state["doubtful"] == []
    server.edit(project, "undo")
    assert masked(server, project, 15)[150, 200] == number


def test_that_nothing_is_damaged_is_said(server: Server, tmp_path: Path) -> None:
    project = server.opened(write_pictures(tmp_path / "frames", panned(12)))
    server.post(f"/project/{project}/job", {"kind": "damage"})
    state = server.done(project)
    assert state["findings"] == []
    assert "Found no dirt" in state["job"]["sentence"]


def test_a_ticked_shadow_is_undone_until_its_mask_is_corrected(
    tmp_path: Path, figure: Path
) -> None:
    _, ground, _, shadows = walked(0.5, 2.0)
    project = Project.create(tmp_path / "project", figure / "frames")
    project.import_masks(figure / "masks.npz")
    project.set_settings({"inpainter": "telea"})
    findings = Findings(project)
    (found,) = findings.look_for_attached("first", Progress())
    number = findings.take(found.id)

    def error(name: str) -> float:
        out = tmp_path / name
        job.run(project.removal(f"{out}/"))
        with open_clip(out) as clip:
            pictures = [picture.rgb().astype(float) for picture in clip.pictures()]
        apart = [p[s] - g[s] for p, g, s in zip(pictures, ground, shadows, strict=True)]
        return float(np.sqrt(np.mean(np.concatenate(apart) ** 2)))

    order = project.removal(tmp_path / "out.mp4")
    assert order.light is not None
    again = Project.open(tmp_path / "project").removal(tmp_path / "out.mp4")
    assert fingerprint(again) == fingerprint(order)
    shown = filled_frame(Frames(), project, tmp_path / "none", 9, False, lambda: True)
    assert shown is not None
    apart = shown.image[shadows[9]].astype(float) - ground[9][shadows[9]]
    undone = error("undone")
    assert float(np.sqrt(np.mean(apart**2))) < 1.5 * undone, "the preview shows what is going to be"
    project.gone(3, number, 5)
    assert project.removal(tmp_path / "out.mp4").light is None
    project.undo()
    shutil.rmtree(tmp_path / "project" / "attached")
    (tmp_path / "project" / "findings.json").unlink()
    filled = error("filled")
    assert undone < filled / 2
