"""The path of the crop on composed clips: what it loses, and how it moves.

    python bench/retarget.py [--clips CLIPS] [--aspect 9:16]
    python bench/retarget.py --speed

A sign goes known ways over a picture of 640x360: made texture, or with --clips the first frame of
footage. The crop of `retarget` is compared with two that follow the same tracked boxes: frame by
frame (follow), and through a Gaussian of half a second (smoothed). Acceleration and jerk are means
of absolute values, in widths of the crop a second squared and cubed; lost is the mean share of the
sign outside the crop, whole the share of frames that show all of it, both by its true place. The
crop without a prompt (saliency) is measured alike.

--speed cuts 608x1080 out of 1920x1080, 8 bits 4:2:0, at whole samples and between them, against
FFmpeg's crop filter with a copy.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import cleanplate
from cleanplate import Box, Prompt
from cleanplate.media.new_clip import write_clip
from cleanplate.media.read import open_clip
from tests import scene

WIDTH, HEIGHT, RATE, SECONDS = 640, 360, 30, 5
SIGN = (88, 56)
BACKGROUNDS = ("bedroom", "tennis", "blackswan")


def ways() -> dict[str, np.ndarray]:
    """x of the sign's middle in each frame."""
    t = np.arange(RATE * SECONDS) / RATE
    return {
        "stands": np.full(len(t), 400.0),
        "sways": 320 + 40 * np.sin(4 * t),
        "walks": 80 + 96 * t,
        "stands, walks, stands": np.interp(t, [0, 1.5, 3.5, 5], [120, 120, 500, 500]),
        "to and fro": 320 + 200 * np.sin(2.2 * t),
        "hurries off": np.interp(t, [0, 2.5, 3.1, 5], [120, 120, 520, 520]),
    }


def backgrounds(clips: Path | None) -> dict[str, np.ndarray]:
    if clips is None:
        return {"texture": scene.texture(WIDTH, HEIGHT)}
    found = {}
    for name in BACKGROUNDS:
        folder = clips / name
        path = folder / "frames" if (folder / "frames").is_dir() else next(folder.glob("video.*"))
        with open_clip(path) as clip:
            image = next(clip.pictures()).rgb()
        found[name] = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return found


def sign_box(x: float) -> Box:
    left = round(x - SIGN[0] / 2)
    return Box(left, 150, left + SIGN[0], 150 + SIGN[1])


def compose(path: Path, background: np.ndarray, way: np.ndarray) -> None:
    sign = cv2.resize(scene.sign(), SIGN, interpolation=cv2.INTER_CUBIC)

    def images():
        for x in way:
            image = background.copy()
            image[sign_box(x).slices] = sign
            yield image

    write_clip(path, images(), Fraction(RATE), crf=16, options={"preset": "ultrafast"})


def measure(places: np.ndarray, width: float, way: np.ndarray) -> dict[str, float]:
    """Of one path: left ends of the crop, in px."""
    boxes = [sign_box(x) for x in way]
    shown = [
        max(0.0, min(box.x1, x + width) - max(box.x0, x)) / box.width
        for box, x in zip(boxes, places, strict=True)
    ]
    steps = places / width
    return {
        "whole": float(np.mean(np.array(shown) > 1 - 1e-6)),
        "lost": 1 - float(np.mean(shown)),
        "still": float(np.mean(np.abs(np.diff(places)) * RATE < 1)),
        "acceleration": float(np.abs(np.diff(steps, 2)).mean() * RATE**2),
        "jerk": float(np.abs(np.diff(steps, 3)).mean() * RATE**3),
    }


def follow(boxes: np.ndarray, width: float, sigma: float) -> np.ndarray:
    """The crop centred on each box, through a Gaussian of ``sigma`` frames."""
    middles = (boxes[:, 0] + boxes[:, 2]) / 2
    if sigma:
        reach = round(3 * sigma)
        kernel = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
        padded = np.pad(middles, reach, mode="edge")
        middles = np.convolve(padded, kernel / kernel.sum(), "valid")
    return np.clip(middles - width / 2, 0, WIDTH - width)


