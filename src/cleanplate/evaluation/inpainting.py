"""Evaluation of inpainting: one clip after the other, frame by frame, against the truth.

The protocol is the published one of video inpainting (432x240, fills composited with the truth
outside the hole, means over all frames of all clips), and besides what its tables leave out.
"""

from __future__ import annotations

import heapq
import resource
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.errors import InputError
from cleanplate.evaluation import measures
from cleanplate.evaluation.arrays import filled, mask_boxes
from cleanplate.evaluation.datasets import Video, find_videos
from cleanplate.evaluation.masks import KINDS, hole_masks
from cleanplate.evaluation.pictures import thumbnails
from cleanplate.evaluation.vfid import Features
from cleanplate.evaluation.warping import TrueMotion
from cleanplate.files.publish import publishing
from cleanplate.media.shots import PICTURE_WIDTH, ShotDetector
from cleanplate.registry import create, find
from cleanplate.runtime import resolve
from cleanplate.settings.groups import EngineSettings

DATASET = "dataset"  # masks that come with the clips
_WORST = 4  # frames of each clip that the page shows


@dataclass(frozen=True, slots=True)
class InpaintingOrder:
    """What is evaluated, and how. Everything that changes a figure is here."""

    inpainter: str = "flowfill"
    settings: dict[str, str] = field(default_factory=dict)
    engines: EngineSettings = field(default_factory=EngineSettings)
    masks: str = DATASET
    """``dataset``, ``stationary`` or ``moving``."""
    seed: int = 0
    share: float = 0.05
    """Share of the picture that generated masks cover."""
    dilate: int | None = None
    """Rounds of dilation with a cross; None is the published 4 for a dataset's masks, else 0."""
    width: int = 432
    height: int = 240
    most: int | None = None
    """Frames of each clip; all when None."""
    results: Path | None = None
    """What another program wrote: ``<results>/<video>/`` images or ``<results>/<video>.*``."""
    save: Path | None = None
    i3d: Path | None = None
    """The I3D checkpoint, for VFID."""

    def __post_init__(self) -> None:
        if self.masks not in (DATASET, *KINDS):
            choices = ", ".join((DATASET, *KINDS))
            raise InputError(f"Masks {self.masks!r} are not known; choose one of: {choices}.")

    @property
    def rounds(self) -> int:
        """How many times masks are dilated: as ordered, else 4 for a dataset's own masks and 0 for
        ours."""
        if self.dilate is not None:
            return self.dilate
        return 4 if self.masks == DATASET else 0


