"""Pointing at things in one frame."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.errors import InputError
from cleanplate.projects.project import Project
from cleanplate.projects.state import parse_prompt, plain_prompt
from cleanplate.types import Box, Brush, Point, Prompt
from tests.projects import stage
from tests.scene import sign_box

INSIDE = Point(sign_box(0).x0 + 22, sign_box(0).y0 + 5)
STROKE = ((40.0, 60.0), (90.0, 60.0))


@pytest.fixture
def one(project: Project) -> int:
    return project.add_object("sign")


def test_a_click_outlines_and_offers_candidates_to_choose_from(project: Project, one: int) -> None:
    outline = project.set_prompt(0, one, Prompt(points=(INSIDE,)))
    assert outline is not None
    assert outline.candidates == len(outline.scores) > 1
    assert outline.chosen == 0
    np.testing.assert_array_equal(project.mask(0) == one, outline.mask)
    second = project.choose(0, one, 1)
    assert second.chosen == 1
    assert (second.mask != outline.mask).any()
    np.testing.assert_array_equal(project.mask(0) == one, second.mask)
    np.testing.assert_array_equal(project.choose(0, one, 0).mask, outline.mask)


def test_a_lone_box_is_taken_as_drawn_and_what_is_in_it_is_offered(
    project: Project, one: int
) -> None:
    outline = project.set_prompt(0, one, Prompt(box=Box(30, 40, 100, 90)))
    assert outline is not None
    assert outline.mask.sum() == 70 * 50
    assert outline.candidates > 1
    smaller = project.choose(0, one, 1)
    assert 0 < smaller.mask.sum() < 70 * 50


def test_a_box_that_leaves_the_picture_is_cut_at_its_edge(project: Project, one: int) -> None:
    outline = project.set_prompt(0, one, Prompt(box=Box(-20, -20, 30, 30)))
    assert outline is not None
    assert outline.mask.sum() == 30 * 30


def test_painting_and_erasing_along_one_path_leaves_nothing(project: Project, one: int) -> None:
    paint, erase = Brush(STROKE, 6), Brush(STROKE, 6, positive=False)
    painted = project.set_prompt(0, one, Prompt(brushes=(paint,)), painted=True)
    assert painted is not None
    assert 600 < painted.mask.sum() < 900
    erased = project.set_prompt(0, one, Prompt(brushes=(paint, erase)), painted=True)
    assert erased is not None
    assert not erased.mask.any()
    assert not project.mask(0).any()
    again = project.set_prompt(0, one, Prompt(brushes=(paint, erase, paint)), painted=True)
    assert again is not None
    np.testing.assert_array_equal(again.mask, painted.mask)


def test_painting_adds_to_what_was_followed(followed: Project) -> None:
    shown = followed.mask(20) == 1
    stroke = Brush(((5.0, 5.0), (15.0, 5.0)), 3)
    outline = followed.set_prompt(20, 1, Prompt(brushes=(stroke,)), painted=True)
    assert outline is not None
    assert (outline.mask & shown).sum() == shown.sum()
    assert 60 < (outline.mask & ~shown).sum() < 120


def test_taking_the_prompt_away_shows_what_was_followed(followed: Project) -> None:
    before = followed.mask(20)
    followed.set_prompt(20, 1, stage.prompt(Box(0, 0, 20, 20)))
    assert (followed.mask(20) != before).any()
    assert followed.set_prompt(20, 1, None) is None
    np.testing.assert_array_equal(followed.mask(20), before)
    assert followed.stale() == []


def test_a_mask_can_be_the_prompt(project: Project, one: int) -> None:
    mask = np.zeros(project.size, bool)
    mask[10:20, 30:50] = True
    outline = project.set_prompt(7, one, Prompt(mask=mask))
    assert outline is not None
    np.testing.assert_array_equal(outline.mask, mask)
    np.testing.assert_array_equal(Project.open(project.path).mask(7) == one, mask)


def test_a_preview_shows_the_same_and_changes_nothing(project: Project, one: int) -> None:
    before = stage.files(project)
    preview = project.preview(0, one, Prompt(points=(INSIDE,)))
    assert stage.files(project) == before
    outline = project.set_prompt(0, one, Prompt(points=(INSIDE,)))
    assert outline is not None
    np.testing.assert_array_equal(preview.mask, outline.mask)


def test_where_objects_overlap_the_higher_id_is_on_top(project: Project, one: int) -> None:
    two = project.add_object()
    project.set_prompt(0, two, Prompt(box=Box(20, 20, 40, 40)))
    project.set_prompt(0, one, Prompt(box=Box(30, 30, 50, 50)))
    mask = project.mask(0)
    assert (mask[20:40, 20:40] == two).all()
    assert mask[45, 45] == one


def test_a_frame_is_encoded_once_for_all_clicks_in_it(
    project: Project, one: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cleanplate.engines.segment.grabcut import engine as grabcut

    seen = []
    encode = grabcut.Engine.encode
    monkeypatch.setattr(
        grabcut.Engine, "encode", lambda self, image: seen.append(1) or encode(self, image)
    )
    project.prepare(0)
    for points in ((INSIDE,), (INSIDE, Point(3, 3, False)), (INSIDE, Point(5, 90, False))):
        project.set_prompt(0, one, Prompt(points=points))
    assert len(seen) == 1


def test_a_prompt_goes_through_plain_json_and_back() -> None:
    prompt = Prompt((INSIDE, Point(3, 4.5, False)), Box(1, 2, 3, 4), (Brush(STROKE, 2.5, False),))
    again = parse_prompt(plain_prompt(prompt))
    assert (again.points, again.box, again.brushes) == (prompt.points, prompt.box, prompt.brushes)
    assert parse_prompt({}).points == ()
    for wrong in (
        {"points": [1]},
        {"box": [1, 2]},
        {"brushes": [{"points": [[1, 2]]}]},
        {"box": 3},
    ):
        with pytest.raises(InputError):
            parse_prompt(wrong)
