"""Finds and repairs damage of known place, laid over the open clips from a seed.

    python bench/restore.py CLIPS [--clip tennis] [--frames 30] [--seed 11] [--clean] [--fill]
    python bench/restore.py CLIPS --learn

Clips are brought to 480 px high; `evaluation.damage` says what is laid over them. Counted by pixel:
recall is the part of the damaged pixels (luma changed by 8 levels or more) that is proposed;
precision is the part of the proposed pixels within 2 px of a damaged one, since masks keep a margin
of 1.5 px for soft rims; `strict` leaves that out. SDIa (threshold 20) and ROD (8, 16, 24) are
measured on the same views, against dirt and drop-outs. `--clean` measures what is proposed of the
clips without damage. `--fill` fills what was found with flowfill, as `restore` does, and with
telea: PSNR over the proposed pixels. `--tape` lays only lines of tape that stay and drop-outs over
2 to 4 frames over them. `--learn` prints the weights of `restoration.blotches`,
learnt from these clips with seed 1; and what they find in each clip when learnt from the others.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.evaluation.arrays import filled, mask_boxes
from cleanplate.evaluation.damage import DIRT, DROPOUT, SCRATCH, Amounts, damaged
from cleanplate.evaluation.datasets import find_videos
from cleanplate.evaluation.measures import hole_psnr
from cleanplate.media.read import open_clip
from cleanplate.media.survey import Span, survey
from cleanplate.progress import Progress
from cleanplate.restoration.analysis import Frame, analysed
from cleanplate.restoration.blotches import FEATURES, judged
from cleanplate.restoration.detect import detect
from cleanplate.restoration.spikes import flow_between, rod, sdia, shrunk, view_of
from cleanplate.settings.restoration import RestorationSettings

SIDE = 480
TAPE = Amounts(*[0.0] * 5, standing_lines=0.1, lasting_streaks=0.2)
TOLERANCE = np.ones((5, 5), np.uint8)


def images_of(video, first: int, frames: int) -> list[np.ndarray]:
    width, height = video.size()
    if height > SIDE:
        width, height = round(width * SIDE / height) & ~1, SIDE
    return list(islice(video.images(width, height, first + frames), first, None))


def found_in(images: list[np.ndarray]) -> tuple[list[np.ndarray], np.ndarray, float]:
    """The masks that `restore` proposes, the shot of each frame, and seconds a frame."""
    with tempfile.TemporaryDirectory() as folder:
        frames = Path(folder) / "frames"
        frames.mkdir()
        for index, image in enumerate(images):
            cv2.imwrite(str(frames / f"{index:05d}.png"), image[..., ::-1])
        pieces = Path(folder) / "pieces"
        pieces.mkdir()
        with open_clip(frames) as clip:
            surveyed = survey(clip)
            span = Span(0, surveyed.count, surveyed.shots)
            begun = time.perf_counter()
            found = detect(clip, surveyed, span, RestorationSettings(), pieces, Progress())
            seconds = (time.perf_counter() - begun) / len(images)
            return [mask.copy() for mask in found.masks.read(0)], surveyed.shots, seconds


def part(inside: int, whole: int) -> float:
    return inside / whole if whole else float("nan")


def counted(masks: list[np.ndarray], truths: list[np.ndarray]) -> np.ndarray:
    """(8,) pixels: found of each kind, true of each kind, proposed right and strictly right; and
    proposed as the last."""
    rows = []
    for mask, truth in zip(masks, truths, strict=True):
        near = cv2.dilate((truth > 0).astype(np.uint8), TOLERANCE) > 0
        proposed = mask > 0
        rows.append(
            [
                *(np.count_nonzero(proposed & (truth == k)) for k in (DIRT, SCRATCH, DROPOUT)),
                *(np.count_nonzero(truth == k) for k in (DIRT, SCRATCH, DROPOUT)),
                np.count_nonzero(proposed & near),
                np.count_nonzero(proposed & (truth > 0)),
                np.count_nonzero(proposed),
            ]
        )
    return np.sum(rows, axis=0)


def told(name: str, c: np.ndarray, more: str = "") -> None:
    kinds = " ".join(f"{part(c[i], c[3 + i]):.2f}" for i in range(3))
    print(
        f"{name:22} recall {part(c[:3].sum(), c[3:6].sum()):.3f} (dirt, scratches, drop-outs "
        f"{kinds}) precision {part(c[6], c[8]):.3f} strict {part(c[7], c[8]):.3f} {more}",
        flush=True,
    )


def baselines(images: list[np.ndarray], truths: list[np.ndarray]) -> np.ndarray:
    """(2, 3) pixels of SDIa and ROD: found, proposed right, proposed; the truth is dirt and
    drop-outs."""
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    small = [shrunk(grey) for grey in greys]
    sums = np.zeros((2, 4))
    for i in range(1, len(greys) - 1):
        view = view_of(
            greys[i], [(greys[j], flow_between(small[i], small[j])) for j in (i - 1, i + 1)]
        )
        truth = (truths[i] == DIRT) | (truths[i] == DROPOUT)
        near = cv2.dilate((truths[i] > 0).astype(np.uint8), TOLERANCE) > 0
        for row, found in enumerate((sdia(view, 20), rod(view, (8, 16, 24)))):
            sums[row] += [
                *(np.count_nonzero(found & truth), np.count_nonzero(truth)),
                *(np.count_nonzero(found & near), np.count_nonzero(found)),
            ]
    return sums


def repaired(
    images: list[np.ndarray],
    hurt: list[np.ndarray],
    masks: list[np.ndarray],
    shots: np.ndarray,
) -> tuple[float, float, float]:
    """PSNR in dB over the proposed pixels: damaged, flowfill, telea."""
    size = (images[0].shape[1], images[0].shape[0])
    boxes = mask_boxes(masks, len(masks))
    engines = (
        registry.create("inpaint", "flowfill", {"window": "6", "grain": "true"}),
        registry.create("inpaint", "telea"),
    )
    results = [list(filled(hurt, masks, boxes, shots, size, engine)) for engine in engines]
    before, ours, base = (hole_psnr(images, result, masks) for result in (hurt, *results))
    return before, ours, base


def learn(arguments: argparse.Namespace) -> None:
    """Prints weights; of each clip, the part of its true and false pixels that others' weights
    keep."""
    rows = []
    for number, video in enumerate(find_videos(arguments.clips, arguments.clip)):
        images = images_of(video, 10, 24)
        for seed in (None, 1):
            hurt = [d.image for d in damaged(images, 1)] if seed else images
            truths = [d.mask for d in damaged(images, 1)] if seed else None
            greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in hurt]
            frames = (Frame(i, 0, grey) for i, grey in enumerate(greys))
            inner = (a.leaps for a in analysed(frames) if a.leaps and not a.leaps.is_one_sided)
            for index, patches in judged(inner):
                for patch, _ in patches:
                    share = 0.0
                    if truths:
                        truth = truths[index][patch.box.slices]
                        share = float((truth[patch.mask] > 0).mean())
                        if (truth[patch.mask] == SCRATCH).any() or 0.1 < share <= 0.5:
                            continue
                    area = np.count_nonzero(patch.mask)
                    rows.append([number, share > 0.5, area, *patch.features])
        print(video.name, len(rows), flush=True)
    table = np.array(rows)
    clip, true, area, features = table[:, 0], table[:, 1], table[:, 2], table[:, 3:]
    for number in np.unique(clip):
        others, own = clip != number, clip == number
        kept = applied(fitted(features[others], true[others], area[others]), features[own]) > 0.5
        sums = [
            part(area[own][kept & side].sum(), area[own][side].sum())
            for side in (true[own] > 0, true[own] == 0)
        ]
        print(f"clip {number:.0f}: true kept {sums[0]:.3f}, false kept {sums[1]:.4f}")
    mean, deviation, weights = fitted(features, true, area)
    print(FEATURES, mean.round(3), deviation.round(3), weights.round(3), sep="\n")


def fitted(features: np.ndarray, true: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, ...]:
    """Mean, deviation and weights, bias last, of a logistic regression by Newton's method."""
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-6
    table = np.c_[(features - mean) / deviation, np.ones(len(features))]
    weight = np.sqrt(area) / np.sqrt(area).mean()
    found = np.zeros(table.shape[1])
    for _ in range(30):
        sure = 1 / (1 + np.exp(-table @ found))
        slope = table.T @ (weight * (sure - true)) + np.r_[found[:-1], 0]
        bend = (table * (weight * sure * (1 - sure))[:, None]).T @ table + np.eye(len(found))
        found -= np.linalg.solve(bend, slope)
    return mean, deviation, found


