"""Real background, carried along the motion."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.errors import InputError, WeightsError
from cleanplate.evaluation.masks import hole_masks
from cleanplate.evaluation.measures import hole_psnr, hole_warping
from cleanplate.protocols import Runtime
from cleanplate.types import Frame, MaskedFrame

WIDTH, HEIGHT = 160, 112


def scenery(width: int, height: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    layers = np.zeros((height, width, 3), np.float32)
    for sigma, strength in ((1.5, 60), (4, 70), (15, 40)):
        noise = random.standard_normal((height, width, 3)).astype(np.float32)
        layers += cv2.GaussianBlur(noise, (0, 0), sigma) * sigma * strength
    return np.clip(layers + 125, 0, 255).astype(np.uint8)


def box_mask(x: int, y: int, width: int = 36, height: int = 30) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[y : y + height, x : x + width] = 1
    return mask


def clip(images: list[np.ndarray], masks: list[np.ndarray]) -> list[MaskedFrame]:
    """Frames whose hole is spoilt with a loud colour, which no fill may show."""
    frames = []
    for n, (image, mask) in enumerate(zip(images, masks, strict=True)):
        spoilt = np.where(mask[..., None] > 0, np.array([255, 0, 255], np.uint8), image)
        frames.append(MaskedFrame(Frame(n, Fraction(n, 25), spoilt), mask))
    return frames


def pan(count: int, speed: float = 4) -> list[np.ndarray]:
    wide = scenery(WIDTH + int(count * speed) + 4, HEIGHT)
    images = []
    for n in range(count):
        move = np.array([[1, 0, -n * speed], [0, 1, 0]], np.float32)
        images.append(cv2.warpAffine(wide, move, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC))
    return images


def filled_by(name: str, frames: list[MaskedFrame], **settings: str) -> list[np.ndarray]:
    return [frame.image for frame in registry.create("inpaint", name, settings).inpaint(frames)]


def psnr(truth: list[np.ndarray], filled: list[np.ndarray], masks: list[np.ndarray]) -> float:
    return hole_psnr(truth, filled, masks)


@pytest.mark.parametrize("quality", ["fast", "standard", "best"])
def test_background_that_a_pan_uncovers_is_brought_back(quality: str) -> None:
    images, masks = pan(30), [box_mask(60, 40)] * 30
    filled = filled_by("flowfill", clip(images, masks), quality=quality)
    assert psnr(images, filled, masks) > 30
    assert psnr(images, filled_by("telea", clip(images, masks)), masks) < 22


def test_past_frames_alone_bring_back_what_they_showed() -> None:
    images, masks = pan(30), [box_mask(60, 40)] * 30
    filled = filled_by("flowfill", clip(images, masks), causal="true")
    late = slice(12, None)  # by then 48 px have passed and the hole is 36 px wide
    assert psnr(images[late], filled[late], masks[late]) > 28


def test_background_shown_at_the_far_end_of_the_window_is_used() -> None:
    still = scenery(WIDTH, HEIGHT)
    images = [still] * 24
    masks = [box_mask(60, 40)] * 18 + [np.zeros((HEIGHT, WIDTH), np.uint8)] * 6
    filled = filled_by("flowfill", clip(images, masks), window="20")
    assert psnr(images[:1], filled[:1], masks[:1]) > 30
    short = filled_by("flowfill", clip(images, masks), window="8")
    assert psnr(images[:1], short[:1], masks[:1]) < 25


def test_a_moving_hole_over_a_still_picture_leaves_no_trace() -> None:
    images = [scenery(WIDTH, HEIGHT)] * 25
    masks = [box_mask(10 + 4 * n, 40) for n in range(25)]
    assert psnr(images, filled_by("flowfill", clip(images, masks)), masks) > 34


@pytest.mark.parametrize("change", ["slow fade", "sudden step"])
def test_background_follows_a_change_of_exposure(change: str) -> None:
    count = 25
    gains = np.linspace(1, 0.4, count) if change == "slow fade" else np.repeat([1, 0.7], [12, 13])
    images = [
        np.rint(image * gain).astype(np.uint8)
        for image, gain in zip(pan(count), gains, strict=True)
    ]
    masks = [box_mask(60, 40)] * count
    ours = psnr(images, filled_by("flowfill", clip(images, masks)), masks)
    assert ours > psnr(images, filled_by("telea", clip(images, masks)), masks) + 5


def test_a_veil_that_passes_in_one_frame_leaves_no_patch_in_it() -> None:
    images, masks = [image // 3 for image in pan(12, 2)], [box_mask(60, 40)] * 12
    images[6] = cv2.add(images[6], np.full_like(images[6], 30))  # light that something throws
    filled = filled_by("flowfill", clip(images, masks))
    for n in (5, 6, 7):
        inside = masks[n] > 0
        brighter = filled[n][inside].astype(float) - images[n][inside]
        assert abs(brighter.mean()) < 2


def test_near_black_frames_lend_no_brightened_noise() -> None:
    count = 25
    gains = np.concatenate([np.linspace(0.02, 1, 10), np.ones(count - 10)])
    images = [
        np.rint(image * gain).astype(np.uint8)
        for image, gain in zip(pan(count), gains, strict=True)
    ]
    masks = [box_mask(60, 40)] * count
    ours = psnr(images, filled_by("flowfill", clip(images, masks)), masks)
    assert ours > psnr(images, filled_by("telea", clip(images, masks)), masks) + 3


def test_a_region_that_follows_the_hole_does_not_disturb_the_motion() -> None:
    whole = scenery(WIDTH + 120, HEIGHT + 40)
    images, masks, frames = [], [], []
    for n in range(25):
        x, y = 5 * (n // 3) * 3, (n * 7) % 23  # jumps
        image = np.ascontiguousarray(whole[y : y + HEIGHT, x : x + WIDTH])
        mask = box_mask(40 + 5 * n - x, 60 - y)
        (masked,) = clip([image], [mask])
        frames.append(replace(masked, frame=replace(masked.frame, index=n), origin=(x, y)))
        images.append(image)
        masks.append(mask)
    assert psnr(images, filled_by("flowfill", frames), masks) > 32


def test_an_object_that_passes_does_not_end_up_in_the_fill() -> None:
    images = []
    for n, image in enumerate(pan(30)):
        passing = image.copy()
        passing[60:75, (9 * n) % WIDTH : (9 * n) % WIDTH + 12] = (250, 240, 20)
        images.append(passing)
    masks = [box_mask(60, 30, height=26)] * 30
    filled = filled_by("flowfill", clip(images, masks))
    yellow = [(f[m > 0][:, 2].astype(int) < 40).mean() for f, m in zip(filled, masks, strict=True)]
    assert np.mean(yellow) < 0.05


def test_the_fill_is_steadier_than_frame_by_frame_painting() -> None:
    images = pan(20)
    masks = [box_mask(60, 40)] * 20
    ours, theirs = (
        hole_warping(images, filled_by(name, clip(images, masks)), masks)
        for name in ("flowfill", "telea")
    )
    assert ours < 0.35 * theirs


def striped(count: int) -> list[np.ndarray]:
    """Upright stripes that no frame shows behind the hole: only invention can continue them."""
    random = np.random.default_rng(4)
    stripes = np.where((np.arange(WIDTH) // 3) % 2, 200, 60)[None, :, None]
    still = stripes + random.normal(0, 3, (HEIGHT, WIDTH, 3))
    return [np.clip(still, 0, 255).astype(np.uint8)] * count


def test_texture_continues_what_no_frame_shows_and_holds_it_still() -> None:
    images, masks = striped(25), [box_mask(60, 40)] * 25
    smooth, textured = (
        filled_by("flowfill", clip(images, masks), unseen=unseen, quality="fast")
        for unseen in ("smooth", "texture")
    )
    assert psnr(images, textured, masks) > psnr(images, smooth, masks) + 6
    steps = [
        np.abs(a.astype(int) - b).mean() for a, b in zip(textured[1:], textured[:-1], strict=True)
    ]
    assert max(steps) < 0.2


def test_grain_is_given_back_where_it_is_asked_for() -> None:
    random = np.random.default_rng(1)
    images = [
        np.clip(120 + random.normal(0, 6, (HEIGHT, WIDTH, 3)), 0, 255).astype(np.uint8)
        for _ in range(9)
    ]
    masks = [box_mask(60, 40)] * 9
    plain, grainy = (
        filled_by("flowfill", clip(images, masks), grain=grain)[4][45:65, 65:90].std()
        for grain in ("false", "true")
    )
    assert plain < 4
    assert abs(grainy - 6) < 1.5


def test_the_seed_decides_the_grain() -> None:
    noise = np.random.default_rng(1).normal(120, 6, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    frames = clip([noise] * 3, [box_mask(60, 40)] * 3)
    one, again, other = (
        [
            f.image
            for f in registry.create(
                "inpaint", "flowfill", {"grain": "true"}, registry.Runtime(seed=seed)
            ).inpaint(frames)
        ]
        for seed in (1, 1, 2)
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, (46, 62, 75)),
        ({"causal": "true"}, (0, None, 31)),
        ({"window": "1"}, (3, 4, 6)),
        ({"unseen": "texture"}, (46, None, 75)),
    ],
)
def test_lookahead_lookback_and_window_follow_from_the_settings(
    settings: dict[str, str], expected: tuple[Any, ...]
) -> None:
    engine = registry.create("inpaint", "flowfill", settings)
    assert (engine.lookahead, engine.lookback, engine.window) == expected


@pytest.mark.parametrize("setting", ["window=0", "quality=superb", "causal=perhaps"])
def test_settings_out_of_range_are_refused(setting: str) -> None:
    field, value = setting.split("=")
    with pytest.raises(InputError, match=field):
        registry.create("inpaint", "flowfill", {field: value})


@pytest.mark.slow
@pytest.mark.clips
def test_it_beats_the_baseline_on_real_footage(clips: Path) -> None:
    for name, least in (("tennis", 5.0), ("blackswan", 0.8)):
        paths = sorted((clips / name / "frames").iterdir())[:40]
        images = [
            cv2.resize(cv2.imread(str(path)), (432, 240), interpolation=cv2.INTER_AREA)
            for path in paths
        ]
        masks = list(islice(hole_masks("stationary", 432, 240), len(images)))
        frames = clip(images, masks)
        gain = psnr(images, filled_by("flowfill", frames), masks) - psnr(
            images, filled_by("telea", frames), masks
        )
        assert gain > least


# --- what no frame shows, painted by a stand-in for a network ---


class Painter:
    """Paints what it is told to, and counts how often it is asked."""

    def __init__(self, paints: Any) -> None:
        self.calls = 0
        self._paints = paints

    def paint(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        self.calls += 1
        return np.where(hole[..., None], self._paints(picture, hole), picture)


def painted_by(painter: Painter, frames: list[MaskedFrame], **settings: Any) -> list[np.ndarray]:
    from cleanplate.engines.inpaint.flowfill.engine import Engine

    engine = Engine(Engine.Settings(quality="fast", **settings), Runtime(), painter)
    return [frame.image for frame in engine.inpaint(frames)]


def noise(picture: np.ndarray, _: np.ndarray) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)


def held_still(count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Scenery that does not move, under a hole that does not either."""
    return striped(1) * count, [box_mask(60, 40)] * count


