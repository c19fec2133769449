"""With SAM 2.1 here a click is outlined and followed by it, beside a box that planar follows."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate.checkpoints import store
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.types import Point, Prompt
from tests.projects import stage
from tests.scene import sign_box
from tests.weights import make_sam2_small, provide


class _Notes(Progress):
    def __init__(self) -> None:
        self.told: list[str] = []

    def note(self, sentence: str) -> None:
        self.told.append(sentence)


def test_a_click_and_a_box_are_followed_each_by_its_tracker(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.PLACE, str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    make_sam2_small(monkeypatch)
    provide("sam2_1_hiera_tiny")
    project.set_settings({}, {"sam2": {"side": "256", "memory": "cautious"}})
    boxed, picked = project.add_object(), project.add_object()
    project.set_prompt(0, boxed, stage.prompt(sign_box(0)))
    box = stage.other_box(0)
    middle = Point((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    project.set_prompt(0, picked, Prompt(points=(middle,)))
    notes = _Notes()
    project.follow(notes, stop=3)
    runs = {
        number: run.tracker.split("-")[0]
        for run in project._tracks.runs.all().values()
        for number in run.objects
    }
    assert runs == {boxed: "planar", picked: "sam2"}
    assert any(f"Object {picked} was picked by points" in sentence for sentence in notes.told)
