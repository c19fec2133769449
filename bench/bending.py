"""How well people and animals are followed without weights, against the flow alone.

    python bench/bending.py [CLIPS]

Spans of ten frames from every tenth frame of the clips with exact masks; J is the intersection over
union with the truth. Flow alone: the mask of the frame before, seen through the optical flow.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.arrays.flow import dense_flow, pixel_grid
from cleanplate.media.mask_files import read_mask_image
from cleanplate.media.read import open_clip
from cleanplate.types import Frame

CLIPS = ("blackswan", "dogs-jump")
SPAN = 10
Follow = Callable[[list[np.ndarray], np.ndarray], Iterator[np.ndarray]]


def by_flowtrack(images: list[np.ndarray], mask: np.ndarray) -> Iterator[np.ndarray]:
    frames = [Frame(n, Fraction(n, 25), image) for n, image in enumerate(images)]
    tracking = registry.create("track", "flowtrack").start(frames[0], mask)
    for frame in frames[1:]:
        yield tracking.step(frame).mask


def by_flow_alone(images: list[np.ndarray], mask: np.ndarray) -> Iterator[np.ndarray]:
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    for before, after in pairwise(greys):
        places = dense_flow(after, before) + pixel_grid(*after.shape)
        mask = cv2.remap(mask, places[..., 0], places[..., 1], cv2.INTER_NEAREST)
        yield mask


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    either = np.count_nonzero(one | other)
    return np.count_nonzero(one & other) / either if either else 1.0


def measure(folder: Path, follow: Follow) -> tuple[float, float]:
    """Mean J over all spans and objects, and seconds of the processor an object and frame."""
    source = folder / "frames" if (folder / "frames").is_dir() else folder / "video.mp4"
    with open_clip(source) as clip:
        images = [picture.rgb() for picture in clip.pictures()]
    truth = [read_mask_image(folder / "masks" / f"{n:05d}.png") for n in range(len(images))]
    found, seconds, steps = [], 0.0, 0
    for start in range(0, len(images) - SPAN, SPAN):
        objects = np.unique(truth[start])[1:]
        begun = time.process_time()
        answers = list(follow(images[start : start + SPAN + 1], truth[start]))
        seconds, steps = seconds + time.process_time() - begun, steps + SPAN * len(objects)
        for answer, mask in zip(answers, truth[start + 1 :], strict=False):
            found += [overlap(answer == number, mask == number) for number in objects]
    return float(np.mean(found)), seconds / steps


if __name__ == "__main__":
    clips = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/clips")
    print(f"{'clip':12} {'flow alone':>12} {'flowtrack':>12}   ratio of time")
    for name in CLIPS:
        alone, quick = measure(clips / name, by_flow_alone)
        followed, slow = measure(clips / name, by_flowtrack)
        print(
            f"{name:12} {alone:12.3f} {followed:12.3f}   {slow / quick:.1f} "
            f"({1000 * slow:.0f} ms an object and frame)",
            flush=True,
        )
