"""What leaps like damage and is none: at most 0.05 % of the pixels are proposed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.restoration.finding import HEIGHT, WIDTH, found_in, masks_of, panned

COUNT = 18
MOST = 0.0005  # of all pixels


def grain(pictures: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    """Coarse grain over all of the picture, new in each frame."""
    grainy = []
    for picture in pictures:
        noise = cv2.GaussianBlur(random.normal(0, 1, (HEIGHT, WIDTH, 1)), (0, 0), 0.8)
        noise = noise * (8 / noise.std())
        grainy.append(np.clip(picture + noise[..., None], 0, 255).astype(np.uint8))
    return grainy


def fast_motion(pictures: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    """A ball crosses the picture in seven frames, again and again; a limb swings to and fro."""
    moved = []
    for index, picture in enumerate(pictures):
        shown = picture.copy()
        ball = 47 * (index % 8) - 10, 50 + 14 * (index % 8)
        cv2.circle(shown, ball, 9, (235, 240, 90), -1, cv2.LINE_AA)
        angle = 1.2 * np.sin(index * 0.9)
        end = (round(230 + 60 * np.sin(angle)), round(120 + 60 * np.cos(angle)))
        cv2.line(shown, (230, 120), end, (40, 30, 30), 12, cv2.LINE_AA)
        moved.append(shown)
    return moved


def snow(pictures: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    """300 flakes, that fall 6 to 14 px a frame and drift."""
    places = random.random((300, 2)) * (WIDTH, HEIGHT)
    speeds = np.stack([random.normal(2, 1, 300), random.uniform(6, 14, 300)], axis=1)
    snowy = []
    for index, picture in enumerate(pictures):
        shown = picture.copy()
        for x, y in (places + index * speeds) % (WIDTH, HEIGHT):
            cv2.circle(shown, (round(x * 8), round(y * 8)), 12, (245,) * 3, -1, cv2.LINE_AA, 3)
        snowy.append(shown)
    return snowy


def rain(pictures: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    """120 streaks in each frame, elsewhere in the next."""
    wet = []
    for picture in pictures:
        streaks = np.zeros((HEIGHT, WIDTH), np.float32)
        for x, y in random.random((120, 2)) * (WIDTH, HEIGHT):
            cv2.line(streaks, (int(x), int(y)), (int(x) + 3, int(y) + 22), 1.0, 1, cv2.LINE_AA)
        wet.append((picture + streaks[..., None] * 0.6 * (230.0 - picture)).astype(np.uint8))
    return wet


def sparks(pictures: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    """Sparks fly from a grinder, 14 new ones in each frame, and die within five frames."""
    flying: list[list[np.ndarray]] = []
    lit = []
    for picture in pictures:
        shown = picture.copy()
        flying.append([np.array([150.0, 150.0]) for _ in range(14)])
        for age, wave in enumerate(reversed(flying[-5:])):
            for number, place in enumerate(wave):
                angle = -np.pi * (0.1 + 0.8 * ((number * 0.618) % 1))
                step = np.array([np.cos(angle), np.sin(angle)]) * (20 - 3 * age)
                start, place[:] = place.copy(), place + step + (0, 2 * age)
                (x0, y0), (x1, y1) = (np.rint(p).astype(int).tolist() for p in (start, place))
                cv2.line(
                    shown, (x0, y0), (x1, y1), (255, 230 - 30 * age, 150 - 25 * age), 2, cv2.LINE_AA
                )
        lit.append(shown)
    return lit


def flashes(pictures: list[np.ndarray], random: np.random.Generator) -> list[np.ndarray]:
    """Photographers' flashes: single frames, and parts of frames, much brighter."""
    ys, xs = np.mgrid[:HEIGHT, :WIDTH]
    spot = np.exp(-(((xs - 220) / 70) ** 2 + ((ys - 90) / 60) ** 2))[..., None]
    flashed = []
    for index, picture in enumerate(pictures):
        gain = 1.0 + (index in (4, 11)) * 0.9 + (index in (7, 14)) * spot * 1.2
        flashed.append(np.clip(picture * gain, 0, 255).astype(np.uint8))
    return flashed


@pytest.mark.parametrize("effect", [grain, fast_motion, snow, rain, sparks, flashes])
def test_what_only_looks_like_damage_is_not_proposed(effect, tmp_path: Path) -> None:
    pictures = effect(panned(COUNT), np.random.default_rng(5))
    masks = masks_of(found_in(tmp_path, pictures))
    assert len(masks) == COUNT
    assert np.mean([(mask > 0).mean() for mask in masks]) <= MOST


def test_a_post_that_the_camera_passes_is_no_scratch(tmp_path: Path) -> None:
    pictures = panned(COUNT, step=2.0)
    for index, picture in enumerate(pictures):
        x = 250 - 2 * index
        picture[20:, x : x + 3] = 30
    found = found_in(tmp_path, pictures)
    assert not [damage for damage in found.damage if damage.kind == "scratches"]


def test_a_standing_post_before_a_standing_camera_is_no_scratch(tmp_path: Path) -> None:
    pictures = panned(1) * COUNT
    pictures[0][20:, 200:203] = 30
    assert not found_in(tmp_path, pictures).damage


def test_a_ledge_is_no_line_of_tape(tmp_path: Path) -> None:
    pictures = panned(COUNT, step=2.0)
    for index, picture in enumerate(pictures):
        y = 80 + round(0.8 * index)
        picture[y : y + 2] = 235
    assert not found_in(tmp_path, pictures).damage


def test_a_standing_ledge_before_a_standing_camera_is_no_line_of_tape(tmp_path: Path) -> None:
    pictures = panned(1) * COUNT
    pictures[0][100:102] = 235
    assert not found_in(tmp_path, pictures).damage


def test_the_rim_of_a_black_bar_is_no_line_of_tape(tmp_path: Path) -> None:
    pictures = []
    for index, picture in enumerate(panned(COUNT, step=0.0)):
        shown = np.roll(picture, index, axis=0)
        shown[:30] = 16
        shown[30:32] = 235
        pictures.append(shown)
    assert not [d for d in found_in(tmp_path, pictures).damage if d.stop - d.start > 1]
