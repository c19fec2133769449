"""What stays while the rest moves."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cleanplate.arrays.overlay import find_letters, letter_height, most_frames, relief, what_stays
from cleanplate.arrays.overlay import shapes as shapes_of
from cleanplate.types import Box
from tests.scene import texture

WIDTH, HEIGHT = 240, 96
BOX = Box(40, 24, 200, 72)


def mark(text: str = "Ole 8", thickness: int = 4) -> np.ndarray:
    """(H, W) float32 in 0..1: letters inside ``BOX``."""
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    place, font = (50, 62), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(drawn, text, place, font, 1.3, 255, thickness, cv2.LINE_AA)
    return drawn.astype(np.float32) / 255


def scene(
    letters: np.ndarray, alpha: float = 0.6, level: float = 255, count: int = 30, speed: int = 7
) -> list[np.ndarray]:
    """A pan over detail with ``letters`` of that opacity and grey level on every frame."""
    wide = texture(WIDTH + count * speed, HEIGHT, 3)
    share = alpha * letters[..., None]
    frames = []
    for n in range(count):
        behind = wide[:, n * speed : n * speed + WIDTH]
        frames.append(np.rint(behind * (1 - share) + level * share).astype(np.uint8))
    return frames


def found_in(frames: list[np.ndarray], box: Box = BOX) -> np.ndarray:
    letters = find_letters(frames, box, np.zeros((HEIGHT, WIDTH), bool))
    assert letters.doubt == ""
    whole = np.zeros((HEIGHT, WIDTH), bool)
    whole[box.slices] = letters.mask
    return whole


@pytest.mark.parametrize(("alpha", "level"), [(1.0, 255), (0.6, 255), (0.4, 255), (0.6, 0)])
def test_the_letters_are_covered_and_little_else(alpha: float, level: float) -> None:
    letters = mark()
    found = found_in(scene(letters, alpha, level))
    assert found[letters > 0.05].mean() > 0.995
    reach = cv2.dilate((letters > 0.05).astype(np.uint8), np.ones((15, 15), np.uint8)) > 0
    assert not found[~reach].any()
    assert found[BOX.slices].mean() < 0.75


def test_letters_that_reach_out_of_the_box_are_taken_whole() -> None:
    letters = mark()
    ys, _ = np.nonzero(letters > 0.05)
    cut = Box(BOX.x0, BOX.y0, BOX.x1, int(ys.max()) - 3)  # the lowest rows lie outside
    found = find_letters(scene(letters), cut, np.zeros((HEIGHT, WIDTH), bool))
    assert found.doubt == ""
    whole = found.beyond.copy()
    whole[cut.slices] = found.mask
    assert whole[letters > 0.05].mean() > 0.995
    assert not found.beyond[: cut.y1].any()
    assert not found.beyond[cut.y1 + 12 :].any()


def test_thick_strokes_are_filled_and_what_is_seen_through_them_is_not() -> None:
    letters = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(letters, (120, 48), 34, 255, 12, cv2.LINE_AA)
    box = Box(70, 2, 170, 94)
    found = found_in(scene(letters.astype(np.float32) / 255), box)
    assert found[letters > 10].all()
    assert not found[38:58, 110:130].any()


def test_relief_is_high_on_the_letters_and_flat_beside_them() -> None:
    letters = mark()
    raised = relief(what_stays(scene(letters, alpha=0.8)))
    assert raised[letters > 0.95].mean() > 40
    assert abs(raised[letters == 0].mean()) < 12


def test_letters_that_are_gone_in_a_few_frames_are_still_found() -> None:
    letters = mark()
    frames = scene(letters, count=40)
    frames[:4] = scene(letters, alpha=0.0, count=4)
    stays = what_stays(frames)
    assert not stays.shown[:4].any()
    assert stays.shown[4:].all()
    found_in(frames)


DOUBTS = {
    "few frames": (lambda: scene(mark(), count=4), "at least 8 frames"),
    "a still camera": (lambda: scene(mark(), speed=0), "nothing moves"),
    "no overlay": (lambda: scene(mark(), alpha=0.0), "nothing in it"),
    "a short caption": (
        lambda: scene(mark(), count=24) + scene(mark(), alpha=0.0, count=16),
        "60% of the frames",
    ),
    "two captions": (
        lambda: scene(mark("Ole 8"), count=48) + scene(mark("KWM"), count=16),
        "something else stays",
    ),
    "an opaque plate": (
        lambda: scene(np.where(_plate(), 1, mark(thickness=2)), 1.0),
        "nothing moves",
    ),
}


def _plate() -> np.ndarray:
    plate = np.zeros((HEIGHT, WIDTH), bool)
    plate[BOX.y0 + 2 : BOX.y1 - 2, BOX.x0 + 2 : BOX.x1 - 2] = True
    return plate


@pytest.mark.parametrize(("frames", "words"), DOUBTS.values(), ids=DOUBTS.keys())
def test_weak_evidence_is_doubted_in_words(frames, words: str) -> None:
    letters = find_letters(frames(), BOX, np.zeros((HEIGHT, WIDTH), bool))
    assert words in letters.doubt
    assert letters.mask.shape == (BOX.height, BOX.width)


def test_shapes_of_noise_are_empty() -> None:
    random = np.random.default_rng(1)
    frames = [random.integers(0, 256, (60, 80, 3), np.uint8) for _ in range(20)]
    assert not shapes_of(what_stays(frames)).any()


def test_the_height_of_letters_is_that_of_most_of_their_area() -> None:
    found = np.zeros((50, 90), bool)
    found[10:40, 5:12] = found[10:40, 20:27] = True
    found[36:40, 50:54] = True
    assert letter_height(found) == 30
    assert letter_height(np.zeros((4, 4), bool)) == 0


def test_the_frames_compared_are_bounded_by_their_size() -> None:
    assert most_frames(600, 100) == 100
    assert most_frames(3840, 2160) < 10
    assert most_frames(100_000, 100_000) == 1
