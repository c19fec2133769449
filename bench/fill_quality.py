"""Hole PSNR and warping error of inpaint engines on real footage, against `telea` in the same run.

    python bench/fill_quality.py CLIPS [--engine flowfill] [--set quality=fast] [--clip tennis ...]

Each clip is brought to 432x240 and 40 frames; the masks are those of cleanplate.evaluation.masks.
"""

from __future__ import annotations

import argparse
import time
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np

from cleanplate import registry
from cleanplate.evaluation.masks import KINDS, hole_masks
from cleanplate.evaluation.metrics import hole_psnr, warping_error
from cleanplate.types import Frame, MaskedFrame

WIDTH, HEIGHT = 432, 240


def load(folder: Path, first: int, count: int) -> list[np.ndarray]:
    """``count`` frames from ``first``, (240, 432, 3) RGB."""
    images: list[np.ndarray] = []
    if (folder / "frames").is_dir():
        for path in sorted((folder / "frames").iterdir())[first : first + count]:
            images.append(_sized(cv2.imread(str(path))[..., ::-1]))
        return images
    video = next(folder.glob("video.*"))
    with av.open(str(video)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number >= first:
                images.append(_sized(frame.to_ndarray(format="rgb24")))
            if len(images) == count:
                break
    return images


def _sized(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def shots_of(images: list[np.ndarray]) -> list[int]:
    """Number of each frame's shot, told from the images: 1 more at a sudden change."""
    small = [
        cv2.cvtColor(
            cv2.resize(i, (48, 27), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY
        ).astype(float)
        for i in images
    ]
    changes = np.array([0.0] + [float(np.abs(b - a).mean()) for a, b in pairwise(small)])
    shots, shot = [], 0
    for t, change in enumerate(changes):
        near = np.delete(changes[max(t - 3, 0) : t + 4], min(t, 3))
        if change > 18 and change > 3 * np.median(near) + 4:
            shot += 1
        shots.append(shot)
    return shots


def fill(engine, images, masks, shots):
    source = (
        MaskedFrame(Frame(n, Fraction(n, 25), image, shot), mask)
        for n, (image, mask, shot) in enumerate(zip(images, masks, shots, strict=True))
    )
    start = time.perf_counter()
    filled = [frame.image for frame in engine.inpaint(source)]
    return filled, (time.perf_counter() - start) / len(images)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--engine", default="flowfill")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--clip", action="append")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    base = registry.create("inpaint", "telea")
    engine = registry.create(
        "inpaint", arguments.engine, dict(pair.split("=", 1) for pair in arguments.set)
    )
    names = arguments.clip or sorted(p.name for p in arguments.clips.iterdir() if p.is_dir())
    first = {"watermark-cuts": 165, "subtitle-portrait-bw": 0}
    print(f"{'clip':22}" + "".join(f"{k:>12}: ours telea  gain     E ratio   s/f" for k in KINDS))
    rows = []
    for name in names:
        images = load(arguments.clips / name, first.get(name, 0), arguments.frames)
        shots = shots_of(images)
        row = []
        line = f"{name:22}"
        for kind in KINDS:
            masks = list(islice(hole_masks(kind, WIDTH, HEIGHT, arguments.seed), len(images)))
            ours, seconds = fill(engine, images, masks, shots)
            theirs, _ = fill(base, images, masks, shots)
            good, basic = hole_psnr(images, ours, masks), hole_psnr(images, theirs, masks)
            shaky = warping_error(images, ours, masks, shots)
            ratio = shaky / warping_error(images, theirs, masks, shots)
            row += [good - basic, ratio, seconds]
            line += f"{'':12}{good:6.2f} {basic:5.2f} {good - basic:+6.2f}"
            line += f" {shaky:6.1f} {ratio:5.2f} {seconds:5.3f}"
        rows.append(row)
        print(line, flush=True)
    means, worst = np.mean(rows, axis=0), np.min(rows, axis=0)
    for i, kind in enumerate(KINDS):
        gain, ratio, seconds = means[3 * i : 3 * i + 3]
        print(f"mean {kind}: {gain:+.2f} dB, E {ratio:.3f}, {seconds:.3f} s a frame;", end=" ")
        print(f"worst gain {worst[3 * i]:+.2f} dB")


if __name__ == "__main__":
    main()
