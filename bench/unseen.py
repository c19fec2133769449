"""What flowfill's carrying of a painted key frame is worth, whoever paints it.

    python bench/unseen.py CLIPS [--clip tennis] [--painter oracle] [--kind stationary]
                           [--set quality=fast] [--show FOLDER]

LaMa's weights are not at hand everywhere, and this is not about them: the painter is an oracle that
paints the truth, the smooth fill, or noise. Each is held against ``unseen=smooth`` in the same run:
hole PSNR, and warping error as a ratio; "truth E" is the ratio that the clip itself has: a smooth
fill of a detailed picture hardly changes along the motion, so what is sharp cannot match it. Clips
are brought to 432x240 and 40 frames; masks are those of `cleanplate evaluate`, 5 % of the picture.
"never" is the share of the hole that no frame within reach shows. Clips of which a tenth or more is
never shown count for the first mean.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.fill_quality import FIRST, SIZE, measured, shots_of
from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.engines.inpaint.flowfill import unseen
from cleanplate.engines.inpaint.flowfill.engine import Engine
from cleanplate.evaluation.datasets import find_videos
from cleanplate.evaluation.masks import KINDS, hole_masks
from cleanplate.protocols import Runtime
from cleanplate.settings import parse
from cleanplate.types import Frame, MaskedFrame


class Oracle:
    """Paints the truth of the frame that the picture is."""

    def __init__(self, images: list[np.ndarray]) -> None:
        self.images = images

    def paint(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        known = ~hole[::3, ::3]
        given = picture[::3, ::3][known].astype(np.int16)
        errors = [abs(given - one[::3, ::3][known]).mean() for one in self.images]
        return np.where(hole[..., None], self.images[int(np.argmin(errors))], picture)


class Smooth:
    """Paints what flowfill has without a painter."""

    def __init__(self, _: list[np.ndarray]) -> None:
        pass

    def paint(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(harmonic_fill(picture, hole)), 0, 255).astype(np.uint8)


class Noise:
    """Paints what is never right."""

    def __init__(self, _: list[np.ndarray]) -> None:
        pass

    def paint(self, picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8)
        return np.where(hole[..., None], noise, picture)


PAINTERS: dict[str, Any] = {"oracle": Oracle, "smooth": Smooth, "noise": Noise}


class Watch:
    """Counts what is never seen, frame by frame."""

    def __init__(self) -> None:
        self.shares: dict[int, float] = {}
        self._plain = unseen.never_seen

    def __enter__(self) -> Watch:
        def counted(plate: Any) -> np.ndarray:
            missing = self._plain(plate)
            share = np.count_nonzero(missing) / max(np.count_nonzero(plate.hole), 1)
            self.shares[plate.number] = share
            return missing

        unseen.never_seen = counted  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        unseen.never_seen = self._plain

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.shares.values()) or [0]))


def fills(
    engine: Engine, images: list[np.ndarray], masks: list[np.ndarray], shots: np.ndarray
) -> Iterator[np.ndarray]:
    given = (
        MaskedFrame(Frame(n, Fraction(n, 25), image, shot=int(shot)), mask)
        for n, (image, mask, shot) in enumerate(zip(images, masks, shots, strict=True))
    )
    for frame in engine.inpaint(given):
        yield frame.image


def show(folder: Path, name: str, result: list[np.ndarray]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    picked = [result[n] for n in np.linspace(0, len(result) - 1, 4).astype(int)]
    sheet = np.concatenate([np.concatenate(picked[:2], 1), np.concatenate(picked[2:], 1)])
    cv2.imwrite(str(folder / f"{name}.png"), sheet[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--clip", action="append")
    parser.add_argument("--painter", action="append", choices=list(PAINTERS))
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=Path)
    chosen = parser.parse_args()
    settings = parse(Engine.Settings, dict(pair.split("=", 1) for pair in chosen.set))
    rows: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for video in find_videos(chosen.clips, chosen.clip):
        first = FIRST.get(video.name, 0)
        images = list(islice(video.images(*SIZE, first + chosen.frames), first, None))
        shots = shots_of(images)
        for kind in chosen.kind or KINDS:
            masks = list(islice(hole_masks(kind, *SIZE, chosen.seed), len(images)))
            base = Engine(dataclasses.replace(settings, unseen="smooth"), Runtime())
            results = list(fills(base, images, masks, shots))
            plain, shaky, _ = measured(images, iter(results), masks, shots)
            truth = measured(images, iter(images), masks, shots)[1]
            line = f"{video.name:22}{kind:11} smooth {plain:6.2f} truth E {truth / shaky:5.3f}"
            if chosen.show:
                show(chosen.show, f"{video.name}-{kind}-plain", results)
            for name in chosen.painter or PAINTERS:
                engine = Engine(settings, Runtime(), PAINTERS[name](images))
                with Watch() as watch:
                    results = list(fills(engine, images, masks, shots))
                ours, shakes, _ = measured(images, iter(results), masks, shots)
                rows.setdefault((kind, name), []).append((watch.mean, ours - plain, shakes / shaky))
                line += f"  {name} {ours - plain:+6.2f} dB E {shakes / shaky:5.3f}"
                if chosen.show:
                    show(chosen.show, f"{video.name}-{kind}-{name}", results)
            print(f"{line}  never {watch.mean:.2f}", flush=True)
    for (kind, name), found in rows.items():
        gains, ratios = (np.array([row[i] for row in found]) for i in (1, 2))
        hidden = np.array([row[0] for row in found]) >= 0.1
        mean = gains[hidden].mean() if hidden.any() else float("nan")
        print(
            f"{kind} {name}: {mean:+.2f} dB over {hidden.sum()} clips with a tenth never shown, "
            f"worst {gains.min():+.2f} dB, E at most {ratios.max():.3f}"
        )


if __name__ == "__main__":
    main()
