"""Frames: stepping, playing, keys. Checks 14 to 16 of the app."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.app_browser.conftest import Server
from tests.app_browser.person import CANVAS, Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]


def test_fifty_steps_show_frame_fifty_and_the_jumps_are_exact(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    for _ in range(50):
        person.press("ArrowRight")
    person.sees(50)
    assert person.reads_code() == 50
    assert person.page.input_value("#cp-frame") == "50"
    for keys, frame in (
        ("Home", 0),
        ("End", 59),
        ("Shift+ArrowLeft", 49),
        ("ArrowLeft", 48),
        ("Shift+ArrowRight", 58),
    ):
        person.press(keys)
        person.sees(frame)
        assert person.reads_code() == frame
    person.page.fill("#cp-frame", "0:01.2")
    person.page.press("#cp-frame", "Enter")
    person.sees(30)
    assert person.reads_code() == 30


def test_while_playing_the_number_and_the_picture_agree_within_a_frame(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = server.project(coded)
    server.wait(project, lambda state: state["proxy"]["ready"])
    person = visit(project)
    person.until("state.proxy.ready")
    person.page.locator(CANVAS).focus()
    person.press("Space")
    person.until("desk.speed === 1 && desk.frame >= 3")
    seen: set[int] = set()
    read = f"() => Number(document.querySelector('{CANVAS}').dataset.frame)"
    while len(seen) < 8 and person.desk("speed"):
        before = person.page.evaluate(read)
        number = person.reads_code()
        after = person.page.evaluate(read)
        assert before - 1 <= number <= after + 1
        seen.add(number)
    assert len(seen) >= 3
    if person.desk("speed"):
        person.press("Space")
    person.until("desk.speed === 0")
    stopped = person.desk("frame")
    person.sees(stopped)
    assert person.reads_code() == stopped


def test_l_doubles_the_speed_j_plays_backward_and_k_stops(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.page.locator(CANVAS).focus()
    person.press("l", "l")
    assert person.desk("speed") == 2
    person.until("desk.frame >= 10")
    person.press("k")
    assert person.desk("speed") == 0
    reached = person.desk("frame")
    person.press("j")
    assert person.desk("speed") == -1
    person.until(f"desk.frame < {reached}")
    person.press("k")


def test_no_key_acts_while_typing_or_in_a_dialog_and_space_presses_the_focused_button(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.press("n")
    person.until("state.objects.length === 1")
    name = person.page.get_by_label("Name of Object 1")
    name.fill("")
    name.type("nib f 1")
    name.press("ArrowRight")
    assert name.input_value() == "nib f 1"
    assert person.desk("frame") == 0
    assert person.desk("tool") == "point"
    assert len(person.desk("state.objects")) == 1
    name.press("Enter")
    person.until("state.objects[0].name === 'nib f 1'")

    person.page.locator(CANVAS).focus()
    person.press("?")
    assert person.page.locator("#cp-keys").is_visible()
    person.press("ArrowRight", "b")
    assert person.desk("frame") == 0
    assert person.desk("tool") == "point"
    person.press("Escape")
    assert not person.page.locator("#cp-keys").is_visible()

    person.page.focus("[data-tool=box]")
    person.press("Space")
    assert person.desk("tool") == "box"
    assert person.desk("speed") == 0
    person.press("ArrowRight")
    person.sees(1)


def test_in_and_out_are_set_by_keys_and_by_drag_and_cleared(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.page.locator(CANVAS).focus()
    person.press("Shift+ArrowRight", "i", "Shift+ArrowRight", "Shift+ArrowRight", "o")
    person.until("state.span[0] === 10 && state.span[1] === 31")
    tracks = person.page.locator(".cp-tracks").bounding_box()

    def at(frame: float) -> tuple[float, float]:
        return tracks["x"] + tracks["width"] * frame / 60, tracks["y"] + 8

    person.page.mouse.move(*at(10))
    person.page.mouse.down()
    person.page.mouse.move(*at(20.5), steps=4)
    person.page.mouse.up()
    person.until("state.span[0] === 20 && state.span[1] === 31")
    person.page.locator("[data-edge=out]").focus()
    person.press("ArrowRight", "ArrowRight")
    person.until("state.span[1] === 33")
    assert person.page.get_attribute("[data-edge=out]", "aria-valuenow") == "32"
    person.page.locator(CANVAS).focus()
    person.press("Shift+I", "Shift+O")
    person.until("state.span[0] === 0 && state.span[1] === 60")
