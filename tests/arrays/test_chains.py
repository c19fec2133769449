"""Chains of coordinates."""

from __future__ import annotations

import numpy as np

from cleanplate.arrays.chains import (
    NOWHERE,
    Chains,
    Link,
    Spot,
    extend,
    no_chains,
    read_colours,
    sample,
    spot_of,
)


def constant(spot: Spot, dx: float, dy: float, doubt: float = 0.25) -> Link:
    count = len(spot.places)
    flow = np.tile(np.array([[dx, dy]], np.float32), (count, 1))
    return Link(spot, flow, np.full(count, doubt, np.float32))


def row(*columns: int) -> Spot:
    """Those pixels of a picture of 12 x 1."""
    area = np.zeros((1, 12), bool)
    area[0, list(columns)] = True
    return spot_of(area)


def followed(steps: int, dx: float, oldest: int = 0, newest: int = 99) -> Chains:
    """Chains of frame 0 over a still hole of 4 px in a row of 12, the background moving by dx."""
    spot = row(4, 5, 6, 7)
    chains = no_chains(spot)
    for frame in reversed(range(steps)):
        chains = extend(constant(spot, dx, 0), frame + 1, chains, oldest, newest)
    return chains


def test_a_chain_ends_at_the_first_frame_that_shows_its_place() -> None:
    chains = followed(10, 1.0)
    assert chains.frame.tolist() == [4, 3, 2, 1]
    assert chains.place[:, 0].tolist() == [8, 8, 8, 8]
    assert chains.hops.tolist() == [4, 3, 2, 1]
    assert chains.doubt.tolist() == [1, 0.75, 0.5, 0.25]


def test_fractions_of_a_pixel_are_kept_along_the_way() -> None:
    chains = followed(10, 0.75)
    starts = np.arange(4, 8)
    moved = starts + 0.75 * chains.hops
    assert np.allclose(chains.place[:, 0], moved, atol=1e-5)


def test_frames_out_of_reach_are_not_used() -> None:
    assert followed(10, 1.0, newest=2).frame.tolist() == [NOWHERE, NOWHERE, 2, 1]


def test_a_frame_out_of_reach_that_has_no_hole_is_not_used_either() -> None:
    chains = extend(constant(row(4, 5), 0, 0), 10, no_chains(row()), 4, 16)
    assert (chains.frame == 10).all()
    chains = extend(constant(row(4, 5), 0, 0), 10, no_chains(row()), 0, 6)
    assert (chains.frame == NOWHERE).all()


def test_a_chain_goes_on_past_what_a_wider_spot_covers() -> None:
    hole, wider = row(4, 5), row(4, 5, 6)
    last = extend(constant(wider, 1, 0), 2, no_chains(hole), 0, 9)
    chains = extend(constant(wider, 1, 0), 1, last, 0, 9)
    assert chains.of(hole).frame.tolist() == [2, 2]
    assert chains.of(hole).place[:, 0].tolist() == [6, 7]


def test_a_place_that_leaves_the_picture_is_seen_nowhere() -> None:
    assert followed(1, 9.0).frame.tolist() == [NOWHERE] * 4


def test_colours_are_read_in_the_frame_where_the_chain_ends() -> None:
    pictures = {n: np.full((3, 20, 3), 10 * n, np.uint8) for n in range(11)}
    colours, seen = read_colours(followed(10, 1.0), pictures, {n: n / 2 for n in range(11)})
    assert seen.all()
    assert colours[:, 0].tolist() == [80, 45, 20, 5]


def test_samples_are_read_at_any_number_of_places() -> None:
    picture = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert sample(picture, np.zeros((0, 2), np.float32)).shape == (0,)
    places = np.tile(np.array([[1.5, 1.0]], np.float32), (300, 1))
    assert np.allclose(sample(picture, places), 5.5)
