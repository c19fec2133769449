"""The segmenter letters: a print is told from what it is printed on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.settings.groups import MaskSettings
from cleanplate.types import Box, Brush, Candidates, Point, Prompt
from tests.scene import texture

BOX = Box(30, 30, 210, 90)


def carrier(kind: str) -> np.ndarray:
    """(120, 240, 3) uint8: what the word is printed on."""
    y, x = np.mgrid[:120, :240].astype(np.float32)
    image = np.full((120, 240, 3), (60, 80, 50), np.float32)
    if kind == "shaded":
        image += (0.3 * x + 0.2 * y)[..., None] - 40
    elif kind == "cloth":
        image += 0.25 * (texture(240, 120).astype(np.float32) - 128)
    noise = np.random.default_rng(0).normal(0, 2, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def printed(kind: str, colour: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The picture, and where the word is, (120, 240) bool."""
    ink = np.zeros((120, 240), np.uint8)
    cv2.putText(ink, "RAPHA", (40, 75), cv2.FONT_HERSHEY_TRIPLEX, 1.6, 255, 5, cv2.LINE_AA)
    cover = cv2.GaussianBlur(ink.astype(np.float32) / 255, (0, 0), 0.8)[..., None]
    image = carrier(kind) * (1 - cover) + np.float32(colour) * cover
    return image.astype(np.uint8), cover[..., 0] > 0.5


def segment(image: np.ndarray, prompt: Prompt, **settings: str) -> Candidates:
    engine = registry.create("segment", "letters", settings)
    return engine.decode(engine.encode(image), prompt)


@pytest.mark.parametrize("kind", ["plain", "shaded", "cloth"])
@pytest.mark.parametrize("colour", [(230, 230, 225), (10, 10, 14), (200, 40, 30)])
def test_letters_of_one_colour_are_outlined_whole_and_narrowly(
    kind: str, colour: tuple[int, int, int]
) -> None:
    image, word = printed(kind, colour)
    found = segment(image, Prompt(box=BOX))
    assert found.confidences[0] > 0.6
    assert (word & ~found.masks[0]).sum() < 0.005 * word.sum()
    near = cv2.dilate(word.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    assert (found.masks[0] & ~near).sum() < 0.01 * word.sum()


def test_letters_of_several_colours_are_outlined() -> None:
    image, word = printed("plain", (230, 230, 225))
    other, _ = printed("plain", (220, 40, 200))
    image[:, 120:] = other[:, 120:]
    found = segment(image, Prompt(box=BOX)).masks[0]
    assert (word & ~found).sum() < 0.01 * word.sum()
    assert found.sum() < 0.75 * BOX.width * BOX.height


def test_the_box_is_the_second_choice_and_the_first_where_nothing_stands_out() -> None:
    image, _ = printed("plain", (230, 230, 225))
    whole = np.zeros((120, 240), bool)
    whole[BOX.slices] = True
    np.testing.assert_array_equal(segment(image, Prompt(box=BOX)).masks[1], whole)
    np.testing.assert_array_equal(segment(carrier("plain"), Prompt(box=BOX)).masks[0], whole)


def test_a_texture_that_goes_on_outside_the_box_is_not_taken_for_letters() -> None:
    image = carrier("plain")
    image[:, ::12] = image[:, 1::12] = image[:, 2::12] = 230  # stripes all over the picture
    found = segment(image, Prompt(box=BOX))
    assert found.masks[0].sum() == BOX.width * BOX.height


def test_a_letter_that_is_clicked_away_stays_in_the_picture() -> None:
    image, word = printed("plain", (230, 230, 225))
    count, parts = cv2.connectedComponents(word.astype(np.uint8))
    assert count == 6  # five letters
    letter = parts == 3
    y, x = np.argwhere(letter)[letter.sum() // 2]
    found = segment(
        image, Prompt(box=BOX, points=(Point(float(x) + 0.5, float(y) + 0.5, positive=False),))
    ).masks[0]
    others = word & ~letter
    assert (others & ~found).sum() < 0.01 * others.sum()
    assert (found & letter).sum() < 0.1 * letter.sum()


def test_a_click_on_the_surface_says_that_it_is_the_letter() -> None:
    image, word = printed("plain", (230, 230, 225))
    found = segment(image, Prompt(box=BOX, points=(Point(33.5, 33.5),)), margin="0")
    inside = np.zeros_like(word)
    inside[BOX.slices] = True
    assert found.masks[0][33, 33]
    core = cv2.erode(word.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert not (found.masks[0] & core).any()


def test_the_margin_is_a_setting() -> None:
    image, _ = printed("plain", (230, 230, 225))
    areas = [segment(image, Prompt(box=BOX), margin=str(n)).masks[0].sum() for n in (0, 2, 4)]
    assert areas[0] < areas[1] < areas[2]


def test_strokes_and_masks_say_where_to_look_as_well() -> None:
    image, word = printed("plain", (230, 230, 225))
    stroke = Brush(points=((40.0, 60.0), (200.0, 60.0)), radius=28)
    found = segment(image, Prompt(brushes=(stroke,))).masks[0]
    assert (word & ~found).sum() < 0.02 * word.sum()


def test_clicks_alone_are_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="draw a box around the letters"):
        segment(carrier("plain"), Prompt(points=(Point(50, 50),)))


def test_letters_grow_less_than_other_outlines_and_masks_of_the_user_not_at_all() -> None:
    masks = MaskSettings()
    assert masks.grown_by(1080, False, is_print=True) == 3
    assert masks.grown_by(1080, False, is_print=False) == 11
    assert masks.grown_by(1080, True, is_print=True) == 0
