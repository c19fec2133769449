"""Pictures as cameras write them: with EXIF data, whose orientation counts in sequences too."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from media_make import make_frame

from cleanplate.errors import MediaError
from cleanplate.media.picture import Picture
from cleanplate.media.read import open_clip


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(path: Path, image: np.ndarray, orientation: int) -> Path:
    """A PNG with an eXIf chunk (PNG 1.5): TIFF's byte order, one directory of two tags."""
    height, width = image.shape[:2]
    maker = struct.pack(">HHI4s", 0x010F, 2, 4, b"Cam\0")
    turned = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"MM\0*" + struct.pack(">IH", 8, 2) + maker + turned + struct.pack(">I", 0)
    rows = b"".join(b"\0" + row.tobytes() for row in image)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"eXIf", exif), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks))
    return path


# What EXIF 2.3, 4.6.4 A, says of the stored picture for each value of the tag.
_UPRIGHT = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: stored[::-1].swapaxes(0, 1),
    7: lambda stored: stored[::-1, ::-1].swapaxes(0, 1),
    8: lambda stored: stored[:, ::-1].swapaxes(0, 1),
}


def _image() -> np.ndarray:
    return make_frame(0, 32, 20, "rgb24").to_ndarray()


@pytest.mark.parametrize("orientation", _UPRIGHT)
def test_a_picture_with_exif_data_is_shown_upright(tmp_path: Path, orientation: int):
    path = _png(tmp_path / "one.png", _image(), orientation)
    with open_clip(path) as clip:
        shown = next(iter(clip.pictures())).rgb()
    expected = _UPRIGHT[orientation](_image())
    assert (clip.info.height, clip.info.width) == expected.shape[:2]
    np.testing.assert_array_equal(shown, expected)


def test_a_sequence_with_exif_data_is_shown_upright(tmp_path: Path):
    for number in range(3):
        _png(tmp_path / f"{number:03d}.png", _image(), 6)
    with open_clip(tmp_path) as clip:
        pictures: list[Picture] = list(clip.pictures())
    assert [picture.rgb().shape for picture in pictures] == [(32, 20, 3)] * 3


def test_images_turned_apart_are_refused_by_name(tmp_path: Path):
    _png(tmp_path / "000.png", _image(), 6)
    _png(tmp_path / "001.png", _image(), 1)
    with open_clip(tmp_path) as clip, pytest.raises(MediaError, match=r"001\.png is turned"):
        list(clip.pictures())
