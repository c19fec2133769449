"""Damage is found where it is, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.evaluation.damage import DIRT, DROPOUT, SCRATCH, Amounts, damaged
from cleanplate.restoration.analysis import Frame, analysed
from cleanplate.restoration.lines import LineFollower
from cleanplate.restoration.spikes import leap, rod, sdia, view_of
from cleanplate.settings.restoration import RestorationSettings
from tests.restoration.finding import HEIGHT, WIDTH, found_in, masks_of, panned

NONE = dict.fromkeys(("blotches", "fibres", "scratches", "streaks", "tape_lines"), 0.0)


def counted(masks: list[np.ndarray], truths: list[np.ndarray], kind: int) -> tuple[float, float]:
    """(recall of the pixels of ``kind``, part of the proposed within 2 px of any damage)."""
    near = [cv2.dilate((t > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0 for t in truths]
    true = sum(np.count_nonzero(t == kind) for t in truths)
    hit = sum(np.count_nonzero((t == kind) & (m > 0)) for t, m in zip(truths, masks, strict=True))
    right = sum(np.count_nonzero(n & (m > 0)) for n, m in zip(near, masks, strict=True))
    assert true, "there is damage to be found"
    return hit / true, right / sum(np.count_nonzero(m) for m in masks)


@pytest.mark.parametrize(
    ("kind", "amounts"),
    [
        (DIRT, Amounts(**NONE | {"blotches": 4.0, "fibres": 0.5})),
        (DROPOUT, Amounts(**NONE | {"streaks": 0.5, "tape_lines": 0.2})),
        (SCRATCH, Amounts(**NONE | {"scratches": 0.15})),
        (DROPOUT, Amounts(**NONE | {"standing_lines": 0.12})),
        (DROPOUT, Amounts(**NONE | {"lasting_streaks": 0.25})),
    ],
)
def test_four_fifths_of_each_kind_are_found(kind: int, amounts: Amounts, tmp_path: Path) -> None:
    hurt = list(damaged(panned(32), 3, amounts))
    masks = masks_of(found_in(tmp_path, [frame.image for frame in hurt]))
    # A scratch that begins in the last frames is not seen long enough to be told.
    recall, precision = counted(masks[:24], [frame.mask for frame in hurt[:24]], kind)
    assert recall >= 0.8
    assert precision >= 0.8


def test_masks_say_the_kind_and_proposals_say_where_and_when(tmp_path: Path) -> None:
    pictures = panned(14)
    cv2.circle(pictures[6], (100, 80), 6, (15, 15, 15), -1)
    pictures[9][150:152, 40:260] = 240
    found = found_in(tmp_path, pictures)
    by_kind = {damage.kind: damage for damage in found.damage}
    assert by_kind.keys() == {"dirt", "dropouts"}
    dirt, streak = by_kind["dirt"], by_kind["dropouts"]
    assert (dirt.start, dirt.stop, streak.start) == (6, 7, 9)
    assert abs(dirt.box.x0 - 94) <= 4
    assert abs(dirt.box.y1 - 87) <= 4
    masks = masks_of(found)
    assert masks[6][80, 100] == 1
    assert masks[9][151, 100] == 3
    assert not any(mask.any() for index, mask in enumerate(masks) if index not in (6, 9))


def test_damage_is_the_same_for_the_same_seed_and_marked_where_it_changed() -> None:
    clean = panned(12)
    first, second = (list(damaged(clean, 7)) for _ in range(2))
    for one, other, image in zip(first, second, clean, strict=True):
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.mask, other.mask)
        luma = [cv2.cvtColor(i, cv2.COLOR_RGB2GRAY).astype(int) for i in (one.image, image)]
        changed = np.abs(luma[0] - luma[1]) >= 8
        assert np.array_equal(changed, one.mask > 0)


def test_lines_that_are_resumed_are_followed_as_if_never_stopped() -> None:
    hurt = [f.image for f in damaged(panned(24), 3, Amounts(**NONE | {"scratches": 0.15}))]
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in hurt]
    frames = list(analysed(Frame(i, 0, grey) for i, grey in enumerate(greys)))
    whole, parts = LineFollower((HEIGHT, WIDTH)), LineFollower((HEIGHT, WIDTH))
    for frame in frames:
        whole.see(frame.profile, frame.marks, frame.index, frame.shot)
        parts.see(frame.profile, frame.marks, frame.index, frame.shot)
        parts = LineFollower.resumed((HEIGHT, WIDTH), parts.state())
    scratches = whole.scratches()
    assert scratches
    assert scratches == parts.scratches()


def test_the_baselines_find_a_speck_and_leave_what_both_neighbours_show() -> None:
    grey = np.full((64, 64), 100, np.uint8)
    grey[10:14, 40:44] = 180  # in all three frames
    hurt = grey.copy()
    hurt[30:33, 20:23] = 200
    still = np.zeros((64, 64, 2), np.float32)
    view = view_of(hurt, [(grey, still), (grey, still)])
    speck = hurt == 200
    assert np.array_equal(sdia(view, 20), speck)
    assert np.array_equal(rod(view, (8, 16, 24)), speck)
    assert np.array_equal(leap(view) > 20, speck)


def test_settings_say_what_is_wrong() -> None:
    with pytest.raises(Exception, match="'rust'; choose among: dirt, scratches, dropouts"):
        RestorationSettings(find="dirt,rust")
