"""What the engine deaot remembers stays as large as its settings say, however long the clip is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.checkpoints import store
from cleanplate.types import Frame
from tests.weights import provide

pytest.importorskip("torch", reason="The engine deaot needs torch")

SIZE = (33, 49)
PLACES = 3 * 4  # of the network's map for pictures of that size


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(store.PLACE, str(tmp_path))
    provide("deaot_t")
    settings = {"model": "deaot_t", "gap": "2", "memory_frames": "3", "confirmed_frames": "2"}
    return registry.create("track", "deaot", settings)


def frame(index: int) -> Frame:
    noise = np.random.default_rng(index).integers(0, 256, (*SIZE, 3), np.uint8)
    return Frame(index, Fraction(index, 24), noise)


def mask() -> np.ndarray:
    made = np.zeros(SIZE, np.uint8)
    made[8:24, 10:40] = 1
    return made


def test_memory_is_flat_along_a_clip_however_often_it_is_corrected(engine: Any) -> None:
    tracking = engine.start(frame(0), mask())
    (group,) = tracking._video.groups
    most = (3 + 2) * PLACES
    sizes = []
    for index in range(1, 61):
        tracking.step(frame(index))
        if index % 15 == 0:
            tracking.correct(frame(index), mask())
        # As published: had it been seen, every second frame would be kept.
        group.memory.since = max(group.memory.since, index % 2 * 2)
        assert group.memory.tokens <= most
        sizes.append(sum(array.nbytes for array in tracking.state().values()))
    assert group.memory.tokens == most
    assert len(set(sizes[30:])) == 1


def test_of_corrected_frames_the_first_and_the_newest_are_kept(engine: Any) -> None:
    tracking = engine.start(frame(0), mask())
    (group,) = tracking._video.groups
    first = group.memory.confirmed[0]
    for index in range(1, 5):
        tracking.step(frame(index))
        tracking.correct(frame(index), mask())
    assert len(group.memory.confirmed) == 2
    assert group.memory.confirmed[0] is first
    assert group.memory.confirmed[1] is group.memory.short
