"""Milliseconds a frame of each learned stage of `cleanplate live`, against the weight-free one.

    python bench/live.py --learned [--frames 6]      or by itself: python bench/live_learned.py

Trackers and inpainters that work without later frames, as a live picture leads them, at 640x360
with a target of 5 %, in float32 and bfloat16, on as many threads as torch takes (OMP_NUM_THREADS).
Weights are made from names: times do not depend on them. Every confidence is believed, so that
siammask_hq draws its outline in each frame. Medians, of the clock and of the processor.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
import torch
from timing import timed

sys.path.insert(0, str(Path(__file__).parents[1]))

from cleanplate import registry
from cleanplate.networks.aot import aot
from cleanplate.networks.sam import sam
from cleanplate.networks.siammask import SiamMask
from cleanplate.networks.vinet.vinet import VINet
from cleanplate.protocols import Runtime
from cleanplate.types import Box, Frame, MaskedFrame
from tests.scene import texture
from tests.weights import save

WIDTH, HEIGHT, TARGET = 640, 360, Box(266, 126, 373, 233)
_TRUSTING = {"lost_below": "0", "least_quality": "0", "least_stability": "0", "agreement": "0"}


@dataclass(frozen=True)
class Stage:
    """One engine as a live picture uses it."""

    task: Any
    name: str
    settings: dict[str, str]
    networks: dict[str, Callable[[], torch.nn.Module]]
    """By the setting that takes its weights' path."""


STAGES = [
    Stage("track", "planar", {}, {}),
    Stage("track", "flowtrack", {"detail": "128"}, {}),
    Stage("track", "siammask", {"lost_below": "0"}, {"weights": SiamMask}),
    Stage(
        "track",
        "siammask_hq",
        {**_TRUSTING, "model": "vit_tiny"},
        {"weights": SiamMask, "hq_weights": sam.sam_hq_vit_tiny},
    ),
    Stage("track", "deaot", {"model": "deaot_t"}, {"weights": aot.deaot_t}),
    Stage("inpaint", "plate", {}, {}),
    Stage(
        "inpaint",
        "vinet",
        {"lookahead": "0", "topology": "256", "size": "256"},
        {"weights": lambda: VINet(double_size=False)},
    ),
]


def images(count: int) -> Iterator[np.ndarray]:
    """A wall that pans behind something that stays."""
    wide, sign = texture(WIDTH + 4 * count, HEIGHT, 0), texture(TARGET.width, TARGET.height, 3)
    for n in range(count):
        image = np.ascontiguousarray(wide[:, 4 * n : 4 * n + WIDTH])
        image[TARGET.slices] = sign
        yield image


def measured(stage: Stage, precision: str, count: int, folder: Path) -> tuple[float, float]:
    """Seconds a frame, of the clock and of the processor."""
    settings = dict(stage.settings)
    for field, network in stage.networks.items():
        path = folder / f"{stage.name}-{field}.pth"
        settings[field] = str(path if path.exists() else save(network(), path))
    engine: Any = registry.create(stage.task, stage.name, settings, Runtime(precision=precision))
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[TARGET.slices] = 1
    frames = (Frame(n, Fraction(n, 25), image) for n, image in enumerate(images(count + 2)))
    if stage.task == "track":
        tracking = engine.start(next(frames), mask)

        def step() -> None:
            tracking.step(next(frames))
    else:
        filled = engine.inpaint(MaskedFrame(frame, mask) for frame in frames)

        def step() -> None:
            next(filled)

    step()  # the first one loads and lays out what the others find ready
    times = [timed(step, "cpu") for _ in range(count)]
    return median(clock for clock, _ in times), median(processor for _, processor in times)


def compare(count: int) -> None:
    """Print a line a stage and precision, as a ratio to the weight-free stage of its task."""
    cv2.setNumThreads(1)
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}, {WIDTH}x{HEIGHT}")
    print(f"{'':12} {'':9} {'ms':>8} {'CPU ms':>8} {'ratio':>7}")
    base: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        for stage in STAGES:
            for precision in ("float32", "bfloat16") if stage.networks else ("float32",):
                clock, processor = measured(stage, precision, count, Path(folder))
                ratio = clock / base.setdefault(stage.task, clock)
                print(
                    f"{stage.name:12} {precision:9} {1000 * clock:8.1f} {1000 * processor:8.1f} "
                    f"{ratio:7.1f}",
                    flush=True,
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=6)
    compare(parser.parse_args().frames)


if __name__ == "__main__":
    main()