def evaluate_video(video: Video, order: InpaintingOrder) -> dict[str, Any]:
    """All measures of one clip, as plain values that can be saved as JSON.

    Raises:
        InputError: masks or results that do not fit the clip.
    """
    size = (order.width, order.height)
    shots = shots_of(video.images(*size, order.most))
    count = len(shots)
    if video.count is not None and order.most is None and count != video.count:
        raise InputError(f"{video.name} has {count} frames and its list says {video.count}.")
    results = _timed(_results(video, order, shots))
    measured = _measured(video, order, results, shots)
    measured["seconds_per_frame"] = round(results.seconds / count, 5)
    measured["peak_memory_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return measured


def shots_of(images: Iterable[np.ndarray]) -> np.ndarray:
    """(N,) int: the number of the shot that each of ``images`` ((H, W, 3) uint8 RGB) lies in."""
    detector = ShotDetector()
    count = 0
    for image in images:
        detector.see(_small(image))
        count += 1
    starts = np.zeros(count, np.int32)
    starts[detector.finish()] = 1
    return np.cumsum(starts)


def _small(image: np.ndarray) -> np.ndarray:
    height = max(1, round(PICTURE_WIDTH * image.shape[0] / image.shape[1]))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return cv2.resize(grey, (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)


def _masks(video: Video, order: InpaintingOrder, count: int) -> Iterator[np.ndarray]:
    """(H, W) uint8, 1 in the hole, for each of ``count`` frames."""
    size = (order.width, order.height)
    if order.masks == DATASET:
        source = video.object_masks(*size, count)
    else:
        source = hole_masks(order.masks, *size, order.seed, order.share)  # type: ignore[arg-type]
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    made = 0
    for _, mask in zip(range(count), source, strict=False):
        made += 1
        yield cv2.dilate((mask > 0).astype(np.uint8), cross, iterations=order.rounds)
    if made != count:
        raise InputError(f"{video.name} has {count} frames and {made} masks.")


def _results(video: Video, order: InpaintingOrder, shots: np.ndarray) -> Iterator[np.ndarray]:
    """The clip with its holes filled: by the engine, or as another program filled them."""
    size, count = (order.width, order.height), len(shots)
    if order.results is None:
        runtime = resolve(find("inpaint", order.inpainter), order.engines)
        engine = create("inpaint", order.inpainter, order.settings, runtime)
        boxes = mask_boxes(_masks(video, order, count), count)
        images, masks = video.images(*size, order.most), _masks(video, order, count)
        yield from filled(images, masks, boxes, shots, size, engine)
        return
    theirs = _others(video, order.results).images(*size, count)
    made = 0
    pairs = zip(video.images(*size, order.most), _masks(video, order, count), theirs, strict=False)
    for truth, mask, image in pairs:
        made += 1
        yield np.where(mask[..., None] > 0, image, truth)
    if made != count:
        raise InputError(f"{order.results} has {made} frames of {video.name}, not {count}.")


def _others(video: Video, results: Path) -> Video:
    folder = results / video.name
    if folder.is_dir():
        return Video(video.name, folder)
    files = sorted(results.glob(f"{video.name}.*"))
    if not files:
        raise InputError(f"{results} has neither a folder {video.name}/ nor a file {video.name}.*")
    return Video(video.name, files[0])


class _timed:  # noqa: N801  an iterator, used like a function
    """The same items; ``seconds`` is what making them took."""

    def __init__(self, items: Iterator[np.ndarray]) -> None:
        self._items, self.seconds = items, 0.0

    def __iter__(self) -> Iterator[np.ndarray]:
        return self

    def __next__(self) -> np.ndarray:
        begun = time.perf_counter()
        try:
            return next(self._items)
        finally:
            self.seconds += time.perf_counter() - begun


def _measured(
    video: Video, order: InpaintingOrder, results: Iterator[np.ndarray], shots: np.ndarray
) -> dict[str, Any]:
    size, count = (order.width, order.height), len(shots)
    frames: list[dict[str, Any]] = []
    worst: list[tuple[float, int, list[str]]] = []
    previous: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    triples = zip(
        video.images(*size, order.most), results, _masks(video, order, count), strict=True
    )
    for index, (truth, result, mask) in enumerate(triples):
        frame = _frame(truth, result, mask)
        if previous is not None and shots[index] == shots[index - 1]:
            frames[-1] |= _pair(previous, (truth, result))
        frames.append(frame)
        if frame["hole_samples"]:
            item = (frame["hole_squares"] / frame["hole_samples"], index)
            if len(worst) < _WORST or item > worst[0][:2]:
                heapq.heappush(worst, (*item, thumbnails(truth, result, mask)))
                worst = heapq.nlargest(_WORST, worst)
                heapq.heapify(worst)
        if order.save is not None:
            _save(order.save / video.name / f"{index:05d}.png", result)
        if order.i3d is not None:
            kept.append((truth, result))
        previous = truth, result, mask
    shown = [{"frame": index, "pictures": made} for _, index, made in sorted(worst)[::-1]]
    measured: dict[str, Any] = {"name": video.name, "frames": frames, "worst": shown}
    measured["cuts"] = [int(cut) for cut in np.flatnonzero(np.diff(shots)) + 1]
    if order.i3d is not None:
        network = Features(order.i3d)
        measured["features"] = {
            name: network.of(pair[place] for pair in kept).tolist()
            for place, name in enumerate(("truth", "result"))
        }
    return measured


def _frame(truth: np.ndarray, result: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    squares, samples = measures.hole_error(truth, result, mask)
    return {
        "psnr": measures.psnr(truth, result),
        "ssim": measures.ssim(truth, result),
        "seam": measures.seam_error(truth, result, mask),
        "hole_squares": squares,
        "hole_samples": samples,
    }


def _pair(
    previous: tuple[np.ndarray, np.ndarray, np.ndarray], following: tuple[np.ndarray, np.ndarray]
) -> dict[str, Any]:
    truth, result, mask = previous
    grey, next_grey = (cv2.cvtColor(i, cv2.COLOR_RGB2GRAY) for i in (truth, following[0]))
    true_motion = TrueMotion(grey, next_grey)
    motion = measures.Motion(truth, following[0], mask)
    change = motion.change(result, following[1])
    warp_squares, warp_samples = measures.warping(change)
    flickers, _ = measures.flicker(change, motion.change(truth, following[0]))
    return {
        "e_warp": true_motion.error(result, following[1]),
        "warp_squares": warp_squares,
        "warp_samples": warp_samples,
        "flickers": flickers,
    }


def _save(path: Path, image: np.ndarray) -> None:
    with publishing(path) as draft:
        cv2.imwrite(str(draft), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def summary(frames: list[dict[str, Any]]) -> dict[str, Any]:
    """The measures of a set of frames, of one clip or of all.

    PSNR and SSIM are means over frames; frames without a hole, whose PSNR is infinite, are left
    out of PSNR and counted; E_warp is a mean over pairs. Hole PSNR, the warping error inside the
    hole and flicker pool all samples.
    """
    finite = [f["psnr"] for f in frames if np.isfinite(f["psnr"])]
    holes = [f for f in frames if f["hole_samples"]]
    pairs = [f for f in frames if f.get("warp_samples")]
    warps = [f["e_warp"] for f in frames if "e_warp" in f]
    samples = sum(f["warp_samples"] for f in pairs)
    squares = sum(f["hole_squares"] for f in holes)
    return {
        "frames": len(frames),
        "frames_without_hole": len(frames) - len(finite),
        "psnr": float(np.mean(finite)) if finite else None,
        "ssim": float(np.mean([f["ssim"] for f in frames])),
        "hole_psnr": (
            measures.decibels(squares / sum(f["hole_samples"] for f in holes)) if holes else None
        ),
        "seam": float(np.mean([f["seam"] for f in holes])) if holes else None,
        "e_warp": float(np.mean(warps)) if warps else None,
        "hole_warp": sum(f["warp_squares"] for f in pairs) / samples if samples else None,
        "flicker": sum(f["flickers"] for f in pairs) / samples if samples else None,
    }


def videos_of(root: Path, order: InpaintingOrder, only: list[str] | None) -> list[Video]:
    """The clips of ``root`` that can be evaluated so; with a dataset's masks, those that have them.

    Raises:
        InputError: there are none.
    """
    videos = find_videos(root, only)
    if order.masks != DATASET:
        return videos
    masked = [video for video in videos if video.masks is not None]
    if not masked:
        raise InputError(f"No clip in {root} has masks; give --masks stationary or moving.")
    return masked
