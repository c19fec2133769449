"""What moves otherwise than the camera is found, and a pan by itself is not motion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cleanplate.retargeting.foci import LOOK_KEY, MOTION_KEY, Foci
from cleanplate.retargeting.saliency import WIDTH, Look, remembered, saliency
from tests import scene

HEIGHT = 90
SCALE = (8.0, 8.0)
CROP = (400.0, 720.0)


def looks(image: Callable[[int], np.ndarray], count: int = 8, cut: int = 99) -> list[Look]:
    return [Look(n, image(n), int(n >= cut), n / 10) for n in range(count)]


def found(wanted: list[Look]) -> Foci:
    return Foci.joined(list(saliency(wanted, SCALE, CROP, 1)))


WIDE = scene.texture(WIDTH + 100, HEIGHT)


def panned(number: int) -> np.ndarray:
    return WIDE[:, 4 * number : 4 * number + WIDTH].copy()


def walker(number: int) -> np.ndarray:
    image = panned(number)
    image[30:58, 40 + 2 * number : 84 + 2 * number] = scene.sign()
    return image


def test_a_pan_alone_is_no_motion() -> None:
    assert MOTION_KEY not in found(looks(panned)).keys


def test_what_moves_against_a_pan_is_found_where_it_is() -> None:
    foci = found(looks(walker))
    for frame in (2, 5):
        (row,) = np.flatnonzero((foci.frames == frame) & (foci.keys == MOTION_KEY))
        x0, _, x1, _ = foci.boxes[row] / 8
        assert abs((x0 + x1) / 2 - (62 + 2 * frame)) < 8


def test_a_cut_is_no_motion() -> None:
    def image(number: int) -> np.ndarray:
        return scene.texture(WIDTH, HEIGHT, seed=int(number >= 4))

    assert MOTION_KEY not in found(looks(image, cut=4)).keys


def test_detail_in_colours_of_its_own_stands_out() -> None:
    image = np.full((HEIGHT, WIDTH, 3), 180, np.uint8)
    image[30:58, 100:144] = scene.sign()
    foci = found(looks(lambda _: image))
    (row,) = np.flatnonzero((foci.frames == 3) & (foci.keys == LOOK_KEY))
    assert abs(foci.boxes[row][[0, 2]].mean() / 8 - 122) < 8


def test_in_a_plain_picture_the_middle_counts() -> None:
    foci = found(looks(lambda _: np.full((HEIGHT, WIDTH, 3), 128, np.uint8)))
    assert (foci.keys == LOOK_KEY).all()
    assert np.abs(foci.boxes[:, [0, 2]].mean(axis=1) / 8 - WIDTH / 2).max() < 3


def test_a_mover_is_remembered_where_it_stops_and_not_across_a_cut() -> None:
    moving = Foci(np.array([4, 5]), np.ones((2, 4)), np.full(2, MOTION_KEY), np.full(2, 4.0))
    resting = np.array([3, 6, 7, 8, 90])
    still = Foci(resting, np.zeros((5, 4)), np.full(5, LOOK_KEY), np.ones(5))
    shots = (np.arange(100) >= 8).astype(int)
    foci = remembered(Foci.joined([moving, still]), shots, rate=10.0)
    kept = foci.frames[foci.keys == MOTION_KEY]
    assert kept.tolist() == [3, 4, 5, 6, 7]
    weights = foci.weights[foci.keys == MOTION_KEY]
    assert weights[4] < weights[3] < 4
