"""How long an engine takes here: what it took last time, or what was measured elsewhere.

Time goes with the pixels that an engine is shown, so a speed is seconds for a megapixel of region
in one frame, encoding included. What the last job on this machine took is kept and believed; until
there is one, what the engine says of itself stands in (``About.seconds_per_megapixel``).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cleanplate import registry
from cleanplate.arrays.masks import object_boxes
from cleanplate.arrays.regions import Margins, plan
from cleanplate.files.publish import write_text
from cleanplate.jobs.report import Report
from cleanplate.settings.groups import RegionSettings

_FILE = "speeds.json"
_PREVIEW = "/preview"  # what a preview took, which is a guess of what a job will take


class Speeds:
    """The speeds of the inpainters on this machine."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def seconds(self, engine: str, device: str, megapixels: float) -> float | None:
        """Seconds a frame for regions of ``megapixels``; None where nothing is known."""
        usual = registry.find("inpaint", engine).about.seconds_per_megapixel
        key, noted = f"{engine}/{device}", self._noted()
        speed = noted.get(key, noted.get(key + _PREVIEW, usual.get(device)))
        return None if speed is None else round(speed * megapixels, 3)

    def note(self, report: Report) -> None:
        """Remember how long the job of ``report`` took."""
        first, stop = report.first_frame, report.first_frame + report.frame_count
        shown = sum(
            max(0, min(stop, region["stop"]) - max(first, region["first"]))
            * (region["width"] * region["height"] / 1e6)
            for region in report.regions
        )
        spent = report.seconds.get("inpaint", 0.0)
        if report.resumed or shown <= 0 or spent <= 0:
            return  # a part of it was done by an earlier run
        engine = report.engines["inpaint"]
        key = f"{engine['name']}/{engine['runtime']['device']}"
        about = registry.find("inpaint", engine["name"]).about
        standard = spent / shown / about.time_share(engine["settings"])
        write_text(self._path, json.dumps(self._noted() | {key: standard}))

    def suggest(self, engine: str, device: str, pace: float) -> None:
        """Believe ``pace``, seconds a megapixel as a preview took them, until a job was timed."""
        key = f"{engine}/{device}"
        if key not in self._noted():
            write_text(self._path, json.dumps(self._noted() | {key + _PREVIEW: pace}))

    def _noted(self) -> dict[str, float]:
        if not self._path.is_file():
            return {}
        return json.loads(self._path.read_text(encoding="utf-8"))


def region_megapixels(mask: np.ndarray, settings: RegionSettings) -> float:
    """Megapixels that an engine is shown of a frame with ``mask`` ((H, W) uint8)."""
    boxes = {
        object_id: np.array([[b.x0, b.y0, b.x1, b.y1]], np.int32)
        for object_id, b in object_boxes(mask).items()
    }
    height, width = mask.shape
    margins = Margins(settings.context, settings.least_context)
    regions = plan(boxes, np.zeros(1, np.int32), width, height, margins, 0, 0)
    return sum(region.width * region.height for region in regions) / 1e6
