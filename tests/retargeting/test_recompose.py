"""The object is taken out, the background brought into the new shape, the object put back as it
was."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate import Box, Prompt
from cleanplate.arrays.regions import NONE
from cleanplate.errors import InputError
from cleanplate.media.new_clip import write_clip
from cleanplate.media.paste import Placement, paste
from cleanplate.media.read import open_clip
from cleanplate.retargeting.recompose import matte, placements
from tests import scene

COUNT = 12
SIGN = Prompt(box=scene.sign_box(0))


@pytest.fixture(scope="module")
def square(scene_clip: Path, tmp_path_factory: pytest.TempPathFactory):
    """The scene in a square: its report, and its pictures."""
    out = tmp_path_factory.mktemp("square") / "square.mp4"
    report = cleanplate.retarget(
        scene_clip, out, SIGN, aspect="1:1", way="recompose", end=f"@{COUNT}", lossless=True
    )
    with open_clip(out) as clip:
        times = [picture.time for picture in clip.pictures()]
        return report, [picture.rgb() for picture in clip.pictures()], times


def test_the_object_keeps_its_proportions_and_its_own_pixels(square) -> None:
    report, images, _ = square
    assert {row["scale"] for row in report.placements} == {1.0}
    for row in report.placements:
        box, frame = scene.sign_box(row["frame"]), row["frame"]
        x, y = round(box.x0 + row["dx"]), round(box.y0 + row["dy"])
        shown = images[frame][y + 4 : y + 24, x + 4 : x + 40].astype(int)
        assert np.abs(shown - scene.sign()[4:24, 4:40]).mean() < 24, f"frame {frame}"


def test_the_background_is_whole_and_in_the_new_shape(square) -> None:
    report, images, _ = square
    truths = [truth for _, truth in itertools.islice(scene.frames(COUNT), COUNT)]
    places = {row["frame"]: row for row in report.placements}
    for frame, (image, truth) in enumerate(zip(images, truths, strict=True)):
        assert image.shape == (128, 128, 3)
        wanted = cv2.resize(truth, (128, 128), interpolation=cv2.INTER_AREA).astype(int)
        away = np.ones((128, 128), bool)
        box = scene.sign_box(frame)
        x, y = box.x0 + places[frame]["dx"], box.y0 + places[frame]["dy"]
        away[int(y) - 6 : int(y) + 36, int(x) - 6 : int(x) + 52] = False
        assert np.abs(image[away].astype(int) - wanted[away]).mean() < 14, f"frame {frame}"


def test_times_are_kept(square, scene_clip: Path) -> None:
    with open_clip(scene_clip) as clip:
        begun = clip.info.start
        wanted = [picture.time - begun for picture in clip.pictures(0, COUNT)]
    assert [time - square[2][0] for time in square[2]] == wanted


def boxes(lows: np.ndarray, width: int) -> np.ndarray:
    count = len(lows)
    rows = np.stack([lows, np.full(count, 60), lows + width, np.full(count, 100)], axis=1)
    return rows.astype(np.int32)


def placed(rows: np.ndarray, new: tuple[int, int] = (108, 108)) -> dict[int, Placement]:
    shots = np.zeros(len(rows), np.int32)
    return placements(rows, shots, (192, 108), new, 1.0, 25.0)


def test_what_goes_from_side_to_side_goes_from_side_to_side() -> None:
    rows = boxes(np.linspace(0, 152, 60), 40)
    made = placed(rows)
    lefts = np.array([rows[n, 0] + made[n].dx for n in range(60)])
    assert lefts[0] == pytest.approx(0, abs=0.01)
    assert lefts[-1] + 40 == pytest.approx(108, abs=0.01)
    assert (np.diff(lefts) > -0.01).all()
    assert {place.dy for place in made.values()} == {0.0}, "its ground is where it was"


def test_what_is_cut_off_at_a_side_stays_there() -> None:
    rows = boxes(np.zeros(30), 40)
    rows[:, 2] = np.linspace(5, 40, 30).round()
    assert all(place.dx <= 0 for place in placed(rows).values())


def test_what_does_not_fit_is_made_smaller() -> None:
    made = placed(boxes(np.full(10, 20), 150))
    assert made[0].scale == pytest.approx(0.9 * 108 / 150)


def test_where_it_is_not_it_is_not_put() -> None:
    rows = boxes(np.full(10, 50), 40)
    rows[3:6] = NONE
    assert sorted(placed(rows)) == [0, 1, 2, 6, 7, 8, 9]


def test_a_matte_fades_inwards_but_not_at_the_side_of_the_picture() -> None:
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, 0:20] = 3
    alpha, box = matte(mask, 3, Box(0, 10, 20, 30))
    whole = np.zeros(mask.shape)
    whole[box.slices] = alpha
    assert (whole[mask == 0] == 0).all()
    assert (whole[15:25, 0:15] == 1).all()
    assert 0 < whole[20, 19] < 1


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_part_is_pasted_where_it_is_said(scene_clip: Path, scale: float) -> None:
    with open_clip(scene_clip) as clip:
        first, later = list(clip.pictures(0, 2))
    box = scene.sign_box(0)
    alpha = np.ones((box.height, box.width), np.float32)
    made = paste(later, first, alpha, box, Placement(scale, 10.0, 6.0))
    x, y = round(scale * box.x0 + 10), round(scale * box.y0 + 6)
    size = (round(scale * box.width), round(scale * box.height))
    wanted = cv2.resize(first.rgb(box), size, interpolation=cv2.INTER_AREA).astype(int)
    shown = made.rgb()[y : y + size[1], x : x + size[0]].astype(int)
    assert np.abs(shown - wanted)[2:-2, 2:-2].mean() < (3 if scale == 1 else 10)
    away = np.ones(made.rgb().shape[:2], bool)
    away[y - 3 : y + size[1] + 3, x - 3 : x + size[0] + 3] = False
    assert (made.rgb()[away] == later.rgb()[away]).all()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"zoom": 2.0}, "leave --zoom out"),
        ({"static": True}, "leave --static out"),
        ({"save_path": "p.json"}, "no crop"),
    ],
)
def test_what_makes_no_sense_is_refused(scene_clip: Path, tmp_path: Path, wanted, words) -> None:
    with pytest.raises(InputError, match=words):
        cleanplate.retarget(
            scene_clip, tmp_path / "o.mp4", SIGN, aspect="1:1", way="recompose", **wanted
        )
    with pytest.raises(InputError, match="something must be pointed at"):
        cleanplate.retarget(scene_clip, tmp_path / "o.mp4", aspect="1:1", way="recompose")


WIDE = cv2.GaussianBlur(scene.texture(200, 160), (0, 0), 1.2)
TILT = [(20 + n, 32 + round(28 * np.sin(n / 4))) for n in range(24)]


def test_the_picture_is_extended_by_what_other_frames_show(tmp_path: Path) -> None:
    clip, out = tmp_path / "tilt.mp4", tmp_path / "tall.mp4"
    images = [WIDE[y : y + 64, x : x + 96].copy() for x, y in TILT]
    write_clip(clip, images, Fraction(25), crf=6)
    report = cleanplate.retarget(
        clip, out, aspect="1:1", way="recompose", background="extend", lossless=True
    )
    known = np.zeros(WIDE.shape[:2], bool)
    for x, y in TILT:
        known[y : y + 64, x : x + 96] = True
    errors = []
    with open_clip(clip) as old, open_clip(out) as new:
        for (x, y), before, after in zip(TILT, old.pictures(), new.pictures(), strict=True):
            assert (after.width, after.height) == (96, 96)
            assert (after.rgb()[16:80] == before.rgb()).all(), "the picture itself is untouched"
            for row in [*range(16), *range(80, 96)]:
                if 0 <= y - 16 + row < 160 and known[y - 16 + row, x : x + 96].all():
                    shown = after.rgb()[row].astype(int) - WIDE[y - 16 + row, x : x + 96]
                    errors.append(np.abs(shown).mean())
    assert np.mean(errors) < 12, "a guess would be about 40"
    assert report.unseen, "what no frame shows is told"


def test_what_is_pointed_at_is_not_carried_into_the_room(tmp_path: Path) -> None:
    clip = tmp_path / "sign.mp4"
    images = []
    for x, y in TILT[:10]:
        image = WIDE[y : y + 64, x : x + 96].copy()
        image[20:48, 30:74] = scene.sign()
        images.append(image)
    write_clip(clip, images, Fraction(25), crf=6)
    out, prompt = tmp_path / "tall.mp4", Prompt(box=Box(30, 20, 74, 48))
    wanted = {"aspect": "1:1", "way": "recompose", "background": "extend", "lossless": True}
    cleanplate.retarget(clip, out, prompt, **wanted, tracker="fixed")
    with open_clip(clip) as old, open_clip(out) as new:
        for before, after in zip(old.pictures(), new.pictures(), strict=True):
            assert (after.rgb()[16:80] == before.rgb()).all()
