"""Fingers on a touch screen, and two windows on one project."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_browser.conftest import Server
from tests.app_browser.person import Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
IN_SIGN, BESIDE = (70, 85), (200, 40)


def touch(person: Person, *moments: list[tuple[float, float]]) -> None:
    """Fingers at these places of the screen, moment by moment; then all are lifted."""
    session = person.context.new_cdp_session(person.page)
    for number, places in enumerate(moments):
        points = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(places)]
        kind = "touchMove" if number else "touchStart"
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_tap_is_a_point_and_two_fingers_zoom_without_one(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded), size=(820, 1180), touch=True)
    person.page.touchscreen.tap(*person.place(*IN_SIGN))
    person.settled()
    ((x, y, positive),) = person.points()
    assert (round(x), round(y), positive) == (*IN_SIGN, True)
    person.sees_mask()
    before = person.page.evaluate("window.cleanplate.view.scale")
    middle = person.place(150, 90)
    # Places are of the clip as it lies at the start: a pinch moves it under the fingers.
    touch(
        person,
        *([person.place(150 - d, 90), person.place(150 + d, 90)] for d in (10, 14, 18, 20)),
    )
    after = person.page.evaluate("window.cleanplate.view.scale")
    assert after == pytest.approx(2 * before, rel=0.1)
    assert person.place(150, 90) == pytest.approx(middle, abs=2), "what lay between them stays"
    person.settled()
    assert len(person.points()) == 1
    x, y = person.place(150, 90)
    touch(person, [(x, y)], [(x + 20, y)], [(x + 40, y + 10)])
    assert person.place(150, 90) == pytest.approx((x + 40, y + 10), abs=2), "one finger drags"
    person.settled()
    assert len(person.points()) == 1
    assert person.errors == []


def test_two_windows_on_one_project_show_each_others_edits(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = server.project(coded)
    left, right = visit(project), visit(project)
    left.click(*IN_SIGN)
    left.sees_mask()
    right.until("state.prompts[0]?.[1]?.points.length === 1")
    right.sees_mask()
    right.click(*BESIDE, button="right")
    right.settled()
    left.until("state.prompts[0]?.[1]?.points.length === 2")
    assert left.points() == right.points()
    assert [positive for _, _, positive in left.points()] == [True, False]
    left.page.keyboard.press("Control+z")
    left.settled()
    right.until("state.prompts[0]?.[1]?.points.length === 1")
    for person in (left, right):
        person.sees_mask()
        assert person.errors == []
