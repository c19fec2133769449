"""``relight``: lighter where asked, in the source's own samples, and nowhere else."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from cleanplate.errors import InputError
from cleanplate.media.layout import component_views
from cleanplate.media.picture import Picture
from cleanplate.media.read import open_clip
from cleanplate.media.relight import relight
from cleanplate.types import Box

WIDTH, HEIGHT = 48, 32


def picture_of(path: Path, pixel_format: str) -> Picture:
    """A picture of noise between dark and middle grey, losslessly stored."""
    deep = "10" in pixel_format or "16" in pixel_format
    noise = np.random.default_rng(0).integers(16, 110, (HEIGHT, WIDTH, 3))
    image = (noise * 257).astype(np.uint16) if deep else noise.astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixel_format
        frame = av.VideoFrame.from_ndarray(image, format="rgb48le" if deep else "rgb24")
        container.mux(stream.encode(frame.reformat(format=pixel_format)))
        container.mux(stream.encode(None))
    with open_clip(path) as clip:
        return next(iter(clip.pictures()))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le", "yuv444p", "gray", "bgr0"])
def test_light_doubles_in_the_box_and_nothing_else_changes(
    pixel_format: str, tmp_path: Path
) -> None:
    picture = picture_of(tmp_path / "clip.mkv", pixel_format)
    box = Box(8, 4, 32, 20)
    gain = np.ones((box.height, box.width, 3), np.float32)
    gain[4:12, 4:20] = 2
    lit = relight(picture, gain, box)
    before, after = picture.rgb().astype(int), lit.rgb().astype(int)
    # Chroma is shared by pixels: their mean is what doubles.
    assert abs(after[8:16, 12:28].mean() / before[8:16, 12:28].mean() - 2) < 0.02
    layout = picture.palette.layout
    old, new = component_views(picture.frame, layout), component_views(lit.frame, layout)
    for component in layout.components:
        outside = np.ones(old[component.role].shape, bool)
        across, down = component.x_shift, component.y_shift
        outside[8 >> down : 16 >> down, 12 >> across : 28 >> across] = False
        assert np.array_equal(old[component.role][outside], new[component.role][outside])


def test_ten_bits_stay_ten_bits(tmp_path: Path) -> None:
    picture = picture_of(tmp_path / "clip.mkv", "yuv420p10le")
    gain = np.full((HEIGHT, WIDTH, 3), 1.1, np.float32)
    lit = relight(picture, gain, Box(0, 0, WIDTH, HEIGHT))
    luma = component_views(lit.frame, lit.palette.layout)["y"].astype(int)
    source = component_views(picture.frame, picture.palette.layout)["y"].astype(int)
    assert lit.frame.format.name == "yuv420p10le"
    assert np.abs(luma - 64 - 1.1 * (source - 64)).max() <= 2


def test_a_gain_that_does_not_fit_its_box_is_said(tmp_path: Path) -> None:
    picture = picture_of(tmp_path / "clip.mkv", "yuv420p")
    with pytest.raises(InputError, match="expected"):
        relight(picture, np.ones((4, 4, 3), np.float32), Box(0, 0, 8, 8))
    with pytest.raises(InputError, match="reaches out"):
        relight(picture, np.ones((8, 8, 3), np.float32), Box(44, 0, 52, 8))
