"""Trying, removing, comparing, and what survives. Checks 23 to 27 and 29 of the app."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import cleanplate
from tests.app_browser.conftest import Server
from tests.app_browser.person import CANVAS, Person
from tests.app_browser.test_following import followed, marked

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
QUICK = {"inpainter": "telea", "lossless": True}


def pictures(path: Path) -> list[np.ndarray]:
    with cleanplate.open_clip(path) as clip:
        return [picture.rgb() for picture in clip.pictures()]


def result_file(server: Server, project: str, name: str) -> Path:
    result = next(one for one in server.state(project)["results"] if one["name"] == name)
    return server.folder / "projects" / project / "out" / name / result["clip"]


def test_in_and_out_limit_following_trying_and_removing(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = marked(server, coded)
    server.edit(project, "settings", values=QUICK)
    person = visit(project)
    person.page.fill("#cp-frame", "29")
    person.page.press("#cp-frame", "Enter")
    person.page.locator(CANVAS).focus()
    person.press("o")
    person.until("state.span[1] === 30")
    person.press("f")
    person.until("state.job?.kind === 'track' && state.job.state === 'done'")
    person.until("state.lanes[1].at(-1)[2] === 'none'")
    assert person.desk("state.lanes")["1"][-1][:2] == [30, 59]
    person.press("y")
    person.until("state.results.length === 1 && state.job.state === 'done'")
    tried = person.desk("state.results")[0]
    assert (tried["first"], tried["last"]) == (4, 29)  # 2 s around frame 29 would end at 53
    person.page.locator(CANVAS).focus()
    person.press("r")
    person.until("state.results.length === 2 && state.job.state === 'done'")
    removed = next(one for one in person.desk("state.results") if one["kind"] == "remove")
    assert [removed["first"], removed["last"]] == [0, 59]
    source, made = pictures(coded), pictures(result_file(server, project, removed["name"]))
    changed = [not np.array_equal(*pair) for pair in zip(source, made, strict=True)]
    assert changed == [frame < 30 for frame in range(60)]
    person.page.get_by_role("button", name="Back to the clip").click()
    person.page.get_by_label("Save the whole clip").uncheck()
    person.page.locator(CANVAS).focus()
    person.press("r")
    person.until("state.results.length === 3 && state.job.state === 'done'")
    short = pictures(result_file(server, project, "remove-2"))
    assert len(short) == 30
    assert all(np.array_equal(*pair) for pair in zip(short, made[:30], strict=True))


def test_a_try_is_compared_at_once_and_equals_the_whole_run(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = followed(server, coded)
    # An engine that looks at three frames to each side.
    near = {"lossless": True, "flowfill.quality": "fast", "flowfill.window": 3}
    server.edit(project, "settings", values=near)
    person = visit(project)
    person.page.fill("#cp-frame", "30")
    person.page.press("#cp-frame", "Enter")
    person.sees(30)
    person.page.get_by_role("button", name="Try 2 s here").click()
    person.page.wait_for_selector(f"{CANVAS}[data-other=wipe]", timeout=180_000)
    tried = person.desk("state.results")[0]
    assert person.desk("shown") == tried["name"]
    assert person.page.locator("#cp-wipe").is_visible()
    assert "may differ" not in person.text("#cp-results")
    person.page.locator(CANVAS).focus()
    person.press("r")
    person.until("state.results.length === 2 && state.job.state === 'done'", seconds=180)
    removed = next(one for one in person.desk("state.results") if one["kind"] == "remove")
    part = pictures(result_file(server, project, tried["name"]))
    whole = pictures(result_file(server, project, removed["name"]))
    source = pictures(coded)
    for frame in (25, 30, 35):
        assert np.array_equal(part[frame - tried["first"]], whole[frame])
        assert not np.array_equal(whole[frame], source[frame])


def test_a_result_that_may_differ_from_the_whole_run_says_so(
    visit: Visit, server: Server, coded: Path
) -> None:
    """What the server says of an engine that looks at a whole shot is told in the list."""
    project = followed(server, coded)
    server.edit(project, "settings", values=QUICK)
    server.job(project, kind="try", frame=5, seconds=0.2)
    server.done(project)
    person = visit()

    def whole_shot(route) -> None:
        answer = route.fetch()
        state = answer.json()
        for result in state["results"]:
            result["exact"] = False
        route.fulfill(response=answer, json=state)

    person.page.route(f"**/project/{project}", whole_shot)
    person.page.route(f"**/project/{project}/changes*", lambda route: route.abort())
    person.page.goto(f"{server.address}/?project={project}")
    person.until("state?.results.length === 1")
    assert "may differ a little" in person.text("#cp-results")
    person.page.unroute_all(behavior="wait")  # an answer on its way would end in the next test


def test_holding_c_shows_the_original_and_the_wipe_moves_by_mouse_and_keys(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = followed(server, coded)
    server.edit(project, "settings", values=QUICK)
    server.job(project, kind="remove")
    server.done(project)
    person = visit(project)
    person.page.fill("#cp-frame", "12")
    person.page.press("#cp-frame", "Enter")
    person.page.locator(".cp-result-open").click()
    person.page.wait_for_selector(f"{CANVAS}[data-other=wipe][data-frame='12']")
    person.until("Math.abs(desk.wipe - 0.33) < 0.1")  # through what was removed

    def sign() -> list[int]:
        """The colour in the middle of the sign, as shown."""
        x, y = person.place(84, 90)
        return person.page.evaluate(_PIXEL, [x, y])

    person.page.locator(CANVAS).focus()
    person.press("w", "w")
    person.page.wait_for_selector(f"{CANVAS}[data-other=result]")
    filled = sign()
    person.page.keyboard.down("c")
    person.until("desk.peek")
    assert person.text("#cp-view-label") == "Original"
    original = sign()
    person.page.keyboard.up("c")
    person.until("!desk.peek")
    assert sign() == filled != original
    person.page.locator("[data-way=wipe]").focus()
    person.press("Tab")
    assert person.page.evaluate("document.activeElement.dataset.way") == "side"

    person.page.click("[data-way=wipe]")
    person.page.wait_for_selector(f"{CANVAS}[data-other=wipe]")
    handle = person.page.locator("#cp-wipe")
    handle.focus()
    before = person.desk("wipe")
    person.press("ArrowRight", "ArrowRight")
    assert person.desk("wipe") > before
    person.press("Home")
    assert person.desk("wipe") == 0
    assert sign() == filled
    assert person.reads_code() == 12  # of the result
    person.press("End")
    assert person.desk("wipe") == 1
    assert sign() == original
    assert person.reads_code() == 12  # of the clip
    grip = person.page.locator("#cp-wipe-line").bounding_box()
    stage = person.page.locator("#cp-stage").bounding_box()
    person.page.mouse.move(grip["x"] + 1, stage["y"] + stage["height"] / 2)
    person.page.mouse.down()
    person.page.mouse.move(
        stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2, steps=5
    )
    person.page.mouse.up()
    assert abs(person.desk("wipe") - 0.5) < 0.05
    for way in ("side", "difference", "flicker"):
        person.page.click(f"[data-way={way}]")
        person.page.wait_for_selector(f"{CANVAS}[data-other={way}]")
    person.page.click("[data-way=wipe]")
    person.until("state.results[0].proxy && state.proxy.ready")
    person.page.locator(CANVAS).focus()
    person.press("Space")
    person.until("desk.frame > 16")
    drawn = int(person.page.get_attribute(CANVAS, "data-frame"))
    assert abs(person.reads_code() - drawn) <= 2
    person.press("k")


_PIXEL = """([x, y]) => {
  const canvas = document.querySelector('#cp-stage canvas');
  const box = canvas.getBoundingClientRect();
  const ratio = devicePixelRatio;
  const at = [(x - box.left) * ratio, (y - box.top) * ratio, 1, 1];
  return [...canvas.getContext('2d').getImageData(...at).data];
}"""


def test_a_reload_and_a_second_tab_find_the_removal_that_runs(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = followed(server, coded)
    server.edit(project, "settings", values={"flowfill.quality": "fast"})
    server.edit(project, "span", start=0, stop=30)
    person = visit(project)
    person.page.locator(CANVAS).focus()
    person.press("r")
    person.until("state.job?.kind === 'remove' && state.job.state === 'running'")
    job = person.desk("state.job.id")
    person.page.reload()
    person.until(f"state?.job?.id === '{job}'")
    other = person.another_tab()
    other.until(f"state?.job?.id === '{job}'")
    if other.desk("state.job.state") == "running":
        assert "Removing" in other.text("#cp-job-remove")
        assert other.page.locator("#cp-remove-go").is_disabled()
    for tab in (person, other):
        tab.until("state.job.state === 'done'", seconds=120)
    assert len(person.desk("state.results")) == len(other.desk("state.results")) == 1
    jobs = (server.folder / "projects" / project / "jobs").glob("*.json")
    assert [json.loads(one.read_text())["kind"] for one in jobs].count("remove") == 1


def test_a_killed_server_is_found_again_and_the_removal_goes_on_to_the_same_result(
    visit: Visit, own_server: Server, coded: Path
) -> None:
    project = followed(own_server, coded)
    # Slow enough to be met while it runs, on a quick machine too.
    own_server.edit(project, "settings", values={"lossless": True, "flowfill.quality": "best"})
    person = visit(project, at=own_server)
    person.page.locator(CANVAS).focus()
    person.press("r")
    person.until(
        "state.job?.kind === 'remove' && state.job.state === 'running' && state.job.done > 0"
    )
    own_server.kill()
    person.until("desk.lost > 0")
    assert "does not answer" in person.text("#cp-lost")
    person.click(70, 90)  # an edit that waits in the page
    own_server.start()
    person.until("desk.lost === 0 && state.job?.state === 'stopped'")
    person.settled()
    assert person.points()[0][:2] == [70, 90]
    person.page.keyboard.press("Control+z")
    person.until("!state.prompts[0][1].points.length")
    person.page.locator("#cp-job-remove").get_by_role("button", name="Go on").click()
    person.until("state.job?.state === 'done' && state.results.length === 1", seconds=120)
    own_server.job(project, kind="remove")
    state = own_server.done(project)
    broken, whole = (
        pictures(result_file(own_server, project, one["name"])) for one in state["results"]
    )
    assert len(broken) == 60
    assert all(np.array_equal(one, other) for one, other in zip(broken, whole, strict=True))


def test_the_saved_clip_is_the_source_but_for_what_was_masked(
    visit: Visit, server: Server, coded: Path, tmp_path: Path
) -> None:
    project = followed(server, coded)
    server.edit(project, "settings", values={"inpainter": "telea"})
    person = visit(project)
    person.page.get_by_label("Save as").select_option("Lossless")
    person.until("state.settings.lossless")
    person.page.locator(CANVAS).focus()
    person.press("r")
    person.until("state.results.length === 1 && state.job.state === 'done'")
    with person.page.expect_download() as download:
        person.page.get_by_role("link", name="Save clip").click()
    assert download.value.suggested_filename == "coded-clean.mp4"
    saved = tmp_path / "saved.mp4"
    download.value.save_as(saved)
    told = person.text("#cp-results")
    assert "Every pixel outside the masks is the source's" in told
    assert "H.264, lossless" in told

    with cleanplate.open_clip(coded) as one, cleanplate.open_clip(saved) as other:
        assert [p.time for p in one.pictures()] == [p.time for p in other.pictures()]
    assert sound(coded) == sound(saved)
    source, made = pictures(coded), pictures(saved)
    for frame in (0, 13, 29, 45, 59):
        mask = np.asarray(Image.open(io.BytesIO(person.mask(frame)))) > 0
        around = cv2.dilate(mask.astype(np.uint8), np.ones((17, 17), np.uint8)) > 0
        assert np.array_equal(source[frame][~around], made[frame][~around])
        assert not np.array_equal(source[frame], made[frame])


def sound(path: Path) -> list[bytes]:
    """The packets of the sound."""
    import av

    with av.open(str(path)) as file:
        return [bytes(packet) for packet in file.demux(audio=0) if packet.size]