def applied(model: tuple[np.ndarray, ...], features: np.ndarray) -> np.ndarray:
    mean, deviation, weights = model
    return 1 / (1 + np.exp(-np.c_[(features - mean) / deviation, np.ones(len(features))] @ weights))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--clip", action="append")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--clean", action="store_true")
    parser.add_argument("--tape", action="store_true", help="only lines and drop-outs that last")
    parser.add_argument("--baselines", action="store_true")
    parser.add_argument("--fill", action="store_true")
    parser.add_argument("--learn", action="store_true")
    arguments = parser.parse_args()
    if arguments.learn:
        learn(arguments)
        return
    total, simple, gains, shares = np.zeros(9), np.zeros((2, 4)), [], []
    for video in find_videos(arguments.clips, arguments.clip):
        images = images_of(video, arguments.first, arguments.frames)
        if arguments.clean:
            masks, _, seconds = found_in(images)
            shares.append(100 * float(np.mean([(mask > 0).mean() for mask in masks])))
            print(f"{video.name:22} {shares[-1]:.4f} %, {seconds:.3f} s a frame", flush=True)
            continue
        hurt = list(damaged(images, arguments.seed, TAPE if arguments.tape else None))
        masks, shots, seconds = found_in([frame.image for frame in hurt])
        counts = counted(masks, [frame.mask for frame in hurt])
        total += counts
        more = f"{seconds:.3f} s a frame"
        if arguments.baselines:
            simple += baselines([frame.image for frame in hurt], [frame.mask for frame in hurt])
        if arguments.fill:
            before, ours, base = repaired(images, [frame.image for frame in hurt], masks, shots)
            gains.append(ours - base)
            more += f", PSNR {before:.2f} -> {ours:.2f} dB, telea {base:.2f}, {gains[-1]:+.2f}"
        told(video.name, counts, more)
    if arguments.clean:
        print(f"mean {np.mean(shares):.4f} %, worst {max(shares):.4f} %")
        return
    told("all", total)
    if arguments.baselines:
        for name, row in zip(("SDIa", "ROD"), simple, strict=True):
            print(f"{name}: recall {part(row[0], row[1]):.3f} precision {part(row[2], row[3]):.3f}")
    if gains:
        print(f"over telea: mean {np.mean(gains):+.2f} dB, worst {min(gains):+.2f} dB")


if __name__ == "__main__":
    main()
