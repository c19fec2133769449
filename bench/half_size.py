"""A fill computed at half size and raised to full size, against flowfill at full size.

    python bench/half_size.py CLIPS [--clip tennis ...] [--frames 20]

A prototype for docs/ideas.md. The half-size fill is enlarged (cubic) and meets the frame at the
hole's rim: what it misses in the known pixels around is carried smoothly into the hole. Clips are
brought to 864x480; masks are the stationary ones of `cleanplate evaluate`, 5 % of the picture.
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
from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.masks import grow
from cleanplate.evaluation.datasets import find_videos
from cleanplate.evaluation.masks import hole_masks
from cleanplate.evaluation.measures import hole_psnr
from cleanplate.types import Frame, MaskedFrame

SIZE = (864, 480)


def fill(images: list[np.ndarray], masks: list[np.ndarray]) -> list[np.ndarray]:
    engine = registry.create("inpaint", "flowfill", {"causal": "true", "quality": "fast"})
    frames = (
        MaskedFrame(Frame(i, Fraction(i), image), mask)
        for i, (image, mask) in enumerate(zip(images, masks, strict=True))
    )
    return [frame.image for frame in engine.inpaint(frames)]


def raised(image: np.ndarray, small: np.ndarray, mask: np.ndarray) -> np.ndarray:
    large = cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC).astype(np.float32)
    inside = grow(mask, 2) > 0  # a small pixel on the rim is half hole
    missed = harmonic_fill(cv2.GaussianBlur(image - large, (0, 0), 2), inside)
    result = np.clip(np.rint(large + missed), 0, 255).astype(np.uint8)
    return np.where(mask[..., None] > 0, result, image)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--clip", action="append")
    parser.add_argument("--frames", type=int, default=20)
    chosen = parser.parse_args()
    half = (SIZE[0] // 2, SIZE[1] // 2)
    for video in find_videos(chosen.clips, chosen.clip):
        images = list(video.images(*SIZE, chosen.frames))
        masks = list(islice(hole_masks("stationary", *SIZE), len(images)))
        begun = time.perf_counter()
        whole = fill(images, masks)
        middle = time.perf_counter()
        small = fill(
            [cv2.resize(i, half, interpolation=cv2.INTER_AREA) for i in images],
            [cv2.dilate(m, np.ones((3, 3), np.uint8))[::2, ::2].copy() for m in masks],
        )
        results = [raised(*three) for three in zip(images, small, masks, strict=True)]
        ended = time.perf_counter()
        full, scaled = (hole_psnr(images, result, masks) for result in (whole, results))
        print(
            f"{video.name:22} full {full:.2f} dB, half {scaled:.2f} dB ({scaled - full:+.2f}), "
            f"{(middle - begun) / (ended - middle):.2f} times as fast",
            flush=True,
        )


if __name__ == "__main__":
    main()
