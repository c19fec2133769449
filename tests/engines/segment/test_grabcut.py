"""The grabcut segmenter: clicks, boxes, strokes and masks, on made pictures and on real ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.media.mask_files import read_mask_image
from cleanplate.media.read import open_clip
from cleanplate.types import Box, Brush, Candidates, Point, Prompt


def grabcut(**settings: str):
    return registry.create("segment", "grabcut", settings)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def two_balls(width: int = 640, height: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of a red and a blue ball on grass, and the mask of each."""
    grass = cv2.resize(data.grass(), (width, height), interpolation=cv2.INTER_AREA)
    image = np.stack([grass // 2, grass // 2 + 60, grass // 3], axis=2)
    masks = []
    for x, colour in ((0.28, (200, 60, 50)), (0.72, (50, 70, 190))):
        mask = np.zeros((height, width), np.uint8)
        cv2.circle(mask, (round(x * width), height // 2), height // 5, 1, -1)
        image[mask > 0] = np.array(colour) + (grass[mask > 0, None] // 8).astype(int) - 12
        masks.append(mask > 0)
    return cv2.GaussianBlur(image, (0, 0), 0.8), masks[0], masks[1]


def segment(image: np.ndarray, prompt: Prompt, **settings: str) -> Candidates:
    engine = grabcut(**settings)
    return engine.decode(engine.encode(image), prompt)


def centre(mask: np.ndarray) -> tuple[float, float]:
    ys, xs = np.nonzero(mask)
    return float(xs.mean()), float(ys.mean())


def test_one_click_outlines_the_thing_under_it() -> None:
    image, red, blue = two_balls()
    assert iou(segment(image, Prompt((Point(*centre(red)),))).masks[0], red) > 0.95
    assert iou(segment(image, Prompt((Point(*centre(blue)),))).masks[0], blue) > 0.95


def test_two_clicks_outline_two_things_and_a_negative_one_takes_a_thing_away() -> None:
    image, red, blue = two_balls()
    on_red, on_blue = Point(*centre(red)), Point(*centre(blue))
    both = segment(image, Prompt((on_red, on_blue)))
    assert max(iou(mask, red | blue) for mask in both.masks) > 0.93
    one = segment(image, Prompt((on_red, replace(on_blue, positive=False))))
    assert iou(one.masks[0], red) > 0.93


def test_one_click_offers_several_different_outlines() -> None:
    image = data.astronaut()
    found = segment(image, Prompt((Point(225, 110),)))
    assert len(found.masks) >= 2
    for number, mask in enumerate(found.masks):
        assert mask[110, 225]
        for other in found.masks[number + 1 :]:
            assert iou(mask, other) < 0.97


def test_every_candidate_holds_the_positive_clicks_and_none_of_the_negative() -> None:
    points = (Point(225, 110), Point(150, 400), Point(50, 50, False), Point(460, 250, False))
    found = segment(data.astronaut(), Prompt(points))
    for mask in found.masks:
        for point in points:
            assert mask[int(point.y), int(point.x)] == point.positive


def test_a_small_hole_belongs_to_the_thing_unless_it_is_clicked_away() -> None:
    image, red, _ = two_balls()
    x, y = (round(value) for value in centre(red))
    cv2.circle(image, (x, y + 20), 22, (240, 240, 240), -1)
    beside = Point(x - 45, y - 20)
    assert segment(image, Prompt((beside,))).masks[0][y + 20, x]
    away = segment(image, Prompt((beside, Point(x, y + 20, False))))
    assert not away.masks[0][y + 20, x]


def test_a_box_around_a_thing_gives_the_thing() -> None:
    image, red, _ = two_balls()
    ys, xs = np.nonzero(red)
    box = Box(xs.min() - 12, ys.min() - 12, xs.max() + 13, ys.max() + 13)
    assert iou(segment(image, Prompt(box=box)).masks[0], red) > 0.95


def test_a_box_over_nothing_gives_the_box() -> None:
    flat = np.full((120, 200, 3), 128, np.uint8)
    found = segment(flat, Prompt(box=Box(50, 30, 120, 90)))
    assert found.masks[:, 30:90, 50:120].any()
    assert found.masks[-1].sum() <= 70 * 60


def test_a_box_and_a_click_together_stay_in_the_box() -> None:
    image, red, _ = two_balls()
    box = Box(0, 0, 320, 400)
    found = segment(image, Prompt((Point(*centre(red)),), box))
    assert iou(found.masks[0], red) > 0.93
    assert not found.masks[:, :, 330:].any()


def test_strokes_outline_what_they_lie_on() -> None:
    image, red, blue = two_balls()
    (x, y), (bx, by) = centre(red), centre(blue)
    stroke = Brush(((x - 40, y), (x, y + 20), (x + 40, y)), 6)
    other = Brush(((bx - 30, by), (bx + 30, by)), 6, positive=False)
    assert iou(segment(image, Prompt(brushes=(stroke,))).masks[0], red) > 0.93
    assert iou(segment(image, Prompt(brushes=(stroke, other))).masks[0], red) > 0.93


def test_a_rough_mask_is_drawn_to_the_edges_but_only_slightly_moved() -> None:
    image, red, _ = two_balls()
    rough = cv2.dilate(red.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    found = segment(image, Prompt(mask=rough)).masks[0]
    assert iou(found, red) > iou(rough, red) + 0.02
    elsewhere = np.zeros_like(red)
    elsewhere[20:60, 20:100] = True
    assert iou(segment(image, Prompt(mask=elsewhere)).masks[0], elsewhere) > 0.6


def test_an_exact_mask_comes_back_as_it_is() -> None:
    image, red, _ = two_balls()
    found = segment(image, Prompt(mask=red), exact_mask="yes")
    np.testing.assert_array_equal(found.masks, red[None])
    assert found.confidences[0] == 1


def test_a_click_mends_a_mask() -> None:
    image, red, blue = two_balls()
    point = Point(*centre(blue))
    grown = segment(image, Prompt((point,), mask=red)).masks[0]
    assert iou(grown, red | blue) > 0.9
    shrunk = segment(image, Prompt((replace(point, positive=False),), mask=red | blue)).masks[0]
    assert iou(shrunk, red) > 0.9


def test_outlines_are_as_fine_as_the_source() -> None:
    image, red, _ = two_balls(1920, 1200)
    found = segment(image, Prompt((Point(*centre(red)),))).masks[0]
    assert iou(found, red) > 0.98
    rim = cv2.Canny(found.astype(np.uint8) * 255, 50, 150) > 0
    truth = cv2.Canny(red.astype(np.uint8) * 255, 50, 150) == 0
    distance = cv2.distanceTransform(truth.astype(np.uint8), cv2.DIST_L2, 5)[rim]
    assert np.percentile(distance, 90) <= 2.5


@pytest.mark.parametrize("point", [(0, 0), (639.9, 0), (0, 399.9), (639.9, 399.9), (320, 0)])
def test_a_click_on_the_border_gives_something(point: tuple[float, float]) -> None:
    image, _, _ = two_balls()
    found = segment(image, Prompt((Point(*point),)))
    for mask in found.masks:
        assert mask[int(point[1]), int(point[0])]


@pytest.mark.parametrize("shape", [(16, 16, 3), (1, 1, 3), (3, 400, 3), (480, 854, 3)])
def test_a_click_on_a_flat_or_tiny_picture_gives_something(shape: tuple[int, ...]) -> None:
    flat = np.full(shape, 77, np.uint8)
    found = segment(flat, Prompt((Point(shape[1] / 2, shape[0] / 2),)))
    assert found.masks[0].any()


def test_a_click_outside_and_only_negative_clicks_are_refused() -> None:
    image, _, _ = two_balls()
    with pytest.raises(InputError, match="Point 640,10 is outside the picture of 640x400"):
        segment(image, Prompt((Point(640, 10),)))
    with pytest.raises(InputError, match="add a point on it"):
        segment(image, Prompt((Point(10, 10, False),)))


def load(clips: Path, name: str, index: int) -> tuple[np.ndarray, np.ndarray]:
    """The frame ``index`` and its (H, W) uint8 mask of objects."""
    folder = clips / name
    source = folder / "frames" if (folder / "frames").is_dir() else folder / "video.mp4"
    with open_clip(source) as clip:
        for number, picture in enumerate(clip.pictures()):
            if number == index:
                return picture.rgb(), read_mask_image(folder / "masks" / f"{index:05d}.png")
    raise AssertionError(f"{name} has no frame {index}")


def worst_place(found: np.ndarray, truth: np.ndarray) -> Point:
    """A click in the middle of the largest error."""
    clicks = []
    for error, positive in ((truth & ~found, True), (found & ~truth, False)):
        depth = cv2.distanceTransform(np.pad(error, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        clicks.append((depth[y, x], Point(float(x) + 0.5, float(y) + 0.5, positive)))
    return max(clicks, key=lambda click: click[0])[1]


@pytest.mark.clips
@pytest.mark.slow
def test_real_things_are_outlined_from_few_clicks(clips: Path) -> None:
    engine, overlaps = grabcut(), []
    for name in ("blackswan", "dogs-jump"):
        for index in (0, 20, 40):
            image, objects = load(clips, name, index)
            encoded = engine.encode(image)
            for number in np.unique(objects)[1:]:
                truth = objects == number
                found, points, row = np.zeros_like(truth), (), []
                for _ in range(5):
                    points = (*points, worst_place(found, truth))
                    found = engine.decode(encoded, Prompt(points)).masks[0]
                    row.append(iou(found, truth))
                overlaps.append(row)
    one, _, three, _, five = np.mean(overlaps, axis=0)
    assert len(overlaps) == 12
    assert one >= 0.52
    assert three >= 0.66
    assert five >= 0.75


@pytest.mark.clips
@pytest.mark.slow
def test_real_things_are_outlined_from_a_box(clips: Path) -> None:
    overlaps = []
    for name in ("blackswan", "dogs-jump"):
        image, objects = load(clips, name, 0)
        for number in np.unique(objects)[1:]:
            truth = objects == number
            ys, xs = np.nonzero(truth)
            box = Box(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
            overlaps.append(iou(segment(image, Prompt(box=box)).masks[0], truth))
    assert len(overlaps) == 4
    assert np.mean(overlaps) >= 0.70
