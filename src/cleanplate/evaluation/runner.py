"""Runs an evaluation: a process for each clip, several at once, each finished one kept on disk.

The folder that it writes holds ``report.json`` (everything needed to repeat it), ``report.html``
(one page, no other file) and ``videos/`` (what a run that was stopped goes on from).
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.evaluation import inpainting, trackers, warping
from cleanplate.evaluation.datasets import Video
from cleanplate.evaluation.inpainting import InpaintingOrder
from cleanplate.evaluation.measures import FLICKER, SSIM_WINDOW, WARPING
from cleanplate.evaluation.page import page
from cleanplate.evaluation.trackers import TrackingOrder
from cleanplate.evaluation.vfid import frechet_distance
from cleanplate.files.publish import write_text
from cleanplate.jobs.report import versions
from cleanplate.jobs.work_folder import checksum
from cleanplate.progress import Progress


def evaluate_inpainting(
    videos: list[Video],
    order: InpaintingOrder,
    out: Path,
    jobs: int,
    progress: Progress,
    pool: Executor | None = None,
) -> dict[str, Any]:
    """Evaluate an inpainter, or what another program filled, on ``videos``.

    Args:
        videos: the clips.
        order: what is evaluated, and how.
        out: folder of the report; a run that was stopped goes on from what is in it.
        jobs: clips at once.
        progress: told about every clip.
        pool: does it in place of ``jobs`` processes of this machine.

    Returns:
        What is in ``report.json``.
    """
    results = _run(inpainting.evaluate_video, videos, order, out, jobs, progress, pool)
    rows = [
        {"name": result["name"], **inpainting.summary(result["frames"]), **_cost(result)}
        for result in results
    ]
    every = [frame for result in results for frame in result["frames"]]
    total = {"name": "all frames", **inpainting.summary(every)}
    total["seconds_per_frame"] = float(
        np.average([r["seconds_per_frame"] for r in rows], weights=[r["frames"] for r in rows])
    )
    total["peak_memory_mib"] = max(row["peak_memory_mib"] for row in rows)
    total["vfid"] = _vfid(results)
    report = _report("inpaint", order, videos, rows, total)
    report["measures"] = {
        "ssim": f"scikit-image, uniform window {SSIM_WINDOW}, interior",
        "e_warp": warping.NAME,
        "hole_warp": WARPING,
        "flicker": FLICKER,
        "seam": "seam-1: steps across the mask's rim against the truth's",
        "vfid": "I3D Mixed_5c, each clip's own batch statistics",
    }
    return _write(out, report, results)


def evaluate_tracking(
    videos: list[Video],
    order: TrackingOrder,
    out: Path,
    jobs: int,
    progress: Progress,
    pool: Executor | None = None,
) -> dict[str, Any]:
    """Evaluate a tracker, or another program's masks; arguments as in ``evaluate_inpainting``."""
    results = _run(trackers.evaluate_video, videos, order, out, jobs, progress, pool)
    rows = [
        {
            "name": result["name"],
            "objects": len(result["objects"]),
            **trackers.summary(result["objects"]),
            "seconds_per_frame": result["seconds_per_frame"],
        }
        for result in results
    ]
    every = [tracked for result in results for tracked in result["objects"]]
    total = {"name": "all objects", "objects": len(every), **trackers.summary(every)}
    total["seconds_per_frame"] = float(np.mean([row["seconds_per_frame"] for row in rows]))
    report = _report("track", order, videos, rows, total)
    report["measures"] = {"j, f": "DAVIS 2017, semi-supervised; first and last frame left out"}
    return _write(out, report, results)


def _cost(result: dict[str, Any]) -> dict[str, Any]:
    return {name: result[name] for name in ("seconds_per_frame", "peak_memory_mib")}


def _vfid(results: list[dict[str, Any]]) -> float | None:
    features = [result["features"] for result in results if "features" in result]
    if len(features) < 2:
        return None  # a distance between distributions needs more than one clip
    real, fake = (np.array([result[name] for result in features]) for name in ("truth", "result"))
    return frechet_distance(real, fake)


def _run(
    evaluate: Callable[[Video, Any], dict[str, Any]],
    videos: list[Video],
    order: Any,
    out: Path,
    jobs: int,
    progress: Progress,
    given: Executor | None,
) -> list[dict[str, Any]]:
    folder = out / "videos"
    folder.mkdir(parents=True, exist_ok=True)
    identity = json.dumps([_plain(order), versions()], sort_keys=True)
    waiting = [video for video in videos if _kept(folder, video, identity) is None]
    progress.start("evaluate", len(videos), len(videos) - len(waiting))
    # A process for each clip: its peak memory is the clip's own, and a crash is the clip's alone.
    context = multiprocessing.get_context("spawn")
    with given or ProcessPoolExecutor(jobs, context, max_tasks_per_child=1) as pool:
        working = {pool.submit(evaluate, video, order): video for video in waiting}
        try:
            for done in as_completed(working):
                kept = {"identity": identity, "found": done.result()}
                write_text(folder / f"{working[done].name}.json", json.dumps(kept))
                progress.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    progress.finish()
    results = [_kept(folder, video, identity) for video in videos]
    return [result for result in results if result is not None]


def _kept(folder: Path, video: Video, identity: str) -> dict[str, Any] | None:
    path = folder / f"{video.name}.json"
    if not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return kept["found"] if kept["identity"] == identity else None


def _plain(order: Any) -> dict[str, Any]:
    return {name: str(v) if isinstance(v, Path) else v for name, v in asdict(order).items()}


def _report(
    task: str, order: Any, videos: Iterable[Video], rows: list[Any], total: dict[str, Any]
) -> dict[str, Any]:
    return {
        "task": task,
        "order": _plain(order),
        "versions": versions(),
        "checksums": {video.name: checksum(video.source) for video in videos},
        "videos": rows,
        "total": total,
    }


def _write(out: Path, report: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    write_text(out / "report.json", json.dumps(report, indent=1) + "\n")
    write_text(out / "report.html", page(report, results))
    return report
