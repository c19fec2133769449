"""The whole way in Firefox: open, pick, track, the shown frame filled, removed and played."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app_browser import firefox
from tests.app_browser.clips import sign_at
from tests.app_browser.conftest import PICTURES, Server
from tests.app_browser.firefox import Firefox

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        firefox.find() is None,
        reason="NO FIREFOX: the page was not tested in it; on Debian: apt-get install firefox-esr",
    ),
]
_CANVAS = "document.querySelector('#cp-stage canvas')"
_PLACE = """(([x, y]) => {
  const box = document.querySelector('#cp-stage canvas').getBoundingClientRect();
  const { view } = window.cleanplate;
  return [box.x + view.x + x * view.scale, box.y + view.y + y * view.scale];
})"""


@pytest.fixture
def browser() -> Iterator[Firefox]:
    window = Firefox()
    yield window
    PICTURES.mkdir(parents=True, exist_ok=True)
    window.picture(PICTURES / "firefox.png")
    window.close()


def test_the_whole_way_in_firefox(browser: Firefox, server: Server, coded: Path) -> None:
    project = server.project(coded)
    server.edit(project, "settings", values={"inpainter": "telea", "preset": "ultrafast"})
    server.wait(project, lambda state: state["proxy"]["ready"])
    browser.goto(f"{server.address}/?project={project}")
    browser.until(f"{_CANVAS}.dataset.frame === '0'")
    browser.press("d")
    browser.until("desk.tool === 'box'")
    x, y = sign_at(0)
    corners = [(x - 2, y - 2), (x + 68, y + 44)]
    browser.drag(*(browser.evaluate(f"{_PLACE}({list(corner)})") for corner in corners))
    browser.until("state.objects.length === 1 && desk.drafts.size === 0 && state.can.track[0]")
    browser.until("!document.querySelector('#cp-filled canvas').hidden", 90)
    browser.press("q")
    browser.until(f"{_CANVAS}.dataset.filled", 30)
    browser.press("q")
    browser.press("f")
    browser.until("state.job?.kind === 'track' && state.job.state === 'done'", 90)
    browser.press("\ue010")  # End
    browser.until(f"{_CANVAS}.dataset.frame === '59'")
    assert server.state(project)["lanes"]["1"][-1][2] in ("visible", "partly hidden")
    browser.press("r")
    browser.until("state.results.length === 1 && state.job.state === 'done'", 90)
    browser.until(f"desk.shown === 'remove-1' && {_CANVAS}.dataset.other === 'wipe'")
    before = browser.evaluate(f"{_CANVAS}.dataset.frame")
    browser.press(" ")
    browser.until(f"{_CANVAS}.dataset.frame !== '{before}'")
    browser.press("k")
    assert browser.errors == []
