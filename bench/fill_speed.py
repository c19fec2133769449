"""Seconds a frame and memory of inpaint engines, on a generated pan, for several sizes of holes.

python bench/fill_speed.py [--engine flowfill] [--set quality=fast] [--frames 60]
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from fractions import Fraction

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.evaluation.masks import hole_masks
from cleanplate.types import Frame, MaskedFrame

CASES = {
    "432x240, 5 %": (432, 240, 0.05),
    "432x240, 13 %": (432, 240, 0.13),
    "600x400, 25,000 px": (600, 400, 25_000 / (600 * 400)),
}


def pan(width: int, height: int, share: float, count: int) -> Iterator[MaskedFrame]:
    """Noise at several sizes, panned by 4 px a frame under a blob that stays, with live grain."""
    random = np.random.default_rng(0)
    wide = np.zeros((height, width + 4 * count, 3), np.float32)
    for sigma in (1, 4, 16):
        noise = random.standard_normal(wide.shape, np.float32)
        wide += cv2.GaussianBlur(noise, (0, 0), sigma) * sigma * 40
    masks = hole_masks("stationary", width, height, seed=0, share=share)
    for n, mask in zip(range(count), masks, strict=False):
        view = wide[:, 4 * n : 4 * n + width] + 128 + 2 * random.standard_normal((height, width, 1))
        image = np.clip(view, 0, 255).astype(np.uint8)
        yield MaskedFrame(Frame(n, Fraction(n, 25), image), mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="flowfill")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--frames", type=int, default=60)
    arguments = parser.parse_args()
    settings = dict(pair.split("=", 1) for pair in arguments.set)
    engine = registry.create("inpaint", arguments.engine, settings)
    base = registry.create("inpaint", "telea")
    print(f"{'case':22} {'s a frame':>10} {'telea':>8} {'CPU s':>8} {'peak MB':>8}")
    for name, (width, height, share) in CASES.items():
        walls = []
        for one in (base, engine):
            frames = list(pan(width, height, share, arguments.frames))
            start, used = time.perf_counter(), time.process_time()
            for _ in one.inpaint(frames):
                pass
            walls.append((time.perf_counter() - start) / arguments.frames)
        spent = (time.process_time() - used) / arguments.frames
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{name:22} {walls[1]:10.3f} {walls[0]:8.3f} {spent:8.3f} {peak:8.0f}", flush=True)


if __name__ == "__main__":
    main()
