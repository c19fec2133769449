"""Which proposals become new objects, and under which ids."""

from __future__ import annotations

import numpy as np
import pytest

from cleanplate.engines.track.deaot.new_objects import new_objects


def boxes(**things: tuple[int, int, int, int]) -> np.ndarray:
    """A map of boxes X0, Y0, X1, Y1 named ``_<number>``."""
    drawn = np.zeros((60, 100), np.uint8)
    for name, (x0, y0, x1, y1) in things.items():
        drawn[y0:y1, x0:x1] = int(name[1:])
    return drawn


def test_ids_go_on_from_the_highest_ever_given_whatever_the_proposals_are_called() -> None:
    tracked = boxes(_2=(0, 0, 20, 20))
    proposals = boxes(_1=(0, 0, 20, 20), _6=(30, 0, 50, 20), _7=(60, 0, 80, 20))
    found = new_objects(tracked, proposals, highest=5, share=0.8, area=100)
    # 6 was a proposal's number too: what got that id must not be taken for it.
    np.testing.assert_array_equal(found, boxes(_6=(30, 0, 50, 20), _7=(60, 0, 80, 20)))
    found = new_objects(tracked, proposals, highest=6, share=0.8, area=100)
    np.testing.assert_array_equal(found, boxes(_7=(30, 0, 50, 20), _8=(60, 0, 80, 20)))


@pytest.mark.parametrize(("covered", "taken"), [(4, True), (5, False)])
def test_enough_of_it_must_lie_on_background_and_only_that_is_new(
    covered: int, taken: bool
) -> None:
    tracked = boxes(_1=(0, 0, 30 + covered, 20))
    found = new_objects(tracked, boxes(_1=(30, 0, 50, 20)), highest=1, share=0.8, area=1)
    wanted = boxes(_2=(30 + covered, 0, 50, 20)) if taken else boxes()
    np.testing.assert_array_equal(found, wanted)


def test_what_is_small_is_left_out() -> None:
    proposals = boxes(_1=(0, 0, 10, 10), _2=(20, 0, 29, 11))
    found = new_objects(boxes(), proposals, highest=0, share=0.8, area=100)
    np.testing.assert_array_equal(found, boxes(_1=(0, 0, 10, 10)))


def test_no_id_exceeds_255() -> None:
    proposals = boxes(_1=(0, 0, 10, 10), _2=(20, 0, 30, 10), _3=(40, 0, 50, 10))
    found = new_objects(boxes(), proposals, highest=253, share=0.8, area=1)
    np.testing.assert_array_equal(found, boxes(_254=(0, 0, 10, 10), _255=(20, 0, 30, 10)))
    assert not new_objects(boxes(), proposals, highest=255, share=0.8, area=1).any()


def test_where_nothing_is_proposed_or_all_is_tracked_nothing_is_new() -> None:
    assert not new_objects(boxes(), boxes(), highest=0, share=0, area=0).any()
    everything = boxes(_1=(0, 0, 100, 60))
    assert not new_objects(everything, everything, highest=1, share=0, area=0).any()
