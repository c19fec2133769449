"""The README's pictures of the app: the generated sample, from the first click to the result.

``scripts/test-app --pictures`` runs this.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from cleanplate.evaluation.sample import first_box
from tests.app_browser.conftest import CHROMIUM, ROOT, Server, free_port
from tests.app_browser.person import CANVAS, Person

FOLDER = ROOT / "docs" / "pictures"
SIZE = {"width": 1280, "height": 800}


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder) / "work", free_port())
        server.start()
        try:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = browser.new_context(viewport=SIZE, device_scale_factor=1)
            take(Person(context, server.address))
            browser.close()
        finally:
            server.stop()


def take(person: Person) -> None:
    """Go the whole way and keep a picture of each step."""
    page: Page = person.page
    shot: Callable[[str], bytes] = lambda name: page.screenshot(path=FOLDER / f"{name}.png")  # noqa: E731
    person.visit()
    page.click("#cp-sample")
    person.sees(0)
    person.until("state && !state.opening && state.proxy.ready")
    box = first_box()
    page.locator(CANVAS).focus()
    person.press("d")
    person.drag((box.x0, box.y0), (box.x1, box.y1))
    person.press("v")
    person.sees_mask()
    name = page.get_by_label("Name of Object 1")
    name.fill("sign")
    name.press("Enter")
    person.until("state.objects[0].name === 'sign'")
    page.locator(CANVAS).focus()
    page.mouse.move(5, 5)
    person.sees_mask()
    shot("app-pick")
    person.press("f")
    person.until(
        "state.job?.kind === 'track' && state.job.state === 'running' && state.job.done > 20"
    )
    shot("app-follow")
    person.until("state.job.state === 'done'")
    person.press("Home")
    page.fill("#cp-frame", "40")
    page.press("#cp-frame", "Enter")
    person.sees(40)
    page.locator(CANVAS).focus()
    person.press("r")
    person.until("state.results.length === 1 && state.job.state === 'done'", seconds=240)
    page.wait_for_selector(f"{CANVAS}[data-other=wipe]")
    person.until("desk.wipe !== 0.5")
    shot("app-result")


if __name__ == "__main__":
    main()
