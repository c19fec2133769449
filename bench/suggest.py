"""Precision and recall of ``suggest`` over the open clips, whose true overlays are listed here.

    python bench/suggest.py CLIPS [--clip watermark-cuts ...]

A proposal is right when its box overlaps a true one (intersection over union at least 0.4) while
that is shown. Precision is over proposals; recall over true overlays.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from cleanplate.suggestions.overlays import look
from cleanplate.types import Box

# Box, first frame, one past the last; read off the pictures.
TRUTH: dict[str, list[tuple[Box, int, int]]] = {
    "watermark-cuts": [(Box(76, 598, 746, 645), 0, 720), (Box(884, 598, 1208, 645), 0, 720)],
    "subtitle-portrait-bw": [
        (Box(564, 665, 718, 686), 0, 30),
        (Box(594, 665, 686, 686), 30, 45),
        (Box(408, 665, 872, 690), 45, 90),
        (Box(520, 665, 760, 686), 90, 135),
        (Box(570, 665, 712, 690), 135, 195),
        (Box(570, 665, 712, 686), 195, 240),
    ],
}


def overlap(one: Box, other: Box) -> float:
    wide = min(one.x1, other.x1) - max(one.x0, other.x0)
    high = min(one.y1, other.y1) - max(one.y0, other.y0)
    shared = max(wide, 0) * max(high, 0)
    return shared / (one.width * one.height + other.width * other.height - shared)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--clip", action="append")
    arguments = parser.parse_args()
    proposed = right = hit = true = 0
    for folder in sorted(path for path in arguments.clips.iterdir() if path.is_dir()):
        if arguments.clip and folder.name not in arguments.clip:
            continue
        path = folder / "frames" if (folder / "frames").is_dir() else next(folder.glob("video.*"))
        began = time.perf_counter()
        found = look(path)
        seconds = time.perf_counter() - began
        truth = TRUTH.get(folder.name, [])
        pairs = {
            (i, j)
            for i, one in enumerate(found.overlays)
            for j, (box, start, stop) in enumerate(truth)
            if overlap(one.box, box) >= 0.4 and one.start < stop and start < one.stop
        }
        proposed, true = proposed + len(found.overlays), true + len(truth)
        right, hit = right + len({i for i, _ in pairs}), hit + len({j for _, j in pairs})
        print(
            f"{folder.name:22} proposed {len(found.overlays)}, right {len({i for i, _ in pairs})}, "
            f"true {len(truth)}, found {len({j for _, j in pairs})}, {seconds:.1f} s",
            flush=True,
        )
    print(f"precision {right / max(proposed, 1):.2f}, recall {hit / max(true, 1):.2f}")


if __name__ == "__main__":
    main()
