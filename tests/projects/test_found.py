"""Objects that a tracker finds by itself."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.engines.track import fixed
from cleanplate.projects.project import Project
from cleanplate.protocols import About
from cleanplate.types import FOUND_FROM, Frame, ObjectState, TrackedMask, Visibility
from tests.projects import stage
from tests.scene import sign_box

FOUND_IN = 10


class FindingTracking(fixed.FixedTracking):
    """A still mask; forward from frame 10 on a second thing is seen in the corner."""

    def step(self, frame: Frame) -> TrackedMask:
        tracked = super().step(frame)
        if frame.index < FOUND_IN:
            return tracked
        mask = tracked.mask.copy()
        mask[:8, :8] = FOUND_FROM
        state = ObjectState(FOUND_FROM, 0.75, Visibility.VISIBLE)
        return TrackedMask(mask, (*tracked.objects, state))


class Engine(fixed.Engine):
    about = About("track", "finding", "Finds a thing by itself.")

    def start(self, frame: Frame, mask: np.ndarray) -> FindingTracking:
        return FindingTracking(mask)

    def resume(self, state: dict[str, np.ndarray]) -> FindingTracking:
        return FindingTracking(state["mask"])


@pytest.fixture
def finding(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A tracker ``finding``, as another package would bring it."""
    module = types.ModuleType("finding_engine")
    module.Engine = Engine  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "finding_engine", module)
    monkeypatch.setitem(registry._modules(), ("track", "finding"), "finding_engine")
    yield
    registry._modules.cache_clear()


@pytest.mark.usefixtures("finding")
def test_what_a_tracker_finds_becomes_an_object_under_an_id_of_its_own(
    project: Project, tmp_path: Path
) -> None:
    one = project.add_object()
    project.set_settings({"tracker": "finding"})
    project.set_prompt(0, one, stage.prompt(sign_box(0)))
    project.follow(stop=30)
    (_, found) = project.state.objects
    assert (found.id, found.name) == (FOUND_FROM, "Found 1")
    assert project.add_object() == 2, "users' ids go on from their own"
    project.follow()
    assert [each.id for each in project.state.objects] == [one, 2, found.id], "it is told once"
    for frame in (FOUND_IN, 45):
        assert (project.mask(frame)[:8, :8] == found.id).all()
        assert (project.mask(frame) == found.id).sum() == 64
    assert not (project.mask(FOUND_IN - 1) == found.id).any()
    assert project.lanes()[found.id][0][:3] == (0, FOUND_IN - 1, "absent")
    assert project.can_remove() == (True, "")
    assert not project.view().is_exact(found)
    project.gone(20, found.id)
    assert not (project.mask(20) == found.id).any()


@pytest.mark.usefixtures("finding")
def test_two_runs_may_find_things_of_the_same_number(project: Project) -> None:
    one = project.add_object()
    project.set_settings({"tracker": "finding"})
    project.set_prompt(0, one, stage.prompt(sign_box(0)))
    project.set_prompt(30, one, stage.prompt(sign_box(30)))
    project.follow(direction="forward")
    assert [each.id for each in project.state.objects] == [one, FOUND_FROM, FOUND_FROM + 1]
