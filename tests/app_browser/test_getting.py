"""Weights by one button: a person is picked, better tracking is offered, fetched, and used."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import weight_server
from tests.app_browser.conftest import Server, free_port
from tests.app_browser.person import Person
from tests.weight_server import NAME, Served

pytestmark = pytest.mark.browser
Visit = Callable[..., Person]


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    content = weight_server.small_weights(tmp_path, monkeypatch)
    with weight_server.serving(content) as one:
        for name, value in weight_server.environment(tmp_path, one).items():
            monkeypatch.setenv(name, value)
        yield one


@pytest.fixture
def own(tmp_path: Path, served: Served) -> Iterator[Server]:
    server = Server(tmp_path / "work", free_port())
    server.start()
    yield server
    server.stop()


def test_better_tracking_comes_by_one_button_is_used_and_the_removal_is_finished(
    visit: Visit, own: Server, served: Served, coded: Path
) -> None:
    project = own.project(coded)
    quick = {"sam2.side": "256", "flowfill.quality": "fast", "flowfill.window": 3}
    own.edit(project, "settings", values=quick)
    own.edit(project, "span", start=0, stop=8)
    person = visit(project, at=own)
    assert person.page.locator("#cp-offer-track").is_hidden()
    person.click(70, 85)
    person.sees_mask()
    offer = person.page.locator("#cp-offer-track")
    assert "People, animals" in offer.inner_text()
    button = offer.get_by_role("button", name="Get it")
    assert "free for commercial use" in button.inner_text()
    assert "Apache-2.0" in button.get_attribute("title")
    served.pause = 0.02
    button.click()
    offer.get_by_role("progressbar").wait_for()
    person.until("state.fetch?.done > 50000")
    offer.get_by_role("button", name="Stop").click()
    again = offer.get_by_role("button", name="Go on")
    again.wait_for()
    served.pause = 0.0
    again.click()
    person.until(f"state.weights.includes('{NAME}')", seconds=90)
    offer.wait_for(state="hidden")
    person.until("state.prompts[0][1].outliner === 'sam2'", seconds=90)
    person.page.keyboard.press("f")
    person.until("state.job?.kind === 'track' && state.job.state === 'done'", seconds=120)
    own.job(project, kind="remove")
    own.done(project, 180)
    assert own.state(project)["results"]
