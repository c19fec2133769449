"""Frames a second, delay and memory of `cleanplate live` on a composed clip, against `telea`.

    python bench/live.py [--size 640x360] [--frames 300] [--long] [--learned]

A textured background pans under a sign of 5 % of the picture that moves over it. The clip is played
by `cleanplate live --simulate --stats json`, weight-free: planar and plate; the baseline is the
same with telea. With --long, a small clip is looped for 2,000 and for 20,000 frames without a
deadline, and the memory of both is compared. With --learned, each learned stage is timed instead:
see live_learned.py.

The bars are those of two idle cores: 640x360 at 25 frames a second and more with 120 ms for 95 of a
hundred, 1280x720 at 12 and 250 ms. Each size is played with its bar as the deadline, as a person
would who wants no more delay: what cannot be shown in time is dropped, and counts against the rate.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.media.new_clip import write_clip
from cleanplate.types import Box

LATENCY = {"640x360": "120ms", "1280x720": "250ms"}
PROGRAM = [sys.executable, "-c", "from cleanplate.cli import main; main()", "live"]


def texture(width: int, height: int, seed: int) -> np.ndarray:
    """(height, width, 3) uint8 with detail at several sizes."""
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for size, strength in ((8, 50), (30, 35), (120, 20)):
        noise = random.normal(0, strength, (size, size * 2, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(picture + 128, 0, 255).astype(np.uint8)


def composed(path: Path, width: int, height: int, frames: int) -> Box:
    """Write the clip; returns the sign's box in the first frame."""
    side = round((0.05 * width * height) ** 0.5)
    wide, sign = texture(width + 300, height + 60, 0), texture(side, side, 3)
    cv2.putText(sign, "ABC", (side // 8, side * 5 // 8), 3, side / 60, (255, 240, 200), side // 20)

    def place(n: int) -> tuple[int, int]:
        sway = np.sin(n / 25)
        return round((width - side) / 2 + width / 5 * sway), (height - side) // 2

    def images() -> Any:
        for n in range(frames):
            x, y = 150 + round(140 * np.sin(n / 60)), 30 + round(25 * np.sin(n / 31))
            image = wide[y : y + height, x : x + width].copy()
            left, top = place(n)
            image[top : top + side, left : left + side] = sign
            yield image

    write_clip(path, images(), Fraction(30), crf=18, options={"preset": "ultrafast"})
    left, top = place(0)
    return Box(left, top, left + side, top + side)


def played(clip: Path, box: Box, *more: str) -> dict[str, Any]:
    """The summary of one run."""
    where = f"{box.x0},{box.y0},{box.x1},{box.y1}"
    done = subprocess.run(
        [*PROGRAM, str(clip), "--box", where, "--stats", "json", *more],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def show(title: str, summary: dict[str, Any], base: dict[str, Any]) -> None:
    delays, stages = summary["delay_ms"], summary["stage_ms"]
    ratio = stages["fill"] / base["stage_ms"]["fill"]
    print(
        f"{title:18} {summary['frames_per_second']:6.2f} {delays['p50']:7.1f} {delays['p95']:7.1f} "
        f"{summary['dropped']:5d} {summary['degraded']:5d} {stages['track']:6.1f} "
        f"{stages['fill']:6.1f} {ratio:6.2f} {summary['peak_memory_mb']:7.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", action="append")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--latency", metavar="TIME", help="Instead of each size's bar.")
    parser.add_argument("--learned", action="store_true")
    chosen = parser.parse_args()
    if chosen.learned:
        from live_learned import compare

        compare(min(chosen.frames, 6))
        return
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(
        f"{'':18} {'fps':>6} {'p50 ms':>7} {'p95 ms':>7} {'drop':>5} {'less':>5} "
        f"{'track':>6} {'fill':>6} {'telea':>6} {'MB':>7}"
    )
    with tempfile.TemporaryDirectory() as folder:
        for size in chosen.size or ["640x360", "1280x720"]:
            width, height = map(int, size.split("x"))
            clip = Path(folder) / f"{size}.mkv"
            box = composed(clip, width, height, chosen.frames)
            late = ["--simulate", "--latency", chosen.latency or LATENCY.get(size, "200ms")]
            base = played(clip, box, *late, "--inpainter", "telea")
            show(f"{size} telea", base, base)
            show(f"{size} plate", played(clip, box, *late), base)
        if chosen.long:
            clip = Path(folder) / "small.mkv"
            box = composed(clip, 160, 96, 200)
            peaks = [
                played(clip, box, "--every-frame", "--loops", "0", "--frames", str(count))
                for count in (2000, 20000)
            ]
            first, later = (peak["peak_memory_mb"] for peak in peaks)
            print(
                f"memory: {first} MB after 2,000 frames, {later} MB after 20,000: "
                f"{100 * (later / first - 1):+.1f} %"
            )


if __name__ == "__main__":
    main()
