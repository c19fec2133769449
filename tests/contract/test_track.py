"""What every track engine promises. See ``cleanplate.protocols.Tracker``."""

from __future__ import annotations

import io
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.errors import InputError, MaskError
from cleanplate.types import Frame, TrackedMask, Visibility
from tests.weights import provide

SMALL = {
    "deaot": {"model": "deaot_t", "memory_frames": "2", "gap": "2"},
    "sam2": {"side": "256"},
    "siammask_hq": {"grow_times": "0"},
}


@pytest.fixture(params=registry.names("track"), scope="module")
def engine(request: pytest.FixtureRequest) -> Any:
    about = registry.find("track", request.param).about
    lacking = registry.missing(about)
    if lacking:
        pytest.skip(f"The engine {request.param} needs {', '.join(lacking)}, not installed")
    settings = SMALL.get(request.param, {})
    for name in about.checkpoints[:1]:
        provide(settings.get("model", name))
    for name in about.also[:1]:
        provide(name)
    return registry.create("track", request.param, settings)


@pytest.fixture
def knowing(engine: Any) -> Any:
    """An engine that can tell things apart: weights made from names cannot."""
    if engine.about.checkpoints:
        pytest.skip(f"{engine.about.name} has weights made from names here: it sees, but knows not")
    return engine


