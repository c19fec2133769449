"""Following, mending, masks in and out. Checks 19 to 22 and 28 of the app."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_browser.conftest import Server
from tests.app_browser.person import CANVAS, Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
SIGN = [38, 68, 108, 122]  # a box around it in frame 0


def marked(server: Server, clip: Path, box: list[int] = SIGN) -> str:
    """A project in which the sign is marked in frame 0."""
    project = server.project(clip)
    server.edit(project, "add_object", name="sign")
    prompt = {"points": [], "box": box, "brushes": []}
    server.edit(project, "prompt", frame=0, object=1, prompt=prompt)
    return project


def followed(server: Server, clip: Path) -> str:
    project = marked(server, clip)
    server.job(project, kind="track", direction="both")
    server.done(project)
    return project


def test_following_fills_the_lane_as_it_goes_and_what_is_done_can_be_looked_at(
    visit: Visit, server: Server, long: Path
) -> None:
    person = visit(marked(server, long))
    person.page.get_by_role("button", name="Track", exact=True).click()
    person.until("state.job?.kind === 'track' && state.job.state === 'running'")
    half = "state.lanes[1].find((run) => run[2] === 'visible')?.[1]"
    seen = person.until(f"({half}) > 0 && ({half}) < 179")
    assert seen
    assert person.page.locator(".cp-run-visible").count() >= 1
    person.press("ArrowRight")
    person.sees(1)
    assert person.reads_code() == 1
    person.press("Home")
    person.sees(0)
    person.until("state.job?.state === 'done'")
    person.until(f"({half}) === 179")
    assert not person.page.locator("#cp-job-track").is_visible()


def test_stop_answers_at_once_keeps_what_is_done_and_following_can_go_on(
    visit: Visit, server: Server, long: Path
) -> None:
    person = visit(marked(server, long))
    person.page.locator(CANVAS).focus()
    person.press("f")
    person.until("state.job?.state === 'running' && state.job.done >= 10")
    job = person.desk("state.job")
    record = server.folder / "projects" / person.project / "jobs" / f"{job['id']}.json"
    reached = json.loads(record.read_text())["done"]
    assert person.page.evaluate(_STOP) < 1000
    person.until("state.job?.state === 'stopped'")
    ended = json.loads(record.read_text())
    assert ended["done"] - reached < 60  # it was not followed to the end
    beat = ended["beat"]
    done = person.until("state.lanes[1].find((run) => run[2] === 'visible')[1]")
    assert done
    assert "Stopped" in person.text("#cp-job-track")
    first = person.mask(5)
    time.sleep(1)  # the worker gives a sign of life four times a second
    assert json.loads(record.read_text())["beat"] == beat
    person.page.locator("#cp-job-track").get_by_role("button", name="Go on").click()
    person.until("state.job?.state === 'done'")
    person.until("state.lanes[1].at(-1)[2] === 'visible' && state.lanes[1].at(-1)[1] === 179")
    assert person.mask(5) == first


# Presses Stop, and tells after how many milliseconds the page says so.
_STOP = """async () => {
  const box = document.querySelector('#cp-job-track');
  const start = performance.now();
  box.querySelector('.cp-stop').click();
  while (!/Stopp(ing|ed)/.test(box.innerText)) await new Promise((done) => setTimeout(done, 5));
  return performance.now() - start;
}"""


def test_a_correction_changes_only_what_follows_from_it(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = followed(server, coded)
    person = visit(project)
    before = [person.mask(frame) for frame in range(60)]
    person.page.fill("#cp-frame", "30")
    person.page.press("#cp-frame", "Enter")
    person.sees(30)
    person.page.locator(CANVAS).focus()
    person.press("d")
    person.drag((74.5, 66.5), (128.5, 110.5))  # smaller than the sign, which is at 70, 69
    person.sees_mask()
    fixed = person.mask(30)
    assert fixed != before[30]
    assert [row[1:] for row in person.desk("state.stale")] == [[1, 29], [31, 59]]
    assert "before your change" in person.text("#cp-track-note")
    assert person.page.locator(".cp-stale").count() == 2
    person.page.get_by_role("button", name="Track forward from this frame").click()
    person.until("state.job?.state === 'done' && !state.stale.some((row) => row[2] > 30)")
    after = [person.mask(frame) for frame in range(60)]
    assert after[:30] == before[:30]
    assert after[30] == fixed
    assert sum(one != other for one, other in zip(after[31:], before[31:], strict=True)) > 20


def test_frames_without_the_object_are_doubtful_and_looks_right_removes_the_row(
    visit: Visit, server: Server, leaving: Path
) -> None:
    person = visit(followed(server, leaving))
    rows = person.desk("state.doubtful")
    away = next(row for row in rows if row["first"] <= 44 and row["last"] >= 30)
    entry = person.page.locator(".cp-doubtful").nth(rows.index(away))
    assert len(entry.locator(".cp-doubt-why").inner_text()) > 5
    entry.locator(".cp-doubt-go").click()
    person.sees(away["frame"])
    assert person.reads_code() == away["frame"]
    person.press("Home")
    person.sees(0)
    person.page.locator(CANVAS).focus()
    person.press("}")
    assert person.desk("frame") in {row["frame"] for row in rows}
    entry.get_by_label("Looks right").click()
    person.until(f"state.doubtful.length === {len(rows) - 1}")
    assert away["id"] not in {row["id"] for row in person.desk("state.doubtful")}


def test_masks_go_out_and_come_back_the_same_and_others_sizes_are_refused(
    visit: Visit, server: Server, coded: Path, scene_clip: Path, tmp_path: Path
) -> None:
    person = visit(followed(server, coded))
    person.page.get_by_text("Masks in and out").click()
    with person.page.expect_download() as download:
        person.page.locator("#cp-masks-track").click()
    track = tmp_path / "masks.mkv"
    download.value.save_as(track)
    masks = [person.mask(frame) for frame in range(60)]

    other = visit(server.project(coded))
    other.page.get_by_text("Masks in and out").click()
    note = other.page.locator("#cp-masks-note")
    small = tmp_path / "small.mkv"
    shape = marked(server, scene_clip, [38, 58, 88, 90])
    server.edit(shape, "change_object", object=1, static=True)
    answer = other.context.request.get(f"{server.address}/project/{shape}/masks.mkv")
    small.write_bytes(answer.body())
    other.page.set_input_files("#cp-masks-file", str(small))
    other.page.locator("#cp-masks-note.cp-error").wait_for()
    for fact in ("192x128", "256x160"):
        assert fact in note.inner_text()

    other.page.set_input_files("#cp-masks-file", str(track))
    note.filter(has_text="Masks imported").wait_for()
    other.until("state.objects.length === 1")
    assert [other.mask(frame) for frame in range(60)] == masks


def test_something_that_does_not_move_needs_no_following(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(marked(server, coded, [5, 2, 60, 30]))
    assert person.page.locator("#cp-remove-go").is_disabled()
    assert "Track" in person.text("#cp-remove-note")
    person.page.get_by_label("It does not move").check()
    person.until("state.objects[0].static && state.can.remove[0]")
    assert person.page.locator("#cp-remove-go").is_enabled()
    assert person.page.locator(".cp-run-static").count() == 1
