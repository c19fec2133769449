"""Generated test masks."""

from __future__ import annotations

import hashlib
from itertools import islice

import numpy as np
import pytest

from cleanplate.evaluation.masks import KINDS, Kind, hole_masks


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("width", "height"), [(432, 240), (240, 432), (1280, 720)])
def test_they_cover_about_the_share_that_was_asked_for(kind: Kind, width: int, height: int) -> None:
    masks = list(islice(hole_masks(kind, width, height), 32))
    assert all(mask.shape == (height, width) for mask in masks)
    assert abs(np.mean(masks) / 0.05 - 1) < 0.05
    assert all(abs(mask.mean() / 0.05 - 1) < 0.3 for mask in masks)


def test_a_stationary_hole_stays_and_a_moving_one_moves() -> None:
    still = list(islice(hole_masks("stationary", 432, 240), 3))
    assert np.array_equal(still[0], still[2])
    moving = list(islice(hole_masks("moving", 432, 240), 30))
    assert not (moving[0] & moving[29]).all()
    assert (moving[0] & moving[29]).sum() < 0.5 * moving[0].sum()


def test_seeds_differ_and_repeat() -> None:
    one, again, other = (next(hole_masks("stationary", 432, 240, seed)) for seed in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize(
    ("kind", "digest"), [("stationary", "3cbdead969e8fe06"), ("moving", "196668635b187d81")]
)
def test_they_are_the_same_on_every_machine(kind: Kind, digest: str) -> None:
    masks = np.array(list(islice(hole_masks(kind, 432, 240), 40)))
    assert hashlib.sha256(masks.tobytes()).hexdigest()[:16] == digest
