"""The baseline: each frame alone."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.types import Frame, MaskedFrame


def framed(index: int, image: np.ndarray, mask: np.ndarray) -> MaskedFrame:
    return MaskedFrame(Frame(index, Fraction(index, 25), image), mask)


def test_a_flat_picture_stays_flat() -> None:
    image, mask = np.full((40, 50, 3), 77, np.uint8), np.zeros((40, 50), np.uint8)
    image[10:20, 10:30], mask[10:20, 10:30] = 255, 2
    (filled,) = registry.create("inpaint", "telea").inpaint([framed(0, image, mask)])
    assert np.abs(filled.image.astype(int) - 77).max() <= 2


def test_a_frame_depends_on_no_other() -> None:
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (30, 40, 3), np.uint8) for _ in range(3)]
    mask = np.zeros((30, 40), np.uint8)
    mask[5:15, 5:25] = 1
    engine = registry.create("inpaint", "telea")
    together = list(engine.inpaint([framed(n, i, mask) for n, i in enumerate(images)]))
    (alone,) = engine.inpaint([framed(1, images[1], mask)])
    assert np.array_equal(together[1].image, alone.image)
    assert (engine.lookahead, engine.lookback, engine.window) == (0, 0, 1)


def test_a_picture_of_which_nothing_is_known_becomes_grey() -> None:
    image, mask = np.zeros((8, 9, 3), np.uint8), np.ones((8, 9), np.uint8)
    (filled,) = registry.create("inpaint", "telea").inpaint([framed(0, image, mask)])
    assert np.all(filled.image == 128)


def test_a_radius_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="radius"):
        registry.create("inpaint", "telea", {"radius": "0"})