def test_a_painter_who_knows_the_truth_is_believed_and_asked_once() -> None:
    images, masks = held_still(60)
    oracle = Painter(lambda picture, hole: images[0])
    frames = clip(images, masks)
    smooth = filled_by("flowfill", frames, quality="fast")
    painted = painted_by(oracle, frames)
    assert psnr(images, painted, masks) > psnr(images, smooth, masks) + 6
    assert oracle.calls <= 2
    steps = [abs(a.astype(int) - b).max() for a, b in zip(painted[1:], painted, strict=False)]
    assert max(steps) <= 2


def test_a_painter_of_noise_is_not_believed() -> None:
    images, masks = held_still(25)
    frames = clip(images, masks)
    smooth = filled_by("flowfill", frames, quality="fast")
    painted = painted_by(Painter(noise), frames)
    assert psnr(images, painted, masks) > psnr(images, smooth, masks) - 0.2


def test_where_everything_is_seen_nobody_is_asked() -> None:
    images = [scenery(WIDTH, HEIGHT)] * 20
    masks = [np.zeros((HEIGHT, WIDTH), np.uint8) for _ in images]
    for n, mask in enumerate(masks):
        mask[20:36, 4 * n : 4 * n + 16] = 1
    painter = Painter(noise)
    frames = clip(images, masks)
    painted = painted_by(painter, frames)
    assert painter.calls == 0
    for one, other in zip(painted, filled_by("flowfill", frames, quality="fast"), strict=True):
        np.testing.assert_array_equal(one, other)


