from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.errors import CleanplateError, InputError, MaskError
from cleanplate.media.mask_files import (
    numbered,
    open_masks,
    read_mask_image,
)
from cleanplate.media.mask_track import is_mask_track, read_mask_track, write_mask_track
from cleanplate.media.mask_writing import write_mask_folder, write_mask_image
from cleanplate.media.new_clip import write_clip
from cleanplate.media.numbering import frame_numbers

SIZE = (45, 31)  # width, height: odd on purpose


def ids(count: int) -> list[np.ndarray]:
    masks = []
    for index in range(count):
        mask = np.zeros(SIZE[::-1], np.uint8)
        mask[4:12, 3 + index : 9 + index] = 1
        mask[20:30, 30:40] = 200
        masks.append(mask)
    return masks


def read_all(path: Path, count: int) -> list[np.ndarray]:
    return list(open_masks(path, range(count), *SIZE).read(0))


def assert_equal(found: list[np.ndarray], wanted: list[np.ndarray]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_mask_track_keeps_every_id_of_every_pixel(tmp_path: Path) -> None:
    path = tmp_path / "masks.mkv"
    times = (Fraction(index * 1001, 30000) for index in range(7))
    assert write_mask_track(path, zip(times, ids(7), strict=True), Fraction(30000, 1001)) == 7
    assert is_mask_track(path)
    assert_equal(read_all(path, 7), ids(7))
    assert_equal(list(read_mask_track(path, 4)), ids(7)[4:])


def test_a_folder_of_palette_pngs_keeps_every_id(tmp_path: Path) -> None:
    assert write_mask_folder(tmp_path / "masks", ids(4)) == 4
    assert_equal(read_all(tmp_path / "masks", 4), ids(4))


@pytest.mark.parametrize("high", [1, 255])
def test_grey_pngs_with_two_values_are_binary(tmp_path: Path, high: int) -> None:
    mask = (ids(1)[0] > 0).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "m.png"), mask * high)
    np.testing.assert_array_equal(read_mask_image(tmp_path / "m.png"), mask)


def test_grey_pngs_with_object_ids_keep_them(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "m.png"), ids(1)[0])
    np.testing.assert_array_equal(read_mask_image(tmp_path / "m.png"), ids(1)[0])


def test_white_on_black_in_rgb_is_a_mask_and_colours_are_not(tmp_path: Path) -> None:
    mask = (ids(1)[0] > 0).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "grey.png"), np.dstack([mask * 255] * 3))
    np.testing.assert_array_equal(read_mask_image(tmp_path / "grey.png"), mask)
    cv2.imwrite(str(tmp_path / "red.png"), np.dstack([mask * 0, mask * 0, mask * 255]))
    with pytest.raises(MaskError, match="colour picture"):
        read_mask_image(tmp_path / "red.png")


def test_a_picture_is_no_mask(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(200, dtype=np.uint8), (20, 1))
    cv2.imwrite(str(tmp_path / "ramp.png"), ramp)
    with pytest.raises(MaskError, match="200 different values"):
        read_mask_image(tmp_path / "ramp.png")


def test_one_png_serves_all_frames(tmp_path: Path) -> None:
    write_mask_image(tmp_path / "m.png", ids(1)[0])
    masks = open_masks(tmp_path / "m.png", range(5), *SIZE)
    assert masks.constant is not None
    assert_equal(list(masks.read(0)), [ids(1)[0]] * 5)


@pytest.mark.parametrize("form", ["stack", "each", "single"])
def test_arrays_in_an_npz_are_masks(tmp_path: Path, form: str) -> None:
    path = tmp_path / "m.npz"
    masks = ids(3)
    if form == "stack":
        np.savez(path, masks=np.stack(masks))
    elif form == "each":
        np.savez(path, **{f"{i:03d}": mask for i, mask in enumerate(masks)})  # type: ignore[arg-type]
    else:
        np.savez(path, masks[0])
    assert_equal(read_all(path, 3), [masks[0]] * 3 if form == "single" else masks)


def test_a_lossy_black_and_white_video_is_masks(tmp_path: Path) -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[10:30, 20:40] = 1
    write_clip(tmp_path / "m.mp4", [np.dstack([mask * 255] * 3)] * 4, Fraction(25))
    masks = list(open_masks(tmp_path / "m.mp4", range(4), 64, 48).read(0))
    assert_equal(masks, [mask] * 4)


def test_a_wrong_count_names_both(tmp_path: Path) -> None:
    write_mask_folder(tmp_path / "masks", ids(4))
    with pytest.raises(MaskError, match=r"holds 4 masks and the clip has 6 frames"):
        open_masks(tmp_path / "masks", range(6), *SIZE)
    path = tmp_path / "masks.mkv"
    write_mask_track(path, ((Fraction(i), mask) for i, mask in enumerate(ids(4))), Fraction(1))
    with pytest.raises(MaskError, match=r"holds 4 masks and the clip has 6 frames"):
        read_all(path, 6)


