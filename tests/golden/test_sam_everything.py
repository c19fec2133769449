"""Everything mode and its parts compute what the authors' code computes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cleanplate.arrays.masks import stability, without_small
from cleanplate.arrays.runs import coco_text, run_lengths
from cleanplate.engines.segment.shared import everything
from cleanplate.networks.sam import sam, vit
from tests.golden.conftest import Case
from tests.golden.test_sam import SLOW, Loaded, check, image_of, loaded_for

__all__ = ["SLOW"]

# What the published everything mode calls the settings of ours.
ARGUMENTS = {
    "points_per_side": "points_per_side",
    "points_per_batch": "points_at_once",
    "pred_iou_thresh": "quality",
    "stability_score_thresh": "stability",
    "stability_score_offset": "stability_offset",
    "box_nms_thresh": "overlap",
    "crop_n_layers": "crop_layers",
    "crop_overlap_ratio": "crop_overlap",
    "crop_nms_thresh": "crop_overlap_limit",
    "crop_n_points_downscale_factor": "crop_points_shrink",
    "min_mask_region_area": "least_region",
}


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


@pytest.mark.compares("sam", "parts of everything")
def test_the_parts_of_everything_mode_agree(case: Case) -> None:
    inputs = case.inputs

    def said(pattern: str) -> list[int]:
        """The whole numbers in what the case's call says of something."""
        found = re.search(pattern, case["call"])
        assert found is not None, pattern
        return numbers(found[1])

    def hold(name: str, found: Any) -> None:
        check(case, name, found)

    hold("shapes", [sam.fitted(*size) for size in inputs.SHAPE_TABLE])
    for index, arguments in enumerate(inputs.GRID_ARGS):
        grids = everything.point_grids(*arguments)
        hold(f"grid{index}", np.concatenate(grids))
        hold(f"grid{index}_lengths", [len(grid) for grid in grids])
    for index, arguments in enumerate(inputs.CROP_ARGS):
        boxes, layers = everything.crop_boxes(*arguments)
        hold(f"crops{index}", boxes)
        hold(f"crops{index}_layer", layers)
    logits = inputs.stability_logits()
    hold("stability_1", stability(logits, 0.0, 1.0))
    hold("stability_quarter_at_half", stability(logits, 0.5, 0.25))
    masks = inputs.binary_masks()
    hold("mask_boxes", [everything.box_of(mask) for mask in masks])
    runs = [run_lengths(mask) for mask in masks]
    hold("rle_counts", [length for one in runs for length in one])
    hold("rle_counts_lengths", [len(one) for one in runs])
    hold("rle_area", [sum(one[1::2]) for one in runs])
    texts = [coco_text(one).encode() for one in runs]
    hold("coco_counts", np.frombuffer(b"".join(texts), np.uint8))
    hold("coco_counts_lengths", [len(text) for text in texts])
    boxes, scores = inputs.nms_boxes()
    for name in case.listed:
        if name.startswith("nms_"):
            hold(name, everything.suppressed(boxes, scores, float(name.removeprefix("nms_"))))
        if name.startswith("rel_pos_"):
            _, _, queries, keys = name.split("_")
            table = torch.tensor(inputs.rel_pos_table())
            hold(name, vit.relative_positions(int(queries), int(keys), table))
    if case.output("near_edge"):
        *corners, near = said(r"is_box_near_crop_edge\(([^)]*)\)")
        crop, whole = tuple(corners[:4]), tuple(corners[4:8])
        placed = boxes + np.array([*crop[:2], *crop[:2]])  # from the crop's pixels to the picture's
        hold("near_edge", everything.near_crop_edge(placed, crop, whole, near))
        hold("near_edge_atol5", everything.near_crop_edge(placed, crop, whole, 5))
    if case.output("uncrop_masks"):
        height, width, *part = said(r"uncrop_\*: (into \([^)]*\) from the crop \[[^]]*\])")
        corner = np.array(part[:2])
        crop, size = (part[0], part[1], part[2], part[3]), (height, width)
        hold("uncrop_masks", np.stack([everything.uncropped(one, crop, size) for one in masks]))
        hold("uncrop_boxes", boxes + np.tile(corner, 2))
        hold("uncrop_points", boxes[:, :2] + corner)
    least = said(r"remove_small_regions\(mask, (\d+)")[0] if case.output("removed_holes") else 0
    for kind in ("holes", "islands") if least else ():
        pairs = [without_small(mask, least, kind) for mask in inputs.holed_masks()]
        hold(f"removed_{kind}", np.stack([mask for mask, _ in pairs]))
        hold(f"removed_{kind}_changed", [changed for _, changed in pairs])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.compares("sam", "everything")
def test_everything_mode_finds_the_same_things(
    case: Case, built: dict[str, Loaded], tmp_path: Path
) -> None:
    engine = loaded_for(case, built, tmp_path).engine
    given = {ARGUMENTS[key]: value for key, value in case["arguments"].items()}
    given["threshold"] = case.manifest.get("mask_threshold", 0.0)
    settings = dataclasses.replace(engine.settings, **given)
    found = everything.everything(engine, image_of(case), settings)
    records = [one.record() for one in found]
    for name in ("area", "bbox", "predicted_iou", "stability_score", "crop_box"):
        check(case, name, [one[name] for one in records])
    check(case, "point_coords", [one["point_coords"][0] for one in records])
    check(case, "masks", np.stack([one.mask for one in found]))
