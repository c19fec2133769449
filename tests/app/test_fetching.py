"""Weights at the press of a button: asked for, fetched, stopped, gone on with, checked, used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cleanplate.checkpoints import store
from tests import weight_server
from tests.app.conftest import Server, serving
from tests.scene import sign_box
from tests.weight_server import NAME, Served


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    content = weight_server.small_weights(tmp_path, monkeypatch)
    with weight_server.serving(content) as one:
        for name, value in weight_server.environment(tmp_path, one).items():
            monkeypatch.setenv(name, value)
        weight_server.point_catalogue(one, monkeypatch)
        yield one


@pytest.fixture
def here(tmp_path: Path, served: Served) -> Iterator[Server]:
    with serving(tmp_path / "app") as running:
        yield running


def fetched(server: Server, project: str, *states: str) -> dict[str, Any]:
    return server.wait(project, lambda s: s["fetch"] and s["fetch"]["state"] in states)


def clicked(server: Server, clip: Path) -> str:
    project = server.opened(clip)
    box = sign_box(0)
    server.edit(project, "add_object")
    prompt = {"points": [[box.x0 + 20, box.y0 + 10, True]]}
    server.edit(project, "prompt", frame=0, object=1, prompt=prompt)
    return project


def test_a_click_offers_better_tracking_which_is_fetched_on_demand_stopped_gone_on_with_and_used(
    here: Server, served: Served, scene_clip: Path
) -> None:
    project = here.opened(scene_clip)
    assert here.get(f"/project/{project}")["offers"] == []
    project = clicked(here, scene_clip)
    (offer,) = here.get(f"/project/{project}")["offers"]
    assert (offer["place"], offer["names"], offer["commercial"]) == ("track", [NAME], True)
    assert offer["size"] == len(served.content)
    assert served.asked == []  # nothing comes unasked

    served.pause = 0.05
    here.post(f"/project/{project}/fetch", {"names": [NAME]})
    here.wait(project, lambda s: s["fetch"] and s["fetch"]["done"] > 50_000)
    here.post(f"/project/{project}/fetch/stop")
    fetched(here, project, "stopped")
    assert not store.is_here(NAME)

    served.pause = 0.0
    here.post(f"/project/{project}/fetch", {"names": [NAME]})
    state = fetched(here, project, "done")
    assert int(str(served.asked[-1]).removeprefix("bytes=").rstrip("-")) > 50_000
    assert state["fetch"]["sentence"] == "It is here, and is used from now on."
    state = here.get(f"/project/{project}")
    assert NAME in state["weights"]
    assert state["offers"] == []
    here.edit(project, "settings", values={"sam2.side": "256"})
    here.edit(project, "outline", frame=0, object=1, values={})
    assert here.get(f"/project/{project}")["prompts"]["0"]["1"]["outliner"] == "sam2"


def test_a_wrong_file_is_not_taken_and_offline_says_so_while_the_rest_goes_on(
    here: Server, served: Served, scene_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = clicked(here, scene_clip)
    served.content = served.content[:-1] + b"?"
    here.post(f"/project/{project}/fetch", {"names": [NAME]})
    state = fetched(here, project, "failed", "done")
    assert state["fetch"]["state"] == "failed"
    assert not store.is_here(NAME)
    monkeypatch.setenv("CLEANPLATE_TEST_URL", "http://127.0.0.1:9/nowhere.pt")
    here.post(f"/project/{project}/fetch", {"names": [NAME]})
    state = here.wait(project, lambda s: "offline" in (s["fetch"] or {}).get("sentence", ""))
    assert state["fetch"]["state"] == "failed"
    here.post(f"/project/{project}/job", {"kind": "track", "stop": 2})
    here.done(project)


def test_only_known_weights_are_fetched(here: Server, scene_clip: Path) -> None:
    project = here.opened(scene_clip)
    for names in (["../../etc/passwd"], [], "sam", None):
        answer = here.client.post(f"/project/{project}/fetch", json={"names": names})
        assert answer.status_code == 400
        assert "no weights that can be fetched" in answer.json()["error"]
