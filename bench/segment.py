"""How well and how fast the segmenter outlines what is clicked at or boxed.

    python bench/segment.py [CLIPS]

Clicks are simulated: each in the middle of the largest error of the outline so far.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.media.mask_files import read_mask_image
from cleanplate.media.read import open_clip
from cleanplate.types import Box, Point, Prompt

FRAMES = (0, 20, 40)
CLICKS = 5


def frames(folder: Path) -> dict[int, np.ndarray]:
    source = folder / "frames" if (folder / "frames").is_dir() else folder / "video.mp4"
    with open_clip(source) as clip:
        return {n: p.rgb() for n, p in enumerate(clip.pictures()) if n in FRAMES}


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def next_click(found: np.ndarray, truth: np.ndarray) -> Point:
    clicks = []
    for error, positive in ((truth & ~found, True), (found & ~truth, False)):
        depth = cv2.distanceTransform(np.pad(error, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
        y, x = np.unravel_index(depth.argmax(), depth.shape)
        clicks.append((depth[y, x], Point(float(x) + 0.5, float(y) + 0.5, positive)))
    return max(clicks, key=lambda click: click[0])[1]


def box_of(mask: np.ndarray) -> Box:
    ys, xs = np.nonzero(mask)
    return Box(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)


def timed(work, *arguments):
    start = time.perf_counter()
    result = work(*arguments)
    return result, time.perf_counter() - start


def quality(clips: Path) -> None:
    engine = registry.create("segment", "grabcut")
    by_clicks, by_box, first_box = [], [], []
    for name in ("blackswan", "dogs-jump"):
        for index, image in frames(clips / name).items():
            objects = read_mask_image(clips / name / "masks" / f"{index:05d}.png")
            encoded = engine.encode(image)
            for number in np.unique(objects)[1:]:
                truth = objects == number
                found, points, row = np.zeros_like(truth), (), []
                for _ in range(CLICKS):
                    points = (*points, next_click(found, truth))
                    found = engine.decode(encoded, Prompt(points)).masks[0]
                    row.append(iou(found, truth))
                boxed = iou(engine.decode(encoded, Prompt(box=box_of(truth))).masks[0], truth)
                by_clicks.append(row)
                by_box.append(boxed)
                if index == 0:
                    first_box.append(boxed)
                clicked = " ".join(f"{value:.2f}" for value in row)
                print(f"{name:10} frame {index:2} object {number}: {clicked}, box {boxed:.2f}")
    mean = " ".join(f"{value:.3f}" for value in np.mean(by_clicks, axis=0))
    print(f"mean IoU of {len(by_box)} objects after 1 to {CLICKS} clicks: {mean}")
    print(f"mean IoU from a box: {np.mean(by_box):.3f}; first frames: {np.mean(first_box):.3f}")


def speed(clips: Path) -> None:
    engine = registry.create("segment", "grabcut")
    for name in ("blackswan", "logo"):
        image = frames(clips / name)[0]
        height, width = image.shape[:2]
        points, encodes, decodes = (), [], []
        for _ in range(3):
            encoded, seconds = timed(engine.encode, image)
            encodes.append(seconds)
        for x, y in ((0.3, 0.6), (0.5, 0.4), (0.7, 0.5)):
            points = (*points, Point(x * width, y * height, len(points) < 2))
            decodes.append(timed(engine.decode, encoded, Prompt(points))[1])
        box = Box(width // 4, height // 4, width // 2, height * 3 // 4)
        boxed = timed(engine.decode, encoded, Prompt(box=box))[1]
        print(
            f"{width}x{height}: encode {min(encodes):.2f} s, click {np.median(decodes):.2f} s "
            f"(most {max(decodes):.2f}), box {boxed:.2f} s"
        )


if __name__ == "__main__":
    here = Path(__file__).resolve().parent.parent
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "shared" / "clips"
    quality(folder)
    speed(folder)