def tracked_boxes(clip: Path, out: Path, prompt: Prompt) -> np.ndarray:
    cleanplate.track(clip, out, prompt, overwrite=True)
    from cleanplate.arrays.masks import bounding_box
    from cleanplate.media.mask_track import read_mask_track

    rows = []
    for mask in read_mask_track(out):
        box = bounding_box(mask)
        rows.append(rows[-1] if box is None else (box.x0, box.y0, box.x1, box.y1))
    return np.array(rows, float)


def crop_speed(count: int = 120) -> None:
    from av.filter import Graph

    from cleanplate.media.crop import Cropper, CropSize

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.mp4"
        image = scene.texture(1920, 1080)
        write_clip(path, (image for _ in range(4)), Fraction(RATE))
        with open_clip(path) as clip:
            picture = next(clip.pictures())
    graph = Graph()
    source = graph.add_buffer(
        width=1920, height=1080, format=picture.frame.format, time_base=Fraction(1, 1000)
    )
    filters = [graph.add("crop", "w=608:h=1080:x=400:y=0"), graph.add("copy")]
    graph.link_nodes(source, *filters, graph.add("buffersink")).configure()

    def plain(_: int) -> None:
        graph.vpush(picture.frame)
        graph.vpull()

    cropper = Cropper(CropSize(608, 1080, 608, 1080))
    ways = {
        "FFmpeg's crop": plain,
        "whole samples": lambda n: cropper.crop(picture, 400 + 2 * n, 0),
        "between samples": lambda n: cropper.crop(picture, 400.3 + 2 * n, 0),
    }
    baseline = 0.0
    for name, work in ways.items():
        work(0)
        begun = time.perf_counter()
        for number in range(count):
            work(number)
        each = (time.perf_counter() - begun) / count
        baseline = baseline or each
        print(f"{name:16} {1000 * each:6.2f} ms a frame, {each / baseline:5.1f} times FFmpeg's")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path)
    parser.add_argument("--aspect", default="9:16")
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    if arguments.speed:
        crop_speed()
        return
    names = ("whole", "lost", "still", "acceleration", "jerk")
    print(f"{'background':12} {'way':22} {'crop':10} " + " ".join(f"{n:>12}" for n in names))
    totals: dict[str, list[dict[str, float]]] = {}
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder:
        clip, out, file = (Path(folder) / name for name in ("clip.mp4", "out.mp4", "path.json"))
        for ground, background in backgrounds(arguments.clips).items():
            for name, way in ways().items():
                compose(clip, background, way)
                prompt = Prompt(box=sign_box(way[0]))
                common = {"aspect": arguments.aspect, "save_path": file, "overwrite": True}
                common |= {"preset": "ultrafast", "captions": "ignore"}
                begun = time.perf_counter()
                report = cleanplate.retarget(clip, out, prompt, **common)
                seconds += time.perf_counter() - begun
                width = report.crop["width"]
                ours = np.array([e["box"][0] for e in json.loads(file.read_text())["frames"]])
                free = cleanplate.retarget(clip, out, **common)
                boxes = tracked_boxes(clip, Path(folder) / "masks.mkv", prompt)
                paths = {
                    "retarget": ours,
                    "follow": follow(boxes, width, 0),
                    "smoothed": follow(boxes, width, RATE / 4),
                    "saliency": np.array([box[0] for box in free.boxes]),
                }
                for kind, places in paths.items():
                    found = measure(places, width, way)
                    totals.setdefault(kind, []).append(found)
                    row = " ".join(f"{found[n]:12.3f}" for n in names)
                    print(f"{ground:12} {name:22} {kind:10} {row}", flush=True)
    for kind, rows in totals.items():
        means = " ".join(f"{np.mean([row[n] for row in rows]):12.3f}" for n in names)
        print(f"{'all':12} {'mean':22} {kind:10} {means}")
    print(f"retarget with a prompt: {len(totals['retarget']) * RATE * SECONDS / seconds:.1f} fps")


if __name__ == "__main__":
    main()
