"""The whole way on a 1080p clip, by a person's mouse, and how long they wait at each step."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.app_browser.conftest import PICTURES, Server
from tests.app_browser.person import CANVAS, Person

pytestmark = [pytest.mark.browser, pytest.mark.clips]
Visit = Callable[..., Person]
# On two idle cores 100 s and 8 s are the bars; here a wait is a fault that is many times as long.
_MOST, _PREVIEW = 400.0, 40.0


class Waits:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def text(self) -> str:
        lines = [f"{seconds:6.1f} s  {name}" for name, seconds in self.seconds.items()]
        return "\n".join([*lines, f"{sum(self.seconds.values()):6.1f} s  in all"])


def test_the_whole_way_on_the_logo_clip(visit: Visit, server: Server, clips: Path) -> None:
    clip = clips / "logo"
    x0, y0, x1, y1 = json.loads((clip / "prompt.json").read_text())["box"]
    waits = Waits()
    person = visit()
    with waits.step("open"):
        project = server.project(clip / "video.mp4")
        person.visit(project)
    last = person.desk("state.clip.frames - 1")
    person.press("d")
    person.drag((x0, y0), (x1, y1))
    with waits.step("box: its mask"):
        person.sees_mask()
    with waits.step("box: the frame filled"):
        person.page.locator("#cp-filled canvas").wait_for(timeout=120_000)

    def track() -> None:
        job = person.desk("state.job?.id ?? null")
        person.page.locator(CANVAS).focus()
        person.press("f")
        person.until(f"state.job?.kind === 'track' && state.job.id !== {json.dumps(job)}")
        person.until("state.job.state === 'done'", seconds=300)

    with waits.step("track"):
        track()
    person.press("End")
    person.sees(last)
    person.press("b")
    rows, columns = np.nonzero(np.asarray(Image.open(io.BytesIO(person.mask(last)))))
    middle = float(columns.mean()), float(rows.min())
    person.drag(middle, (middle[0] + 20, middle[1]))
    with waits.step("fix: one stroke"):
        person.sees_mask()
    with waits.step("fix: the frame filled again"):
        person.page.locator("#cp-filled canvas").wait_for(timeout=120_000)
    with waits.step("fix: tracked again"):
        track()
    with waits.step("remove and save"):
        person.page.locator(CANVAS).focus()
        person.press("r")
        person.until("state.job?.kind === 'remove'")
        person.until("state.job.state === 'done' && state.results.length === 1", seconds=600)
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / "waits.txt").write_text(waits.text() + "\n")
    print(f"\n{waits.text()}")
    assert waits.seconds["box: its mask"] + waits.seconds["box: the frame filled"] < _PREVIEW
    assert sum(waits.seconds.values()) < _MOST
    assert person.errors == []
