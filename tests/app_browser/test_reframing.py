"""Another shape: the crop planned, dragged over the clip, and the result beside the source."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_browser.conftest import Server
from tests.app_browser.person import CANVAS, Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
_GREY = """([x, y]) => {
  const canvas = document.querySelector('#cp-stage canvas');
  const [x1, y1] = [x, y].map((one) => one * devicePixelRatio);
  return [...canvas.getContext('2d').getImageData(x1, y1, 1, 1).data];
}"""


def test_a_crop_is_planned_dragged_and_seen_beside_the_source(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = server.project(coded)
    server.edit(project, "settings", values={"preset": "ultrafast"})
    person = visit(project)
    page = person.page
    page.get_by_role("heading", name="Another shape").click()
    page.get_by_label("Shape", exact=True).select_option("9:16")
    page.get_by_role("button", name="Plan the crop").click()
    person.until("state.job?.kind === 'crop' && state.job.state === 'done'")
    crop = page.locator("#cp-crop")
    crop.wait_for()
    keys = person.desk("state.crop.keys")
    frame = next(f for f in range(5, 60) if f not in keys)
    person.page.locator("#cp-frame").fill(str(frame))
    person.page.locator("#cp-frame").press("Enter")
    person.sees(frame)
    assert not person.desk(f"state.crop.keys.includes({frame})")

    before = crop.bounding_box()
    page.mouse.move(before["x"] + before["width"] / 2, before["y"] + before["height"] / 2)
    page.mouse.down()
    left = page.locator(CANVAS).bounding_box()["x"]
    page.mouse.move(left - 500, before["y"] + 40, steps=4)  # further than it can go
    page.mouse.up()
    person.until(f"state.crop.keys.includes({frame})")
    x, _ = person.place(-0.5, 0)
    assert abs(crop.bounding_box()["x"] - x) < 2, "it stops at the picture's edge"
    assert "keyframe" in person.text("#cp-crop")
    corners = page.request.get(f"{person.address}/project/{project}/crop.json").json()
    assert corners[frame][0] == 0
    assert page.locator(".cp-key").count() == len(keys) + 1

    page.get_by_role("button", name="Reframe to 9:16").click()
    person.until("state.job?.kind === 'retarget' && state.job.state === 'done'", seconds=120)
    page.wait_for_selector("#cp-result-shown, .cp-result.cp-current")
    person.until("desk.shown === 'retarget-1'")
    assert "9:16" in person.text(".cp-result.cp-current")
    assert not page.get_by_role("button", name="Flicker").is_visible()
    shown = person.drawn()
    box = page.locator(CANVAS).bounding_box()
    middle = [3 * box["width"] / 4, box["height"] / 2]
    page.wait_for_function(f"(at) => ({_GREY})(at)[3] > 0", arg=middle)
    person.press("Space")
    page.wait_for_function(f"Number(document.querySelector('{CANVAS}').dataset.frame) !== {shown}")
    assert page.evaluate(_GREY, middle)[3] > 0, "it plays beside the source"
    person.press("k")
    assert person.errors == []
