"""Evaluation of tracking: J and F of each object, semi-supervised, as DAVIS 2017 has it.

The mask of the first frame in which an object is annotated is given; it is followed from there.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.errors import InputError
from cleanplate.evaluation import overlap
from cleanplate.evaluation.datasets import Video
from cleanplate.evaluation.pictures import data_url
from cleanplate.media.mask_files import numbered, read_mask_image
from cleanplate.media.mask_writing import write_mask_image
from cleanplate.registry import create, find
from cleanplate.runtime import resolve
from cleanplate.settings.groups import EngineSettings
from cleanplate.types import Frame

_WORST = 4


@dataclass(frozen=True, slots=True)
class TrackingOrder:
    """What is evaluated, and how."""

    tracker: str = "planar"
    settings: dict[str, str] = field(default_factory=dict)
    engines: EngineSettings = field(default_factory=EngineSettings)
    most: int | None = None
    results: Path | None = None
    """What another program wrote: ``<results>/<video>/`` palette PNGs."""
    save: Path | None = None


def evaluate_video(video: Video, order: TrackingOrder) -> dict[str, Any]:
    """J and F of every object in every frame, as plain values that can be saved as JSON.

    Raises:
        InputError: no masks, or results that do not fit.
    """
    size = video.size()
    begun = time.perf_counter()
    ids: set[int] = set()
    rows: list[dict[str, Any]] = []
    pairs = zip(video.object_masks(*size, order.most), _tracked(video, order, size), strict=True)
    for index, (truth, (image, tracked)) in enumerate(pairs):
        ids |= set(np.unique(truth).tolist()) - {0}
        objects = {str(i): _judged(truth == i, tracked == i) for i in sorted(ids)}
        rows.append({"objects": objects, "picture": _picture(image, truth, tracked)})
        if order.save is not None:
            write_mask_image(order.save / video.name / f"{index:05d}.png", tracked)
    seconds = time.perf_counter() - begun
    if not ids:
        raise InputError(f"{video.name} has masks without an object.")
    return _concluded(video.name, ids, rows, seconds)


def _tracked(
    video: Video, order: TrackingOrder, size: tuple[int, int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(image, mask) of each frame, from the engine or from another program's files."""
    images = video.images(*size, order.most)
    if order.results is not None:
        folder = order.results / video.name
        if not folder.is_dir():
            raise InputError(f"{order.results} has no folder {video.name}/ of masks.")
        names = numbered([f.name for f in folder.iterdir() if f.suffix.lower() == ".png"])
        for image, name in zip(images, names.values(), strict=False):
            yield image, read_mask_image(folder / name)
        return
    runtime = resolve(find("track", order.tracker), order.engines)
    tracker = create("track", order.tracker, order.settings, runtime)
    tracking, known = None, set()
    truths = video.object_masks(*size, order.most)
    for index, (image, truth) in enumerate(zip(images, truths, strict=True)):
        frame = Frame(index, Fraction(index), image)
        new = set(np.unique(truth).tolist()) - known - {0}
        new_mask = np.where(np.isin(truth, list(new)), truth, 0).astype(np.uint8)
        known |= new
        if tracking is None:
            tracking = tracker.start(frame, new_mask)
            yield image, new_mask
            continue
        mask = tracking.step(frame).mask
        if new:
            tracking.correct(frame, new_mask)
            mask = np.where(new_mask > 0, new_mask, mask)
        yield image, mask


def _judged(truth: np.ndarray, result: np.ndarray) -> dict[str, Any]:
    return {
        "j": overlap.region_similarity(truth, result),
        "f": overlap.contour_accuracy(truth, result),
        "present": bool(truth.any()),
    }


def _picture(image: np.ndarray, truth: np.ndarray, result: np.ndarray) -> str:
    """Right in green, missed in red, too much in blue."""
    shown = image.astype(np.float32) * 0.6
    true_pixels, tracked_pixels = truth > 0, result > 0
    for where, colour in (
        (true_pixels & tracked_pixels & (truth == result), (0, 255, 0)),
        (true_pixels & (truth != result), (255, 0, 0)),
        (tracked_pixels & ~true_pixels, (0, 90, 255)),
    ):
        shown[where] += 0.4 * np.array(colour, np.float32)
    return data_url(np.clip(shown, 0, 255).astype(np.uint8))


def _concluded(
    name: str, ids: set[int], rows: list[dict[str, Any]], seconds: float
) -> dict[str, Any]:
    objects = []
    for object_id in sorted(ids):
        mine = [row["objects"].get(str(object_id)) for row in rows]
        first = next(i for i, judgement in enumerate(mine) if judgement is not None)
        # DAVIS judges neither the frame that is given nor the last.
        judged = [judgement for judgement in mine[first:] if judgement is not None][
            overlap.judged(len(mine) - first)
        ]
        j, f = [judgement["j"] for judgement in judged], [judgement["f"] for judgement in judged]
        delays = overlap.returns([judgement["present"] for judgement in judged], j)
        objects.append(
            {
                "object": object_id,
                "j": _plain(overlap.statistics(j)),
                "f": _plain(overlap.statistics(f)),
                "returns": delays,
            }
        )
    order = sorted(range(1, max(2, len(rows) - 1)), key=lambda i: _least(rows[i]))[:_WORST]
    return {
        "name": name,
        "objects": objects,
        "frames": [row["objects"] for row in rows],
        "worst": [{"frame": i, "pictures": [rows[i]["picture"]]} for i in order if i < len(rows)],
        "seconds_per_frame": round(seconds / len(rows), 5),
    }


def _least(row: dict[str, Any]) -> float:
    return min((judgement["j"] for judgement in row["objects"].values()), default=1.0)


def _plain(statistics: overlap.Statistics) -> dict[str, float]:
    return {"mean": statistics.mean, "recall": statistics.recall, "decay": statistics.decay}


def summary(objects: list[dict[str, Any]]) -> dict[str, Any]:
    """The measures of all objects: means over objects, as DAVIS reports them."""
    row: dict[str, Any] = {}
    for measure in ("j", "f"):
        for value in ("mean", "recall", "decay"):
            row[f"{measure}_{value}"] = float(
                np.mean([measured[measure][value] for measured in objects])
            )
    row["j_and_f"] = (row["j_mean"] + row["f_mean"]) / 2
    delays = [delay for measured in objects for delay in measured["returns"]]
    finite = [delay for delay in delays if delay is not None]
    row["returns"] = len(delays)
    row["found_again"] = len(finite)
    row["frames_to_find_again"] = float(np.mean(finite)) if finite else None
    return row
