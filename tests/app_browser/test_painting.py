"""Brush, eraser and outlines by a person's mouse: a mask that is right stays right."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cleanplate.arrays.prompts import draw_strokes
from cleanplate.types import Brush
from tests.app_browser.clips import HEIGHT, WIDTH
from tests.app_browser.conftest import Server
from tests.app_browser.person import Person

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]
IN_SIGN = (70, 85)


def ids(png: bytes) -> np.ndarray:
    """(H, W) uint8, object ids."""
    return np.asarray(Image.open(io.BytesIO(png)))


def under(person: Person, frame: int) -> np.ndarray:
    """(H, W) bool: what the last stroke in a frame covers."""
    told = person.desk(f"state.prompts[{frame}][1].brushes.at(-1)")
    stroke = Brush(tuple((x, y) for x, y in told["points"]), told["radius"])
    return draw_strokes([stroke], (HEIGHT, WIDTH))


def test_a_stroke_on_a_followed_frame_changes_what_is_under_it_and_nothing_else(
    visit: Visit, server: Server, coded: Path
) -> None:
    project = server.project(coded)
    person = visit(project)
    person.press("d")
    person.drag((38.5, 65.5), (110.5, 115.5))
    person.settled()
    server.job(project, kind="track", stop=12)
    server.done(project)
    person.press(*["ArrowRight"] * 8)
    person.sees(8)
    before = ids(person.mask(8))
    assert before.any()
    person.press("b")
    person.drag((150, 120), (165, 130))
    person.sees_mask()
    np.testing.assert_array_equal(ids(person.mask(8)) > 0, (before > 0) | under(person, 8))
    person.press("e")
    person.drag((60, 90), (70, 95))
    person.sees_mask()
    erased = under(person, 8)
    after = ids(person.mask(8)) > 0
    assert not after[erased].any()
    np.testing.assert_array_equal(after | erased, (before > 0) | after | erased)

    # Another outline is a choice: it is shown first, and the mask stays until it is taken.
    kept = person.mask(8)
    person.page.get_by_role("button", name="Find outline").click()
    person.page.get_by_role("button", name="Keep mine").click()
    assert person.mask(8) == kept
    person.page.get_by_role("button", name="Find outline").click()
    person.page.get_by_role("button", name="Use it").click()
    person.settled()
    assert person.desk("state.prompts[8][1].painted") is False
    person.page.keyboard.press("Control+z")
    person.until("state.prompts[8][1].painted")
    assert person.mask(8) == kept


def test_outlines_to_choose_from_are_pictures_and_the_outliner_outlines_what_is_shown(
    visit: Visit, server: Server, coded: Path
) -> None:
    person = visit(server.project(coded))
    person.click(*IN_SIGN)
    person.sees_mask()
    pictures = person.page.locator("#cp-candidates img")
    assert pictures.count() == person.desk("state.prompts[0][1].candidates") > 1
    person.page.wait_for_function(
        "[...document.querySelectorAll('#cp-candidates img')].every((one) => one.naturalWidth)"
    )
    person.press("d")
    person.drag((38.5, 65.5), (110.5, 115.5))
    person.sees_mask()
    grown = person.desk("state.growth")
    before = person.mask(0)
    person.page.locator("[data-choice=segment] summary").click()
    person.page.get_by_text("The box itself").click()
    person.until("state.settings.segmenter === 'box'")
    person.sees_mask()
    assert ids(person.mask(0)).sum() == 72 * 50
    person.page.locator("#cp-undo").click()  # the choice and its outline are one edit
    person.until("state.settings.segmenter === 'auto'")
    assert person.mask(0) == before
    assert person.desk("state.growth") == grown
