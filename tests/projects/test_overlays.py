"""What does not move and is there in a part of the clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cleanplate.errors import InputError
from cleanplate.projects.project import Project
from cleanplate.types import Prompt
from tests.projects.stage import COUNT, all_masks

WHERE = np.s_[90:110, 30:80]


@pytest.fixture
def letters(project: Project) -> np.ndarray:
    """(H, W) bool."""
    mask = np.zeros(project.size, bool)
    mask[WHERE] = True
    return mask


@pytest.mark.parametrize(("start", "stop"), [(0, COUNT), (0, 20), (20, COUNT), (13, 14)])
def test_it_is_shown_in_its_frames_and_in_no_other(
    project: Project, letters: np.ndarray, start: int, stop: int
) -> None:
    number = project.add_overlay("caption", letters, start, stop)
    masks = all_masks(project)
    shown = np.flatnonzero(masks.any(axis=(1, 2)))
    assert shown.tolist() == list(range(start, stop))
    assert np.array_equal(masks[start] == number, letters)
    assert project.can_remove()[0]


def shown(project: Project) -> list[int]:
    return np.flatnonzero(all_masks(project).any(axis=(1, 2))).tolist()


def test_where_it_begins_and_ends_can_be_set_inwards_and_outwards(
    project: Project, letters: np.ndarray
) -> None:
    number = project.add_overlay("caption", letters, 20, 40)
    project.begins(25, number)
    project.ends(34, number)
    assert shown(project) == list(range(25, 35))
    project.begins(12, number)
    project.ends(44, number)
    assert shown(project) == list(range(12, 45))
    project.begins(0, number)
    project.ends(COUNT - 1, number)
    assert shown(project) == list(range(COUNT))
    for _ in range(6):
        project.undo()
    assert shown(project) == list(range(20, 40))


def test_a_later_mark_stays_when_an_end_is_set_before_it(
    project: Project, letters: np.ndarray
) -> None:
    number = project.add_overlay("caption", letters, 10, 20)
    project.set_prompt(40, number, Prompt(mask=np.roll(letters, -60, axis=0)))
    project.ends(14, number)
    assert shown(project) == [*range(10, 15), *range(40, COUNT)]


def test_only_what_does_not_move_has_such_ends(project: Project, letters: np.ndarray) -> None:
    number = project.add_object("person")
    project.set_prompt(5, number, Prompt(mask=letters))
    with pytest.raises(InputError, match="does not move"):
        project.ends(9, number)


def test_it_is_one_edit_to_undo(project: Project, letters: np.ndarray) -> None:
    before = (project.path / "project.json").read_bytes()
    project.add_overlay("caption", letters, 10, 20)
    project.undo()
    assert (project.path / "project.json").read_bytes() == before


def test_its_removal_changes_nothing_outside_of_its_frames_and_mask(
    project: Project, letters: np.ndarray, tmp_path: Path
) -> None:
    from cleanplate.jobs import job
    from cleanplate.media.read import open_clip

    project.set_settings({"inpainter": "telea", "lossless": True})
    project.add_overlay("caption", letters, 10, 20)
    job.run(project.removal(tmp_path / "clean.mkv"))
    with open_clip(tmp_path / "clean.mkv") as made, open_clip(project.source) as source:
        pairs = zip(source.pictures(), made.pictures(), strict=True)
        for index, (one, other) in enumerate(pairs):
            apart = (one.rgb() != other.rgb()).any(axis=-1)
            assert apart.any() == (10 <= index < 20), index
            # A sample of the colour planes covers two pixels each way.
            assert not np.delete(apart, np.s_[88:112], axis=0).any()


@pytest.mark.parametrize(("start", "stop"), [(-1, 5), (0, COUNT + 1)])
def test_frames_that_are_not_in_the_clip_are_refused(
    project: Project, letters: np.ndarray, start: int, stop: int
) -> None:
    with pytest.raises(InputError, match="not in the clip"):
        project.add_overlay("caption", letters, start, stop)
    assert project.state.objects == ()


def test_an_end_before_the_start_is_refused(project: Project, letters: np.ndarray) -> None:
    with pytest.raises(InputError, match="No frame"):
        project.add_overlay("caption", letters, 9, 9)


def test_an_empty_mask_is_refused(project: Project) -> None:
    with pytest.raises(InputError, match="empty"):
        project.add_overlay("caption", np.zeros(project.size, bool), 0, 5)
