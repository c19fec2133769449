"""A picture's RGB, and fills in the source's own samples."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from media_make import make_frame, samples

from cleanplate.errors import InputError
from cleanplate.media.colour import from_rgb, to_rgb
from cleanplate.media.composite import Patch, composite
from cleanplate.media.layout import component_views, find_layout, viewable_format
from cleanplate.media.orientation import Orientation, make_matrix, read_orientation
from cleanplate.media.picture import FrameCopier, Picture, make_palette
from cleanplate.types import Box

FORMATS = [
    *("yuv420p", "yuv422p", "yuv444p", "yuv411p", "yuv410p", "yuv440p", "yuvj420p", "yuvj444p"),
    *("yuv420p10le", "yuv422p10le", "yuv444p12le", "yuv444p16le", "gray", "gray10le", "gray16le"),
    *("gray16be", "ya8", "gbrp", "gbrp10le", "gbrap", "rgb24", "bgr24", "rgba", "bgra", "bgr0"),
    *("argb", "rgb48le", "rgb48be", "rgba64le", "nv12", "nv21", "nv16", "p010le", "yuyv422"),
    *("uyvy422", "yuva420p", "yuva444p10le", "yuva422p"),
]
SIZES = [(48, 36), (53, 37), (16, 16), (17, 19)]
ORIENTATIONS = [Orientation(t, x, y) for t in (0, 1) for x in (0, 1) for y in (0, 1)]


def make_picture(
    pixel_format: str = "yuv420p",
    size: tuple[int, int] = (48, 36),
    orientation: Orientation | None = None,
    matrix: int = 1,
) -> Picture:
    frame = make_frame(3, *size, pixel_format)
    frame.pts, frame.time_base = 7, Fraction(1, 24)
    frame.colorspace = matrix
    palette = make_palette(frame, orientation or Orientation(), FrameCopier())
    return Picture(7, Fraction(7, 24), Fraction(1, 24), frame, palette)


def covered(picture: Picture, alpha: np.ndarray, role: str) -> np.ndarray:
    """Samples of ``role`` that any pixel with alpha above 0 touches, worked out one by one."""
    palette = picture.palette
    stored = palette.orientation.stored(alpha)
    component = next(c for c in palette.layout.components if c.role == role)
    touched = np.zeros(samples(picture)[role].shape, bool)
    for y, x in zip(*np.nonzero(stored), strict=True):
        touched[y >> component.y_shift, x >> component.x_shift] = True
    return touched


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("pixel_format", FORMATS)
def test_a_fill_changes_only_the_samples_under_its_alpha(
    pixel_format: str, size: tuple[int, int]
) -> None:
    picture = make_picture(pixel_format, size)
    before = samples(picture)
    box = Box(3, 5, size[0], size[1] - 2)
    alpha = np.zeros((box.height, box.width), np.float32)
    alpha[2:-1, 3:] = np.linspace(0, 1, alpha.shape[1] - 3, dtype=np.float32)
    image = np.full((box.height, box.width, 3), (210, 40, 90), np.uint8)
    filled = samples(composite(picture, [Patch(box, image, alpha)]))
    whole = np.zeros((size[1], size[0]), np.float32)
    whole[box.slices] = alpha
    for role, old in before.items():
        touched = covered(picture, whole, role) & (role != "a")
        assert np.array_equal(filled[role][~touched], old[~touched]), role
        if role != "a":
            assert (filled[role][touched] != old[touched]).any(), role
    for role, view in samples(picture).items():
        assert np.array_equal(view, before[role]), "the picture itself has changed"


@pytest.mark.parametrize("pixel_format", FORMATS)
def test_an_opaque_fill_is_read_back_as_it_was_written(pixel_format: str) -> None:
    picture = make_picture(pixel_format)
    box = Box(8, 8, 40, 32)
    color = (90, 90, 90) if picture.palette.layout.is_gray else (180, 70, 120)
    image = np.full((box.height, box.width, 3), color, np.uint8)
    alpha = np.ones((box.height, box.width), np.float32)
    back = composite(picture, [Patch(box, image, alpha)]).rgb(box)
    assert np.abs(back.astype(int) - image).max() <= 2


@pytest.mark.parametrize("full_range", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9, 8])
@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_colours_that_rgb_holds_make_the_round_trip_within_two_steps(
    pixel_format: str, matrix: int, full_range: bool
) -> None:
    picture = make_picture(pixel_format, matrix=matrix)
    layout = picture.palette.layout
    picture.frame.color_range = 2 if full_range else 1
    forward = from_rgb(matrix, layout.bits, full_range)
    colors = np.random.default_rng(1).integers(8, 248, (9, 12, 3)).repeat(4, 0).repeat(4, 1)
    codes = np.rint(colors @ forward[:, :3].T + forward[:, 3])
    for number, c in enumerate(layout.components):
        view = component_views(picture.frame, layout)[c.role]
        view[...] = codes[:: 1 << c.y_shift, :: 1 << c.x_shift, number]
    palette = make_palette(picture.frame, Orientation(), FrameCopier())
    picture = Picture(0, Fraction(0), None, picture.frame, palette)
    before = samples(picture)
    whole = Box(0, 0, 48, 36)
    patch = Patch(whole, picture.rgb(), np.ones((36, 48), np.float32))
    after = samples(composite(picture, [patch]))
    for role, old in before.items():
        step = 1 << (layout.bits - 8)
        assert np.abs(after[role].astype(int) - old).max() <= 2 * step, role


def test_the_matrices_are_those_of_the_standards() -> None:
    white = from_rgb(1, 8, False) @ [255, 255, 255, 1]
    black = from_rgb(1, 10, False) @ [0, 0, 0, 1]
    red = from_rgb(6, 8, False) @ [255, 0, 0, 1]
    assert np.allclose(white, [235, 128, 128])
    assert np.allclose(black, [64, 512, 512])
    assert np.allclose(red, [81.481, 90.203, 240], atol=0.01)
    assert np.allclose(to_rgb(9, 8, True) @ [255, 128, 128, 1], [255, 255, 255])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("pixel_format", ["yuv420p", "rgb24"])
def test_a_region_is_the_same_as_that_part_of_the_whole_picture(
    pixel_format: str, orientation: Orientation
) -> None:
    picture = make_picture(pixel_format, (53, 37), orientation)
    whole = picture.rgb()
    assert whole.shape == (picture.height, picture.width, 3)
    for box in (Box(0, 0, 1, 1), Box(3, 5, 18, 24), Box(7, 8, picture.width, picture.height)):
        assert np.array_equal(picture.rgb(box), whole[box.slices])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_fill_lands_where_it_is_seen_however_the_picture_is_turned(
    orientation: Orientation,
) -> None:
    picture = make_picture("yuv444p", (53, 37), orientation)
    box = Box(4, 6, 15, 27)
    image = np.zeros((box.height, box.width, 3), np.uint8)
    image[..., 0] = np.linspace(60, 200, box.width)
    image[..., 1] = np.linspace(60, 200, box.height)[:, None]
    image[..., 2] = 128
    seen = composite(
        picture, [Patch(box, image, np.ones((box.height, box.width), np.float32))]
    ).rgb()
    assert np.abs(seen[box.slices].astype(int) - image).max() <= 3
    outside = np.ones(seen.shape[:2], bool)
    outside[box.slices] = False
    assert np.array_equal(seen[outside], picture.rgb()[outside])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_an_orientation_survives_its_display_matrix(orientation: Orientation) -> None:
    found = read_orientation(make_matrix(orientation))
    assert found == orientation
    seen = orientation.upright(np.arange(12).reshape(3, 4))
    assert np.array_equal(orientation.stored(seen), np.arange(12).reshape(3, 4))


def test_a_quarter_turn_clockwise_is_that() -> None:
    clockwise = read_orientation((0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30))
    assert clockwise is not None
    stored = np.array([[1, 2], [3, 4]])
    assert np.array_equal(clockwise.upright(stored), np.rot90(stored, -1))
    assert clockwise.rotation == 90


def test_a_slanted_display_matrix_is_no_orientation() -> None:
    assert read_orientation((46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30)) is None


def test_half_an_alpha_is_half_the_way() -> None:
    picture = make_picture("gray")
    box = Box(0, 0, 48, 36)
    image = np.full((36, 48, 3), 200, np.uint8)
    half = composite(picture, [Patch(box, image, np.full((36, 48), 0.5, np.float32))])
    expected = samples(picture)["y"] * 0.5 + 100
    assert np.abs(samples(half)["y"] - expected).max() <= 1


def test_later_patches_lie_on_top() -> None:
    picture = make_picture("rgb24")
    box, one = Box(4, 4, 12, 12), np.ones((8, 8), np.float32)
    red, blue = (np.full((8, 8, 3), c, np.uint8) for c in ((255, 0, 0), (0, 0, 255)))
    seen = composite(picture, [Patch(box, red, one), Patch(box, blue, one)]).rgb(box)
    assert np.array_equal(seen, blue)


def test_no_alpha_is_no_copy() -> None:
    picture = make_picture()
    patch = Patch(Box(0, 0, 4, 4), np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.float32))
    assert composite(picture, [patch]) is picture


def test_a_patch_outside_the_picture_is_refused_with_both_sizes() -> None:
    picture = make_picture()
    patch = Patch(Box(40, 0, 50, 4), np.zeros((4, 10, 3), np.uint8), np.ones((4, 10), np.float32))
    with pytest.raises(InputError, match=r"40,0,50,4 .* 48x36"):
        composite(picture, [patch])
    with pytest.raises(InputError, match=r"40,0,50,4 .* 48x36"):
        picture.rgb(Box(40, 0, 50, 4))


def test_a_patch_whose_arrays_do_not_fit_its_box_is_refused() -> None:
    with pytest.raises(InputError, match=r"\(4, 4, 3\)"):
        Patch(Box(0, 0, 4, 4), np.zeros((4, 5, 3), np.uint8), np.zeros((4, 4), np.float32))


def test_rgb_is_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        make_picture().rgb()[0, 0, 0] = 1


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_small_grey_picture_is_upright_and_like_the_large_one(
    orientation: Orientation,
) -> None:
    picture = make_picture("yuv420p", (96, 64), orientation)
    small = picture.luma_small(24)
    assert small.dtype == np.uint8
    assert small.shape == (round(24 * picture.height / picture.width), 24)
    large = cv2.cvtColor(picture.rgb(), cv2.COLOR_RGB2GRAY)
    expected = cv2.resize(large, small.shape[::-1], interpolation=cv2.INTER_AREA)
    assert np.corrcoef(small.ravel(), expected.ravel())[0, 1] > 0.95


@pytest.mark.parametrize("name", ["pal8", "monob", "rgb565le", "grayf32le", "rgb8", "xyz12le"])
def test_formats_without_a_view_have_one_that_holds_them(name: str) -> None:
    assert find_layout(name) is None
    assert find_layout(viewable_format(name)) is not None


def test_one_picture_of_8k_is_filled_at_a_small_price() -> None:
    frame = av.VideoFrame(7680, 4320, "yuv420p")
    for plane in frame.planes:
        np.frombuffer(plane, np.uint8)[:] = 120
    frame.pts, frame.time_base = 0, Fraction(1, 24)
    palette = make_palette(frame, Orientation(), FrameCopier())
    picture = Picture(0, Fraction(0), None, frame, palette)
    box = Box(7000, 4000, 7200, 4100)
    image = np.full((100, 200, 3), 77, np.uint8)
    filled = composite(picture, [Patch(box, image, np.ones((100, 200), np.float32))])
    assert np.abs(filled.rgb(box).astype(int) - 77).max() <= 2
    assert np.array_equal(filled.rgb(Box(0, 0, 64, 64)), picture.rgb(Box(0, 0, 64, 64)))
