"""Pointing: points, boxes, strokes, zoom, objects. Checks 7 to 13, 17 and 18 of the app."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.app_browser.clips import HEIGHT, WIDTH
from tests.app_browser.conftest import Server
from tests.app_browser.person import CANVAS, Person
from tests.test_suggest import letters, scene

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
IN_SIGN = (70, 85)


def ids(png: bytes) -> np.ndarray:
    """(H, W) uint8, object ids."""
    return np.asarray(Image.open(io.BytesIO(png)))


PLACES = list(itertools.product((4, 120, 250), (22, 80, 155)))
ZOOMS = (None, 0.5, 1, 2, 4, 8)  # None: as the page fits it


@pytest.mark.parametrize("ratio", [1, 2])
@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (390, 844)])
def test_a_click_is_stored_at_the_pixel_under_it(
    visit: Visit, server: Server, coded: Path, size: tuple[int, int], ratio: float
) -> None:
    person = visit(server.project(coded), size=size, ratio=ratio)
    assert person.page.evaluate("devicePixelRatio") == ratio
    person.page.route("**/preview?*", lambda route: route.abort())  # nothing need be foreseen
    for number, zoom in enumerate(ZOOMS):
        # All nine where the page fits the picture; three in turn at each zoom, which costs time.
        places = PLACES if zoom is None else PLACES[number % 3 :: 3]
        for x, y in places:
            if zoom is not None:
                # The pixel is brought to the middle of the stage, so that every zoom shows it.
                person.page.evaluate(_ZOOM, [zoom, x, y])
            person.click(x, y)
        person.settled(180)
        told = person.points()
        assert len(told) == len(places), zoom
        for (x, y), (got_x, got_y, positive) in zip(places, told, strict=True):
            assert abs(got_x - x) <= 1, (zoom, told)
            assert abs(got_y - y) <= 1, (zoom, told)
            assert positive
        server.edit(person.project, "prompt", frame=0, object=1, prompt=None)
        person.until("!state.prompts[0] || !Object.keys(state.prompts[0]).length")


_ZOOM = """([zoom, x, y]) => {
  const { view } = window.cleanplate;
  Object.assign(view, { scale: zoom, fitted: false });
  view.x = view.width / 2 - x * zoom;
  view.y = view.height / 2 - y * zoom;
}"""


@pytest.mark.parametrize("size", [(1440, 900), (1024, 768), (390, 844)])
def test_the_first_click_does_not_move_the_picture(
    visit: Visit, server: Server, coded: Path, size: tuple[int, int]
) -> None:
    person = visit(server.project(coded), size=size)
    before = person.page.locator(CANVAS).bounding_box(), person.place(*IN_SIGN)
    person.click(*IN_SIGN)
    person.sees_mask()
    assert (person.page.locator(CANVAS).bounding_box(), person.place(*IN_SIGN)) == before


def test_nothing_lies_over_the_picture_where_a_click_has_left_a_choice(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded), size=(1024, 768))
    person.click(*IN_SIGN)
    person.sees_mask()
    person.until("!document.getElementById('cp-candidates').hidden")
    covered = person.page.evaluate(
        """() => {
          const canvas = document.querySelector('#cp-stage canvas');
          const box = canvas.getBoundingClientRect();
          const found = new Set();
          for (let u = 0.02; u < 1; u += 0.02) {
            for (let v = 0.02; v < 1; v += 0.02) {
              const at = [box.left + u * box.width, box.top + v * box.height];
              const top = document.elementFromPoint(...at);
              if (top !== canvas) found.add(top.id || top.className || top.tagName);
            }
          }
          return [...found];
        }"""
    )
    assert covered == []


def test_right_click_and_shift_click_take_away_and_open_no_menu(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.page.evaluate(
        "document.addEventListener('contextmenu', (e) => { window.menu = !e.defaultPrevented; })"
    )
    person.click(*IN_SIGN)
    person.settled()
    person.click(10, 100, button="right")
    person.page.keyboard.down("Shift")
    person.click(200, 140)
    person.page.keyboard.up("Shift")
    person.settled()
    assert [positive for _, _, positive in person.points()] == [True, False, False]
    assert person.page.evaluate("window.menu") is False


def test_ten_quick_clicks_all_arrive_in_order_and_the_mask_shown_is_the_last_ones(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    places = [(46 + 6 * number, 76 + 3 * (number % 7)) for number in range(10)]
    person.page.keyboard.press("+")  # further apart than a point is wide
    person.page.keyboard.press("+")
    for place in places:
        person.click(*place)
    person.sees_mask()
    assert [(x, y) for x, y, _ in person.points()] == places
    shown = person.page.get_attribute(CANVAS, "data-mask")
    fresh = person.context.request.get(shown).body()
    assert fresh == person.mask(0)
    assert ids(fresh).any()


def test_a_click_on_a_point_takes_it_away_and_the_mask_follows(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.click(*IN_SIGN)
    person.click(150, 140)
    person.sees_mask()
    both = person.mask(0)
    person.click(150, 140)
    person.sees_mask()
    assert person.points() == [[*IN_SIGN, True]]
    assert person.mask(0) != both
    person.click(*IN_SIGN)
    person.settled()
    assert person.points() == []
    assert not ids(person.mask(0)).any()


def test_a_box_has_the_corners_that_were_dragged_clamped_to_the_picture(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.press("d")
    person.drag((38.5, 65.5), (110.5, 115.5))
    person.settled()
    assert person.desk("state.prompts[0][1].box") == [39, 66, 111, 116]
    person.drag((130, 120), (180, 140), release=False)
    person.press("Escape")
    person.page.mouse.up()
    person.settled()
    assert person.desk("state.prompts[0][1].box") == [39, 66, 111, 116]
    person.drag((200.5, 100.5), (WIDTH + 3, HEIGHT + 3))
    person.settled()
    assert person.desk("state.prompts[0][1].box") == [201, 101, WIDTH, HEIGHT]


def test_a_boxs_handle_moves_its_corner(visit: Visit, server: Server, coded: Path) -> None:
    person = visit(server.project(coded))
    person.press("d")
    person.drag((38.5, 65.5), (110.5, 115.5))
    person.settled()
    person.drag((110.5, 115.5), (119.5, 119.5))
    person.settled()
    assert person.desk("state.prompts[0][1].box") == [39, 66, 120, 120]


def test_brush_then_eraser_over_the_same_path_leaves_no_mask_and_brackets_size_the_ring(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.press("b")
    before = person.desk("radius")
    person.press("]", "]")
    assert person.desk("radius") > before
    person.press("[", "[", "[")
    assert person.desk("radius") < before
    path = ((60, 80), (90, 90), (120, 80))
    person.drag(*path)
    person.sees_mask()
    painted = ids(person.mask(0))
    assert painted[80, 60] == painted[90, 90] == 1
    person.press("e")
    person.drag(*path)
    person.settled()
    assert not ids(person.mask(0)).any()


def test_five_undos_and_redos_give_the_same_project_file_also_across_a_reload(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.click(*IN_SIGN)
    person.click(60, 100)
    person.press("n")
    person.until("state.objects.length === 2")
    person.click(200, 140)
    person.press("ArrowRight", "i")
    person.settled()
    person.until("state.span[0] === 1")
    saved = server.folder / "projects" / person.project / "project.json"
    before = saved.read_bytes()
    for reload in (False, True):
        for _ in range(5):
            person.page.keyboard.press("Control+z")
        person.settled()
        person.until("state.can.redo")
        assert saved.read_bytes() != before
        if reload:
            person.page.reload()
            person.sees(1)
            person.until("state?.can.redo")
        for _ in range(5):
            person.page.keyboard.press("Control+Shift+z")
        person.settled()
        person.until("!state.can.redo")
        assert saved.read_bytes() == before


def test_the_wheel_zooms_at_the_pointer_and_the_page_stays(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded), size=(800, 700))
    spot = person.place(180, 90)
    person.page.mouse.move(*spot)
    for turn in (-300, -300, -300, 200):
        person.page.mouse.wheel(0, turn)
    person.until(
        "Math.abs(window.cleanplate.view.scale - 1) > 0.5 && !window.cleanplate.view.fitted"
    )
    now = person.place(180, 90)
    scale = person.page.evaluate("window.cleanplate.view.scale")
    assert abs(now[0] - spot[0]) <= scale
    assert abs(now[1] - spot[1]) <= scale
    assert person.page.evaluate("scrollY") == 0
    person.press("0")
    assert person.page.evaluate("window.cleanplate.view.fitted") is True


def test_objects_differ_in_colour_hide_one_by_one_keep_their_names_and_come_back(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.click(*IN_SIGN)
    person.settled()
    person.press("n")
    person.until("state.objects.length === 2 && desk.object === 2")
    person.click(200, 140)
    person.sees_mask()
    colours = person.page.evaluate("window.cleanplate.desk.state.objects.map((one) => one.colour)")
    assert len(set(colours)) == 2
    person.press("1")
    assert person.desk("object") == 1
    person.press("2")
    assert person.desk("object") == 2

    name = person.page.get_by_label("Name of Object 2")
    name.fill("lamp")
    name.press("Enter")
    person.until("state.objects[1].name === 'lamp'")

    person.page.mouse.move(5, 5)  # off the stage: nothing is foreseen there
    person.sees_mask()
    tinted = person.page.evaluate(_TINTED)
    person.page.get_by_label("Hide lamp").click()
    person.until("state.objects[1].hidden")
    person.sees_mask()
    shown = person.page.evaluate(_TINTED)
    assert shown["1"] == tinted["1"] > 0
    assert tinted["2"] > 0
    assert "2" not in shown

    person.page.reload()
    person.until("state?.objects[1].name === 'lamp'")
    whole = person.mask(0)
    person.page.get_by_label("Delete lamp").click()
    person.until("state.objects.length === 1")
    assert set(np.unique(ids(person.mask(0)))) == {0, 1}
    person.page.keyboard.press("Control+z")
    person.until("state.objects.length === 2 && state.objects[1].name === 'lamp'")
    assert person.mask(0) == whole


def test_what_stays_where_the_rest_moves_is_found_without_a_click_and_taken(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    drawn = {(0, 90): letters("LOGO", (20, 40))}
    person = visit(server.project(scene(tmp_path / "logo.mp4", drawn)))
    person.page.get_by_role("button", name="Find logos and captions").click()
    person.until("state.job?.kind === 'suggest' && state.job.state === 'done'", seconds=120)
    rows = person.page.locator("#cp-proposals li")
    assert rows.count() == 1
    assert "frames 0–89" in rows.inner_text()
    rows.locator(".cp-doubt-go").click()
    person.sees(44)
    rows.get_by_role("button", name="Add: ").click()
    person.until("state.objects.length === 1 && state.objects[0].static")
    person.sees_mask()
    assert ids(person.mask(44))[drawn[0, 90][..., 0] > 0.2].all()
    assert rows.count() == 0
    assert person.page.locator("#cp-remove-go").is_enabled()
    person.page.keyboard.press("Control+z")
    person.until("state.objects.length === 0")
    rows.wait_for()


# How many pixels of the stage have just an object's colour: the rims of the masks.
_TINTED = """() => {
  const { state } = window.cleanplate.desk;
  const canvas = document.querySelector('#cp-stage canvas');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  const found = {};
  for (let at = 0; at < data.length; at += 4) {
    for (const one of state.objects) {
      const value = parseInt(one.colour.slice(1), 16);
      const near = Math.abs(data[at] - (value >> 16))
        + Math.abs(data[at + 1] - ((value >> 8) & 255)) + Math.abs(data[at + 2] - (value & 255));
      if (near < 6) found[one.id] = (found[one.id] ?? 0) + 1;
    }
  }
  return found;
}"""
