from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.errors import InputError
from cleanplate.evaluation.compare import changed, write_comparison
from cleanplate.media.mask_track import write_mask_track
from cleanplate.media.new_clip import write_clip
from cleanplate.media.read import open_clip
from tests import scene

COUNT = 12
SPOILT = 7  # the frame whose fill is wrong


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Before, after with one frame that flickers, and the masks."""
    folder = tmp_path_factory.mktemp("pair")
    images, truths = zip(*scene.frames(COUNT), strict=True)
    spoilt = [truth.copy() for truth in truths]
    spoilt[SPOILT][scene.sign_box(SPOILT).slices] = (
        255 - spoilt[SPOILT][scene.sign_box(SPOILT).slices]
    )
    write_clip(folder / "before.mp4", images, Fraction(25))
    write_clip(folder / "after.mp4", spoilt, Fraction(25))
    masks = enumerate(scene.sign_masks(COUNT))
    write_mask_track(folder / "masks.mkv", ((Fraction(i, 25), m) for i, m in masks), Fraction(25))
    return folder / "before.mp4", folder / "after.mp4", folder / "masks.mkv"


@pytest.mark.parametrize("with_masks", [True, False])
def test_the_worst_frame_comes_first(
    pair: tuple[Path, Path, Path], tmp_path: Path, with_masks: bool
) -> None:
    before, after, masks = pair
    out = tmp_path / "sheet.png"
    ranked = write_comparison(before, after, masks if with_masks else None, out, most=3)
    assert ranked[0].index in (SPOILT, SPOILT + 1), "it changes, and changes back after it"
    assert abs(ranked[1].index - SPOILT) > 4, "its neighbours are the same place"
    sheet = cv2.imread(str(out))
    assert sheet is not None
    assert sheet.shape[1] == 3 * 420


def test_a_wipe_shows_every_frame(pair: tuple[Path, Path, Path], tmp_path: Path) -> None:
    before, after, masks = pair
    write_comparison(before, after, masks, tmp_path / "wipe.mp4")
    with open_clip(tmp_path / "wipe.mp4") as wipe:
        assert len(list(wipe.pictures())) == COUNT


def test_what_cannot_be_compared_is_said(pair: tuple[Path, Path, Path], tmp_path: Path) -> None:
    before, after, _ = pair
    small, brief = tmp_path / "small.mp4", tmp_path / "brief.mp4"
    write_clip(small, [np.zeros((64, 64, 3), np.uint8)] * COUNT, Fraction(25))
    write_clip(brief, (image for image, _ in scene.frames(COUNT - 3)), Fraction(25))
    sheet = tmp_path / "sheet.png"
    with pytest.raises(InputError, match=r"192x128 and .* is 64x64"):
        write_comparison(before, small, None, sheet)
    with pytest.raises(InputError, match="goes on after frame 8"):
        write_comparison(before, brief, None, sheet)
    with pytest.raises(InputError, match="nothing to compare"):
        write_comparison(before, before, None, sheet)
    with pytest.raises(InputError, match=r"neither a \.png"):
        write_comparison(before, after, None, tmp_path / "sheet.jpg")


def test_specks_of_compression_are_not_what_changed() -> None:
    before = np.full((100, 100, 3), 100, np.uint8)
    after = before.copy()
    after[20:60, 20:60] = 180
    after[90:93, 90:93] = 160
    mask = changed(before, after)
    assert mask[40, 40] == 1
    assert mask[91, 91] == 0
