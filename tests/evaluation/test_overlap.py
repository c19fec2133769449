"""J and F on cases worked out on paper."""

import math

import numpy as np
import pytest

from cleanplate.evaluation.overlap import (
    boundary,
    contour_accuracy,
    judged,
    region_similarity,
    returns,
    statistics,
)


def square(x: int, y: int, side: int = 10, size: int = 100) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def test_j_is_intersection_over_union() -> None:
    # 10x10 squares that share 5x10: 50 of 150.
    assert region_similarity(square(20, 20), square(25, 20)) == pytest.approx(1 / 3)
    assert region_similarity(square(20, 20), square(60, 60)) == 0
    assert region_similarity(square(0, 0, 0), square(0, 0, 0)) == 1


def test_a_boundary_is_where_a_pixel_differs_from_right_below_or_across() -> None:
    # A square of side 3 at (4, 4): the row above and the column left of it, from the corner
    # across to the last pixel (4 + 3), and inside its last row and column: 4 + 3 + 3 + 2 = 12.
    edge = boundary(square(4, 4, 3, 12))
    wanted = np.zeros((12, 12), bool)
    wanted[3, 3:7] = wanted[6, 3:7] = True
    wanted[3:7, 3] = wanted[3:7, 6] = True
    np.testing.assert_array_equal(edge, wanted)
    assert edge.sum() == 12


def test_the_picture_s_last_row_and_column_look_along_themselves_only() -> None:
    edge = boundary(square(6, 6, 4, 10))
    assert edge[-1, 5]
    assert not edge[-1, 6:].any()
    assert edge[5, -1]
    assert not edge[-1, -1]


def test_f_forgives_as_much_as_the_tolerance_and_no_more() -> None:
    # 100x100: 0.8 % of the diagonal is 1.13, rounded up to 2 px.
    assert contour_accuracy(square(20, 20), square(22, 20)) == pytest.approx(1)
    # Moved by 3 px: of the 40 boundary pixels (a ring of side 11) of each, the two vertical sides
    # are lost but for their ends, which the other's horizontal sides reach.
    value = contour_accuracy(square(20, 20), square(23, 20))
    ring = {(x, y) for x in range(19, 30) for y in range(19, 30) if {x, y} & {19, 29}}
    moved = {(x + 3, y) for x, y in ring}
    reach = {(dx, dy) for dx in range(-2, 3) for dy in range(-2, 3) if dx * dx + dy * dy <= 4}
    near = sum(any((x + dx, y + dy) in ring for dx, dy in reach) for x, y in moved) / len(moved)
    assert len(ring) == 40
    assert value == pytest.approx(near, abs=1e-4)  # the case is symmetric: precision = recall
    assert value < 0.9


def test_f_with_an_empty_mask_is_nothing_unless_both_are() -> None:
    empty = square(0, 0, 0)
    assert contour_accuracy(empty, empty) == 1
    assert contour_accuracy(square(5, 5), empty) == 0
    assert contour_accuracy(empty, square(5, 5)) == 0


def test_statistics_are_mean_recall_and_the_first_quarter_less_the_last() -> None:
    values = [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
    found = statistics(values)
    assert found.mean == pytest.approx(0.6)
    assert found.recall == pytest.approx(5 / 9)  # above, not at, one half
    # Ends at 0, 2, 4, 6, 8: quarters of three frames that share their ends.
    assert found.decay == pytest.approx((1 + 0.9 + 0.8) / 3 - (0.4 + 0.3 + 0.2) / 3)
    assert math.isnan(statistics([]).mean)


def test_the_given_frame_and_the_last_are_not_judged() -> None:
    assert list(range(10))[judged(10)] == list(range(1, 9))
    assert list(range(2))[judged(2)] == []


def test_a_return_counts_frames_until_the_object_is_found_again() -> None:
    present = [True, True, False, False, True, True, True, False, True, True]
    found = [1.0, 1.0, 1.0, 1.0, 0.1, 0.2, 0.9, 1.0, 0.0, 0.0]
    assert returns(present, found) == [2, None]
    assert returns([True, True], [0.0, 0.0]) == []
