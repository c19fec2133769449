"""The engines of SAM's family beyond the contract: what they do with prompts, and with weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate import api, registry
from cleanplate.arrays.instances import Instance, coco_text, mask_of, ranked, run_lengths
from cleanplate.checkpoints import store
from cleanplate.errors import InputError, WeightsError
from cleanplate.media.mask_files import read_mask_image
from cleanplate.types import Box, Brush, Point, Prompt
from tests.scene import texture
from tests.weights import make_sam_small, provide


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.PLACE, str(tmp_path / "store"))
    store.folder().mkdir()
    make_sam_small(monkeypatch)


def engine(name: str = "mobile_sam", **settings: str) -> Any:
    provide({"sam": "sam_vit_b", "sam_hq": "sam_hq_vit_tiny"}.get(name, name))
    return registry.create("segment", name, settings)


IMAGE = texture(90, 60, 3)


def test_a_picture_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine()
    first = made.encode(IMAGE)
    monkeypatch.setattr(made, "_encode", lambda _: pytest.fail("looked at again"))
    assert made.encode(IMAGE.copy()) is first


def test_only_a_few_pictures_are_remembered() -> None:
    made = engine()
    pictures = [texture(40, 40, seed) for seed in range(6)]
    first = made.encode(pictures[0])
    for picture in pictures[1:]:
        made.encode(picture)
    assert made.encode(pictures[0]) is not first


@pytest.mark.parametrize(
    ("prompt", "count"),
    [
        (Prompt(points=(Point(20, 20),)), 3),
        (Prompt(points=(Point(20, 20), Point(50, 30, False))), 1),
        (Prompt(box=Box(10, 10, 50, 40)), 1),
    ],
)
def test_a_lone_click_offers_three_masks_and_anything_clearer_one(
    prompt: Prompt, count: int
) -> None:
    made = engine()
    assert len(made.decode(made.encode(IMAGE), prompt).masks) == count
    assert len(engine(candidates="one").decode(made.encode(IMAGE), prompt).masks) == 1
    assert len(engine(candidates="three").decode(made.encode(IMAGE), prompt).masks) == 3


def test_a_stroke_counts_as_points_along_it() -> None:
    made = engine()
    encoded = made.encode(IMAGE)
    stroke = Prompt(brushes=(Brush(((10.0, 10.0), (70.0, 10.0)), 3),))
    clicks = Prompt(points=tuple(Point(x, 10) for x in (15, 25, 35, 45, 55, 65)))
    np.testing.assert_array_equal(
        made.decode(encoded, stroke).masks, made.decode(encoded, clicks).masks
    )


def test_refinement_gives_the_mask_back_as_a_prompt() -> None:
    plain, refined = engine(), engine(refine="1")
    prompt = Prompt(box=Box(10, 10, 60, 50))
    encoded = plain.encode(IMAGE)
    corners = np.array([[10, 10, 60, 50]], np.float64)
    low = plain.decode_many(encoded, boxes=corners).low[0, 0]
    wanted = plain.decode_many(encoded, boxes=corners, low=low).logits[0, 0] > 0
    found = refined.decode(encoded, prompt).masks[0]
    inside = prompt.box.slices if prompt.box else ()
    np.testing.assert_array_equal(found[inside], wanted[inside])


def test_a_mask_prompt_lies_in_the_frame_of_sam_at_the_same_place() -> None:
    mask = np.zeros((60, 90), bool)
    mask[10:30, 45:90] = True
    low = engine().mask_prompt(mask)
    assert low.shape == (256, 256)
    rows, columns = np.nonzero(low > 0)
    scale = 256 / 90
    np.testing.assert_allclose([rows.min(), rows.max() + 1], [10 * scale, 30 * scale], atol=1)
    np.testing.assert_allclose([columns.min(), columns.max() + 1], [45 * scale, 256], atol=1)
    assert low.max() == 8
    assert low.min() == -8


def test_precision_changes_little() -> None:
    provide("mobile_sam")
    exact = engine()
    quick = registry.create("segment", "mobile_sam", {}, cleanplate.Runtime(precision="bfloat16"))
    one, other = (made.encode(IMAGE).embedding.embedding for made in (exact, quick))
    assert other.dtype == one.dtype
    assert float((one - other).norm() / one.norm()) < 0.05


def test_weights_that_are_not_here_are_named_with_the_way_to_get_them() -> None:
    with pytest.raises(WeightsError, match="cleanplate weights fetch sam_hq_vit_l"):
        registry.create("segment", "sam_hq", {"model": "vit_l"})


def test_a_picture_too_narrow_for_sam_is_refused() -> None:
    with pytest.raises(InputError, match="3000x1 is too narrow"):
        engine().encode(np.zeros((1, 3000, 3), np.uint8))


ALL = {"points_per_side": "2", "quality": "0", "stability": "0", "overlap": "1"}


def test_all_things_of_a_frame_become_numbers_records_and_colours(tmp_path: Path) -> None:
    provide("mobile_sam")
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), IMAGE)
    options: dict[str, Any] = {"segmenter": "mobile_sam", "engine_settings": {"mobile_sam": ALL}}
    mask, preview, records = tmp_path / "m.png", tmp_path / "p.png", tmp_path / "m.json"
    found = api.segment_all(picture, out=mask, preview=preview, **options)
    assert [one.area for one in found] == sorted((one.area for one in found), reverse=True)
    np.testing.assert_array_equal(read_mask_image(mask), ranked(found, IMAGE.shape[:2]))
    assert (cv2.imread(str(preview)) != IMAGE).any()
    api.segment_all(picture, out=records, **options)
    first = json.loads(records.read_text())[0]
    assert first["area"] == found[0].area
    assert first["segmentation"]["size"] == [60, 90]


def test_an_engine_that_only_outlines_what_is_pointed_at_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="grabcut only outlines what is pointed at"):
        api.segment_all(tmp_path / "a.png", segmenter="grabcut")


def test_run_lengths_come_apart_and_together() -> None:
    rng = np.random.default_rng(0)
    for share in (0, 0.1, 0.9, 1):
        mask = rng.random((7, 9)) < share
        np.testing.assert_array_equal(mask_of(run_lengths(mask), 7, 9), mask)


def test_coco_text_takes_five_bits_a_letter() -> None:
    assert coco_text([3, 1]) == "31"
    assert coco_text([0, 40]) == "0X1"


def test_small_things_lie_on_top() -> None:
    big, small = np.ones((4, 4), bool), np.zeros((4, 4), bool)
    small[1, 1] = True
    found = [
        Instance(run_lengths(mask), (4, 4), (0, 0, 3, 3), 1, 1, (0, 0), (0, 0, 4, 4))
        for mask in (small, big)
    ]
    mask = ranked(found, (4, 4))
    assert mask[1, 1] == 2
    assert (mask == 1).sum() == 15
