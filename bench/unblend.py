"""PSNR under known half-transparent marks over real footage: telea, flowfill, unblend in one run.

    python bench/unblend.py CLIPS [--clip tennis ...] [--alpha 0.25 0.5] [--crf 20]

Each clip gives frames spread over its length in runs, at most 640 px wide. The mark is white text
with a soft dark rim, burned in; with --crf the marked clip is encoded by x264 before it is cleaned.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.arrays.masks import grow
from cleanplate.media.new_clip import write_clip
from cleanplate.media.read import open_clip
from cleanplate.media.survey import survey
from cleanplate.types import Frame, MaskedFrame

CLIPS = ("tennis", "MG4car", "watermark-cuts", "blackswan", "crossing-portrait", "dogs-jump")
CONTEXT = 64


def load(folder: Path, most: int) -> tuple[list[np.ndarray], list[int]]:
    """Frames of even size and the shot of each."""
    path = folder / "frames" if (folder / "frames").is_dir() else next(folder.glob("video.*"))
    with open_clip(path) as clip:
        found = survey(clip)
        # Runs of 20 frames keep flow possible, and all shots are seen.
        step = max(1, round(found.count / most))
        chosen = [i for i in range(found.count) if (i // 20) % step == step // 2]
        wanted = set(chosen)
        images = [sized(p.rgb()) for p in clip.pictures() if p.index in wanted]
    runs = np.cumsum(np.r_[0, np.diff(chosen) > 1])
    pairs = list(zip(runs, found.shots[chosen], strict=True))
    numbers = {pair: n for n, pair in enumerate(dict.fromkeys(pairs))}
    return images, [numbers[pair] for pair in pairs]


def sized(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    scale = min(1.0, 640 / width)
    size = (int(width * scale) & ~1, int(height * scale) & ~1)
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def mark(height: int, width: int, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) opacity and (H, W) grey level of the mark."""
    text, rim = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    scale = width / 420
    place = (round(width * 0.12), round(height * 0.42))
    for canvas, thickness in ((text, 2), (rim, 6)):
        cv2.putText(
            canvas,
            "Sample Mark",
            place,
            cv2.FONT_HERSHEY_DUPLEX,
            scale,
            255,
            thickness,
            cv2.LINE_AA,
        )
    letters = text.astype(np.float32) / 255
    halo = 0.6 * cv2.GaussianBlur(rim.astype(np.float32) / 255, (0, 0), 1.5) * (1 - letters)
    opacity = alpha * np.maximum(letters, halo)
    return opacity, np.where(letters >= halo, 235.0, 20.0).astype(np.float32)


def marked(images: list[np.ndarray], opacity: np.ndarray, level: np.ndarray) -> list[np.ndarray]:
    a, w = opacity[..., None], level[..., None]
    return [np.rint((1 - a) * image + a * w).astype(np.uint8) for image in images]


def encoded(images: list[np.ndarray], crf: int) -> list[np.ndarray]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "marked.mp4"
        write_clip(path, iter(images), Fraction(25), None, crf=crf)
        with open_clip(path) as clip:
            return [picture.rgb() for picture in clip.pictures()]


def cleaned(name, settings, images, mask, shots) -> tuple[list[np.ndarray], float]:
    engine = registry.create("inpaint", name, settings)

    def source() -> Iterator[MaskedFrame]:
        for n, (image, shot) in enumerate(zip(images, shots, strict=True)):
            yield MaskedFrame(Frame(n, Fraction(n, 25), image, shot), mask)

    start = time.perf_counter()
    filled = [frame.image for frame in engine.inpaint(source())]
    return filled, (time.perf_counter() - start) / len(images)


def psnr(truth: list[np.ndarray], got: list[np.ndarray], where: np.ndarray) -> float:
    """Mean over frames of the PSNR inside ``where``."""
    errors = [
        max(float(((a[where].astype(float) - b[where]) ** 2).mean()), 1e-3)
        for a, b in zip(truth, got, strict=True)
    ]
    return float(np.mean(10 * np.log10(255**2 / np.array(errors))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--clip", action="append")
    parser.add_argument("--alpha", type=float, nargs="+", default=[0.25, 0.5])
    parser.add_argument("--crf", type=int)
    parser.add_argument("--frames", type=int, default=80)
    parser.add_argument("--engine", action="append")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    engines = arguments.engine or ["telea", "flowfill", "unblend"]
    print(f"{'clip':20}{'alpha':>6}{'marked':>8}" + "".join(f"{e:>10}{'s/f':>7}" for e in engines))
    gains = []
    for name in arguments.clip or CLIPS:
        truth, shots = load(arguments.clips / name, arguments.frames)
        for alpha in arguments.alpha:
            opacity, level = mark(*truth[0].shape[:2], alpha)
            given = marked(truth, opacity, level)
            if arguments.crf is not None:
                given = encoded(given, arguments.crf)
            ys, xs = np.nonzero(opacity > 0.01)
            part = (
                slice(max(ys.min() - CONTEXT, 0), ys.max() + CONTEXT),
                slice(max(xs.min() - CONTEXT, 0), xs.max() + CONTEXT),
            )
            where = opacity[part] > 0.02
            mask = grow(where.astype(np.uint8), 3)
            crops = [np.ascontiguousarray(image[part]) for image in given]
            wanted = [image[part] for image in truth]
            row = [psnr(wanted, crops, where)]
            line = f"{name:20}{alpha:6.2f}{row[0]:8.2f}"
            for engine in engines:
                fields = dict(p.split("=", 1) for p in arguments.set) if engine == "unblend" else {}
                filled, seconds = cleaned(engine, fields, crops, mask, shots)
                row.append(psnr(wanted, filled, where))
                line += f"{row[-1]:10.2f}{seconds:7.3f}"
                if arguments.save:
                    arguments.save.mkdir(parents=True, exist_ok=True)
                    strips = [
                        filled[i][..., ::-1] for i in np.linspace(0, len(filled) - 1, 4).astype(int)
                    ]
                    target = arguments.save / f"{name}-{alpha}-{engine}.png"
                    cv2.imwrite(str(target), cv2.vconcat(strips))
            print(line, flush=True)
            gains.append(row)
    print("mean".ljust(26) + "".join(f"{v:10.2f}" for v in np.mean(gains, axis=0)))


if __name__ == "__main__":
    main()
