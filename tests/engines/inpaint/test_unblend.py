"""Half-transparent overlays are undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.arrays.masks import grow
from cleanplate.types import Frame, MaskedFrame
from tests.scene import texture

WIDTH, HEIGHT, SPEED = 200, 90, 3


def mark() -> np.ndarray:
    """(H, W) float32 in 0..1: letters."""
    drawn = np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.putText(drawn, "mark", (36, 58), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3, cv2.LINE_AA)
    return drawn.astype(np.float32) / 255


def scene(
    count: int = 40, alpha: float = 0.4, level: float = 240, speed: int = SPEED, shots: int = 1
) -> tuple[list[MaskedFrame], list[np.ndarray]]:
    """(frames with the mark and its mask, the pictures without it)."""
    letters = mark()
    mask = grow((letters > 0.02).astype(np.uint8), 3)
    share, frames, truth = alpha * letters[..., None], [], []
    for n in range(count):
        shot = n * shots // count
        wide = texture(WIDTH + count * speed, HEIGHT, 11 + shot)
        behind = wide[:, n * speed : n * speed + WIDTH]
        image = np.rint(behind * (1 - share) + level * share).astype(np.uint8)
        truth.append(behind)
        frames.append(MaskedFrame(Frame(n, Fraction(n, 25), image, shot), mask))
    return frames, truth


def psnr(frames: list[MaskedFrame], truth: list[np.ndarray], name: str, **settings: str) -> float:
    engine = registry.create("inpaint", name, settings)
    where = mark() > 0.02
    errors = [
        ((got.image[where].astype(float) - true[where]) ** 2).mean()
        for got, true in zip(engine.inpaint(frames), truth, strict=True)
    ]
    return float(10 * np.log10(255**2 / np.mean(errors)))


@pytest.mark.parametrize(("alpha", "level"), [(0.25, 240), (0.5, 240), (0.4, 10)])
def test_what_is_behind_a_half_transparent_mark_comes_back(alpha: float, level: float) -> None:
    frames, truth = scene(alpha=alpha, level=level)
    painted = psnr(frames, truth, "telea")
    assert psnr(frames, truth, "unblend", fill="telea") > painted + 6


def test_the_opacity_and_the_colour_are_learnt() -> None:
    frames, _ = scene(alpha=0.4)
    matte = registry.create("inpaint", "unblend").learn(frames)
    solid = mark() > 0.98
    assert np.median(matte.opacity[solid]) == pytest.approx(0.4, abs=0.05)
    colour = matte.paint[solid] / matte.opacity[solid][:, None]
    assert np.median(colour) == pytest.approx(240, abs=15)
    assert not matte.doubtful[solid].any()


def test_where_nothing_can_be_learnt_all_of_the_mask_is_filled() -> None:
    frames, _ = scene(speed=0)
    engine = registry.create("inpaint", "unblend", {"fill": "telea"})
    assert engine.learn(frames) is None
    plain = registry.create("inpaint", "telea").inpaint(frames)
    for got, filled in zip(engine.inpaint(frames), plain, strict=True):
        assert np.array_equal(got.image, filled.image)


def test_an_opaque_mark_is_filled() -> None:
    frames, truth = scene(alpha=1.0)
    assert psnr(frames, truth, "unblend", fill="telea") > psnr(frames, truth, "telea") - 1


def test_a_frame_without_the_mark_is_left_nearly_as_it_is() -> None:
    frames, truth = scene()
    frames[20] = replace(frames[20], frame=replace(frames[20].frame, image=truth[20]))
    got = list(registry.create("inpaint", "unblend", {"fill": "telea"}).inpaint(frames))[20]
    where = mark() > 0.02
    assert np.abs(got.image[where].astype(int) - truth[20][where]).mean() < 6


def test_before_a_plain_surface_nothing_of_the_mark_is_left() -> None:
    frames, _ = scene(shots=2)
    share = 0.4 * mark()[..., None]
    plain = np.rint(np.full((HEIGHT, WIDTH, 3), 18) * (1 - share) + 240 * share).astype(np.uint8)
    shown = replace(frames[-1], frame=Frame(len(frames), Fraction(len(frames), 25), plain, 2))
    engine = registry.create("inpaint", "unblend", {"fill": "telea"})
    *_, last = engine.inpaint([*frames, shown])
    assert np.abs(last.image.astype(int) - 18).max() <= 2


def test_no_outline_of_letters_with_a_soft_shadow_stays_through_the_clip() -> None:
    letters = mark()
    shadow = cv2.GaussianBlur(cv2.dilate(letters, np.ones((5, 5), np.uint8)), (0, 0), 2.5)
    light, dark = 0.5 * letters[..., None], 0.5 * shadow[..., None]
    mask = grow((shadow > 0.02).astype(np.uint8), 3)
    frames, truth = [], []
    for n in range(60):
        shot = n // 20
        wide = texture(WIDTH + 180, HEIGHT, 11 + shot)
        behind = wide[:, n * SPEED : n * SPEED + WIDTH]
        image = (behind * (1 - dark) + 10 * dark) * (1 - light) + 240 * light
        truth.append(behind)
        frame = Frame(n, Fraction(n, 25), np.rint(image).astype(np.uint8), shot)
        frames.append(MaskedFrame(frame, mask))
    engine = registry.create("inpaint", "unblend", {"fill": "telea"})
    errors = [
        got.image.astype(np.float32) - true
        for got, true in zip(engine.inpaint(frames), truth, strict=True)
    ]
    stays = np.median(errors, axis=0).mean(axis=2)
    edges = np.hypot(cv2.Sobel(stays, cv2.CV_32F, 1, 0), cv2.Sobel(stays, cv2.CV_32F, 0, 1)) / 8
    assert np.percentile(edges[mask > 0], 95) < 7


def test_an_engine_that_has_learnt_holds_no_frames_back() -> None:
    frames, truth = scene(count=60, shots=3)
    engine = registry.create("inpaint", "unblend", {"fill": "telea"})
    knowing = engine.knowing(frames[::2])
    pulled = 0

    def counted() -> Iterator[MaskedFrame]:
        nonlocal pulled
        for masked in frames:
            pulled += 1
            yield masked

    got = next(knowing.inpaint(counted()))
    assert pulled <= 2
    where = mark() > 0.02
    assert np.abs(got.image[where].astype(int) - truth[0][where]).mean() < 9
    assert engine.lookahead == 99


def test_a_place_it_has_not_learnt_is_studied_from_the_stream() -> None:
    frames, _ = scene()
    engine = registry.create("inpaint", "unblend", {"fill": "telea"})
    elsewhere = engine.knowing([replace(masked, origin=(8, 8)) for masked in frames])
    one, other = list(elsewhere.inpaint(frames)), list(engine.inpaint(frames))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))


def test_an_overlay_learnt_from_too_few_differing_frames_is_doubted() -> None:
    engine = registry.create("inpaint", "unblend", {})
    frames, _ = scene()
    assert engine.knowing(frames).doubts == ()
    few = [replace(frames[n // 10 * 10], frame=frames[n // 10 * 10].frame) for n in range(40)]
    (doubt,) = engine.knowing(few).doubts
    assert "could be learnt" in doubt
    still, _ = scene(speed=0)
    (doubt,) = engine.knowing(still).doubts
    assert "could be learnt" in doubt
    assert engine.doubts == ()
