from collections.abc import Iterable

import numpy as np
import pytest

from cleanplate.media.shots import LiveShotDetector, ShotDetector
from tests.scene import texture


def cuts(pictures: Iterable[np.ndarray]) -> list[int]:
    detector = ShotDetector()
    for picture in pictures:
        detector.see(picture)
    return detector.finish()


def shot(seed: int, count: int, speed: int = 1) -> list[np.ndarray]:
    wide = texture(96 + count * speed, 54, seed)[..., 0]
    return [np.ascontiguousarray(wide[:, i * speed : i * speed + 96]) for i in range(count)]


def test_hard_cuts_are_found_at_their_frame() -> None:
    assert cuts([*shot(0, 12), *shot(1, 9), *shot(2, 15)]) == [12, 21]


@pytest.mark.parametrize("speed", [0, 2, 5])
def test_a_camera_that_moves_makes_no_cut(speed: int) -> None:
    assert cuts(shot(3, 40, speed)) == []


def test_a_shot_of_one_frame_is_a_shot() -> None:
    assert cuts([*shot(0, 10), *shot(1, 1), *shot(2, 10)]) == [10, 11]


def test_black_between_two_shots_ends_the_first() -> None:
    one, other = shot(4, 20), shot(5, 20)
    fade = [np.uint8(1) * (f * (1 - i / 10)).astype(np.uint8) for i, f in enumerate(one[-10:])]
    back = [(f * (i / 10)).astype(np.uint8) for i, f in enumerate(other[:10])]
    black = [np.zeros((54, 96), np.uint8)] * 6
    found = cuts([*one, *fade, *black, *back, *other])
    assert any(30 <= cut <= 36 for cut in found)


def test_no_frame_and_one_frame_have_no_cut() -> None:
    assert cuts([]) == []
    assert cuts(shot(0, 1)) == []


def test_cuts_in_the_first_and_last_frames_are_found() -> None:
    assert cuts([*shot(0, 1), *shot(1, 20), *shot(2, 1)]) == [1, 21]


def live_cuts(pictures: Iterable[np.ndarray]) -> list[int]:
    detector = LiveShotDetector()
    return [place for place, picture in enumerate(pictures) if detector.see(picture)]


def test_live_cuts_are_found_as_they_come_and_a_jerk_is_none() -> None:
    wide = texture(140, 70, 6)[..., 0]
    calm = [np.ascontiguousarray(wide[4:58, 4:100])] * 8
    knocked = [np.ascontiguousarray(wide[14:68, 22:118])] * 8
    assert live_cuts([*calm, *shot(7, 8)]) == [8]
    assert np.abs(calm[0].astype(float) - knocked[0]).mean() > 20  # far more than a cut needs
    assert live_cuts([*calm, *knocked]) == []
