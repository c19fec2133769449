"""A shadow ticked and unticked, and damage rejected, by a person's mouse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from tests.app_browser.conftest import Server
from tests.app_browser.person import Person
from tests.attached.test_shadows import walked
from tests.restoration.finding import write_pictures

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A figure that casts a shadow, its masks, and one speck of dirt."""
    folder = tmp_path_factory.mktemp("figure")
    images, _, masks, _ = walked(0.5, 2.0)
    cv2.circle(images[8], (250, 40), 7, (15, 12, 10), -1)
    write_pictures(folder / "frames", images)
    np.savez(folder / "masks.npz", np.stack(masks))
    return folder


def test_a_shadow_is_ticked_or_not_and_damage_is_left_place_by_place(
    visit: Visit, server: Server, figure: Path
) -> None:
    project = server.project(figure / "frames")
    path = f"{server.address}/project/{project}/masks"
    httpx.post(path, json={"path": str(figure / "masks.npz")}, timeout=60).raise_for_status()
    person = visit(project)
    page = person.page
    person.press(*["ArrowRight"] * 8)
    person.sees_mask()
    page.get_by_role("button", name="Find shadows and reflections").click()
    tick = page.get_by_role("checkbox", name="Shadow of Object 1")
    tick.wait_for(timeout=90_000)
    assert not tick.is_checked()
    before = person.mask(8)
    tick.check()
    person.until("state.objects.length === 2")
    assert page.get_by_label("Name of Shadow of Object 1").is_visible()
    person.sees_mask()
    assert person.mask(8) != before
    page.get_by_role("checkbox", name="Shadow of Object 1").uncheck()
    person.until("state.objects.length === 1")
    person.sees_mask()
    assert person.mask(8) == before
    page.locator("#cp-undo").click()
    person.until("state.objects.length === 2")
    assert page.get_by_role("checkbox", name="Shadow of Object 1").is_checked()

    page.get_by_role("button", name="Find dirt and scratches").click()
    page.get_by_role("button", name="Add: Dirt").click(timeout=90_000)
    person.until("state.objects.length === 3")
    place = page.get_by_label("No damage: frame 8")
    place.wait_for()
    person.sees_mask()
    dirty = person.mask(8)
    place.click()
    place.wait_for(state="detached")
    person.sees_mask()
    assert person.mask(8) != dirty
    assert person.errors == []
