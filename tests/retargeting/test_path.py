"""The path of a crop goes to a file and comes back, corrected by hand or by another program."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cleanplate.errors import InputError
from cleanplate.media.read import open_clip
from cleanplate.media.survey import Span, Survey
from cleanplate.retargeting.path import CropPath, glide, read_path, settled, write_path
from cleanplate.retargeting.shape import Shape, crop_size
from cleanplate.types import VideoInfo

COUNT = 40
SHAPE = Shape(Fraction(3, 4))


@pytest.fixture
def info(scene_clip: Path) -> VideoInfo:
    with open_clip(scene_clip) as clip:
        return clip.info


@pytest.fixture
def survey() -> Survey:
    ones = np.ones(COUNT, np.int64)
    return Survey(np.arange(COUNT) * 2, 50 * ones, np.array([25]), ())


def whole(survey: Survey) -> Span:
    return Span(0, survey.count, survey.shots)


def written(file: Path, entries: list[dict[str, object]]) -> Path:
    file.write_text(json.dumps({"frames": entries}))
    return file


def test_a_path_comes_back_as_it_was(tmp_path: Path, info: VideoInfo, survey: Survey) -> None:
    corners = np.stack([np.linspace(0, 96, COUNT), np.zeros(COUNT)], axis=1)
    write_path(tmp_path / "path.json", CropPath(0, corners, 96, 128), survey, info)
    path, size = read_path(tmp_path / "path.json", SHAPE, survey, whole(survey), info)
    assert np.abs(path.corners - corners).max() < 0.001
    assert (size.width, size.height, size.is_scaled) == (96, 128, False)
    told = json.loads((tmp_path / "path.json").read_text())
    assert told["frames"][10] == {"frame": 10, "time": 0.4, "box": [24.615, 0.0, 120.615, 128.0]}


def test_frames_left_out_are_glided_through(
    tmp_path: Path, info: VideoInfo, survey: Survey
) -> None:
    file = written(
        tmp_path / "keys.json",
        [
            {"frame": 5, "box": [10, 0, 106, 128]},
            {"time": 0.8, "box": [50, 0, 146, 128]},  # frame 20
            {"frame": 30, "box": [80, 0, 176, 128]},  # behind the cut
        ],
    )
    path, _ = read_path(file, SHAPE, survey, whole(survey), info)
    places = path.corners[:, 0]
    assert (places[:6] == 10).all()
    assert (places[20:25] == 50).all(), "it stands to the end of the shot"
    assert (places[25:] == 80).all()
    assert (np.diff(places[5:21]) >= 0).all()
    assert np.diff(places)[5] < np.diff(places)[12], "it begins gently"


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([{"frame": 0, "box": [100, 0, 196, 128]}], "reaches out of the picture of 192x128"),
        ([{"frame": 0, "box": [0, 0, 96]}], "expected"),
        ([{"frame": 0, "box": [0, 0, 96, float("nan")]}], "expected"),
        ([{"frame": 99, "box": [0, 0, 96, 128]}], "the clip has 40 frames"),
        ([{"box": [0, 0, 96, 128]}], "expected"),
        ([], "holds no frame"),
        ([{"frame": 0, "box": [0, 0, 128, 128]}], "the shape asked for would be 96x128"),
        (
            [{"frame": 0, "box": [0, 0, 96, 128]}, {"frame": 9, "box": [0, 0, 48, 64]}],
            "must all have one size",
        ),
    ],
)
def test_a_path_that_does_not_fit_is_refused(
    tmp_path: Path, info: VideoInfo, survey: Survey, entries: list[dict[str, object]], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_path(written(tmp_path / "p.json", entries), SHAPE, survey, whole(survey), info)


def test_a_curve_through_keys_never_goes_beyond_them() -> None:
    keys, values = np.array([0.0, 1, 2, 5]), np.array([0.0, 10, 10, 100])
    times = np.linspace(-1, 6, 500)
    curve = glide(times, keys, values)
    assert curve[0] == 0
    assert curve[-1] == 100
    assert (np.diff(curve) >= -1e-9).all()
    assert np.abs(curve[(times > 1) & (times < 2)] - 10).max() < 1e-9


def test_a_standing_camera_stands_at_whole_samples_and_nothing_jumps() -> None:
    pan = np.concatenate([np.full(20, 10.7), 10.7 + 1.7 * np.arange(1, 21), np.full(20, 44.7)])
    made = settled(pan, 2, 100)
    assert (made[:20] == 10).all()
    assert (made[-20:] == 44).all()
    assert np.abs(np.diff(made, 2)).max() < np.abs(np.diff(pan, 2)).max() + 0.1


@pytest.mark.parametrize(
    ("aspect", "size", "words"),
    [
        (None, None, "No shape is asked for"),
        ("9:0", None, "is no aspect"),
        ("tall", None, "is no aspect"),
        ("30:1", None, "more than ten to one"),
        (None, "1080", "is no size"),
        (None, "1081x1920", "must be even"),
        ("16:9", "1080x1920", "is not 16:9"),
    ],
)
def test_a_shape_that_is_none_is_refused(aspect: str | None, size: str | None, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Shape.parse(aspect, size)


@pytest.mark.parametrize(
    ("size", "pixel", "rotation", "aspect", "zoom", "wanted"),
    [
        ((1920, 1080), 1, 0, "9:16", 1, (608, 1080)),
        ((1920, 1080), 1, 0, "1:1", 2, (540, 540)),
        ((1920, 1080), 1, 0, "2.39", 1, (1920, 804)),
        ((720, 576), Fraction(16, 15), 0, "1:1", 1, (540, 576)),
        ((1080, 1920), 1, 90, "16:9", 1, (1080, 608)),
        ((576, 720), Fraction(16, 15), 90, "1:1", 1, (576, 540)),
        ((853, 481), 1, 0, "9:16", 1, (270, 480)),
    ],
)
def test_the_largest_part_of_the_shape_is_cut_out_in_even_sizes(
    info: VideoInfo,
    size: tuple[int, int],
    pixel: Fraction,
    rotation: int,
    aspect: str,
    zoom: float,
    wanted: tuple[int, int],
) -> None:
    clip = replace(
        info,
        width=size[0],
        height=size[1],
        sample_aspect_ratio=Fraction(pixel),
        rotation=rotation,
    )
    made = crop_size(Shape.parse(aspect, None), clip, zoom)
    assert (made.width, made.height) == wanted
