"""For everyone: by keyboard alone, for all eyes and ears, for two at once. Check 30 of the app."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_browser.conftest import PICTURES, Server
from tests.app_browser.person import CANVAS, Person
from tests.app_browser.test_following import followed, marked

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
AXE = Path(os.environ.get("CLEANPLATE_AXE", "build/app-tools/node_modules/axe-core/axe.min.js"))


def focus_by_tab(person: Person, selector: str) -> None:
    """Press Tab until the element has the focus, as one without a mouse does."""
    for _ in range(120):
        if person.page.evaluate(f"document.activeElement?.matches({selector!r}) ?? false"):
            return
        person.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def test_from_the_empty_page_to_the_result_by_keyboard_alone(visit: Visit, coded: Path) -> None:
    person = visit()
    focus_by_tab(person, "#cp-path")
    person.page.keyboard.type(str(coded))
    person.press("Enter")
    person.sees(0)
    person.until("state && !state.opening")
    focus_by_tab(person, CANVAS)
    person.press("p")
    assert person.desk("crosshair") == {"x": 128, "y": 80}
    for _ in range(6):
        person.press("Shift+ArrowLeft")
    person.press("ArrowRight", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown", "ArrowDown")
    assert person.page.locator(CANVAS).get_attribute("aria-label").find("69, 85") > 0
    person.press("Enter")
    person.sees_mask()
    assert person.points() == [[69, 85, True]]
    person.press("Escape", "f")
    person.until("state.job?.kind === 'track' && state.job.state === 'done'")
    focus_by_tab(person, "[data-choice=inpaint] summary")
    person.press("Enter")
    focus_by_tab(person, "[data-choice=inpaint] [type=radio]")
    for _ in range(8):
        if person.desk("state.settings.inpainter") == "telea":
            break
        before = person.desk("state.version")
        person.press("ArrowDown")
        person.until(f"state.version > {before}")
    assert person.desk("state.settings.inpainter") == "telea"
    person.press("Escape", "r")
    person.until("state.results.length === 1 && state.job.state === 'done'")
    person.page.wait_for_selector(f"{CANVAS}[data-other=wipe]")
    assert person.errors == []
    assert person.elsewhere == []


# Their place on the timeline has a meaning, so they may lie close together; buttons, keys and the
# frame's field do the same (WCAG 2.5.8, the exceptions "equivalent" and "essential").
ON_A_SCALE = (".cp-in", ".cp-out", ".cp-head", ".cp-mark")


def violations(person: Person) -> list[str]:
    """What axe-core finds, one line each."""
    if not person.page.evaluate("Boolean(window.axe)"):
        person.page.evaluate(AXE.read_text(encoding="utf-8"))
    # Rules of WCAG 2.0 to 2.2, and axe-core's own advice on names and focus.
    found = person.page.evaluate(
        "axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa',"
        " 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )
    return [
        f"{one['id']}: {node['target']} {node['failureSummary'][:300]}"
        for one in found["violations"]
        for node in one["nodes"]
        if not (one["id"] == "target-size" and node["target"][0] in ON_A_SCALE)
    ]


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_axe_finds_nothing_in_any_state(
    visit: Visit, server: Server, leaving: Path, theme: str
) -> None:
    assert AXE.is_file(), f"{AXE} is not here; scripts/test-app brings it"
    person = visit(theme=theme)
    found = {"empty": violations(person)}
    project = followed(server, leaving)
    server.edit(project, "settings", values={"inpainter": "telea"})
    person.visit(project)
    person.until("state.doubtful.length > 0")
    found["review"] = violations(person)
    person.page.click("[data-choice=inpaint] summary")
    found["choices"] = violations(person)
    person.press("Escape")
    person.page.get_by_role("button", name="More settings").click()
    person.page.get_by_label("Preset").wait_for()
    found["more"] = violations(person)
    person.page.get_by_role("heading", name="Another shape").click()
    person.page.get_by_role("button", name="Plan the crop").click()
    person.page.locator("#cp-crop").wait_for(timeout=90_000)
    found["crop"] = violations(person)
    person.page.get_by_role("heading", name="Another shape").click()
    person.page.get_by_role("button", name="Clips", exact=True).click()
    found["clips"] = violations(person)
    person.press("Escape")
    person.page.locator(CANVAS).focus()
    person.press("?")
    found["keys"] = violations(person)
    person.press("Escape")
    person.press("r")
    person.until("state.results.length === 1 && state.job.state === 'done'")
    person.page.wait_for_selector(f"{CANVAS}[data-other=wipe]")
    found["result"] = violations(person)
    assert {state: rows for state, rows in found.items() if rows} == {}


def test_two_people_work_at_once_and_a_queue_says_ones_place(
    visit: Visit, server: Server, coded: Path, long: Path
) -> None:
    one, other = visit(marked(server, long)), visit(marked(server, coded))
    one.page.locator(CANVAS).focus()
    one.press("f")
    one.until("state.job?.state === 'running'")
    other.page.locator(CANVAS).focus()
    other.press("f")
    other.until("['queued', 'running'].includes(state.job?.state)")
    if other.desk("state.job.state") == "queued":
        assert "before this" in other.text("#cp-job-track")
    other.click(200, 140)  # what one does the other need not wait for
    other.sees_mask()
    for person in (one, other):
        person.until("state.job.state === 'done'")
    assert one.project != other.project
    assert one.page.evaluate("localStorage.length") > 0


def test_without_weights_the_page_says_what_they_would_add_and_how_to_get_them(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.page.click("[data-choice=inpaint] summary")
    cards = person.page.locator("[data-choice=inpaint] .cp-card")
    assert cards.first.locator("input").is_checked()
    here = {one["name"] for one in person.desk("state.engines") if one["here"]}
    assert {"flowfill", "telea", "unblend"} <= here
    if "e2fgvi_hq" in here:
        pytest.skip("the weights of e2fgvi_hq are on this machine")
    away = cards.filter(has_text="Learned, full size")
    assert away.locator("input").is_disabled()
    text = away.inner_text()
    for words in ("needs weights", "not for commercial use", "Licence", "Get it"):
        assert words in text, text


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (390, 844)])
def test_nothing_lies_beside_the_page_at_any_size(
    visit: Visit, server: Server, coded: Path, size: tuple[int, int], theme: str
) -> None:
    person = visit(marked(server, coded), size=size, theme=theme)
    person.sees_mask()
    wide = person.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= size[0]
    shot = f"size-{size[0]}x{size[1]}-{theme}.png"
    person.page.screenshot(path=PICTURES / shot, full_page=size[0] < 900)


def test_text_grows_on_a_large_screen_and_nothing_falls_off(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = server.project(coded)
    heights: dict[int, list[float]] = {}
    for width, height in ((1440, 900), (2560, 1440)):
        person = visit(project, size=(width, height))
        boxes = [
            person.page.locator(name).bounding_box()
            for name in ("#cp-step-pick", "#cp-frame", "#cp-status", "#cp-more")
        ]
        heights[width] = [box["height"] for box in boxes[:3]]
        foot = person.page.locator("#cp-foot").bounding_box()
        assert foot["y"] + foot["height"] <= height
        track = person.page.locator(".cp-tracks").bounding_box()
        person.page.mouse.click(track["x"] + track["width"] * 0.508, track["y"] + 8)
        person.sees(30)
    for large, small in zip(heights[2560], heights[1440], strict=True):
        assert large >= 1.15 * small
