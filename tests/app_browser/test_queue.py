"""Several clips one after another: dropped together, waiting, at work, reordered, cancelled."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_browser.clips import sign_at
from tests.app_browser.conftest import Server
from tests.app_browser.person import Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
_DROP = """([data, names]) => {
  const transfer = new DataTransfer();
  for (const name of names) {
    const text = name.endsWith('.txt') ? 'bm8gdmlkZW8=' : data;
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  const how = { bubbles: true, cancelable: true, dataTransfer: transfer };
  for (const kind of ['dragenter', 'dragover', 'drop'])
    document.getElementById('cp-drop').dispatchEvent(new DragEvent(kind, how));
}"""


def marked(server: Server, project: str, static: bool = False) -> None:
    server.wait(project, lambda state: not state["opening"])
    number = server.edit(project, "add_object", static=static)["object"]
    x, y = sign_at(0)
    box = {"box": [x, y, x + 66, y + 42]}
    server.edit(project, "prompt", frame=0, object=number, prompt=box)


def test_clips_dropped_together_are_worked_on_one_after_another(
    visit: Visit, own_server: Server, coded: Path, long: Path
) -> None:
    server, person = own_server, visit(at=own_server)
    page = person.page
    data = base64.b64encode(coded.read_bytes()).decode()
    page.evaluate(_DROP, [data, ["one.mp4", "two.mp4", "letter.txt", "three.mp4"]])
    rows = page.locator("#cp-recent .cp-clips li")
    rows.filter(has_text="letter.txt is not a video").wait_for()
    for name in ("one.mp4", "two.mp4", "three.mp4"):
        rows.filter(has_text=name).get_by_role("button", name=name, exact=True).wait_for()
    page.get_by_label("Off the list: letter.txt").click()
    assert page.locator(".cp-clips").get_by_text("letter.txt").count() == 0

    kept = page.evaluate("JSON.parse(localStorage.getItem('cleanplate.recent'))")
    known = {one["name"]: one["id"] for one in kept}
    ids = {name: known[name] for name in ("one.mp4", "two.mp4", "three.mp4")}
    first = server.project(long)
    marked(server, first, static=True)
    for project in ids.values():
        marked(server, project)
    server.job(first, kind="remove")  # long enough for all that follows
    for project in ids.values():
        server.job(project, kind="track")

    person.visit(first)  # the list is at hand while a clip is worked on
    page.get_by_role("button", name="Clips", exact=True).click()
    dialog = page.locator("#cp-clips")  # the list of the empty page lies hidden behind it
    listed = dialog.locator(".cp-clips li")

    def until_listed(*names: str) -> None:
        page.wait_for_function(
            """(names) => {
              const rows = [...document.querySelectorAll('#cp-clips .cp-clips li')];
              return rows.map((row) => row.innerText.split('\\n')[0]).join() === names.join();
            }""",
            arg=list(names),
        )

    listed.filter(has_text="waits: 3 before this").wait_for()
    until_listed("long.mp4", "one.mp4", "two.mp4", "three.mp4")
    listed.first.locator("progress").wait_for()
    dialog.get_by_label("Sooner: three.mp4").click()
    until_listed("long.mp4", "one.mp4", "three.mp4", "two.mp4")
    dialog.get_by_label("Cancel: two.mp4").click()
    listed.filter(has_text="two.mp4").filter(has_text="Stopped").wait_for()
    assert server.state(ids["two.mp4"])["job"]["state"] == "stopped"
    dialog.get_by_label("Stop: long.mp4").click()
    server.done(ids["three.mp4"], 200)
    order = [server.state(ids[name])["job"] for name in ("one.mp4", "three.mp4")]
    assert all(job["state"] == "done" for job in order)
    listed.filter(has_text="three.mp4").get_by_role("button", name="three.mp4", exact=True).click()
    person.until(f"desk.link?.id === '{ids['three.mp4']}'")
    assert all("422" in error for error in person.errors), "what was refused, and no more"
