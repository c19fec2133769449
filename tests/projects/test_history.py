"""What was said is kept, edit by edit."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from cleanplate.errors import InputError
from cleanplate.projects.project import Project
from cleanplate.types import Brush, Point, Prompt
from tests.projects import stage
from tests.scene import sign_box


def five_edits(project: Project) -> list[bytes]:
    """The texts of the project before five edits of different kinds, and after each."""
    texts = [stage.files(project)]

    def note() -> None:
        texts.append(stage.files(project))

    one = project.add_object("sign")
    note()
    project.set_prompt(0, one, stage.prompt(sign_box(0)))
    note()
    project.change_object(one, name="the sign", hidden=True)
    note()
    project.gone(50, one)
    note()
    project.set_span(2, 55)
    note()
    return texts


def test_undoing_and_redoing_five_edits_gives_the_project_byte_for_byte(project: Project) -> None:
    texts = five_edits(project)
    back = []
    for _ in range(5):
        assert project.undo()
        back.append(stage.files(project))
    assert back == texts[-2::-1]
    assert not project.undo()
    forth = []
    for _ in range(5):
        assert project.redo()
        forth.append(stage.files(project))
    assert forth == texts[1:]
    assert not project.redo()


def test_undo_and_redo_reach_across_a_reopening(project: Project) -> None:
    texts = five_edits(project)
    for _ in range(3):
        project.undo()
    again = Project.open(project.path)
    assert stage.files(again) == texts[2]
    for _ in range(2):
        assert again.undo()
    assert stage.files(again) == texts[0]
    later = Project.open(project.path)
    while later.redo():
        pass
    assert stage.files(later) == texts[-1]


def test_a_new_edit_after_undo_ends_what_could_be_redone(project: Project) -> None:
    five_edits(project)
    project.undo()
    project.undo()
    project.add_object("another")
    assert not project.redo()
    assert [one.name for one in project.state.objects] == ["the sign", "another"]


def test_the_version_grows_with_every_edit_undo_and_redo(project: Project) -> None:
    versions = [project.version]
    for step in (project.add_object, project.add_object, project.undo, project.redo):
        step()
        versions.append(project.version)
    assert versions == sorted(set(versions))


def test_an_edit_that_changes_nothing_is_no_step_of_undo(project: Project) -> None:
    one = project.add_object("sign")
    version = project.version
    project.change_object(one, name="sign")
    assert project.version == version


def test_what_does_not_fit_is_refused_and_changes_nothing(project: Project) -> None:
    one = project.add_object()
    before = stage.files(project)
    for wrong in (
        lambda: project.set_prompt(60, one, stage.prompt(sign_box(0))),
        lambda: project.set_prompt(0, 7, stage.prompt(sign_box(0))),
        lambda: project.set_prompt(0, one, Prompt(points=(Point(500, 3),))),
        lambda: project.set_prompt(0, one, Prompt()),
        lambda: project.set_prompt(0, one, Prompt(brushes=(Brush((), 3),))),
        lambda: project.set_prompt(0, one, Prompt(mask=np.zeros((5, 5), bool))),
        lambda: project.choose(0, one, 0),
        lambda: project.gone(9, one, until=5),
        lambda: project.approve(0),
        lambda: project.set_span(30, 30),
        lambda: project.set_settings({"tracker": "nothing"}),
        lambda: project.set_settings({"grow": -3}),
        lambda: project.set_settings({"static": True}),
        lambda: project.set_settings(engine_fields={"planar": {"nothing": 1}}),
        lambda: project.change_object(one, name=" "),
        lambda: project.dismiss("nothing"),
    ):
        with pytest.raises(InputError):
            wrong()
    assert stage.files(project) == before


def test_settings_are_kept_and_none_takes_the_default_again(project: Project) -> None:
    project.set_settings({"grow": 4, "inpainter": "telea"}, {"planar": {"keep_occluders": True}})
    again = Project.open(project.path)
    assert again.settings.masks.grow == 4
    assert again.settings.engine_fields == {"planar": {"keep_occluders": "True"}}
    again.set_settings({"grow": None}, {"planar": {"keep_occluders": None}})
    assert project.settings.masks.grow is None
    assert project.settings.engines.inpainter == "telea"
    assert project.settings.engine_fields == {}


def test_a_removed_object_comes_back_by_undo_with_its_prompts(project: Project) -> None:
    one = project.add_object("sign")
    project.set_prompt(0, one, stage.prompt(sign_box(0)))
    mask = project.mask(0)
    assert mask.any()
    project.remove_object(one)
    assert not project.mask(0).any()
    project.undo()
    np.testing.assert_array_equal(project.mask(0), mask)


def test_edits_from_two_threads_are_all_made(project: Project) -> None:
    ids: list[int] = []

    def add() -> None:
        ids.extend(project.add_object() for _ in range(15))

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ids) == list(range(1, 31))
    assert len(project.state.objects) == 30
    assert sum(project.undo() for _ in range(30)) == 30
    assert project.state.objects == ()


def test_edits_of_another_program_are_seen_and_kept(project: Project) -> None:
    other = Project.open(project.path)
    project.add_object("mine")
    other.add_object("theirs")
    assert [one.name for one in project.state.objects] == ["mine", "theirs"]
    project.undo()
    assert [one.name for one in other.state.objects] == ["mine"]


def test_a_clip_that_changed_or_is_gone_is_refused(project: Project, tmp_path: Path) -> None:
    moved = tmp_path / "moved.mp4"
    own = tmp_path / "own.mp4"
    own.write_bytes(project.source.read_bytes())
    mine = Project.create(tmp_path / "mine", own)
    own.rename(moved)
    with pytest.raises(InputError, match=r"own\.mp4"):
        Project.open(mine.path)
    changed = bytearray(moved.read_bytes())
    changed[len(changed) // 2] ^= 1
    own.write_bytes(changed)
    with pytest.raises(InputError, match=r"own\.mp4.*put it back"):
        Project.open(mine.path)
    own.write_bytes(moved.read_bytes())
    Project.open(mine.path)


def test_a_project_that_holds_its_clip_can_be_moved(stage_clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    clip = folder / "clip.mp4"
    clip.write_bytes(stage_clip.read_bytes())
    Project.create(folder, clip)
    folder.rename(tmp_path / "there")
    assert Project.open(tmp_path / "there").survey.count == stage.COUNT


def test_what_is_no_project_is_said_to_be_none(project: Project, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a project"):
        Project.open(tmp_path)
    with pytest.raises(InputError, match="already"):
        Project.create(project.path, project.source)
    (project.path / "project.json").write_text("{}")
    with pytest.raises(InputError, match=r"project\.json"):
        Project.open(project.path)


def test_all_of_it_is_plain_json(followed: Project) -> None:
    plain = followed.as_json()
    assert json.loads(json.dumps(plain)) == json.loads(json.dumps(followed.as_json()))
    assert plain["clip"]["frames"] == stage.COUNT
    assert [one["id"] for one in plain["objects"]] == [1, 2]
    assert set(plain["prompts"]["0"]) == {"1", "2"}
    assert plain["can"]["track"][0] is False
    assert plain["can"]["remove"] == [True, ""]
