"""What was picked is said, with the tracker that suits it, and where tracking did not hold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_browser.conftest import Server
from tests.app_browser.person import Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]


def test_something_that_bends_is_said_to_and_its_tracker_is_proposed_with_the_ways_out(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.press("b")
    for end in ((40, 140), (110, 140), (40, 60), (110, 60)):
        person.drag((75, 100), end)
    person.settled()
    said = person.page.locator(".cp-kind")
    said.wait_for()
    assert "irregular" in said.inner_text()
    assert "a second or two" in said.inner_text()
    better = said.get_by_role("button", name="Get better tracking")
    assert "156" in better.inner_text()
    assert "free for commercial use" in better.inner_text()
    said.get_by_role("button", name="Track it as something that bends").click()
    person.until("state.settings.tracker === 'flowtrack' && state.trackers[1] === 'flowtrack'")
    said.get_by_role("button", name="Track it as").wait_for(state="detached")


def test_where_tracking_did_not_hold_remove_says_so_and_leads_to_the_frame(
    visit: Visit, server: Server, leaving: Path
) -> None:
    project = server.project(leaving)
    person = visit(project)
    person.press("d")
    person.drag((38.5, 68.5), (107.5, 113.5))
    person.settled()
    assert person.page.locator("#cp-trouble").is_hidden()
    server.job(project, kind="track")
    server.done(project)
    trouble = person.page.locator("#cp-trouble")
    trouble.wait_for()
    assert "may stay in the picture" in trouble.inner_text()
    assert "cp-strong" not in person.page.get_attribute("#cp-remove-go", "class")
    go = trouble.get_by_role("button", name="Go to frame")
    frame = int(go.inner_text().removeprefix("Go to frame "))
    go.click()
    person.sees(frame)
