"""What nobody will ask for again is removed; what somebody made is not."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from cleanplate.app.server.desk import Desk
from cleanplate.app.server.options import Options
from cleanplate.app.server.sweep import sweep

DAY = 24 * 3600.0


def desk_in(folder: Path, **options: int) -> Desk:
    return Desk(Options(folder=folder, **options))


def aged(path: Path, seconds: float) -> Path:
    when = time.time() - seconds
    for one in [path, *path.rglob("*")] if path.is_dir() else [path]:
        os.utime(one, (when, when))
    return path


def project(desk: Desk, *files: str, objects: str = "[]") -> Path:
    folder = desk.sessions.new_folder()
    clip = folder / "clip.mp4"
    clip.write_bytes(b"x")
    desk.sessions.begin(folder, "a.mp4", clip, uploaded=True)
    for name in files:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'{{"objects": {objects}}}')
    return folder


def test_at_the_start_all_that_is_temporary_goes(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    left = desk.options.temporary / "gradio" / "abc"
    left.mkdir(parents=True)
    (left / "upload.mp4").write_bytes(b"x")
    (desk.options.temporary / "tmpxyz").mkdir()
    (desk.options.temporary / "loose").write_bytes(b"x")
    broken = desk.sessions.new_folder()
    (broken / "clip.mp4").write_bytes(b"half an upload")
    kept = project(desk)
    sweep(desk, at_start=True)
    assert not left.exists()
    assert not (desk.options.temporary / "loose").exists()
    assert not broken.exists()
    assert kept.exists(), "its link may be opened again"


def test_later_only_what_is_old_goes(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    uploads = desk.options.temporary / "gradio"
    fresh, old = uploads / "fresh", uploads / "old"
    for one in (fresh, old):
        one.mkdir(parents=True)
        (one / "a.mp4").write_bytes(b"x")
    aged(old, DAY)
    growing = desk.sessions.new_folder()
    (growing / "clip.mp4").write_bytes(b"an upload that goes on")
    sweep(desk)
    assert fresh.exists()
    assert not old.exists()
    assert growing.exists()
    aged(growing, 2 * DAY)
    sweep(desk)
    assert not growing.exists()


@pytest.mark.parametrize(
    ("files", "objects", "stays"),
    [
        ((), "[]", False),
        (("project.json",), "[]", False),
        (("project.json",), '[{"id": 1}]', True),
        (("out/remove-1",), "[]", True),
    ],
)
def test_an_upload_that_nobody_worked_with_goes_after_a_day(
    tmp_path: Path, files: tuple[str, ...], objects: str, stays: bool
) -> None:
    desk = desk_in(tmp_path)
    folder = aged(project(desk, *files, objects=objects), 2 * DAY)
    sweep(desk)
    assert folder.exists() == stays


def test_a_project_somebody_looked_at_today_stays(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    folder = aged(project(desk), 2 * DAY)
    desk.sessions.get(folder.name).touch()
    sweep(desk)
    assert folder.exists()


def test_projects_go_after_the_days_that_were_asked_for(tmp_path: Path) -> None:
    desk = desk_in(tmp_path, keep_days=30)
    young = aged(project(desk, "project.json", objects='[{"id": 1}]'), 20 * DAY)
    old = aged(project(desk, "project.json", objects='[{"id": 1}]'), 40 * DAY)
    sweep(desk)
    assert young.exists()
    assert not old.exists()


def test_a_folder_that_is_no_project_is_let_alone(tmp_path: Path) -> None:
    desk = desk_in(tmp_path)
    foreign = desk.options.projects / "my films"
    foreign.mkdir()
    aged(foreign, 99 * DAY)
    sweep(desk, at_start=True)
    assert foreign.exists()
