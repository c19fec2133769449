"""The whole job on a 1080p clip with a logo: frames a second, stage by stage.

    python bench/end_to_end.py [--clips DIR]

Baseline: the same job with telea in place of flowfill, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from cleanplate import Box, Prompt, remove

DEFAULT = os.environ.get("CLEANPLATE_CLIPS", "../shared/clips")


def job(clip: Path, box: Box, out: Path, inpainter: str, **settings: object) -> tuple[float, dict]:
    begun = time.perf_counter()
    report = remove(clip, out, Prompt(box=box), inpainter=inpainter, overwrite=True, **settings)
    return report.frame_count / (time.perf_counter() - begun), report.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=Path, default=Path(DEFAULT))
    parser.add_argument("--clip", default="logo")
    chosen = parser.parse_args()
    folder = chosen.clips / chosen.clip
    box = Box(*json.loads((folder / "prompt.json").read_text())["box"])
    clip = next(folder.glob("video.*"))
    with tempfile.TemporaryDirectory() as work:
        rates = {}
        for name, settings in (
            ("telea", {}),
            ("flowfill", {}),
            ("flowfill fast", {"engine_settings": {"flowfill": {"quality": "fast"}}}),
        ):
            rates[name], seconds = job(clip, box, Path(work) / "o.mp4", name.split()[0], **settings)
            stages = ", ".join(f"{stage} {spent:.1f}" for stage, spent in seconds.items())
            ratio = rates[name] / rates["telea"]
            print(f"{name}: {rates[name]:.2f} frames a second, {ratio:.2f} of telea ({stages} s)")


if __name__ == "__main__":
    main()
