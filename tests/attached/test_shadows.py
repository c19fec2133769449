"""``also="shadow"``: what an object darkens goes with it, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate.attached.camera import step
from cleanplate.jobs.report import Report
from cleanplate.media.mask_files import read_mask_image
from tests.restoration.finding import HEIGHT, WIDTH, panned, write_pictures

COUNT = 18


def walked(
    shade: float, soft: float, pan: float = 0.0, ground_is: tuple[float, float] = (1, 0)
) -> tuple[list[np.ndarray], list[np.ndarray], list[np.ndarray], list[np.ndarray]]:
    """Images, their ground alone, masks and shadows (bool) of a figure on textured ground.

    Args:
        shade: what the shadow multiplies the ground by; 1 is no shadow.
        soft: px of the blur of its rim.
        pan: px a frame that the camera moves.
        ground_is: what the ground is multiplied by, and what is added to it.
    """
    ground = panned(COUNT, step=pan) if pan else panned(1) * COUNT
    random = np.random.default_rng(1)
    images, masks, shadows = [], [], []
    for index in range(COUNT):
        x, y = 40 + 12 * index, 100
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.ellipse(mask, (x, y), (14, 26), 0, 0, 360, 1, -1)
        cover = np.zeros((HEIGHT, WIDTH), np.float32)
        cv2.ellipse(cover, (x + 26, y + 32), (34, 9), 0, 0, 360, 1.0, -1)
        cover = cv2.GaussianBlur(cover, (0, 0), soft) if soft else cover
        lit = ground[index] * ground_is[0] + ground_is[1]
        image = lit * (1 - cover[..., None] * (1 - shade))
        image[mask > 0] = (200, 40, 40)
        image += random.normal(0, 2, image.shape)
        images.append(np.clip(image, 0, 255).astype(np.uint8))
        masks.append(mask)
        shadows.append((cover * (1 - shade) > 0.1) & (cv2.dilate(mask, np.ones((9, 9))) == 0))
    return images, ground, masks, shadows


def removed(
    folder: Path,
    images: list[np.ndarray],
    masks: list[np.ndarray],
    also: str,
    inpainter: str = "telea",
) -> tuple[Report, list[np.ndarray], list[np.ndarray]]:
    """The report, the masks that were filled, and the clean pictures."""
    if not (folder / "frames").exists():
        write_pictures(folder / "frames", images)
        np.savez(folder / "masks.npz", np.stack(masks))
    out = folder / f"out{also}"
    report = cleanplate.remove(
        folder / "frames",
        f"{out}/",
        masks=folder / "masks.npz",
        save_masks=f"{folder}/filled{also}/",
        inpainter=inpainter,
        grow=4,
        also=also,
        engine_settings={inpainter: {"quality": "fast"}} if inpainter == "flowfill" else None,
    )
    with cleanplate.open_clip(out) as clip:
        pictures = [picture.rgb() for picture in clip.pictures()]
    filled = [
        read_mask_image(path) > 0 for path in sorted((folder / f"filled{also}").glob("*.png"))
    ]
    return report, filled, pictures


@pytest.mark.parametrize(
    ("shade", "soft", "pan"),
    [(0.5, 2.0, 0.0), (0.5, 0.0, 0.0), (0.65, 5.0, 0.0), (0.5, 2.0, 1.5)],
    ids=["soft", "hard", "very soft", "under a camera that pans"],
)
def test_a_shadow_is_found_with_its_object(
    shade: float, soft: float, pan: float, tmp_path: Path
) -> None:
    images, _, masks, shadows = walked(shade, soft, pan)
    report, filled, _ = removed(tmp_path, images, masks, "shadow")
    assert report.attached[0]["taken"]
    true = sum(np.count_nonzero(shadow) for shadow in shadows)
    hit = sum(np.count_nonzero(s & f) for s, f in zip(shadows, filled, strict=True))
    assert hit / true >= 0.75
    near = [
        cv2.dilate((s | (m > 0)).astype(np.uint8), np.ones((25, 25))) > 0
        for s, m in zip(shadows, masks, strict=True)
    ]
    assert np.mean([(f & ~n).mean() for f, n in zip(filled, near, strict=True)]) <= 0.01


def test_the_ground_comes_back_where_the_shadow_was(tmp_path: Path) -> None:
    images, ground, masks, shadows = walked(0.5, 2.0)

    def error(pictures: list[np.ndarray]) -> float:
        squares = [
            (p[s].astype(float) - g[s]) ** 2
            for p, g, s in zip(pictures, ground, shadows, strict=True)
        ]
        return float(np.concatenate(squares).mean())

    left, gone = (
        error(removed(tmp_path, images, masks, also, "flowfill")[2]) for also in ("", "shadow")
    )
    assert 10 * np.log10(left / gone) >= 10


@pytest.mark.parametrize("pan", [0.0, 1.5])
def test_no_shadow_is_proposed_where_there_is_none(pan: float, tmp_path: Path) -> None:
    images, _, masks, _ = walked(1.0, 0.0, pan)
    report, filled, _ = removed(tmp_path, images, masks, "shadow")
    assert not report.attached[0]["taken"]
    grown = [cv2.dilate(mask, np.ones((11, 11))) > 0 for mask in masks]
    assert not any((f & ~g).any() for f, g in zip(filled, grown, strict=True))


def test_a_shadow_that_never_moves_belongs_to_the_ground(tmp_path: Path) -> None:
    images, _, masks, _ = walked(0.5, 2.0)
    still = [images[0]] * COUNT
    other = masks[0].copy()
    other[:5, :5] = 1  # masks that are all the same are taken for an overlay's
    report, _, _ = removed(tmp_path, still, [masks[0]] * (COUNT - 1) + [other], "shadow")
    assert not report.attached[0]["taken"]


@pytest.mark.parametrize(("shade", "soft"), [(0.5, 4.0), (0.7, 8.0)], ids=["soft", "very soft"])
def test_a_soft_shadow_is_undone_and_the_detail_under_it_stays(
    shade: float, soft: float, tmp_path: Path
) -> None:
    images, _, masks, shadows = walked(shade, soft, ground_is=(0.6, 30))
    truth, _, _, _ = walked(1.0, 0.0, ground_is=(0.6, 30))
    # Telea knows nothing of other frames: detail that it shows was there all the time.
    report, _, pictures = removed(tmp_path, images, masks, "shadow")
    assert report.attached[0]["undone"] >= 0.85
    there = np.stack(shadows)
    got, true = np.stack(pictures).astype(np.float32), np.stack(truth).astype(np.float32)
    error = ((got - true) ** 2).mean(axis=-1)[there].mean()
    assert 10 * np.log10(255**2 / error) >= 36
    details = [
        np.concatenate(
            [
                (grey - cv2.GaussianBlur(grey, (0, 0), 2))[place]
                for grey, place in zip(frames.mean(axis=-1), shadows, strict=True)
            ]
        )
        for frames in (got, true)
    ]
    assert np.corrcoef(details)[0, 1] >= 0.9


def test_what_is_far_from_the_shadow_stays_bit_for_bit(tmp_path: Path) -> None:
    images, _, masks, shadows = walked(0.5, 4.0)
    _, _, pictures = removed(tmp_path, images, masks, "shadow")
    for picture, image, mask, shadow in zip(pictures, images, masks, shadows, strict=True):
        near = cv2.dilate((shadow | (mask > 0)).astype(np.uint8), np.ones((61, 61))) > 0
        assert np.array_equal(picture[~near], image[~near])


def test_a_shadow_on_ground_that_is_whiter_than_white_is_filled(tmp_path: Path) -> None:
    images, _, masks, shadows = walked(0.5, 3.0, ground_is=(0.3, 225))
    report, filled, _ = removed(tmp_path, images, masks, "shadow")
    assert report.attached[0]["taken"]
    assert report.attached[0]["undone"] == 0
    hit = sum(np.count_nonzero(s & f) for s, f in zip(shadows, filled, strict=True))
    assert hit / sum(np.count_nonzero(shadow) for shadow in shadows) >= 0.75


def test_a_camera_that_stands_is_known_on_ground_without_a_mark() -> None:
    random = np.random.default_rng(2)
    covered = np.zeros((HEIGHT, WIDTH), bool)
    first, second = (
        np.clip(70 * light + random.normal(0, 1.5, covered.shape), 0, 255).astype(np.uint8)
        for light in (1.0, 0.94)
    )
    still = step(first, second, covered)
    assert still is not None
    assert np.array_equal(still, np.eye(3))
    marked = panned(2, step=3.0)
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in marked]
    way = step(greys[1], greys[0], covered)
    assert way is not None
    assert abs(way[0, 2] - 3) < 0.2
