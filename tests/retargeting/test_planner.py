"""The crop stands where it can, glides where it must, and what comes first is always whole."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.retargeting.foci import OBJECT
from cleanplate.retargeting.planner import Foci, plan_axis

RATE, LENGTH, ROOM = 30, 600.0, 1920.0


def foci(centres: np.ndarray, size: float = 200, key: int = 1, weight: float = OBJECT) -> Foci:
    """One object, its box as jittery as trackers' are."""
    jitter = np.random.default_rng(key).normal(0, 2, len(centres))
    count = len(centres)
    return Foci(
        np.arange(count),
        np.full(count, key),
        centres + jitter - size / 2,
        centres + jitter + size / 2,
        np.full(count, weight),
    )


def together(*parts: Foci) -> Foci:
    order = np.argsort(np.concatenate([part.frames for part in parts]), kind="stable")
    names = ("frames", "keys", "lows", "highs", "weights")
    return Foci(*(np.concatenate([getattr(p, name) for p in parts])[order] for name in names))


def plan(wanted: Foci, count: int) -> np.ndarray:
    return plan_axis(np.arange(count) / RATE, wanted, LENGTH, ROOM)


def lost(path: np.ndarray, wanted: Foci) -> float:
    starts = path[wanted.frames]
    return float(np.maximum(starts - wanted.lows, wanted.highs - starts - LENGTH).max())


def changes(path: np.ndarray, order: int) -> float:
    return float(np.abs(np.diff(path, order)).mean() * RATE**order)


SECONDS = np.arange(8 * RATE) / RATE
WAYS = {
    "walks": 200 + 180 * SECONDS,
    "stands, walks, stands": np.interp(SECONDS, [0, 2, 5, 8], [400, 400, 1400, 1400]),
    "runs to and fro": 960 + 600 * np.sin(2.5 * SECONDS),
    "hurries off": np.interp(SECONDS, [0, 5, 5.6, 8], [300, 300, 1500, 1500]),
    "leaves at the side": 960 + np.clip(SECONDS - 3, 0, None) * 250,
}


@pytest.mark.parametrize("name", WAYS)
def test_an_object_is_never_cut_and_the_camera_never_jerks(name: str) -> None:
    centres = np.clip(WAYS[name], 110, ROOM - 110)
    wanted = foci(centres)
    path = plan(wanted, len(centres))
    follow = np.clip((wanted.lows + wanted.highs) / 2 - LENGTH / 2, 0, ROOM - LENGTH)
    assert lost(path, wanted) <= 0.5
    assert path.min() >= 0
    assert path.max() <= ROOM - LENGTH
    assert changes(path, 2) < 0.6 * changes(follow, 2)
    assert changes(path, 3) < 0.1 * changes(follow, 3)


def test_a_camera_that_can_stand_stands_with_the_object_in_the_middle() -> None:
    wanted = foci(960 + 60 * np.sin(3 * SECONDS))
    path = plan(wanted, len(SECONDS))
    assert np.ptp(path) < 0.01
    assert abs(path[0] + LENGTH / 2 - 960) < 20


def test_it_stands_before_and_after_a_pan() -> None:
    path = plan(foci(WAYS["stands, walks, stands"]), len(SECONDS))
    speeds = np.abs(np.diff(path)) * RATE
    assert (speeds[: RATE * 2 // 3] < 1).all()
    assert (speeds[-RATE * 2 // 3 :] < 1).all()
    assert np.abs(np.diff(path, 2)).max() * RATE**2 < 1000, "the ends of the pan are eased"


def test_of_two_that_do_not_fit_the_first_is_whole() -> None:
    count = len(SECONDS)
    first, second = foci(np.full(count, 500.0)), foci(np.full(count, 1500.0), key=2, weight=160)
    path = plan(together(first, second), count)
    assert lost(path, first) <= 0.5
    swapped = together(foci(np.full(count, 500.0), weight=160), foci(np.full(count, 1500.0), key=2))
    assert lost(plan(swapped, count), second) <= 0.5


def test_of_two_that_fit_both_are_whole_and_the_middle_is_between_them() -> None:
    count = len(SECONDS)
    first, second = foci(np.full(count, 700.0)), foci(np.full(count, 1000.0), key=2, weight=160)
    path = plan(together(first, second), count)
    assert max(lost(path, first), lost(path, second)) <= 0.5
    assert np.abs(path + LENGTH / 2 - 850).max() < 20


def test_what_is_larger_than_the_crop_is_shown_by_its_middle() -> None:
    path = plan(foci(np.full(len(SECONDS), 900.0), size=900), len(SECONDS))
    assert np.abs(path + LENGTH / 2 - 900).max() < 20


def test_nothing_that_matters_leaves_the_crop_in_the_middle() -> None:
    none = np.zeros(0)
    path = plan_axis(SECONDS, Foci(none.astype(int), none, none, none, none), LENGTH, ROOM)
    assert np.abs(path - (ROOM - LENGTH) / 2).max() < 0.01


def test_a_long_shot_is_planned_in_pieces_without_a_seam() -> None:
    seconds = np.arange(150 * 10) / 10
    centres = 960 + 500 * np.sin(seconds / 7)
    wanted = foci(centres)
    path = plan_axis(seconds, wanted, LENGTH, ROOM)
    assert lost(path, wanted) <= 0.5
    steps = np.abs(np.diff(path, 2))
    assert steps[590:620].max() <= 2 * steps.max() / 3 + 1, "60 s is where two pieces meet"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_shot_of_a_few_frames_is_planned(count: int) -> None:
    path = plan_axis(np.arange(count) / RATE, foci(np.full(count, 1500.0)), LENGTH, ROOM)
    assert np.abs(path + LENGTH / 2 - 1500).max() < 20