def test_each_shot_is_painted_for_itself() -> None:
    images, masks = held_still(12)
    other = [255 - image for image in images]
    frames = clip([*images, *other], masks * 2)
    frames = [replace(m, frame=replace(m.frame, shot=n // 12)) for n, m in enumerate(frames)]
    asked: list[float] = []
    painter = Painter(lambda picture, hole: asked.append(float(picture[~hole].mean())) or picture)
    painted_by(painter, frames)
    assert len({round(mean) for mean in asked}) >= 2


def test_without_lamas_weights_the_way_to_them_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("CLEANPLATE_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="cleanplate weights fetch lama"):
        registry.create("inpaint", "flowfill", {"unseen": "lama"})


def test_it_tells_how_much_of_a_hole_no_frame_shows() -> None:
    engine = registry.create("inpaint", "flowfill", {"quality": "fast", "window": "6"})
    still, told = [scenery(WIDTH, HEIGHT)] * 8, {}
    list(engine.inpaint_telling(clip(still, [box_mask(60, 40)] * 8), told.__setitem__))
    assert set(told) == set(range(8))
    assert min(told.values()) > 0.95
    moving, shares = pan(12, 8), {}
    list(engine.inpaint_telling(clip(moving, [box_mask(60, 40)] * 12), shares.__setitem__))
    assert max(shares.get(n, 0.0) for n in range(3, 9)) < 0.1


def test_a_fill_worked_out_at_half_size_meets_the_frame_and_is_near_the_full_one() -> None:
    images = pan(16)
    masks = [box_mask(50, 40)] * len(images)
    frames = clip(images, masks)
    whole = filled_by("flowfill", frames, quality="fast")
    half = filled_by("flowfill", frames, quality="fast", scale="0.5")
    rim = [m - cv2.erode(m, np.ones((3, 3), np.uint8)) for m in masks]
    assert any(not np.array_equal(a, b) for a, b in zip(whole, half, strict=True))
    # Half of the pixels carry the scene: fine noise is lost, and nothing else.
    smooth = [cv2.GaussianBlur(image, (0, 0), 2) for image in images]
    softened = [cv2.GaussianBlur(image, (0, 0), 2) for image in half]
    assert hole_psnr(smooth, softened, masks) >= 33
    assert hole_psnr(smooth, softened, rim) >= 33


def test_pictures_too_small_to_be_made_smaller_are_filled_as_they_are() -> None:
    images = pan(6)
    masks = [box_mask(50, 40)] * len(images)
    frames = clip(images, masks)
    whole = filled_by("flowfill", frames, quality="fast")
    small = filled_by("flowfill", frames, quality="fast", scale="0.3")
    assert all(np.array_equal(a, b) for a, b in zip(whole, small, strict=True))
