"""Overlays are proposed where something stays while the rest moves, and only there."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate.media.mask_files import read_mask_image
from cleanplate.media.new_clip import write_clip
from cleanplate.suggestions.overlays import look
from tests.scene import texture

WIDTH, HEIGHT = 320, 180
PROGRAM = Path(sys.executable).with_name("cleanplate")


def letters(text: str, place: tuple[int, int]) -> np.ndarray:
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.9, 255, 2, cv2.LINE_AA)
    return drawn.astype(np.float32)[..., None] / 255


def scene(
    path: Path, overlays: dict[tuple[int, int], np.ndarray], speed: int = 6, count: int = 90
) -> Path:
    """A pan with a cut in the middle; ``overlays`` by their first and last frame."""
    shots = [texture(WIDTH + count * max(speed, 1), HEIGHT, seed) for seed in (2, 9)]

    def frames():
        for n in range(count):
            image = shots[2 * n // count][:, n * speed : n * speed + WIDTH].astype(np.float32)
            for (start, stop), drawn in overlays.items():
                if start <= n < stop:
                    image = image + 0.8 * drawn * (250 - image)
            yield np.rint(image).astype(np.uint8)

    write_clip(path, frames(), Fraction(25), None, crf=14)
    return path


def covers(box: cleanplate.Box, drawn: np.ndarray) -> bool:
    inside = drawn[box.slices].sum() / drawn.sum()
    ys, xs = np.nonzero(drawn[..., 0] > 0.1)
    tight = (xs.max() + 1 - xs.min()) * (ys.max() + 1 - ys.min())
    return bool(inside > 0.98) and box.width * box.height < 2.5 * tight


@pytest.fixture(scope="module")
def logo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    drawn = {(0, 90): letters("LOGO", (20, 40))}
    return scene(tmp_path_factory.mktemp("suggest") / "logo.mp4", drawn)


def test_a_logo_over_all_of_the_clip_is_proposed_with_its_letters(logo: Path) -> None:
    (found,) = cleanplate.suggest(logo)
    drawn = letters("LOGO", (20, 40))
    assert found.kind == "logo"
    assert (found.start, found.stop) == (0, 90)
    assert covers(found.box, drawn)
    assert found.confidence > 0.9
    assert found.mask[drawn[..., 0] > 0.2].all()


def test_a_caption_is_proposed_for_the_frames_that_show_it(tmp_path: Path) -> None:
    drawn = letters("caption", (90, 160))
    found = cleanplate.suggest(scene(tmp_path / "c.mp4", {(0, 60): drawn}, count=120))
    (one,) = [f for f in found if covers(f.box, drawn)]
    assert len(found) == 1
    assert one.kind == "caption"
    assert one.start == 0
    assert one.stop == 60


def test_a_moving_scene_without_overlays_gives_nothing(tmp_path: Path) -> None:
    found = look(scene(tmp_path / "plain.mp4", {}))
    assert found.overlays == ()
    assert found.still == ()


def test_under_a_camera_that_stands_still_nothing_is_proposed_and_it_says_so(
    tmp_path: Path,
) -> None:
    path = tmp_path / "still.mp4"
    picture = texture(WIDTH, HEIGHT, 4)
    cv2.putText(picture, "SIGN", (20, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.2, (255, 255, 255), 3)
    write_clip(path, (picture for _ in range(60)), Fraction(25), None)
    found = look(path)
    assert found.overlays == ()
    assert found.still == ((0, 60),)


def test_the_program_prints_boxes_and_writes_masks(logo: Path, tmp_path: Path) -> None:
    command = [str(PROGRAM), "suggest", str(logo), "--json", "-o", str(tmp_path / "m.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (one,) = json.loads(done.stdout)["overlays"]
    x0, y0, x1, y1 = one["box"]
    mask = read_mask_image(tmp_path / "m.png")
    assert mask[y0:y1, x0:x1].any()
    again = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert again.returncode == 2
    assert "--overwrite" in again.stderr


ROAD = (400, 224)


def subtitle(text: str, place: tuple[int, int]) -> np.ndarray:
    """As ``letters``, for ``road``."""
    drawn = np.zeros(ROAD[::-1], np.uint8)
    cv2.putText(drawn, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, 255, 2, cv2.LINE_AA)
    return drawn.astype(np.float32)[..., None] / 255


def road(
    path: Path,
    captions: dict[tuple[int, int], np.ndarray],
    count: int = 72,
    light: int | None = None,
) -> Path:
    """A still camera: a sign, a rider who passes before it and behind captions, by their frames.

    A lamp shines on a third of the picture from frame ``light`` on.
    """
    picture = cv2.GaussianBlur(texture(*ROAD, 4), (0, 0), 2)
    cv2.rectangle(picture, (30, 20), (190, 75), (30, 60, 30), -1)
    cv2.putText(picture, "BAKERY", (45, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.1, (240, 240, 220), 3)
    rider, noise = texture(70, 190, 21), np.random.default_rng(1)

    def frames():
        for n in range(count):
            image = picture.astype(np.float32) + noise.normal(0, 2, picture.shape)
            if light is not None and n >= light:
                image[:, 200:340] += 50
            x = -60 + 6 * n
            left, right = max(x, 0), min(x + rider.shape[1], ROAD[0])
            if left < right:
                image[30:220, left:right] = rider[:, left - x : right - x]
            for (start, stop), drawn in captions.items():
                if start <= n < stop:
                    outline = cv2.dilate(drawn[..., 0], np.ones((3, 3), np.uint8))[..., None]
                    image = image * (1 - outline) + 10 * outline
                    image = image + drawn * (245 - image)
            yield np.clip(np.rint(image), 0, 255).astype(np.uint8)

    write_clip(path, frames(), Fraction(25), None, crf=18)
    return path


def test_a_subtitle_that_changes_once_over_a_still_camera_is_two_captions(tmp_path: Path) -> None:
    first, second = subtitle("Good morning", (100, 205)), subtitle("Where to?", (130, 205))
    clip = road(tmp_path / "road.mp4", {(0, 37): first, (37, 72): second})
    suggested = sorted(cleanplate.suggest(clip), key=lambda caption: caption.start)
    assert [(caption.kind, caption.start, caption.stop) for caption in suggested] == [
        ("caption", 0, 37),
        ("caption", 37, 72),
    ]
    for caption, drawn in zip(suggested, (first, second), strict=True):
        assert covers(caption.box, drawn)
        assert caption.mask[drawn[..., 0] > 0.2].all()


def test_a_caption_of_two_rows_over_a_still_camera_is_one_and_the_sign_beside_it_is_none(
    tmp_path: Path,
) -> None:
    drawn = np.maximum(subtitle("Over here,", (110, 178)), subtitle("quickly!", (130, 205)))
    (caption,) = cleanplate.suggest(road(tmp_path / "c.mp4", {(18, 55): drawn}))
    assert (caption.kind, caption.start, caption.stop) == ("caption", 18, 55)
    assert covers(caption.box, drawn)
    assert caption.mask[drawn[..., 0] > 0.2].all()


def test_a_sign_a_rider_and_a_sudden_light_are_no_captions(tmp_path: Path) -> None:
    assert cleanplate.suggest(road(tmp_path / "sign.mp4", {}, light=40)) == []


def test_captions_that_follow_each_other_in_one_place_are_told_apart(tmp_path: Path) -> None:
    texts = {(0, 50): "first line", (50, 105): "second one", (105, 150): "third text"}
    drawn = {frames: letters(text, (80, 160)) for frames, text in texts.items()}
    found = sorted(
        cleanplate.suggest(scene(tmp_path / "c.mp4", drawn, 4, 150)), key=lambda one: one.start
    )
    assert [(one.kind, one.start, one.stop) for one in found] == [
        ("caption", start, stop) for start, stop in texts
    ]
