"""A result says what was made up, how it was saved, and what would help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cleanplate.media.new_clip import write_clip
from tests.app_browser.clips import HEIGHT, RATE, WIDTH, code
from tests.app_browser.conftest import Server
from tests.app_browser.person import CANVAS, Person
from tests.scene import texture

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]


@pytest.fixture
def still(tmp_path: Path) -> Path:
    """20 frames in which nothing moves: what a mark hides is in none of them."""

    def frames():  # type: ignore[no-untyped-def]
        picture = texture(WIDTH, HEIGHT, 4)
        for index in range(20):
            image = np.ascontiguousarray(picture)
            code(image, index)
            yield image

    write_clip(tmp_path / "still.mp4", frames(), RATE, None, crf=14)
    return tmp_path / "still.mp4"


def test_what_no_frame_shows_is_listed_by_its_frames_and_better_is_offered(
    visit: Visit, server: Server, still: Path
) -> None:
    project = server.project(still)
    quick = {"overlay": "box", "flowfill.quality": "fast", "flowfill.window": 3}
    server.edit(project, "settings", values=quick)
    server.edit(project, "add_object", static=True)
    server.edit(project, "prompt", frame=0, object=1, prompt={"box": [60, 60, 120, 110]})
    person = visit(project)
    person.page.locator(CANVAS).focus()
    person.press("r")
    person.until("state.results.length === 1 && state.job.state === 'done'", seconds=120)
    told = person.text("#cp-results")
    assert "No frame shows some of the background" in told
    assert "the clip was encoded again" in told
    assert "Saved as H.264, quality" in told
    offer = person.text("#cp-offer-remove")
    assert "LaMa" in offer
    assert "Get it" in offer
    person.page.get_by_role("button", name="frames 0–19").click()
    person.sees(10)
    assert person.desk("shown") == "remove-1"
    report = f"{server.address}/project/{project}/result/remove-1/report.json"
    (stretch,) = person.context.request.get(report).json()["unseen"]
    assert (stretch["first"], stretch["last"]) == (0, 19)
    assert stretch["share"] > 0.9
