import numpy as np
import pytest

from cleanplate.arrays.masks import (
    bounding_box,
    components,
    grow,
    inward_alpha,
    object_boxes,
)
from cleanplate.types import Box


@pytest.fixture
def two_objects() -> np.ndarray:
    mask = np.zeros((60, 90), np.uint8)
    mask[10:20, 10:30] = 1
    mask[30:50, 60:80] = 7
    return mask


def test_each_object_has_its_own_box(two_objects: np.ndarray) -> None:
    assert object_boxes(two_objects) == {1: Box(10, 10, 30, 20), 7: Box(60, 30, 80, 50)}


def test_an_empty_mask_has_no_box() -> None:
    assert bounding_box(np.zeros((5, 5), np.uint8)) is None
    assert object_boxes(np.zeros((5, 5), np.uint8)) == {}


def test_growing_keeps_ids_and_never_takes_pixels_from_another_object(
    two_objects: np.ndarray,
) -> None:
    grown = grow(two_objects, 25)
    assert (grown[two_objects > 0] == two_objects[two_objects > 0]).all()
    assert set(np.unique(grown)) == {0, 1, 7}


def test_growing_reaches_as_far_as_asked_and_no_further() -> None:
    mask = np.zeros((41, 41), np.uint8)
    mask[20, 20] = 3
    grown = grow(mask, 5)
    assert bounding_box(grown) == Box(15, 15, 26, 26)
    assert grown[15, 15] == 0, "a disc, not a square"


def test_growing_by_nothing_is_the_mask_itself(two_objects: np.ndarray) -> None:
    assert grow(two_objects, 0) is two_objects


@pytest.mark.parametrize("feather", [0, 1, 2, 7])
def test_a_fill_fades_inwards_and_never_outwards(feather: int) -> None:
    inside = np.zeros((40, 40), np.uint8)
    inside[10:30, 10:30] = 1
    alpha = inward_alpha(inside, feather)
    assert (alpha[inside == 0] == 0).all()
    assert (alpha[inside > 0] > 0).all()
    assert alpha[20, 20] == 1
    assert (alpha[10, 20] == 1) == (feather == 0)


def test_the_picture_s_edge_is_no_rim() -> None:
    assert (inward_alpha(np.ones((20, 20), np.uint8), 4) == 1).all()


def test_far_parts_of_a_still_mask_are_numbered_apart_and_near_ones_together() -> None:
    mask = np.zeros((100, 200), np.uint8)
    mask[40:50, 10:20] = mask[40:50, 24:30] = mask[40:50, 150:160] = 1
    parts = components(mask, 20)
    assert parts[45, 15] == parts[45, 25] != parts[45, 155]
    assert ((parts > 0) == (mask > 0)).all()
