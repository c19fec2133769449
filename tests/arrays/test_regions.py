import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cleanplate.arrays.regions import NONE, Margins, plan

MARGINS = Margins(0.75, 64)


def track(places: list[tuple[int, int] | None], width: int = 60, height: int = 40) -> np.ndarray:
    return np.array(
        [(NONE,) * 4 if p is None else (p[0], p[1], p[0] + width, p[1] + height) for p in places],
        np.int32,
    )


def test_a_small_mask_in_a_large_picture_gets_a_small_region() -> None:
    boxes = {1: track([(3000, 1800)] * 10)}
    (region,) = plan(boxes, np.zeros(10, int), 3840, 2160, MARGINS, 5, 5)
    assert region.width < 200
    assert region.height < 180


def test_a_region_follows_its_mask_in_jumps() -> None:
    boxes = {1: track([(100 + 20 * i, 300) for i in range(60)])}
    (region,) = plan(boxes, np.zeros(60, int), 1920, 1080, MARGINS, None, None)
    moves = np.count_nonzero(np.diff(region.origins[:, 0]))
    assert 5 < moves < 40


def test_masks_far_apart_are_filled_apart_and_near_ones_together() -> None:
    far = {1: track([(50, 50)] * 5), 2: track([(1500, 900)] * 5)}
    near = {1: track([(50, 50)] * 5), 2: track([(120, 60)] * 5)}
    assert len(plan(far, np.zeros(5, int), 1920, 1080, MARGINS, 1, 1)) == 2
    assert len(plan(near, np.zeros(5, int), 1920, 1080, MARGINS, 1, 1)) == 1


def test_a_region_ends_at_a_cut() -> None:
    shots = np.array([0] * 10 + [1] * 10)
    regions = plan({1: track([(50, 50)] * 20)}, shots, 640, 360, MARGINS, None, None)
    assert [(r.start, r.stop) for r in regions] == [(0, 10), (10, 20)]


def test_only_frames_that_an_engine_may_use_are_shown_to_it() -> None:
    boxes = {1: track([None] * 50 + [(50, 50)] * 3 + [None] * 50)}
    (region,) = plan(boxes, np.zeros(103, int), 640, 360, MARGINS, 7, 4)
    assert (region.start, region.stop) == (43, 57)


def test_without_masks_there_is_no_region() -> None:
    assert plan({}, np.zeros(5, int), 640, 360, MARGINS, 1, 1) == []
    assert plan({1: track([None] * 5)}, np.zeros(5, int), 640, 360, MARGINS, 1, 1) == []


@settings(max_examples=80, deadline=None)
@given(
    picture=st.tuples(st.integers(16, 700), st.integers(16, 500)),
    places=st.lists(
        st.none()
        | st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.01, 1), st.floats(0.01, 1)),
        min_size=1,
        max_size=25,
    ),
)
def test_every_mask_lies_in_its_region_and_every_region_in_the_picture(
    picture: tuple[int, int], places: list[tuple[float, ...] | None]
) -> None:
    width, height = picture
    boxes = np.full((len(places), 4), NONE, np.int32)
    for i, place in enumerate(places):
        if place is not None:
            x, y = int(place[0] * (width - 1)), int(place[1] * (height - 1))
            right = x + max(1, int(place[2] * (width - x)))
            boxes[i] = x, y, right, y + max(1, int(place[3] * (height - y)))
    for region in plan({1: boxes}, np.zeros(len(places), int), width, height, MARGINS, None, None):
        for index in range(region.start, region.stop):
            box, place = boxes[index], region.box(index)
            assert place.x0 >= 0
            assert place.y0 >= 0
            assert place.x1 <= width
            assert place.y1 <= height
            if box[0] != NONE:
                assert place.x0 <= box[0]
                assert place.y0 <= box[1]
                assert place.x1 >= box[2]
                assert place.y1 >= box[3]


@pytest.mark.parametrize("size", [(16, 16), (17, 31), (7680, 4320)])
def test_a_mask_over_the_whole_picture_has_the_picture_as_its_region(size: tuple[int, int]) -> None:
    boxes = {1: track([(0, 0)], *size)}
    (region,) = plan(boxes, np.zeros(1, int), *size, MARGINS, 0, 0)
    assert (region.width, region.height) == size