def clip(count: int = 6, width: int = 120, height: int = 80, seed: int = 0) -> list[Frame]:
    """A pan over blurred noise, one pixel a frame."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width + count, 3), np.uint8)
    wide = cv2.GaussianBlur(noise, (0, 0), 1.5)
    frames = []
    for n in range(count):
        image = np.ascontiguousarray(wide[:, n : n + width])
        image.flags.writeable = False
        frames.append(Frame(n, Fraction(n, 24), image))
    return frames


def boxes(frame: Frame, **objects: tuple[int, int, int, int]) -> np.ndarray:
    """A mask of boxes X0, Y0, X1, Y1 named ``_<id>``."""
    mask = np.zeros(frame.image.shape[:2], np.uint8)
    for name, (x0, y0, x1, y1) in objects.items():
        mask[y0:y1, x0:x1] = int(name[1:])
    return mask


def run(engine: Any, frames: list[Frame], mask: np.ndarray) -> list[TrackedMask]:
    tracking = engine.start(frames[0], mask)
    return [tracking.step(frame) for frame in frames[1:]]


def assert_same(one: list[TrackedMask], other: list[TrackedMask]) -> None:
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.mask, b.mask)
        assert [(s.object_id, s.confidence, s.visibility) for s in a.objects] == [
            (s.object_id, s.confidence, s.visibility) for s in b.objects
        ]


def awkward_masks() -> Iterator[tuple[str, np.ndarray]]:
    frame = clip(1)[0]
    yield "one pixel", boxes(frame, _1=(50, 40, 51, 41))
    yield "a line", boxes(frame, _1=(20, 40, 90, 41))
    yield "the border", boxes(frame, _1=(0, 0, 30, 20), _2=(100, 60, 120, 80))
    yield "everything", np.full(frame.image.shape[:2], 9, np.uint8)
    yield "the last id", boxes(frame, _255=(40, 30, 80, 60))
    scattered = np.zeros(frame.image.shape[:2], np.uint8)
    scattered[10, 10] = scattered[70, 110] = scattered[11, 100] = 3
    yield "scattered pixels", scattered


def test_the_engine_says_what_it_is(engine: Any) -> None:
    assert engine.about.task == "track"
    assert engine.about.name in registry.names("track")
    assert engine.about.summary.endswith(".")


@pytest.mark.parametrize("mask", [pytest.param(m, id=name) for name, m in awkward_masks()])
def test_each_frame_gets_a_mask_of_its_size_with_no_ids_but_the_first_ones(
    engine: Any, mask: np.ndarray
) -> None:
    frames = clip()
    ids = set(np.unique(mask)) - {0}
    for answer in run(engine, frames, mask):
        assert answer.mask.dtype == np.uint8
        assert answer.mask.shape == mask.shape
        assert set(np.unique(answer.mask)) - {0} <= ids
        assert {state.object_id for state in answer.objects} == ids


def test_confidence_is_a_share_and_hidden_things_have_no_mask(engine: Any) -> None:
    frames = clip()
    black = Frame(6, Fraction(6, 24), np.zeros_like(frames[0].image))
    for answer in run(engine, [*frames, black], boxes(frames[0], _1=(30, 20, 90, 60))):
        (state,) = answer.objects
        assert 0 <= state.confidence <= 1
        assert isinstance(state.visibility, Visibility)
        if state.visibility in (Visibility.HIDDEN, Visibility.LOST):
            assert not answer.mask.any()
        else:
            assert answer.mask.any()
        if state.corners is not None:
            assert state.corners.shape == (4, 2)
            assert state.corners.dtype == np.float32


def test_an_empty_mask_stays_empty(engine: Any) -> None:
    frames = clip()
    for answer in run(engine, frames, boxes(frames[0])):
        assert not answer.mask.any()
        assert answer.objects == ()


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 31), (301, 19)])
def test_small_and_odd_frames_work(engine: Any, width: int, height: int) -> None:
    frames = clip(4, width, height)
    for answer in run(engine, frames, boxes(frames[0], _1=(3, 3, 12, 11))):
        assert answer.mask.shape == (height, width)


def test_the_same_clip_gives_the_same_answer_twice(engine: Any) -> None:
    frames = clip()
    mask = boxes(frames[0], _1=(30, 20, 90, 60), _2=(5, 5, 20, 30))
    assert_same(run(engine, frames, mask), run(engine, frames, mask))


def test_two_clips_at_once_do_not_mix(engine: Any) -> None:
    first, second = clip(seed=1), clip(seed=2)
    one, other = boxes(first[0], _1=(30, 20, 90, 60)), boxes(second[0], _2=(10, 10, 50, 50))
    a, b = engine.start(first[0], one), engine.start(second[0], other)
    mixed = [(a.step(f), b.step(s)) for f, s in zip(first[1:], second[1:], strict=True)]
    assert_same([pair[0] for pair in mixed], run(engine, first, one))
    assert_same([pair[1] for pair in mixed], run(engine, second, other))


def test_frames_may_come_in_reverse(knowing: Any) -> None:
    frames = clip()[::-1]
    answers = run(knowing, frames, boxes(frames[0], _1=(30, 20, 90, 60)))
    assert all(answer.mask.any() for answer in answers)


def test_the_state_is_plain_arrays_and_resuming_goes_on_exactly(engine: Any) -> None:
    frames = clip(9)
    mask = boxes(frames[0], _1=(30, 20, 90, 60), _5=(5, 5, 20, 30))
    whole = run(engine, frames, mask)
    for stop in (1, 4, 8):
        tracking = engine.start(frames[0], mask)
        for frame in frames[1:stop]:
            tracking.step(frame)
        file = io.BytesIO()
        np.savez(file, allow_pickle=False, **tracking.state())
        file.seek(0)
        with np.load(file, allow_pickle=False) as loaded:
            state = dict(loaded)
        resumed = engine.resume(state)
        assert_same([resumed.step(frame) for frame in frames[stop:]], whole[stop - 1 :])


def test_reading_the_state_changes_nothing(engine: Any) -> None:
    frames = clip()
    mask = boxes(frames[0], _1=(30, 20, 90, 60))
    tracking = engine.start(frames[0], mask)
    answers = []
    for frame in frames[1:]:
        for value in tracking.state().values():
            assert isinstance(value, np.ndarray)
            assert value.dtype != object
        answers.append(tracking.step(frame))
    assert_same(answers, run(engine, frames, mask))


def test_a_correction_replaces_the_objects_it_names_and_leaves_the_others(knowing: Any) -> None:
    frames = clip()
    mask = boxes(frames[0], _1=(10, 10, 40, 40), _2=(60, 10, 90, 40))
    tracking = knowing.start(frames[0], mask)
    before = tracking.step(frames[1])
    tracking.correct(frames[1], boxes(frames[1], _1=(10, 45, 40, 75), _3=(60, 45, 90, 75)))
    after = tracking.step(frames[2])
    assert [state.object_id for state in after.objects] == [1, 2, 3]
    assert not (after.mask[:40] == 1).any()
    assert (after.mask[46:74, 10:38] == 1).all()
    assert (after.mask[46:74, 60:88] == 3).all()
    assert abs(int((after.mask == 2).sum()) - int((before.mask == 2).sum())) < 100


def test_what_the_caller_gave_is_neither_changed_nor_kept(engine: Any) -> None:
    frames = clip()
    mask = boxes(frames[0], _1=(30, 20, 90, 60))
    expected = run(engine, frames, mask.copy())
    tracking = engine.start(frames[0], mask)
    mask[...] = 7
    answers = []
    for frame in frames[1:]:
        answers.append(tracking.step(frame))
        copied = TrackedMask(answers[-1].mask.copy(), answers[-1].objects)
        answers[-1].mask[...] = 8
        answers[-1] = copied
    assert_same(answers, expected)


def test_a_mask_that_does_not_fit_is_refused_in_one_sentence(engine: Any) -> None:
    frame = clip(1)[0]
    with pytest.raises(MaskError, match="119x80 and the frame is 120x80"):
        engine.start(frame, np.zeros((80, 119), np.uint8))
    with pytest.raises(MaskError, match="bool"):
        engine.start(frame, np.zeros((80, 120), bool))
    tracking = engine.start(frame, boxes(frame, _1=(30, 20, 90, 60)))
    with pytest.raises(MaskError, match="119x80"):
        tracking.correct(frame, np.zeros((80, 119), np.uint8))
    with pytest.raises(InputError, match="100x80"):
        tracking.step(Frame(1, Fraction(1, 24), frame.image[:, :100]))
