"""How exactly and how fast planes are followed, on real clips and on made scenes.

    python bench/track.py [CLIPS] [--csrt PYTHON] [--made]

Exactness: corners read by hand on ten frames; the first checked quadrilateral is carried by the
tracker's motion and compared with the other nine. Forwards and backwards.

--csrt compares with OpenCV's CSRT, one thread each, on the same frames; see bench/csrt.py.
--made follows five textures under seven conditions, where the truth is known.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.arrays import planes
from cleanplate.media.read import open_clip
from cleanplate.types import Frame, Visibility

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
from tests.engines.track import planar_scenes  # noqa: E402

EXACT = {"logo": 0, "MG4car": 1}
SPEED = {
    "MG4car": [(376, 287, 452, 310)],
    "tennis": [(20, 60, 250, 120)],
    "logo": [(1346, 504, 1582, 590)],
    "cups": [(600, 40, 900, 240)],
}


def frames(folder: Path) -> list[Frame]:
    source = folder / "frames" if (folder / "frames").is_dir() else folder / "video.mp4"
    with open_clip(source) as clip:
        pictures = enumerate(clip.pictures())
        return [Frame(n, Fraction(n, 25), picture.rgb()) for n, picture in pictures]


def track(clip: list[Frame], boxes: list[tuple[int, int, int, int]]):
    """The states of the first object in each frame but the first, and the processor's milliseconds
    of each."""
    mask = np.zeros(clip[0].image.shape[:2], np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes, 1):
        mask[y0:y1, x0:x1] = number
    tracking = registry.create("track", "planar").start(clip[0], mask)
    states, times = [], []
    for frame in clip[1:]:
        start = time.process_time()
        states.append(tracking.step(frame).objects[0])
        times.append(1000 * (time.process_time() - start))
    return states, times


def exactness(clips: Path) -> None:
    for name, number in EXACT.items():
        folder = clips / name
        clip = frames(folder)
        truth = json.loads((folder / "corners.json").read_text())
        read = {int(frame): np.array(corners) for frame, corners in truth.items()}
        box = json.loads((folder / "prompt.json").read_text())["objects"][number]["box"]
        report(name, clip, box, read)
        # Backwards from the last frame that was read, from the upright box around its corners.
        last = max(read)
        low, high = np.floor(read[last].min(axis=0)), np.ceil(read[last].max(axis=0))
        there = {last - frame: corners for frame, corners in read.items()}
        report(f"{name} backwards", clip[last::-1], [*low.astype(int), *high.astype(int)], there)


def report(name: str, clip: list[Frame], box: list[int], read: dict[int, np.ndarray]) -> None:
    x0, y0, x1, y1 = box
    states, times = track(clip, [(x0, y0, x1, y1)])
    start = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
    corners = [start, *(np.asarray(state.corners, np.float64) for state in states)]
    first, *others = sorted(read)
    overlaps, errors = [], []
    for other in others:
        motion = planes.between(corners[first], corners[other])
        carried = planes.apply(motion, read[first])
        overlaps.append(planes.quad_iou(carried, read[other]))
        errors.append(np.linalg.norm(carried - read[other], axis=1).mean())
    seen = Counter(state.visibility.value for state in states)
    print(
        f"{name:17} {len(clip)} frames: mean IoU {np.mean(overlaps):.3f}, least "
        f"{min(overlaps):.3f}, corners {np.mean(errors):.2f} px off, {dict(seen)}, "
        f"{np.median(times):.1f} ms a frame"
    )


def speed(clips: Path) -> None:
    for name, boxes in SPEED.items():
        clip = frames(clips / name)[:60]
        height, width = clip[0].image.shape[:2]
        _, times = track(clip, boxes)
        print(
            f"{name:8} {width}x{height}: median {np.median(times):.1f} ms, "
            f"95th percentile {np.percentile(times, 95):.1f} ms an object and frame"
        )


def against_csrt(clips: Path, python: str) -> None:
    """Milliseconds of the processor, one thread each, first 60 frames."""
    cv2.setNumThreads(1)
    for name, number in EXACT.items():
        clip = frames(clips / name)[:60]
        box = json.loads((clips / name / "prompt.json").read_text())["objects"][number]["box"]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "frames.npy"
            np.save(path, np.stack([frame.image for frame in clip]))
            call = [python, str(ROOT / "bench" / "csrt.py"), str(path), ",".join(map(str, box))]
            csrt = json.loads(subprocess.run(call, check=True, capture_output=True).stdout)
        _, times = track(clip, [tuple(box)])
        ours, theirs = np.median(times), np.median(csrt["times"])
        print(
            f"{name:8} planar {ours:.1f} ms, CSRT of {csrt['version']} {theirs:.1f} ms: "
            f"{theirs / ours:.1f} times as fast"
        )


def made() -> None:
    """Mean IoU where at least 35 % is seen, and hidden frames that were called visible."""
    hidden = wrong = 0
    whole = []
    for kind in ("plain", "noise", "fast", "tilt", "fade", "hand", "exit"):
        row = []
        for name in ("sign", "script", "plate", "photo", "emblem"):
            scene = planar_scenes.scene(kind, name)
            images = list(scene.frames())
            tracking = registry.create("track", "planar").start(images[0], scene.start_mask())
            overlaps = []
            for number, frame in enumerate(images[1:], 1):
                (state,) = tracking.step(frame).objects
                seen = state.visibility in (Visibility.VISIBLE, Visibility.PARTLY_HIDDEN)
                if scene.shares[number] < 0.02:
                    hidden += 1
                    wrong += seen
                elif scene.shares[number] >= 0.35:
                    corners = np.asarray(state.corners, np.float64)
                    quad = scene.quads[number]
                    overlaps.append(planes.quad_iou(corners, quad) if seen else 0.0)
            row.append(float(np.mean(overlaps)))
        whole += row
        print(f"{kind:6}", "  ".join(f"{value:.3f}" for value in row), flush=True)
    print(f"mean {np.mean(whole):.3f}; {wrong} of {hidden} hidden frames called visible")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="?", type=Path, default=ROOT.parent / "shared" / "clips")
    parser.add_argument("--csrt", metavar="PYTHON", help="has opencv-contrib-python-headless")
    parser.add_argument("--made", action="store_true", help="made scenes in place of the clips")
    given = parser.parse_args()
    if given.made:
        made()
    elif given.csrt:
        against_csrt(given.clips, given.csrt)
    else:
        exactness(given.clips)
        speed(given.clips)
