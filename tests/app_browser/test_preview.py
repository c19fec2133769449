"""The shown frame, filled, within seconds of a mask, and again after each fix."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_browser.conftest import Server
from tests.app_browser.person import CANVAS, Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
_PIXEL = """([x, y]) => {
  const canvas = document.querySelector('#cp-stage canvas');
  const { view } = window.cleanplate;
  const at = [view.x + (x + 0.5) * view.scale, view.y + (y + 0.5) * view.scale];
  const [x1, y1] = at.map((one) => one * devicePixelRatio);
  return [...canvas.getContext('2d').getImageData(x1, y1, 1, 1).data];
}"""


def test_a_box_is_seen_filled_at_once_and_again_after_a_fix(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = server.project(coded)
    server.wait(project, lambda state: state["proxy"]["ready"])
    person = visit(project)
    person.press(*["ArrowRight"] * 5)
    person.sees(5)
    person.press("d")
    began = time.monotonic()
    person.drag((43.5, 66.5), (116.5, 120.5))
    small = person.page.locator("#cp-filled canvas")
    small.wait_for()
    assert time.monotonic() - began < 8
    before = person.page.evaluate(_PIXEL, [80, 90])
    person.press("q")
    person.page.wait_for_selector(f"{CANVAS}[data-filled]:not([data-filled=''])")
    assert person.page.evaluate(_PIXEL, [80, 90]) != before
    assert "Preview of this frame" in person.text("#cp-view-label")
    person.page.keyboard.down("c")
    assert person.text("#cp-view-label") == "Original"
    person.page.keyboard.up("c")
    shown = small.get_attribute("data-shown")
    person.page.wait_for_selector(f"{CANVAS}[data-filled='sharp']", timeout=60_000)
    person.press("b")
    person.drag((150, 120), (165, 130))
    person.page.wait_for_function(
        "(old) => { const canvas = document.querySelector('#cp-filled canvas');"
        " return !canvas.hidden && canvas.dataset.shown.split(' ')[3] !== old; }",
        arg=shown.split(" ")[3],
    )
    person.press("q")
    person.sees_mask()
