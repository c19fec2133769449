"""What a person waits for at the page, on the 1080p clip: clicks, strokes, the frame filled.

Each line is a ratio against its baseline in the same run: a foreseen click against one that was
not, a stroke against a click, the preview against a full-size fill of the frames it looks at.

usage: python bench/page.py          (CLEANPLATE_CLIPS names the folder of clips)
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cleanplate.app.server.filled import ENGINE, filled_frame
from cleanplate.app.server.frames import Frames
from cleanplate.app.worker.proxy import write_proxy
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.runtime import make_engine
from cleanplate.types import Box, Brush, Frame, MaskedFrame, Point, Prompt

LOOKED_AT = (-20, -12, -6, -2, 0, 2, 6, 12, 20)  # as the draft of a preview


def seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    clip = Path(os.environ["CLEANPLATE_CLIPS"]) / "logo"
    told = json.loads((clip / "prompt.json").read_text())
    x, y = told["point"]
    with tempfile.TemporaryDirectory() as folder:
        project = Project.create(Path(folder) / "project", clip / "video.mp4")
        proxy = Path(folder) / "proxy.mp4"
        write_proxy(project.source, proxy, project.survey.count, Progress())
        one = project.add_object()
        project.prepare(25)
        first, second = Prompt((Point(x, y),)), Prompt((Point(x, y), Point(x + 40, y)))
        click = seconds(lambda: project.set_prompt(25, one, first))
        project.preview(25, one, second)
        foreseen = seconds(lambda: project.set_prompt(25, one, second))
        print(f"click {click:.2f} s; foreseen {foreseen:.3f} s, {foreseen / click:.3f} times that")
        stroke = Brush(((x, y), (x + 60.0, y)), 12)
        painted = replace(second, brushes=(stroke,))
        spent = seconds(lambda: project.set_prompt(25, one, painted, painted=True))
        print(f"stroke {spent:.3f} s, {spent / click:.3f} times a click")

        project.set_prompt(25, one, None)
        project.set_prompt(25, one, Prompt(box=Box(*told["box"])))
        frames = Frames()
        preview = seconds(lambda: filled_frame(frames, project, proxy, 25, False, lambda: True))
        mask = project.mask(25)
        box = Box(*told["box"])
        region = Box(box.x0 - 110, box.y0 - 110, box.x1 + 110, box.y1 + 110)
        engine: Any = make_engine("inpaint", ENGINE, project.settings)[0]
        looked_at = [
            MaskedFrame(
                Frame(place, project.survey.time(25 + by), project.image(25 + by)[region.slices]),
                mask[region.slices],
            )
            for place, by in enumerate(LOOKED_AT)
        ]
        full = seconds(lambda: list(engine.inpaint(looked_at)))
        print(
            f"preview {preview:.2f} s, {preview / full:.2f} times a full-size fill ({full:.2f} s)"
        )


if __name__ == "__main__":
    main()
