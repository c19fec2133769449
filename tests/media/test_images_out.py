"""A folder of PNGs: upright, by index, as deep as the source, whole or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media_make import make_video, samples

from cleanplate.errors import InputError
from cleanplate.media.images import image_path, write_images
from cleanplate.media.numbering import image_names, index_of, span_by_index, typed_numbers
from cleanplate.media.read import open_clip


@pytest.fixture
def clip_path(tmp_path: Path) -> Path:
    return make_video(tmp_path / "in.mp4", count=5)


def test_each_picture_is_written_under_its_index(clip_path: Path, tmp_path: Path) -> None:
    clip = open_clip(clip_path)
    written = write_images(clip.pictures(2), tmp_path / "out")
    assert [p.name for p in written] == ["000002.png", "000003.png", "000004.png"]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [p.name for p in written]
    image = cv2.imread(str(written[0]), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(image[..., ::-1], next(clip.pictures(2)).rgb())


def test_finished_images_are_left_alone_on_request(clip_path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    clip = open_clip(clip_path)
    write_images(clip.pictures(0, 2), folder)
    image_path(folder, 1).write_bytes(b"mine")
    write_images(clip.pictures(), folder, overwrite=False)
    assert image_path(folder, 1).read_bytes() == b"mine"
    assert len(list(folder.iterdir())) == 5
    write_images(clip.pictures(), folder)
    assert image_path(folder, 1).read_bytes() != b"mine"


def test_a_turned_clip_is_written_upright(tmp_path: Path) -> None:
    quarter = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    clip = open_clip(make_video(tmp_path / "in.mp4", count=1, matrix=quarter))
    (path,) = write_images(clip.pictures(), tmp_path / "out")
    assert cv2.imread(str(path)).shape == (64, 48, 3)


@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "gbrp16le", "gray16le"])
def test_deep_sources_become_deep_images(tmp_path: Path, pixel_format: str) -> None:
    clip = open_clip(
        make_video(tmp_path / "in.mkv", codec="ffv1", pixel_format=pixel_format, count=1)
    )
    (path,) = write_images(clip.pictures(), tmp_path / "out")
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image.dtype == np.uint16
    picture = next(clip.pictures())
    if pixel_format == "gbrp16le":
        planes = samples(picture)
        assert np.array_equal(image, np.dstack([planes["b"], planes["g"], planes["r"]]))
    elif pixel_format == "gray16le":
        assert np.array_equal(image, samples(picture)["y"])
    else:
        assert np.abs(image[..., ::-1] / 257 - picture.rgb()).max() <= 1
        assert len(np.unique(image)) > 300


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_images_come_out_of_images_unchanged(tmp_path: Path, channels: int, kind: type) -> None:
    (tmp_path / "in").mkdir()
    dice = np.random.default_rng(channels)
    images = dice.integers(0, np.iinfo(kind).max, (2, 21, 33, channels), kind)
    for number, image in enumerate(images):
        cv2.imwrite(str(tmp_path / "in" / f"{number}.png"), image)
    clip = open_clip(tmp_path / "in", rate=Fraction(10))
    assert clip.info.has_alpha == (channels == 4)
    for image, path in zip(images, write_images(clip.pictures(), tmp_path / "out"), strict=True):
        found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(found.reshape(image.shape), image)


def test_a_gap_in_a_sequence_is_told_and_stays_in_its_times(tmp_path: Path) -> None:
    for number in (1001, 1002, 1004):
        cv2.imwrite(str(tmp_path / f"shot.{number}.png"), np.full((8, 8, 3), 90, np.uint8))
    clip = open_clip(tmp_path)
    assert [picture.time * 24 for picture in clip.pictures()] == [0, 1, 3]
    assert any("1 of its images are missing (1003)" in warning for warning in clip.warnings)
    assert image_names(tmp_path, 3) == ["shot.1001.png", "shot.1002.png", "shot.1004.png"]
    numbers = typed_numbers(tmp_path)
    assert numbers is not None
    assert index_of(1004, numbers) == 2
    with pytest.raises(InputError, match="Frame 1003 is not in the clip"):
        index_of(1003, numbers)
    assert span_by_index(numbers, "@1002", "@1004") == ("@1", "@2")


def test_images_in_float_are_said_to_become_sixteen_bits(tmp_path: Path) -> None:
    for number in range(2):
        encoder = av.CodecContext.create("exr", "w")
        encoder.width, encoder.height, encoder.pix_fmt = 16, 8, "gbrpf32le"
        encoder.time_base = Fraction(1, 24)
        frame = av.VideoFrame(16, 8, "gbrpf32le")
        for plane in frame.planes:
            np.frombuffer(plane, np.float32)[:] = 0.25 + number / 2
        (packet, *_) = [*encoder.encode(frame), *encoder.encode(None)]
        (tmp_path / f"{number}.exr").write_bytes(bytes(packet))
    clip = open_clip(tmp_path)
    (sentence,) = clip.warnings
    assert "floating-point samples (gbrpf32le)" in sentence
    assert "16 bits" in sentence
    (first, second) = write_images(clip.pictures(), tmp_path / "out")
    levels = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in (first, second)]
    assert [level.dtype for level in levels] == [np.uint16, np.uint16]
    assert levels[1].min() > levels[0].max()
