"""``also="reflection"``: what mirrors an object goes with it; what is dark or near does not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.attached.find import Attached, find
from cleanplate.errors import InputError
from cleanplate.media.mask_files import Masks
from cleanplate.media.read import open_clip
from cleanplate.media.survey import Span, survey
from cleanplate.progress import Progress
from cleanplate.settings.groups import REFLECTION, SHADOW, AttachedSettings
from tests.restoration.finding import HEIGHT, WIDTH, panned, write_pictures

COUNT, TALL, BROAD = 14, 60, 30


def walked(
    kind: str, strength: float, soft: float, pan: float = 0.0
) -> tuple[list[np.ndarray], ...]:
    """Images, masks and places (bool) of what a striped figure leaves on textured ground.

    Args:
        kind: ``floor``, ``glass``, ``shadow`` or ``nothing``.
        strength: how much of what it leaves is seen.
        soft: px of its blur.
        pan: px a frame that the camera moves.
    """
    ground = panned(COUNT, step=pan) if pan else panned(1) * COUNT
    figure = np.full((TALL, BROAD, 3), (190, 60, 50), np.float32)
    figure[TALL // 2 :] = (40, 60, 140)
    figure[: TALL // 3] = (220, 180, 150)
    random = np.random.default_rng(1)
    images, masks, places = [], [], []
    for index in range(COUNT):
        x, y = 30 + 14 * index, 80
        cover, there = (
            np.zeros((HEIGHT, WIDTH), np.float32),
            np.zeros((HEIGHT, WIDTH, 3), np.float32),
        )
        part = {
            "floor": (slice(y + TALL, y + 2 * TALL), slice(x, x + BROAD)),
            "glass": (slice(y, y + TALL), slice(x + 40, x + 40 + BROAD)),
            "shadow": (slice(y + TALL - 8, y + TALL + 8), slice(x, x + 60)),
        }.get(kind)
        if part is not None:
            wide = cover[part].shape[1]
            cover[part] = strength
            if kind != "shadow":
                mirrored = figure[::-1] if kind == "floor" else figure[:, ::-1]
                there[part] = mirrored[:, :wide]
            if soft:
                cover, there = (cv2.GaussianBlur(p, (0, 0), soft) for p in (cover, there))
        image = ground[index] * (1 - cover[..., None]) + there * cover[..., None]
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[y : y + TALL, x : x + BROAD] = 1
        image[mask > 0] = figure[:, : np.count_nonzero(mask[y])].reshape(-1, 3)
        image += random.normal(0, 2, image.shape)
        images.append(np.clip(image, 0, 255).astype(np.uint8))
        masks.append(cv2.dilate(mask, np.ones((5, 5), np.uint8)))
        places.append((cover > 0.05) & (masks[-1] == 0))
    return images, masks, places


def proposed(folder: Path, images: list[np.ndarray], masks: list[np.ndarray]) -> Attached:
    """Both kinds."""
    frames = write_pictures(folder / "frames", images)
    (folder / "found").mkdir()
    with open_clip(frames) as clip:
        looked = survey(clip)
        return find(
            Masks("these", lambda start: iter(masks[start:])),
            *(clip, looked, Span(0, looked.count, looked.shots), (SHADOW, REFLECTION)),
            *(folder / "found", Progress()),
        )


@pytest.mark.parametrize(
    ("kind", "strength", "soft", "pan"),
    [("floor", 0.3, 0.7, 0.0), ("floor", 0.3, 3.0, 0.0), ("glass", 0.3, 0.7, 0.0),
     ("floor", 0.35, 1.0, 1.5)],
    ids=["floor", "blurred floor", "glass", "under a camera that pans"],
)  # fmt: skip
def test_a_mirror_image_is_found_with_its_object(
    kind: str, strength: float, soft: float, pan: float, tmp_path: Path
) -> None:
    images, masks, places = walked(kind, strength, soft, pan)
    found = proposed(tmp_path, images, masks)
    shadow, reflection = found.proposals
    assert reflection.taken
    assert not shadow.taken
    taken = [mask > 0 for mask in found.masks([reflection], 0)]
    hit = sum(np.count_nonzero(t & p) for t, p in zip(taken, places, strict=True))
    assert hit / sum(np.count_nonzero(place) for place in places) >= 0.75
    near = [cv2.dilate(place.astype(np.uint8), np.ones((21, 21))) > 0 for place in places]
    assert np.mean([(t & ~n).mean() for t, n in zip(taken, near, strict=True)]) <= 0.005


@pytest.mark.parametrize("kind", ["nothing", "shadow"])
def test_no_reflection_is_proposed_where_there_is_none(kind: str, tmp_path: Path) -> None:
    images, masks, _ = walked(kind, 0.5, 1.5)
    found = proposed(tmp_path, images, masks)
    shadow, reflection = found.proposals
    assert not reflection.taken
    assert reflection.confidence <= 0.2
    assert shadow.taken == (kind == "shadow")


def test_another_object_beside_it_is_no_reflection(tmp_path: Path) -> None:
    images, masks, _ = walked("nothing", 0.0, 0.0)
    for index, image in enumerate(images):
        x = 75 + 14 * index
        cv2.ellipse(image, (x, 120), (14, 24), 0, 0, 360, (60, 190, 70), -1)
    found = proposed(tmp_path, images, masks)
    assert not any(proposal.taken for proposal in found.proposals)


def test_kinds_are_taken_in_any_order_and_others_are_refused() -> None:
    assert AttachedSettings("reflection, shadow").kinds == (SHADOW, REFLECTION)
    assert AttachedSettings("").kinds == ()
    with pytest.raises(InputError, match="shadow or reflection"):
        AttachedSettings("shadow,echo")
