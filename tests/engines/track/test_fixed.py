"""The fixed tracker: what is burned in stays."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from cleanplate import registry
from cleanplate.types import Frame, Visibility


def test_the_mask_stays_whole_visible_and_certain_through_cuts() -> None:
    generator = np.random.default_rng(0)
    mask = np.zeros((40, 60), np.uint8)
    mask[5:20, 5:30], mask[30:35, 40:60] = 1, 9
    frames = [
        Frame(n, Fraction(n, 25), generator.integers(0, 255, (40, 60, 3), np.uint8), shot=n // 2)
        for n in range(6)
    ]
    tracking = registry.create("track", "fixed").start(frames[0], mask)
    for frame in frames[1:]:
        answer = tracking.step(frame)
        np.testing.assert_array_equal(answer.mask, mask)
        assert [(s.object_id, s.confidence, s.visibility) for s in answer.objects] == [
            (1, 1.0, Visibility.VISIBLE),
            (9, 1.0, Visibility.VISIBLE),
        ]
