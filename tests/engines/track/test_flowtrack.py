"""The weight-free tracker of what bends: how far it follows, and that it says when to look."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.media.mask_files import read_mask_image
from cleanplate.media.read import open_clip
from cleanplate.tracks.doubts import UNSURE
from cleanplate.types import Frame, TrackedMask, Visibility
from tests import scene

WIDTH, HEIGHT = 240, 160


def creature(index: int) -> tuple[np.ndarray, np.ndarray]:
    """Frame and mask of a striped blob that swims to the right and changes its outline."""
    picture = scene.texture(WIDTH, HEIGHT, seed=3)
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    radius = 26 + 5 * np.sin(3 * angle + index / 3) + 3 * np.sin(2 * angle - index / 4)
    x = 60 + 3 * index + 1.4 * radius * np.cos(angle)
    y = 80 + 8 * np.sin(index / 5) + radius * np.sin(angle)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.fillPoly(mask, [np.stack([x, y], axis=1).round().astype(np.int32)], 1)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    stripes = 40 * np.sin((columns - 3 * index) / 4 + np.sin(rows / 6))
    skin = np.stack([200 + stripes, 120 + stripes, 60 + 0 * stripes], axis=2).clip(0, 255)
    picture[mask > 0] = skin[mask > 0]
    return cv2.GaussianBlur(picture, (0, 0), 0.6), mask


def frame(index: int, image: np.ndarray, shot: int = 0) -> Frame:
    return Frame(index, Fraction(index, 25), image, shot)


def follow(images: list[np.ndarray], mask: np.ndarray) -> list[TrackedMask]:
    tracking = registry.create("track", "flowtrack").start(frame(0, images[0]), mask)
    return [tracking.step(frame(n, image)) for n, image in enumerate(images[1:], 1)]


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


def test_what_bends_is_followed_for_a_second() -> None:
    images, masks = zip(*map(creature, range(25)), strict=True)
    found = [
        overlap(answer.mask > 0, mask > 0)
        for answer, mask in zip(follow(list(images), masks[0]), masks[1:], strict=True)
    ]
    assert np.mean(found) > 0.93
    assert min(found) > 0.85


def test_a_look_is_asked_for_once_the_prompt_is_far_away() -> None:
    images, masks = zip(*map(creature, range(40)), strict=True)
    sure = [answer.objects[0].confidence for answer in follow(list(images), masks[0])]
    assert sure == sorted(sure, reverse=True)
    assert sure[4] > UNSURE
    assert sure[-1] < UNSURE


def test_two_things_that_meet_do_not_share_pixels_or_names() -> None:
    images, masks = zip(*map(creature, range(12)), strict=True)
    both = masks[0] + 2 * (np.roll(masks[0], 90, axis=1) & ~masks[0] & 1)
    for answer in follow(list(images), both):
        assert {state.object_id for state in answer.objects} == {1, 2}
        assert set(np.unique(answer.mask)) <= {0, 1, 2}


def test_after_a_cut_it_is_lost_until_it_is_prompted_again() -> None:
    (first, mask), (second, later) = creature(0), creature(5)
    tracking = registry.create("track", "flowtrack").start(frame(0, first), mask)
    answer = tracking.step(frame(1, second, shot=1))
    assert answer.objects[0].visibility is Visibility.LOST
    assert not answer.mask.any()
    tracking.correct(frame(1, second, shot=1), later)
    answer = tracking.step(frame(2, creature(6)[0], shot=1))
    assert answer.objects[0].visibility is Visibility.VISIBLE
    assert overlap(answer.mask > 0, creature(6)[1] > 0) > 0.9


def test_what_leaves_the_picture_is_hidden_and_then_lost() -> None:
    images, masks = zip(*map(creature, range(0, 160, 4)), strict=True)
    states = [answer.objects[0] for answer in follow(list(images), masks[0])]
    names = [state.visibility for state in states]
    gone = names.index(Visibility.HIDDEN)
    assert masks[gone + 1].sum() < 0.2 * masks[0].sum()
    assert set(names[:gone]) == {Visibility.VISIBLE}
    assert Visibility.VISIBLE not in names[gone:]


@pytest.mark.clips
@pytest.mark.parametrize(("name", "least"), [("blackswan", 0.90), ("dogs-jump", 0.70)])
def test_real_animals_and_people_are_followed_for_ten_frames(
    clips: Path, name: str, least: float
) -> None:
    folder = clips / name
    source = folder / "frames" if (folder / "frames").is_dir() else folder / "video.mp4"
    with open_clip(source) as clip:
        images = [picture.rgb() for picture in clip.pictures(0, 11)]
    truth = [read_mask_image(folder / "masks" / f"{number:05d}.png") for number in range(11)]
    answers = follow(images, truth[0])
    found = [
        overlap(answer.mask == number, mask == number)
        for answer, mask in zip(answers, truth[1:], strict=True)
        for number in np.unique(truth[0])[1:]
    ]
    assert np.mean(found) > least
