"""``flicker``: what goes up and down from frame to frame is steadied, and no other light is."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate.restoration.flicker import Correction, FlickerMeter
from tests.restoration.finding import panned as panned_large
from tests.restoration.finding import write_pictures

COUNT = 40


def panned(count: int, seed: int = 0) -> list[np.ndarray]:
    """Pictures of 160x120."""
    large = panned_large(count, seed=seed)
    return [cv2.resize(image, (160, 120), interpolation=cv2.INTER_AREA) for image in large]


def lit(images: list[np.ndarray], gains: np.ndarray, offsets: np.ndarray) -> list[np.ndarray]:
    """The images in another light, with each frame's own noise."""
    random = np.random.default_rng(5)
    return [
        np.clip(image * 0.7 * gain + 20 + offset + random.normal(0, 2, image.shape), 0, 255).astype(
            np.uint8
        )
        for image, gain, offset in zip(images, gains, offsets, strict=True)
    ]


def corrections(images: list[np.ndarray]) -> list[Correction | None]:
    meter = FlickerMeter()
    for image in images:
        meter.see(image)
    return meter.corrections()


def steadied(images: list[np.ndarray]) -> list[np.ndarray]:
    """Float pictures after the corrections."""
    return [
        image.astype(np.float32) if change is None else image * change.gain + change.offset
        for image, change in zip(images, corrections(images), strict=True)
    ]


def unsteadiness(images: list[np.ndarray]) -> float:
    """Grey levels by which a frame's mean leaves that of the frames beside it."""
    means = np.array([image.mean() for image in images])
    return float(np.abs(means[:-2] - 2 * means[1:-1] + means[2:]).mean() / 6**0.5)


def walked_over(images: list[np.ndarray]) -> list[np.ndarray]:
    """A bright thing of an eighth of the picture crosses it."""
    results = []
    for index, image in enumerate(images):
        image = image.copy()
        cv2.rectangle(image, (index * 5 - 30, 30), (index * 5 + 20, 80), (235, 235, 200), -1)
        results.append(image)
    return results


@pytest.mark.parametrize("kind", ["gain", "offset", "coloured", "with something that moves"])
def test_flicker_is_steadied(kind: str) -> None:
    random = np.random.default_rng(3)
    gains, offsets = np.ones((COUNT, 3)), np.zeros((COUNT, 3))
    if kind == "offset":
        offsets += random.uniform(-12, 12, (COUNT, 1))
    else:
        gains *= random.uniform(0.88, 1.12, (COUNT, 3 if kind == "coloured" else 1))
    images = lit(panned(COUNT), gains, offsets)
    still = lit(panned(COUNT), np.ones((COUNT, 3)), np.zeros((COUNT, 3)))
    if kind == "with something that moves":
        images, still = walked_over(images), walked_over(still)
    base = unsteadiness(still)
    assert unsteadiness(steadied(images)) - base <= 0.3 * (unsteadiness(images) - base)


def test_flicker_in_a_fade_is_steadied_and_the_fade_stays() -> None:
    random = np.random.default_rng(3)
    fade = np.linspace(1.0, 0.4, COUNT)[:, None] * np.ones((COUNT, 3))
    images = lit(panned(COUNT), fade * random.uniform(0.92, 1.08, (COUNT, 1)), np.zeros((COUNT, 3)))
    true = [image.mean() for image in lit(panned(COUNT), fade, np.zeros((COUNT, 3)))]
    got = [image.mean() for image in steadied(images)]
    assert np.abs(np.array(got) - true).mean() <= 2.5


@pytest.mark.parametrize("kind", ["nothing", "fade", "fade that ends", "flash", "lamp", "crossing"])
def test_light_that_does_not_flicker_stays(kind: str) -> None:
    gains = np.ones((COUNT, 3))
    if kind == "fade":
        gains *= np.linspace(1.0, 0.3, COUNT)[:, None]
    elif kind == "fade that ends":
        gains[10:25] *= np.linspace(1.0, 0.5, 15)[:, None]
        gains[25:] *= 0.5
    elif kind == "flash":
        gains[20:22] = 1.5
    elif kind == "lamp":
        gains[20:] = 1.3
    images = lit(panned(COUNT), gains, np.zeros((COUNT, 3)))
    if kind == "crossing":
        images = walked_over(images)
    worst = max(
        np.abs(after - before).mean()
        for before, after in zip(images, steadied(images), strict=True)
    )
    assert worst <= 0.75


def test_a_flash_in_a_flickering_shot_stays() -> None:
    random = np.random.default_rng(3)
    gains = random.uniform(0.94, 1.06, (COUNT, 1)) * np.ones((COUNT, 3))
    gains[20] = 1.6
    images = lit(panned(COUNT), gains, np.zeros((COUNT, 3)))
    assert corrections(images)[20] is None
    assert sum(change is not None for change in corrections(images)) >= COUNT * 0.75


def test_restore_steadies_only_when_asked_and_respects_cuts(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    gains = random.uniform(0.9, 1.1, (COUNT, 1)) * np.ones((COUNT, 3))
    light = np.repeat([[1.0], [0.6]], COUNT // 2, axis=0)
    scenes = panned(COUNT // 2) + panned(COUNT // 2, seed=8)
    images = lit(scenes, gains * light, np.zeros((COUNT, 3)))
    frames = write_pictures(tmp_path / "frames", images)
    shown = {}
    for flicker in (False, True):
        out = f"{tmp_path}/out{flicker}/"
        cleanplate.restore(frames, out, find="scratches", flicker=flicker)
        with cleanplate.open_clip(Path(out)) as clip:
            shown[flicker] = [picture.rgb() for picture in clip.pictures()]
    assert all(np.array_equal(a, b) for a, b in zip(shown[False], images, strict=True))
    halves = slice(0, COUNT // 2), slice(COUNT // 2, COUNT)
    for half in halves:
        assert unsteadiness(shown[True][half]) <= 0.4 * unsteadiness(images[half])
    means = [np.mean([image.mean() for image in shown[True][half]]) for half in halves]
    true = [np.mean([image.mean() for image in images[half]]) for half in halves]
    assert np.abs(np.array(means) - true).max() <= 2
