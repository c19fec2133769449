"""Hole PSNR and warping error of inpaint engines on real footage, against `telea` in the same run.

    python bench/fill_quality.py CLIPS [--engine flowfill] [--set quality=fast] [--clip tennis]

Each clip is brought to 432x240 and 40 frames; masks are those of `cleanplate evaluate`, 5 % of the
picture; engines work in regions, as in use, and those of live pictures on whole ones. Pairs of
frames across a cut are left out of E.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.evaluation.arrays import filled, mask_boxes
from cleanplate.evaluation.datasets import find_videos
from cleanplate.evaluation.masks import KINDS, hole_masks
from cleanplate.evaluation.measures import Motion, hole_psnr, warping
from cleanplate.media.shots import ShotDetector
from cleanplate.protocols import Hurries
from cleanplate.types import Frame, MaskedFrame

SIZE = (432, 240)
FIRST = {"watermark-cuts": 165}  # so that a hard cut and no black lies among the frames


def shots_of(images: list[np.ndarray]) -> np.ndarray:
    detector = ShotDetector()
    for image in images:
        detector.see(cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (96, 54)))
    starts = np.zeros(len(images), int)
    starts[detector.finish()] = 1
    return np.cumsum(starts)


def fills(
    engine: Any, images: list[np.ndarray], masks: list[np.ndarray], shots: np.ndarray
) -> Iterator[np.ndarray]:
    """The images with their holes filled."""
    if not isinstance(engine, Hurries):
        boxes = mask_boxes(masks, len(images))
        yield from filled(images, masks, boxes, shots, SIZE, engine)
        return
    frames = (
        MaskedFrame(Frame(n, Fraction(n), image, int(shots[n])), mask)
        for n, (image, mask) in enumerate(zip(images, masks, strict=True))
    )
    for frame in engine.inpaint_hurried(frames, lambda _: 0):
        yield frame.image


def measured(
    images: list[np.ndarray],
    results: Iterator[np.ndarray],
    masks: list[np.ndarray],
    shots: np.ndarray,
) -> tuple[float, float, float]:
    """(hole PSNR in dB, mean squared change along the motion, seconds a frame)."""
    begun = time.perf_counter()
    filled_images = list(results)
    seconds = (time.perf_counter() - begun) / len(images)
    changes = [
        warping(
            Motion(images[t], images[t + 1], masks[t]).change(
                filled_images[t], filled_images[t + 1]
            )
        )
        for t in range(len(images) - 1)
        if shots[t] == shots[t + 1]
    ]
    total, count = (sum(column) for column in zip(*changes, strict=True))
    return hole_psnr(images, filled_images, masks), total / count, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--engine", default="flowfill")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--clip", action="append")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    base = registry.create("inpaint", "telea")
    settings = dict(pair.split("=", 1) for pair in chosen.set)
    engine = registry.create("inpaint", chosen.engine, settings)

    print(f"{'clip':22}" + "".join(f"{k:>12}: ours telea  gain  E ratio   s/f" for k in KINDS))
    rows = []
    for video in find_videos(chosen.clips, chosen.clip):
        first = FIRST.get(video.name, 0)
        images = list(islice(video.images(*SIZE, first + chosen.frames), first, None))
        shots = shots_of(images)
        row: list[float] = []
        line = f"{video.name:22}"
        for kind in KINDS:
            masks = list(islice(hole_masks(kind, *SIZE, chosen.seed), len(images)))
            (ours, shaky, seconds), (theirs, shakier, _) = (
                measured(images, fills(one, images, masks, shots), masks, shots)
                for one in (engine, base)
            )
            row += [ours - theirs, shaky / shakier, seconds]
            line += (
                f"{'':12}{ours:6.2f} {theirs:5.2f} {row[-3]:+6.2f} {row[-2]:6.3f} {seconds:5.3f}"
            )
        rows.append(row)
        print(line, flush=True)
    means, worst = np.mean(rows, axis=0), np.min(rows, axis=0)
    for i, kind in enumerate(KINDS):
        gain, ratio, seconds = means[3 * i : 3 * i + 3]
        print(
            f"mean {kind}: {gain:+.2f} dB (worst {worst[3 * i]:+.2f}), E {ratio:.3f}, "
            f"{seconds:.3f} s a frame"
        )


if __name__ == "__main__":
    main()
