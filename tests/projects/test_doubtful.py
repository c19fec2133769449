"""Which frames of a project a person should look at, and where a prompt is due."""

from __future__ import annotations

from cleanplate.projects.project import Project
from tests.projects import stage


def test_an_object_that_leaves_is_listed_and_looking_right_takes_it_off(followed: Project) -> None:
    rows = [row for row in followed.doubtful() if row.object_id == 2]
    assert rows
    worst = rows[0]
    assert worst.last == stage.COUNT - 1
    assert stage.LEAVES - 12 <= worst.first <= stage.LEAVES + 2
    assert "lost" in worst.reason or "hidden" in worst.reason
    followed.dismiss(worst.id)
    assert worst.id not in {row.id for row in followed.doubtful()}
    followed.undo()
    assert worst.id in {row.id for row in followed.doubtful()}
    followed.approve(worst.frame, 2)
    assert not [row for row in followed.doubtful() if row.object_id == 2 and row.last == worst.last]


def test_doubts_are_listed_worst_first(followed: Project) -> None:
    badness = [row.badness for row in followed.doubtful()]
    assert badness == sorted(badness, reverse=True)


def test_a_project_says_where_the_next_prompt_is_due(followed: Project) -> None:
    (row,) = [row for row in followed.doubtful() if row.due is not None]
    assert (row.object_id, row.frame) == (2, row.due)
    assert stage.LEAVES - 12 <= row.due <= stage.LEAVES + 2
    assert followed.as_json()["doubtful"][0]["due"] == row.due
    followed.gone(row.due, 2)
    assert not [one for one in followed.doubtful() if one.due is not None]
