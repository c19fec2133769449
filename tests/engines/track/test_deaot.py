"""What the engine deaot promises beyond the contract: new objects are found on the way."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.arrays.runs import Found, run_lengths
from cleanplate.checkpoints import store
from cleanplate.errors import WeightsError
from cleanplate.types import FOUND_FROM, Frame, TrackedMask
from tests.weights import make_sam_small, provide

pytest.importorskip("torch", reason="The engine deaot needs torch")

SIZE = (80, 120)


def frame(index: int, look: int | None = None, shot: int = 0) -> Frame:
    """Frame ``index``; frames of another ``look`` show something else."""
    noise = np.random.default_rng(look or index).integers(0, 256, (*SIZE, 3), np.uint8)
    return Frame(index, Fraction(index, 24), noise, shot)


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
    assert [ids(one) for one in answers] == [[], [], [FOUND_FROM], [FOUND_FROM]]
    assert (answers[2].mask[10:40, 10:50] == FOUND_FROM).all()
    assert (answers[2].mask > 0).sum() == 30 * 40
    assert len(engine._segmenter.shown) == 1


def test_a_new_object_never_gets_an_id_that_another_had(engine: Any) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[50:70, 60:100] = 200
    tracking = engine.start(frame(2), mask)
    tracking._labels[...] = 0  # the object is hidden, its id is still its own
    tracking._followed = lambda image, cut: []
    assert ids(tracking.step(frame(3))) == [201]
    state = tracking.state()
    assert state["ids"].tolist() == [200, 201]
    resumed = engine.resume(state)
    np.testing.assert_array_equal(
        resumed.step(frame(4)).mask, engine.resume(state).step(frame(4)).mask
    )


def test_objects_that_a_user_adds_later_are_not_taken_for_found_ones(engine: Any) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[50:70, 60:100] = 1
    tracking = engine.start(frame(2), mask)
    tracking._followed = lambda image, cut: []
    assert ids(tracking.step(frame(3))) == [FOUND_FROM]
    later = np.zeros(SIZE, np.uint8)
    later[0:9, 60:100] = 2
    tracking.correct(frame(3), later)
    assert tracking.ids == [1, FOUND_FROM, 2]


def test_a_corrected_frame_is_encoded_once(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[50:70, 60:100] = 1
    seen, encode = [], engine._network.encode
    monkeypatch.setattr(engine._network, "encode", lambda one: seen.append(1) or encode(one))
    tracking = engine.start(frame(0), mask)
    one = frame(1)
    tracking.step(one)
    tracking.correct(one, mask)
    assert len(seen) == 2
    again = Frame(one.index, one.time, one.image.copy())
    tracking.correct(again, mask)
    assert len(seen) == 3, "another picture is looked at"


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


def test_after_a_cut_objects_are_searched_without_the_frame_before(engine: Any) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[20:60, 30:80] = 1

    def logits(before: int, shot: int) -> np.ndarray:
        tracking = engine.start(frame(0), mask)
        tracking.step(frame(1, before))
        tracking.step(frame(2, 50, shot))
        return tracking._video.joined().numpy()

    assert np.array_equal(logits(30, 1), logits(40, 1))
    assert not np.array_equal(logits(30, 0), logits(40, 0))


def test_a_cut_is_noticed_after_tracking_was_taken_up_again(engine: Any) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[20:60, 30:80] = 1
    tracking = engine.start(frame(0, shot=3), mask)
    again = engine.resume(tracking.state())
    for one in (tracking, again):
        one.step(frame(1, shot=4))
    assert np.array_equal(tracking._video.joined().numpy(), again._video.joined().numpy())
    other = engine.resume(tracking.state())
    assert other._shot == 4
