"""Peak memory of the main job on a short and on a long clip: it must not grow with the length.

    python bench/memory.py [--short 300] [--long 3000] [--inpainter flowfill]

Baseline: the short clip. Each job runs in a process of its own; its peak resident size counts.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cleanplate.media.new_clip import write_clip
from tests.scene import texture

WIDTH, HEIGHT = 1280, 720
BOX = "40,40,200,100"


def pictures(count: int) -> Iterator[np.ndarray]:
    wide = texture(WIDTH + 400, HEIGHT)
    for index in range(count):
        x = 200 + round(190 * np.sin(index / 60))
        picture = wide[:, x : x + WIDTH].copy()
        picture[40:100, 40:200] = 235
        yield picture


def peak(clip: Path, out: Path, inpainter: str) -> tuple[float, float]:
    """(MiB, seconds) of one job."""
    code = (
        "import resource, sys; from cleanplate import Box, Prompt, remove; "
        f"remove(sys.argv[1], sys.argv[2], Prompt(box=Box({BOX})), static=True, "
        f"inpainter={inpainter!r}, overwrite=True); "
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, str(clip), str(out)],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[-1]) / 1024, time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", type=int, default=300)
    parser.add_argument("--long", type=int, default=3000)
    parser.add_argument("--inpainter", default="flowfill")
    chosen = parser.parse_args()
    found: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (chosen.short, chosen.long):
            clip = Path(folder) / f"{count}.mp4"
            write_clip(clip, pictures(count), Fraction(30), crf=20)
            mebibytes, seconds = peak(clip, Path(folder) / "out.mp4", chosen.inpainter)
            found.append(mebibytes)
            print(f"{count} frames of {WIDTH}x{HEIGHT}: {mebibytes:.0f} MiB, {seconds:.0f} s")
    print(
        f"ratio long/short {found[1] / found[0]:.3f} (bar 1.05), most {max(found):.0f} MiB (1536)"
    )


if __name__ == "__main__":
    main()
