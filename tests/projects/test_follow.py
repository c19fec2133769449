"""From prompts to masks of all frames, corrected anywhere."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from cleanplate.errors import CancelledError, InputError
from cleanplate.projects.project import Project
from cleanplate.types import Box, Point, Prompt
from tests.projects import stage
from tests.scene import sign_box


def shifted(box: Box, by: int) -> Box:
    return Box(box.x0 + by, box.y0, box.x1 + by, box.y1)


def differing(one: np.ndarray, other: np.ndarray) -> list[int]:
    """The frames in which two mask tracks differ."""
    return np.flatnonzero((one != other).any(axis=(1, 2))).tolist()


def overlap(mask: np.ndarray, box: Box) -> float:
    truth = np.zeros(mask.shape, bool)
    truth[box.slices] = True
    return (mask & truth).sum() / (mask | truth).sum()


def test_two_objects_are_followed_through_the_clip(followed: Project) -> None:
    for frame in range(stage.COUNT):
        assert overlap(followed.mask(frame) == 1, sign_box(frame)) > 0.85
    for frame in range(25):
        assert overlap(followed.mask(frame) == 2, stage.other_box(frame)) > 0.8
    assert not (followed.mask(stage.COUNT - 1) == 2).any()
    assert followed.stale() == []


def test_a_correction_followed_forward_leaves_earlier_frames_and_other_objects_as_they_are(
    followed: Project,
) -> None:
    before = stage.all_masks(followed)
    box = shifted(sign_box(30), 4)
    followed.set_prompt(30, 1, stage.prompt(box))
    fixed = followed.mask(30)
    assert differing(before, stage.all_masks(followed)) == [30], "older results are shown"
    assert (1, 31, 59) in followed.stale()
    followed.follow(direction="forward")
    after = stage.all_masks(followed)
    np.testing.assert_array_equal(before[:30], after[:30])
    np.testing.assert_array_equal(after[30], fixed)
    assert differing(before, after) == list(range(30, 60)), "it follows what was corrected"
    np.testing.assert_array_equal((before == 2) & (after != 1), (after == 2) & (before != 1))
    assert not any(first > 30 for _, first, _ in followed.stale())


def test_a_correction_followed_both_ways_meets_the_earlier_anchor(followed: Project) -> None:
    followed.set_prompt(30, 1, stage.prompt(sign_box(30)))
    followed.follow()
    assert followed.stale() == []
    for frame in range(stage.COUNT):
        assert overlap(followed.mask(frame) == 1, sign_box(frame)) > 0.85


def test_an_approved_frame_changes_nothing_and_ends_later_tracking(followed: Project) -> None:
    before = stage.all_masks(followed)
    followed.approve(40)
    np.testing.assert_array_equal(stage.all_masks(followed), before)
    assert followed.stale() == []
    assert not followed.can_follow()[0]
    followed.set_prompt(20, 1, stage.prompt(shifted(sign_box(20), 5)))
    assert (1, 21, 39) in followed.stale()
    assert not any(last > 39 for _, _, last in followed.stale())
    followed.follow()
    after = stage.all_masks(followed)
    assert not set(differing(before, after)) & {0, *range(40, 60)}
    assert set(differing(before, after)) >= {20, 21}


def test_an_approved_frame_stays_though_its_prompt_was_taken_back(followed: Project) -> None:
    followed.approve(20, 1)
    fixed = followed.mask(20) == 1
    followed.set_prompt(0, 1, stage.prompt(shifted(sign_box(0), 6)))
    followed.follow()
    np.testing.assert_array_equal(followed.mask(20) == 1, fixed)
    followed.set_prompt(0, 1, None)
    followed.follow()
    np.testing.assert_array_equal(followed.mask(20) == 1, fixed)
    assert (followed.mask(5) == 1).any(), "followed backward from what was approved"


def test_an_approved_frame_that_is_prompted_anew_ends_being_approved(followed: Project) -> None:
    followed.approve(20, 1)
    followed.set_prompt(20, 1, stage.prompt(shifted(sign_box(20), 5)))
    assert (1, 21, 59) in followed.stale()
    followed.follow(direction="forward")
    assert overlap(followed.mask(30) == 1, shifted(sign_box(30), 5)) > 0.8


def test_prompts_in_any_order_give_the_same_masks(stage_clip: Path, tmp_path: Path) -> None:
    said = [(0, 1, sign_box(0)), (35, 1, sign_box(35)), (12, 2, stage.other_box(12))]
    found, masks = [], []
    for number, order in enumerate(itertools.permutations(said)):
        project = Project.create(tmp_path / str(number), stage_clip)
        project.add_object()
        project.add_object()
        project.set_span(0, 40)
        for frame, object_id, box in order:
            project.set_prompt(frame, object_id, stage.prompt(box))
        found.append(project.state.anchors)
        if number in (0, 5):
            project.follow()
            masks.append(stage.all_masks(project))
    assert all(one == found[0] for one in found)
    np.testing.assert_array_equal(*masks)


def test_prompts_between_two_followings_give_what_they_give_at_once(
    followed: Project, stage_clip: Path, tmp_path: Path
) -> None:
    followed.set_prompt(30, 1, stage.prompt(shifted(sign_box(30), 2)))
    followed.follow()
    at_once = Project.create(tmp_path / "once", stage_clip)
    for _ in range(2):
        at_once.add_object()
    at_once.set_prompt(30, 1, stage.prompt(shifted(sign_box(30), 2)))
    at_once.set_prompt(0, 2, stage.prompt(stage.other_box(0)))
    at_once.set_prompt(0, 1, stage.prompt(sign_box(0)))
    at_once.follow()
    np.testing.assert_array_equal(stage.all_masks(followed), stage.all_masks(at_once))


def test_undo_brings_the_masks_of_before_the_correction_back_at_once(followed: Project) -> None:
    before = stage.all_masks(followed)
    followed.set_prompt(30, 1, stage.prompt(shifted(sign_box(30), 4)))
    followed.follow()
    after = stage.all_masks(followed)
    followed.undo()
    np.testing.assert_array_equal(stage.all_masks(followed), before)
    assert followed.stale() == []
    followed.redo()
    np.testing.assert_array_equal(stage.all_masks(followed), after)
    assert followed.stale() == []


def test_a_cancelled_following_keeps_what_is_done_and_goes_on_to_the_same(
    project: Project, followed: Project
) -> None:
    for box in (sign_box(0), stage.other_box(0)):
        project.set_prompt(0, project.add_object(), stage.prompt(box))
    for after in (3, 20, 25):
        with pytest.raises(CancelledError):
            project.follow(stage.Stop(after))
    assert (project.mask(40) == 1).any()
    assert project.lanes()[1][-1][2] == "none"
    rest = stage.Stop(1000)
    project.follow(rest)
    assert rest.done == 48
    np.testing.assert_array_equal(stage.all_masks(project), stage.all_masks(followed))


def test_a_run_whose_large_state_was_not_kept_can_be_lengthened_all_the_same(
    project: Project, followed: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanplate.tracks.passes._LARGE", 0)
    for box in (sign_box(0), stage.other_box(0)):
        project.set_prompt(0, project.add_object(), stage.prompt(box))
    project.set_span(0, 40)
    project.follow()
    assert not list(project.path.glob("runs/*/state.npz"))
    project.set_span(0, 60)
    with pytest.raises(CancelledError):
        project.follow(stage.Stop(10))
    assert (project.mask(5) == 1).any()
    project.follow()
    np.testing.assert_array_equal(stage.all_masks(project), stage.all_masks(followed))


_FOLLOW = """
import sys, time
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
class Slow(Progress):
    def advance(self):
        time.sleep(0.02)
        print("frame", flush=True)