def test_a_wrong_size_names_both(tmp_path: Path) -> None:
    write_mask_image(tmp_path / "m.png", ids(1)[0])
    with pytest.raises(MaskError, match=r"45x31 and the clip is 64x48"):
        open_masks(tmp_path / "m.png", range(2), 64, 48)


def test_files_are_matched_by_number_and_never_shifted(tmp_path: Path) -> None:
    masks = ids(3)
    for index, mask in enumerate(masks):
        write_mask_image(tmp_path / "a" / f"clip2_{index}_mask.png", mask)
        write_mask_image(tmp_path / "b" / f"{index + 1:05d}.png", mask)
    assert_equal(read_all(tmp_path / "a", 3), masks)
    with pytest.raises(
        MaskError, match="numbered 1 to 3 and the clip's frames are numbered 0 to 2"
    ):
        read_all(tmp_path / "b", 3)
    assert_equal(list(open_masks(tmp_path / "b", [1, 2, 3], *SIZE).read(0)), masks)


def test_the_number_is_the_group_of_digits_that_tells_files_apart() -> None:
    assert numbered(["v2_f9.png", "v2_f10.png"]) == {9: "v2_f9.png", 10: "v2_f10.png"}
    assert numbered(["7_v2.png", "08_v2.png"]) == {7: "7_v2.png", 8: "08_v2.png"}
    with pytest.raises(MaskError, match="holds no frame number"):
        numbered(["first.png"])


def test_a_folder_of_images_has_the_numbers_of_its_files(tmp_path: Path) -> None:
    for number in (3, 10, 4):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    assert list(frame_numbers(tmp_path, 3)) == [3, 4, 10]
    assert list(frame_numbers(tmp_path / "3.png", 1)) == [0]


def test_what_is_not_there_or_holds_nothing_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There are no masks at"):
        open_masks(tmp_path / "none", range(3), *SIZE)
    with pytest.raises(InputError, match="holds no PNG"):
        open_masks(tmp_path, range(3), *SIZE)


@pytest.mark.parametrize("name", ["m.mkv", "m.mp4", "m.npz", "m.png", "m.txt"])
@pytest.mark.parametrize("content", [b"", b"no masks at all " * 99, bytes(range(256)) * 20])
def test_what_is_no_mask_file_is_one_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(CleanplateError, match=name):
        read_all(path, 3)


def test_a_truncated_mask_track_is_named(tmp_path: Path) -> None:
    path = tmp_path / "masks.mkv"
    write_mask_track(path, ((Fraction(i), mask) for i, mask in enumerate(ids(9))), Fraction(1))
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(MaskError, match=r"masks\.mkv (holds|are damaged)"):
        read_all(path, 9)


@pytest.mark.parametrize(
    "arrays",
    [
        [],
        [np.zeros((31, 45), np.uint8), np.zeros((9, 9), np.uint8)],
        [np.array([{}], dtype=object)],
        [np.full((3, 31, 45), 0.5)],
        [np.full((3, 31, 45), np.nan)],
        [np.full((3, 31, 45), -1)],
        [np.full((3, 31, 45), "x")],
        [np.zeros((3, 31, 45, 3), np.uint8)],
    ],
)
def test_arrays_that_are_no_masks_are_refused(tmp_path: Path, arrays: list[np.ndarray]) -> None:
    np.savez(tmp_path / "m.npz", *arrays)
    with pytest.raises(MaskError, match=r"m\.npz"):
        read_all(tmp_path / "m.npz", 3)


def test_hidden_files_beside_masks_are_left_alone(tmp_path: Path) -> None:
    write_mask_folder(tmp_path, ids(3))
    (tmp_path / "._00001.png").write_bytes(b"a file manager's own")
    assert_equal(read_all(tmp_path, 3), ids(3))


def test_a_shape_in_the_transparency_is_the_mask(tmp_path: Path) -> None:
    shape = np.zeros((20, 30), np.uint8)
    shape[4:9, 5:17] = 255
    colours = np.full((20, 30, 3), 255, np.uint8)
    path = tmp_path / "mask.png"
    cv2.imwrite(str(path), np.dstack([colours, shape]))
    np.testing.assert_array_equal(read_mask_image(path), shape > 0)
    colours[:, 20:] = 0
    cv2.imwrite(str(path), np.dstack([colours, np.full_like(shape, 255)]))
    np.testing.assert_array_equal(read_mask_image(path), colours[..., 0] > 0)
    shape[:, 18:] = 255
    cv2.imwrite(str(path), np.dstack([colours, shape]))
    with pytest.raises(MaskError, match="a shape in its transparency and another in its colours"):
        read_mask_image(path)
