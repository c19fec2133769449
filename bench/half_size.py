"""flowfill.scale against flowfill at full size: speed, PSNR and detail in the hole.

    python bench/half_size.py CLIPS [--clip tennis ...] [--frames 20] [--scale 0.5] [--causal]

Clips are brought to 864x480; masks are the stationary ones of `cleanplate evaluate`, 5 % of the
picture. Detail is what a blur of 1.5 px takes away: its energy beside the truth's.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.evaluation.datasets import find_videos
from cleanplate.evaluation.masks import hole_masks
from cleanplate.evaluation.measures import hole_psnr
from cleanplate.types import Frame, MaskedFrame

SIZE = (864, 480)


def fill(
    images: list[np.ndarray], masks: list[np.ndarray], scale: float, causal: bool
) -> list[np.ndarray]:
    chosen = {"causal": str(causal).lower(), "quality": "fast", "scale": str(scale)}
    engine = registry.create("inpaint", "flowfill", chosen)
    frames = (
        MaskedFrame(Frame(i, Fraction(i), image), mask)
        for i, (image, mask) in enumerate(zip(images, masks, strict=True))
    )
    return [frame.image for frame in engine.inpaint(frames)]


def detail(images: list[np.ndarray], masks: list[np.ndarray]) -> float:
    energy = 0.0
    for image, mask in zip(images, masks, strict=True):
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        fine = grey - cv2.GaussianBlur(grey, (0, 0), 1.5)
        inside = cv2.erode(mask, np.ones((7, 7), np.uint8)) > 0
        energy += float((fine[inside] ** 2).sum())
    return energy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--clip", action="append")
    parser.add_argument("--frames", type=int, default=20)
    parser.add_argument("--scale", type=float, default=0.5)
    parser.add_argument("--causal", action="store_true")
    chosen = parser.parse_args()
    for video in find_videos(chosen.clips, chosen.clip):
        images = list(video.images(*SIZE, chosen.frames))
        masks = list(islice(hole_masks("stationary", *SIZE), len(images)))
        begun = time.perf_counter()
        whole = fill(images, masks, 1.0, chosen.causal)
        middle = time.perf_counter()
        scaled = fill(images, masks, chosen.scale, chosen.causal)
        ended = time.perf_counter()
        full, small = (hole_psnr(images, result, masks) for result in (whole, scaled))
        true = detail(images, masks)
        print(
            f"{video.name:22} full {full:.2f} dB, scaled {small:.2f} ({small - full:+.2f}), "
            f"{(middle - begun) / (ended - middle):.2f} times as fast, "
            f"detail {detail(whole, masks) / true:.2f} -> {detail(scaled, masks) / true:.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
