"""A part is cut out of pictures in their own samples, and smoothly where it lies between them."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_make import make_video

from cleanplate import api
from cleanplate.errors import InputError
from cleanplate.media.crop import Cropper, CropSize, reshaped
from cleanplate.media.layout import component_views
from cleanplate.media.orientation import Orientation, make_matrix
from cleanplate.media.picture import Picture
from cleanplate.media.read import open_clip

INTERLACED = (1 << 18) | (1 << 29)  # flags of encoders: interlaced DCT and motion estimation
LOSSLESS = {"yuv420p": "libx264", "yuv422p10le": "libx264", "yuv444p": "libx264", "gray": "ffv1"}
LOSSLESS |= {"gbrp10le": "ffv1", "yuva420p": "ffv1", "yuv411p": "ffv1"}


def first(path: Path) -> Picture:
    with open_clip(path) as clip:
        return next(clip.pictures())


def size(width: int, height: int, out: tuple[int, int] | None = None) -> CropSize:
    return CropSize(width, height, *(out or (width, height)))


def samples(picture: Picture) -> dict[str, np.ndarray]:
    return component_views(picture.frame, picture.palette.layout)


@pytest.mark.parametrize("pixel_format", LOSSLESS)
def test_whole_samples_are_the_source_s_bit_for_bit(tmp_path: Path, pixel_format: str) -> None:
    codec = LOSSLESS[pixel_format]
    picture = first(
        make_video(tmp_path / "in.mkv", codec=codec, pixel_format=pixel_format, count=2)
    )
    cut = Cropper(size(24, 32)).crop(picture, 16, 8)
    assert (cut.width, cut.height, cut.time) == (24, 32, picture.time)
    for component in picture.palette.layout.components:
        x, y = 16 >> component.x_shift, 8 >> component.y_shift
        made, old = samples(cut)[component.role], samples(picture)[component.role]
        assert (made == old[y : y + made.shape[0], x : x + made.shape[1]]).all()


@pytest.mark.parametrize(("pixel_format", "unit"), [("yuv420p", 1), ("yuv422p10le", 4)])
def test_what_lies_between_samples_is_interpolated_evenly(
    tmp_path: Path, pixel_format: str, unit: int
) -> None:
    """A part that glides over a smooth picture shows it at just those places."""
    picture = first(make_video(tmp_path / "in.mkv", pixel_format=pixel_format, count=2))
    luma = samples(picture)["y"]
    across = np.arange(luma.shape[1])
    luma[...] = np.rint(unit * (128 + 60 * np.sin(across / 5)))[None, :]
    cropper = Cropper(size(32, 48))
    for x in (4.25, 9.5, 11.8125, 31.75):
        made = samples(cropper.crop(picture, x, 0))["y"].astype(float)
        wanted = unit * (128 + 60 * np.sin((x + np.arange(32)) / 5))
        # At the side of the picture what lies beyond is not known.
        inner = slice(None, -3) if x > 30 else slice(None)
        assert np.abs(made - wanted)[:, inner].max() < 1.2 * unit, x
        assert (made == made[0]).all(), "rows do not mix"


@pytest.mark.parametrize(
    "orientation",
    [
        Orientation(True, True, False),
        Orientation(False, True, True),
        Orientation(True, False, True),
    ],
)
def test_a_turned_picture_is_cut_where_it_is_seen(tmp_path: Path, orientation: Orientation) -> None:
    path = make_video(tmp_path / "in.mp4", count=2, matrix=make_matrix(orientation))
    picture = first(path)
    with open_clip(path) as clip:
        info = reshaped(clip.info, size(20, 24))
    cut = Cropper(size(20, 24)).crop(picture, 6, 10)
    assert (cut.rgb() == picture.rgb()[10:34, 6:26]).all()
    stored = (cut.frame.width, cut.frame.height)
    assert (info.coded_width, info.coded_height) == stored
    assert (info.width, info.height) == (20, 24)


def test_the_part_is_scaled_where_a_size_is_asked_for(tmp_path: Path) -> None:
    path = make_video(tmp_path / "in.mkv", count=2, aspect=Fraction(4, 3))
    picture, wanted = first(path), size(24, 32, (48, 64))
    cut = Cropper(wanted).crop(picture, 16, 8)
    assert (cut.width, cut.height) == (48, 64)
    small, large = picture.rgb()[8:40, 16:40].astype(float), cut.rgb().astype(float)
    means = large.reshape(32, 2, 24, 2, 3).mean(axis=(1, 3))
    assert np.abs(means - small).mean() < 3
    with open_clip(path) as clip:
        assert reshaped(clip.info, wanted).sample_aspect_ratio == 1
        assert reshaped(clip.info, size(24, 32)).sample_aspect_ratio == Fraction(4, 3)


def test_a_part_that_reaches_out_of_the_picture_is_refused(tmp_path: Path) -> None:
    picture = first(make_video(tmp_path / "in.mkv", count=2))
    with pytest.raises(InputError, match="reaches out of the picture of 64x48"):
        Cropper(size(24, 32)).crop(picture, 41, 0)


def test_fields_are_not_mixed(tmp_path: Path) -> None:
    """Of two fields, rows stay rows of their own field wherever the crop goes."""
    source = make_video(
        tmp_path / "in.mp4", size=(64, 64), count=6, flags=INTERLACED, field_order=2
    )
    keys = [{"frame": 0, "box": [0, 3, 64, 35]}, {"frame": 5, "box": [0, 21, 64, 53]}]
    (tmp_path / "path.json").write_text(json.dumps({"frames": keys}))
    out = tmp_path / "out.mp4"
    report = api.retarget(source, out, aspect="2:1", path=tmp_path / "path.json", lossless=True)
    rows = [box[1] for box in report.boxes]
    assert all(row % 4 == 0 for row in rows)
    with open_clip(source) as old, open_clip(out) as new:
        assert new.info.field_order == old.info.field_order == "top first"
        for before, after, row in zip(old.pictures(), new.pictures(), rows, strict=True):
            y = int(row)
            assert (samples(after)["y"] == samples(before)["y"][y : y + 32]).all()


def test_ten_bits_tags_and_pixel_aspect_are_kept(tmp_path: Path) -> None:
    color = {"color_primaries": 9, "color_trc": 16, "colorspace": 9}
    source = make_video(
        *(tmp_path / "in.mkv",), pixel_format="yuv420p10le", codec="libx265", count=6,
        aspect=Fraction(4, 3), color=color, metadata={"title": "Ten"}, audio=0.2,
    )  # fmt: skip
    out = tmp_path / "out.mkv"
    api.retarget(source, out, aspect="1:1", lossless=True, captions="ignore")
    with open_clip(source) as old, open_clip(out) as new:
        assert new.info.pixel_format == "yuv420p10le"
        for name in ("primaries", "transfer", "matrix", "sample_aspect_ratio"):
            assert getattr(new.info, name) == getattr(old.info, name), name
        assert ("title", "Ten") in new.info.metadata
        assert [s.codec for s in new.info.streams] == [s.codec for s in old.info.streams]
        assert (new.info.width, new.info.height) == (36, 48), "4:3 pixels make a square of it"
