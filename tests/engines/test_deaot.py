"""What the engine deaot promises beyond the contract: new objects are found on the way."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.checkpoints import store
from cleanplate.errors import WeightsError
from cleanplate.ops.runs import Found, run_lengths
from cleanplate.types import Frame, TrackedMask
from tests.weights import make_sam_small, provide

pytest.importorskip("torch", reason="The engine deaot needs torch")

SIZE = (80, 120)


def frame(index: int) -> Frame:
    noise = np.random.default_rng(index).integers(0, 256, (*SIZE, 3), np.uint8)
    return Frame(index, Fraction(index, 24), noise)


class Finder:
    """A segmenter that always sees one and the same thing; it notes what it is shown."""

    def __init__(self) -> None:
        self.shown: list[np.ndarray] = []

    def everything(self, image: np.ndarray) -> list[Found]:
        self.shown.append(image)
        mask = np.zeros(SIZE, bool)
        mask[10:40, 10:50] = True
        return [Found(run_lengths(mask), SIZE, (10, 10, 49, 39), 0.9, 0.9, (20, 20), (0, 0, 1, 1))]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv(store.PLACE, str(tmp_path))
    make_sam_small(monkeypatch)
    for name in ("deaot_t", "sam_hq_vit_tiny"):
        provide(name)
    settings = {"model": "deaot_t", "memory_frames": "1", "gap": "9", "find_new": "3"}
    # With weights made from names all is tracked somewhere: what is found counts as new as it is.
    made = registry.create("track", "deaot", settings | {"new_share": "0", "new_area": "1"})
    made._segmenter = Finder()
    return made


def ids(answer: TrackedMask) -> list[int]:
    return [state.object_id for state in answer.objects]


def test_every_so_many_frames_what_is_not_tracked_becomes_an_object(engine: Any) -> None:
    tracking = engine.start(frame(0), np.zeros(SIZE, np.uint8))
    answers = [tracking.step(frame(index)) for index in (1, 2, 3, 4)]
    assert [ids(one) for one in answers] == [[], [], [1], [1]]
    assert (answers[2].mask[10:40, 10:50] == 1).all()
    assert answers[2].mask.sum() == 30 * 40
    assert len(engine._segmenter.shown) == 1


def test_a_new_object_never_gets_an_id_that_another_had(engine: Any) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[50:70, 60:100] = 7
    tracking = engine.start(frame(2), mask)
    tracking._labels[...] = 0  # the object is hidden, its id is still its own
    tracking._followed = lambda image: []
    assert ids(tracking.step(frame(3))) == [8]
    state = tracking.state()
    assert state["ids"].tolist() == [7, 8]
    resumed = engine.resume(state)
    np.testing.assert_array_equal(
        resumed.step(frame(4)).mask, engine.resume(state).step(frame(4)).mask
    )


def test_backward_in_time_nothing_new_is_taken_up(engine: Any) -> None:
    tracking = engine.start(frame(4), np.zeros(SIZE, np.uint8))
    assert ids(tracking.step(frame(3))) == []
    resumed = engine.resume(tracking.state())
    for index in (2, 1, 0):
        assert ids(resumed.step(frame(index))) == []
    assert not engine._segmenter.shown


def test_new_objects_need_the_weights_of_a_segmenter_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.PLACE, str(tmp_path))
    provide("deaot_t")
    registry.create("track", "deaot", {"model": "deaot_t"})
    with pytest.raises(WeightsError, match="cleanplate weights fetch sam_hq_vit_tiny"):
        registry.create("track", "deaot", {"model": "deaot_t", "find_new": "10"})
