"""What a licence forbids is said, once, to whoever uses the weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate import api
from cleanplate.checkpoints import store
from cleanplate.progress import Progress
from cleanplate.types import Prompt
from tests import scene
from tests.weights import make_e2fgvi_small, provide

pytest.importorskip("torch", reason="The learned engines need torch")


class Notes(Progress):
    """Keeps what a job says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def note(self, message: str) -> None:
        self.said.append(message)


@pytest.mark.parametrize(("inpainter", "times"), [("e2fgvi_hq", 1), ("telea", 0)])
def test_a_job_says_once_that_weights_are_not_for_commercial_use(
    inpainter: str, times: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.PLACE, str(tmp_path))
    make_e2fgvi_small(monkeypatch)
    provide("e2fgvi_hq")
    clip, sign = scene.write_scene(tmp_path / "scene.mp4", 4), Prompt(box=scene.sign_box(0))
    told = Notes()
    api.remove(
        *(clip, tmp_path / "clean.mp4", sign), static=True, inpainter=inpainter, progress=told
    )
    assert sum("may not be used commercially" in text for text in told.said) == times
