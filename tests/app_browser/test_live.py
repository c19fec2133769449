"""The live page in a real browser: pick by a click, see the mask, read the delay, drop, stop."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import httpx
import pytest

from cleanplate.live.effort import Level
from cleanplate.media.new_clip import write_clip
from tests.app_browser.conftest import PICTURES, free_port
from tests.app_browser.test_everyone import AXE
from tests.scene import texture

pytestmark = pytest.mark.browser
WIDTH, HEIGHT = 320, 192
BALL, RADIUS, PURPLE = (210, 100), 26, (150, 20, 190)
_SHARE = """([x, y, reach, colour, near]) => {
  const canvas = document.getElementById('picture');
  const context = canvas.getContext('2d');
  const { data } = context.getImageData(x - reach, y - reach, 2 * reach, 2 * reach);
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    const apart = Math.max(...colour.map((value, channel) => Math.abs(data[i + channel] - value)));
    count += apart < near;
  }
  return count / (data.length / 4);
}"""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A live picture of a ball on a textured wall, without end."""
    image = cv2.GaussianBlur(texture(WIDTH, HEIGHT, 3) // 4 + 60, (0, 0), 2)  # nothing is like it
    cv2.circle(image, BALL, RADIUS, PURPLE, -1)
    write_clip(tmp_path / "in.mkv", (image for _ in range(50)), Fraction(25), crf=8)
    port = free_port()
    command = [str(Path(sys.executable).with_name("cleanplate")), "live", str(tmp_path / "in.mkv")]
    command += ["--loops", "0", "--port", str(port), "--no-browser", "--latency", "2s"]
    with (tmp_path / "live.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ.copy())
    until = time.monotonic() + 60
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/", timeout=5).raise_for_status()
            break
        except httpx.TransportError:
            assert process.poll() is None, (tmp_path / "live.log").read_text()
            assert time.monotonic() < until
            time.sleep(0.1)
    yield f"http://127.0.0.1:{port}/"
    process.terminate()
    process.wait(30)


@pytest.fixture
def page(chromium: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page, once it shows the picture."""
    context = chromium.new_context(viewport={"width": 1000, "height": 600})
    page = context.new_page()
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
    page.set_default_timeout(30_000)
    page.goto(address)
    until(page, f"document.getElementById('picture').width === {WIDTH}")
    yield page
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{re.sub(r'[^a-z0-9_]+', '-', request.node.name)}.png")
    context.close()


def until(page: Any, condition: str, argument: Any = None) -> None:
    """Wait until a JavaScript expression is true. The page's policy forbids the browser's own wait
    to evaluate it."""
    end = time.monotonic() + 30
    while not page.evaluate(condition, argument):
        assert time.monotonic() < end, (condition, argument)
        page.wait_for_timeout(50)


def click(page: Any, x: float, y: float) -> None:
    """Click on a pixel of the picture."""
    box = page.locator("#picture").bounding_box()
    scale = box["width"] / WIDTH
    page.mouse.click(box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)


def wait_until_seen(page: Any, colour: tuple[int, int, int], seen: bool, reach: int) -> None:
    """Wait until the picture around the ball shows ``colour``, or shows it no more."""
    until(
        page,
        f"(asked) => (({_SHARE})(asked) > 0.01) === {str(seen).lower()}",
        [*BALL, reach, list(colour), 60],
    )


def test_what_is_clicked_is_outlined_gone_listed_and_dropped_again(page: Any) -> None:
    middle = RADIUS // 2
    wait_until_seen(page, PURPLE, True, middle)
    click(page, *BALL)
    page.wait_for_selector("#objects li")
    assert re.match(r"1: visible \(flowtrack\)", page.inner_text("#objects li span"))
    wait_until_seen(page, PURPLE, False, middle)
    rim = (255, 255, 255)
    wait_until_seen(page, rim, True, 2 * RADIUS)
    page.uncheck("#mask")
    wait_until_seen(page, rim, False, 2 * RADIUS)
    wait_until_seen(page, PURPLE, False, 2 * RADIUS)  # nothing is left of it outside the mask

    page.click("text=Drop")
    page.wait_for_selector("#objects li", state="detached")
    wait_until_seen(page, PURPLE, True, middle)
    assert page.errors == []


def test_the_delay_is_shown_and_the_counts_go_on(page: Any) -> None:
    until(
        page, r"/^[\d.]+ ms, 95 %: [\d.]+ ms$/.test(document.getElementById('delay').textContent)"
    )
    first = int(page.inner_text("#frames").split()[0])
    until(page, f"parseInt(document.getElementById('frames').textContent) > {first}")
    assert page.inner_text("#work") in ("full", *(level.words for level in Level if level))


def test_stop_ends_it_and_says_so(page: Any) -> None:
    page.click("text=Stop")
    until(page, "document.getElementById('said').textContent.includes('Stopped')")


def test_axe_finds_nothing_on_the_live_page(page: Any) -> None:
    click(page, *BALL)
    page.wait_for_selector("#objects li")
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', "
        "'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )["violations"]
    assert [one["id"] for one in found] == []
