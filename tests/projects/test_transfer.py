"""Masks in and out, and removal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from cleanplate import api
from cleanplate.errors import CancelledError, InputError, MaskError
from cleanplate.jobs import job
from cleanplate.media.mask_track import read_mask_track, write_mask_track
from cleanplate.media.mask_writing import write_mask_folder, write_mask_image
from cleanplate.media.read import open_clip
from cleanplate.projects.project import Project
from cleanplate.types import Box
from tests.projects import stage
from tests.scene import sign_box

PROGRAM = Path(sys.executable).with_name("cleanplate")
LOGO = Box(4, 6, 40, 22)


def rgb(path: Path) -> np.ndarray:
    with open_clip(path) as clip:
        return np.stack([picture.rgb() for picture in clip.pictures()])


@pytest.mark.parametrize("name", ["masks.mkv", "masks/"])
def test_exported_masks_come_back_the_same(
    followed: Project, stage_clip: Path, tmp_path: Path, name: str
) -> None:
    followed.export_masks(f"{tmp_path}/{name}")
    fresh = Project.create(tmp_path / "fresh", stage_clip)
    assert fresh.import_masks(tmp_path / name) == [1, 2]
    np.testing.assert_array_equal(stage.all_masks(fresh), stage.all_masks(followed))
    assert fresh.can_remove() == (True, "")
    assert not fresh.can_follow()[0]
    fresh.export_masks(tmp_path / "again.mkv")
    for one, other in zip(
        read_mask_track(tmp_path / "again.mkv"), stage.all_masks(followed), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_imported_masks_can_be_corrected_undone_and_are_kept_where_approved(
    followed: Project, stage_clip: Path, tmp_path: Path
) -> None:
    followed.export_masks(tmp_path / "masks.mkv")
    fresh = Project.create(tmp_path / "fresh", stage_clip)
    fresh.import_masks(tmp_path / "masks.mkv")
    before = stage.all_masks(fresh)
    fresh.approve(40)
    np.testing.assert_array_equal(stage.all_masks(fresh), before)
    fresh.set_prompt(30, 1, stage.prompt(Box(60, 50, 104, 78)))
    assert (1, 31, 39) in fresh.stale()
    fresh.follow(direction="forward")
    changed = np.flatnonzero((stage.all_masks(fresh) != before).any(axis=(1, 2))).tolist()
    assert changed[0] == 30
    assert changed[-1] < 40
    for _ in range(3):
        fresh.undo()
    assert fresh.state.objects == ()


def test_an_imported_object_can_be_gone_from_a_frame_on_or_for_a_while(
    followed: Project, stage_clip: Path, tmp_path: Path
) -> None:
    followed.export_masks(tmp_path / "masks.mkv")
    fresh = Project.create(tmp_path / "fresh", stage_clip)
    fresh.import_masks(tmp_path / "masks.mkv")
    fresh.gone(20, 1, until=30)
    seen = [bool((mask == 1).any()) for mask in fresh.masks()]
    assert seen == [not 20 <= frame <= 30 for frame in range(stage.COUNT)]
    fresh.gone(40, 1)
    seen = [bool((mask == 1).any()) for mask in fresh.masks()]
    assert seen == [frame < 20 or 30 < frame < 40 for frame in range(stage.COUNT)]


def test_masks_of_another_size_or_count_are_refused_with_both(
    project: Project, tmp_path: Path
) -> None:
    small = [np.ones((64, 96), np.uint8)] * stage.COUNT
    write_mask_folder(tmp_path / "small", small)
    with pytest.raises(MaskError, match=r"96x64.*192x128"):
        project.import_masks(tmp_path / "small")
    few = [np.ones(project.size, np.uint8)] * 59
    write_mask_folder(tmp_path / "few", few)
    with pytest.raises(MaskError, match=r"59.*60"):
        project.import_masks(tmp_path / "few")
    times = [(project.survey.time(index), few[0]) for index in range(59)]
    write_mask_track(tmp_path / "few.mkv", times, None)
    with pytest.raises(MaskError, match=r"59.*60"):
        project.import_masks(tmp_path / "few.mkv")
    write_mask_image(tmp_path / "empty.png", np.zeros(project.size, np.uint8))
    with pytest.raises(InputError, match="empty"):
        project.import_masks(tmp_path / "empty.png")
    assert project.version == 1


def test_one_picture_is_the_mask_of_all_frames(project: Project, tmp_path: Path) -> None:
    mask = np.zeros(project.size, np.uint8)
    mask[LOGO.slices] = 3
    write_mask_image(tmp_path / "logo.png", mask)
    assert project.import_masks(tmp_path / "logo.png") == [3]
    assert (stage.all_masks(project) == mask).all()
    project.export_masks(tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (tmp_path / "logo.png").read_bytes()


def test_moving_masks_are_not_written_as_one_picture(followed: Project, tmp_path: Path) -> None:
    for name in ("masks.png", "masks.mp4"):
        with pytest.raises(InputError):
            followed.export_masks(tmp_path / name)


def test_removal_writes_what_inpainting_the_exported_masks_writes(
    followed: Project, tmp_path: Path
) -> None:
    followed.set_settings({"inpainter": "telea", "lossless": True})
    job.run(followed.removal(tmp_path / "one.mp4"))
    followed.export_masks(tmp_path / "masks.mkv")
    grown = followed.settings.masks.grown_by(followed.info.height, exact=False, is_print=False)
    done = subprocess.run(
        [
            *(str(PROGRAM), "inpaint", str(followed.source), "--lossless"),
            *("--masks", str(tmp_path / "masks.mkv"), "-o", str(tmp_path / "other.mp4")),
            *("--grow", str(grown), "--inpainter", "telea"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()


def test_removal_writes_what_the_one_shot_command_writes(project: Project, tmp_path: Path) -> None:
    one = project.add_object()
    project.set_prompt(0, one, stage.prompt(sign_box(0)))
    project.set_settings({"inpainter": "telea", "lossless": True})
    project.set_span(0, 30)
    project.follow()
    job.run(project.removal(tmp_path / "one.mp4"))
    box, same = stage.prompt(sign_box(0)), {"inpainter": "telea", "lossless": True}
    api.remove(project.source, tmp_path / "other.mp4", box, end="@30", **same)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()


def test_frames_outside_of_the_span_are_not_in_the_output_and_have_no_masks(
    followed: Project, tmp_path: Path
) -> None:
    followed.set_settings({"inpainter": "telea"})
    followed.set_span(10, 20)
    report = job.run(followed.removal(tmp_path / "part.mp4"))
    assert (report.first_frame, report.frame_count) == (10, 10)
    followed.export_masks(tmp_path / "masks.mkv")
    filled = [mask.any() for mask in read_mask_track(tmp_path / "masks.mkv")]
    assert filled == [10 <= frame < 20 for frame in range(stage.COUNT)]


@pytest.mark.parametrize("static", [False, True])
def test_the_whole_clip_can_be_written_with_what_is_outside_of_the_span_as_it_was(
    followed: Project, tmp_path: Path, static: bool
) -> None:
    # This engine brings back what other frames show: those outside of the span show the object.
    quick = {"flowfill": {"quality": "fast", "window": 12}}
    followed.set_settings({"lossless": True}, quick)
    if static:
        followed.remove_object(2)
        followed.change_object(1, static=True)
    followed.set_span(10, 20)
    report = job.run(followed.removal(tmp_path / "whole.mp4", whole=True))
    assert (report.first_frame, report.frame_count) == (0, stage.COUNT)
    made, source = rgb(tmp_path / "whole.mp4"), rgb(followed.source)
    changed = [bool((one != other).any()) for one, other in zip(made, source, strict=True)]
    assert changed == [10 <= frame < 20 for frame in range(stage.COUNT)]
    job.run(followed.removal(tmp_path / "span.mp4"))
    np.testing.assert_array_equal(made[10:20], rgb(tmp_path / "span.mp4"))
    job.run(followed.removal(tmp_path / "part.mp4", 12, 15, whole=True))
    np.testing.assert_array_equal(made[12:15], rgb(tmp_path / "part.mp4"))


def test_a_part_is_filled_as_in_the_whole(followed: Project, tmp_path: Path) -> None:
    followed.set_settings({"inpainter": "telea", "lossless": True})
    followed.set_span(10, 40)
    job.run(followed.removal(tmp_path / "whole.mp4"))
    report = job.run(followed.removal(tmp_path / "part.mp4", 20, 30))
    assert report.frame_count == 10
    np.testing.assert_array_equal(rgb(tmp_path / "whole.mp4")[10:20], rgb(tmp_path / "part.mp4"))
    with pytest.raises(InputError, match="part"):
        followed.removal(tmp_path / "none.mp4", 70, 80)


def test_a_stopped_removal_goes_on_while_the_masks_are_the_same(
    followed: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanplate.jobs.stages.write.PIECE", 10)
    followed.set_settings({"inpainter": "telea", "lossless": True})
    job.run(followed.removal(tmp_path / "whole.mp4"))

    class Stop(stage.Stop):
        def start(self, stage: str, total: int | None, done: int = 0) -> None:
            self.left = 35 if stage == "inpaint" else 10**6

    with pytest.raises(CancelledError):
        job.run(followed.removal(tmp_path / "one.mp4"), Stop(0))
    again = Project.open(followed.path)
    report = job.run(again.removal(tmp_path / "one.mp4"))
    assert report.resumed
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    with pytest.raises(CancelledError):
        job.run(again.removal(tmp_path / "two.mp4"), Stop(0))
    again.gone(30, 1)
    assert not job.run(again.removal(tmp_path / "two.mp4")).resumed


def test_the_stamp_of_the_masks_changes_with_them_alone(followed: Project) -> None:
    stamp = followed.masks_key
    assert Project.open(followed.path).masks_key == stamp
    followed.change_object(1, name="another", hidden=True)
    followed.set_settings({"inpainter": "telea"})
    assert followed.masks_key == stamp
    followed.gone(50, 1)
    assert followed.masks_key != stamp
    followed.undo()
    assert followed.masks_key == stamp


def test_what_is_not_followed_is_not_removed(project: Project, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Pick an object first"):
        project.removal(tmp_path / "clean.mp4")
    one = project.add_object("ball")
    project.set_prompt(0, one, stage.prompt(sign_box(0)))
    with pytest.raises(InputError, match="Track 'ball' first"):
        project.removal(tmp_path / "clean.mp4")


def test_what_does_not_move_needs_no_following_and_stays_one_mask(
    project: Project, tmp_path: Path
) -> None:
    logo = project.add_object("logo", static=True)
    project.set_settings({"overlay": "box", "inpainter": "telea", "lossless": True})
    project.set_prompt(30, logo, stage.prompt(LOGO))
    assert not project.can_follow()[0]
    order = project.removal(tmp_path / "one.mp4")
    assert order.masks is not None
    assert order.masks.constant is not None  # type: ignore[union-attr]
    assert (order.masks.constant > 0).sum() == LOGO.width * LOGO.height  # type: ignore[union-attr]
    job.run(order)
    api.remove(
        *(project.source, tmp_path / "other.mp4", stage.prompt(LOGO)),
        **{"static": True, "overlay": "box", "inpainter": "telea", "lossless": True},
    )
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "other.mp4").read_bytes()


def test_what_does_not_move_can_be_beside_what_does(followed: Project, tmp_path: Path) -> None:
    logo = followed.add_object("logo", static=True)
    followed.set_settings({"overlay": "box"})
    before = stage.all_masks(followed)
    followed.set_prompt(20, logo, stage.prompt(LOGO))
    after = stage.all_masks(followed)
    assert (after[:, LOGO.y0 : LOGO.y1, LOGO.x0 : LOGO.x1] == logo).all()
    after[after == logo] = 0
    before[:, LOGO.y0 : LOGO.y1, LOGO.x0 : LOGO.x1] = 0
    np.testing.assert_array_equal(after, before)
    order = followed.removal(tmp_path / "clean.mp4")
    grown = next(order.masks.read(5))  # type: ignore[union-attr]
    for object_id in (1, 2, logo):
        mask = followed.mask(5) == object_id
        assert (grown[mask] == object_id).all()
        assert (grown == object_id).sum() > mask.sum()


def test_what_does_not_move_may_change_at_a_frame(project: Project) -> None:
    bug = project.add_object("caption", static=True)
    project.set_settings({"overlay": "box"})
    project.set_prompt(10, bug, stage.prompt(LOGO))
    project.set_prompt(30, bug, stage.prompt(Box(100, 100, 120, 110)))
    project.gone(50, bug)
    areas = [int((mask == bug).sum()) for mask in project.masks()]
    assert areas == [LOGO.width * LOGO.height] * 30 + [200] * 20 + [0] * 10
    states = [lane[2] for lane in project.lanes()[bug]]
    assert states == ["static", "prompt", "static", "prompt", "static", "gone"]