Project.open(sys.argv[1]).follow(Slow())
"""


def test_a_killed_following_goes_on_to_the_same(project: Project, followed: Project) -> None:
    for box in (sign_box(0), stage.other_box(0)):
        project.set_prompt(0, project.add_object(), stage.prompt(box))
    child = subprocess.Popen(
        [sys.executable, "-c", _FOLLOW, str(project.path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    for _ in range(45):
        assert child.stdout.readline() == "frame\n"
    with pytest.raises(InputError, match="another program"):
        project.follow()
    assert (project.mask(5) == 1).any(), "what another process does is seen while it does it"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    project.follow()
    np.testing.assert_array_equal(stage.all_masks(project), stage.all_masks(followed))


def test_edits_go_on_while_it_is_followed(project: Project) -> None:
    one = project.add_object()
    project.set_prompt(0, one, stage.prompt(sign_box(0)))
    begun = threading.Event()

    class Slow(stage.Stop):
        def advance(self) -> None:
            begun.set()
            time.sleep(0.01)

    thread = threading.Thread(target=project.follow, args=(Slow(0),))
    thread.start()
    assert begun.wait(20)
    before = time.perf_counter()
    project.set_prompt(30, one, stage.prompt(shifted(sign_box(30), 4)))
    assert thread.is_alive(), "the edit waited for tracking"
    assert time.perf_counter() - before < 5
    thread.join()
    assert overlap(project.mask(29) == one, sign_box(29)) > 0.85
    assert (one, 31, 59) in project.stale(), "what came out belongs to what was said before"
    project.follow()
    assert project.stale() == []
    assert overlap(project.mask(40) == one, shifted(sign_box(40), 4)) > 0.8


def test_an_object_that_is_gone_is_shown_no_more_until_it_is_marked_again(
    followed: Project,
) -> None:
    followed.gone(30, 1)
    assert not any((followed.mask(frame) == 1).any() for frame in range(30, 60))
    assert (followed.mask(29) == 1).any()
    assert followed.lanes()[1][-1][:3] == (30, 59, "gone")
    followed.set_prompt(50, 1, stage.prompt(sign_box(50)))
    followed.follow()
    assert not (followed.mask(30) == 1).any()
    assert (followed.mask(45) == 1).any(), "followed backward from where it is again"
    followed.gone(30, 1, until=49)
    assert not any((followed.mask(frame) == 1).any() for frame in range(30, 50))
    assert followed.stale() == []


def test_an_object_that_is_gone_for_a_while_is_shown_before_and_after_as_it_was(
    followed: Project,
) -> None:
    followed.set_prompt(50, 1, stage.prompt(sign_box(50)))
    followed.follow()
    before = stage.all_masks(followed)
    followed.gone(20, 1, until=30)
    after = stage.all_masks(followed)
    assert differing(before, after) == list(range(20, 31))
    assert not (after[20:31] == 1).any()
    assert followed.stale() == []
    followed.undo()
    followed.gone(50, 1, until=55)
    assert differing(before, stage.all_masks(followed)) == list(range(50, 56))


def test_only_what_is_asked_for_is_followed(project: Project) -> None:
    for box in (sign_box(20), stage.other_box(20)):
        project.set_prompt(20, project.add_object(), stage.prompt(box))
    project.follow(direction="forward", frame=20, objects=[1], stop=21)
    assert [lane[:3] for lane in project.lanes()[1]] == [
        (0, 19, "none"),
        (20, 20, "prompt"),
        (21, 21, "visible"),
        (22, 59, "none"),
    ]
    assert project.lanes()[2][0][:3] == (0, 19, "none")
    project.follow(direction="backward", objects=[2])
    assert not (project.mask(30) == 2).any()
    assert (project.mask(10) == 2).any()
    assert project.can_remove()[0] is False
    project.follow()
    assert project.can_remove() == (True, "")


def test_the_span_limits_following(project: Project) -> None:
    one = project.add_object()
    project.set_prompt(20, one, stage.prompt(sign_box(20)))
    project.set_span(15, 30)
    project.follow()
    assert project.lanes()[one][0][:3] == (0, 14, "none")
    assert project.lanes()[one][-1][:3] == (30, 59, "none")
    assert project.can_follow()[0] is False
    project.set_span(0, 60)
    assert project.can_follow()[0] is True
    project.follow()
    assert (project.mask(0) == one).any()


def test_another_tracker_makes_all_stale_but_what_was_approved(followed: Project) -> None:
    followed.approve(10, 1)
    fixed = followed.mask(10) == 1
    followed.set_settings(engine_fields={"planar": {"keep_occluders": True}})
    assert (1, 11, 59) in followed.stale()
    followed.follow()
    assert followed.stale() == []
    np.testing.assert_array_equal(followed.mask(10) == 1, fixed)


def test_a_prompt_on_a_followed_frame_mends_the_mask_that_is_shown(followed: Project) -> None:
    shown = followed.mask(20) == 1
    box = sign_box(20)
    outline = followed.set_prompt(20, 1, Prompt(points=(Point(box.x0 + 20, box.y0 + 14),)))
    assert outline is not None
    assert overlap(outline.mask, box) > 0.75
    assert (outline.mask & shown).sum() > 0.7 * shown.sum()


def test_what_an_older_object_of_the_same_id_was_is_not_shown(project: Project) -> None:
    one = project.add_object()
    project.set_prompt(0, one, stage.prompt(sign_box(0)))
    project.follow()
    project.undo()
    project.undo()
    assert project.add_object() == one
    project.set_prompt(0, one, stage.prompt(stage.other_box(0)))
    assert not (project.mask(20) == one).any()
