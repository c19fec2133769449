"""Brush and eraser on a frame that has a mask: that mask is edited, exactly as painted."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.arrays.prompts import draw_strokes
from cleanplate.errors import InputError
from cleanplate.projects.project import Project
from cleanplate.types import Box, Brush, Point, Prompt
from tests.projects import stage
from tests.scene import sign_box

INSIDE = Point(sign_box(0).x0 + 22, sign_box(0).y0 + 5)
PAINT = Brush(((5.0, 5.0), (25.0, 9.0)), 4)
ERASE = Brush(((60.0, 60.0), (70.0, 70.0)), 5, positive=False)


def painted(project: Project, shown: np.ndarray, *strokes: Brush) -> np.ndarray:
    mask = shown.copy()
    for stroke in strokes:
        mask[draw_strokes([stroke], project.size)] = stroke.positive
    return mask


@pytest.fixture
def one(project: Project) -> int:
    return project.add_object("sign")


def test_strokes_on_a_followed_frame_change_just_the_pixels_under_them(followed: Project) -> None:
    shown = followed.mask(20) == 1
    followed.set_prompt(20, 1, Prompt(brushes=(PAINT,)), painted=True)
    followed.set_prompt(20, 1, Prompt(brushes=(PAINT, ERASE)), painted=True)
    np.testing.assert_array_equal(followed.mask(20) == 1, painted(followed, shown, PAINT, ERASE))


def test_strokes_on_a_clicked_outline_leave_it_even_where_another_engine_was_chosen_since(
    project: Project, one: int
) -> None:
    project.set_prompt(0, one, Prompt(points=(INSIDE,)))
    shown = project.choose(0, one, 1).mask
    project.set_settings({"segmenter": "letters"})
    project.set_prompt(0, one, Prompt(points=(INSIDE,), brushes=(PAINT,)), painted=True)
    np.testing.assert_array_equal(project.mask(0) == one, painted(project, shown, PAINT))


def test_strokes_on_a_still_mask_change_it_in_all_frames_that_share_it(
    project: Project, one: int
) -> None:
    project.change_object(one, static=True)
    project.set_prompt(0, one, Prompt(box=sign_box(0)))
    shown = project.mask(0) == one
    project.set_prompt(33, one, Prompt(brushes=(PAINT,)), painted=True)
    wanted = painted(project, shown, PAINT)
    for frame in (0, 33, stage.COUNT - 1):
        np.testing.assert_array_equal(project.mask(frame) == one, wanted)
    assert list(project.state.anchors[one]) == [0]


def test_strokes_on_the_letters_of_a_still_box_edit_the_letters(
    project: Project, one: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.change_object(one, static=True)
    project.set_prompt(0, one, Prompt(box=sign_box(0)))
    letters = np.zeros(project.size, bool)
    letters[sign_box(0).y0 + 4 : sign_box(0).y0 + 9, sign_box(0).x0 + 3 : sign_box(0).x0 + 30] = (
        True
    )
    (box,) = project.state.anchors[one].values()
    kept = project.mask_store.keep(letters)
    monkeypatch.setattr(
        type(project._tracks._letters),
        "masks",
        lambda self, marks, how: {box: kept} if box in marks.anchors[one].values() else {},
    )
    project.change_object(one, name="print")  # the view is made anew
    np.testing.assert_array_equal(project.mask(0) == one, letters)
    project.set_prompt(0, one, Prompt(box=sign_box(0), brushes=(PAINT,)), painted=True)
    np.testing.assert_array_equal(project.mask(0) == one, painted(project, letters, PAINT))


def test_what_was_painted_stays_when_a_click_outlines_again(project: Project, one: int) -> None:
    project.set_prompt(0, one, Prompt(points=(INSIDE,)))
    project.set_prompt(0, one, Prompt(points=(INSIDE,), brushes=(PAINT,)), painted=True)
    more = Point(INSIDE.x + 5, INSIDE.y + 3)
    project.set_prompt(0, one, Prompt(points=(INSIDE, more), brushes=(PAINT,)), painted=True)
    assert (project.mask(0) == one)[draw_strokes([PAINT], project.size)].all()


def test_one_undo_takes_one_stroke_back(followed: Project) -> None:
    before = followed.mask(20)
    followed.set_prompt(20, 1, Prompt(brushes=(PAINT,)), painted=True)
    followed.undo()
    np.testing.assert_array_equal(followed.mask(20), before)


def test_an_empty_stroke_is_refused(project: Project, one: int) -> None:
    with pytest.raises(InputError, match="A stroke needs a point"):
        project.set_prompt(0, one, Prompt(brushes=(Brush((), 4),)), painted=True)


def test_another_outliner_answers_the_prompt_again_in_one_edit(project: Project, one: int) -> None:
    box = Box(30, 40, 100, 90)
    drawn = project.set_prompt(0, one, Prompt(box=box))
    assert drawn is not None
    outline = project.outline_again(0, one, {"segmenter": "grabcut"})
    assert project.settings.engines.segmenter == "grabcut"
    assert 0 < outline.mask.sum() < drawn.mask.sum()
    project.undo()
    assert project.settings.engines.segmenter == "auto"
    np.testing.assert_array_equal(project.mask(0) == one, drawn.mask)


def test_choosing_another_outliner_changes_neither_masks_nor_how_far_they_grow(
    project: Project, one: int
) -> None:
    from cleanplate.tracks.filled_masks import growths

    project.set_prompt(0, one, Prompt(points=(INSIDE,)))
    before = growths(project.view(), project.settings.masks), project.mask_key(0)
    project.set_settings({"segmenter": "letters"})
    assert (growths(project.view(), project.settings.masks), project.mask_key(0)) == before


def test_the_candidates_can_be_looked_at_and_none_is_empty(project: Project, one: int) -> None:
    project.set_prompt(0, one, Prompt(points=(INSIDE,)))
    masks = project.outlines(0, one)
    assert len(masks) == project.state.anchors[one][0].candidates
    assert all(mask.any() for mask in masks)
    np.testing.assert_array_equal(project.choose(0, one, 1).mask, masks[1])
