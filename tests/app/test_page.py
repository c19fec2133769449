"""The whole app, Gradio included: what is open, what is closed, what programs can ask for."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.scene import write_scene
from tests.test_suggest import letters, scene

from .conftest import Server, serving

GUIDE = Path(__file__).parents[2] / "docs" / "app.md"
# What a careless environment says; none of it may reach the server.
CARELESS = {
    "GRADIO_SHARE": "True",
    "GRADIO_ALLOWED_PATHS": "/",
    "GRADIO_MCP_SERVER": "True",
    "GRADIO_SSR_MODE": "True",
    "GRADIO_ANALYTICS_ENABLED": "True",
    "GRADIO_RUN_HISTORY": "True",
    "GRADIO_ROOT_PATH": "/elsewhere",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CARELESS.items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("page")
        with serving(folder, page=True, max_upload=5_000_000) as running:
            yield running


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("clip") / "clip.mp4", 20)


def test_the_page_is_there_and_is_ours(app: Server) -> None:
    answer = app.client.get("/")
    assert answer.status_code == 200
    config = app.get("/config")
    assert config["title"] == "cleanplate"
    assert config["root"].rstrip("/") == app.address
    assert not config["analytics_enabled"]
    assert not config.get("run_history")
    assert not config.get("mcp_server")


def test_no_other_address_is_named_where_the_page_would_load_from_it(app: Server) -> None:
    page = app.client.get("/").text
    loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"(https?://[^\"]+)\"", page)
    assert [one for one in loaded if not one.startswith(app.address)] == []


@pytest.mark.parametrize(
    "path",
    [
        "/monitoring",
        "/gradio_api/monitoring",
        "/gradio_api/monitoring/summary",
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../etc/passwd",
        "/gradio_api/file=http://127.0.0.1:1/",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/file=/etc/passwd",
        "/gradio_api/mcp/sse",
        "/gradio_api/runs",
        "/page/form.py",
    ],
)
def test_nothing_is_served_but_the_page_and_what_jobs_made(app: Server, path: str) -> None:
    assert app.client.get(path).status_code in (403, 404)


def test_a_clip_and_its_project_are_no_files_of_gradio(app: Server, clip: Path) -> None:
    project = app.post("/project", {"path": str(clip)})["id"]
    for path in (clip, app.folder(project) / "app.json"):
        assert app.client.get(f"/gradio_api/file={path}").status_code == 403


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("/gradio_api/upload", {"files": {"files": ("a.mp4", b"x" * 100)}}),
        ("/gradio_api/component_server", {"content": b"{}"}),
        ("/gradio_api/queue/join", {"json": {}}),
        ("/gradio_api/call/remove", {"json": {"data": []}}),
        ("/project", {"content": b"x"}),
    ],
)
def test_other_pages_reach_nothing_that_does_anything(
    app: Server, path: str, more: dict[str, Any]
) -> None:
    before = list(app.options.temporary.rglob("*"))
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        answer = app.client.post(path, headers=headers, **more)
        assert answer.status_code == 403
    assert list(app.options.temporary.rglob("*")) == before


def test_uploads_through_gradio_are_limited_as_well(app: Server) -> None:
    files = {"files": ("a.mp4", bytes(5_100_000))}
    answer = app.client.post("/gradio_api/upload", files=files)
    assert answer.status_code == 413


def test_what_programs_can_ask_for_has_names_and_types(app: Server) -> None:
    endpoints = app.get("/gradio_api/info")["named_endpoints"]
    assert sorted(endpoints) == [
        "/engines",
        "/inpaint",
        "/job_result",
        "/job_status",
        "/job_stop",
        "/remove",
        "/segment",
        "/suggest",
        "/track",
    ]
    for name, endpoint in endpoints.items():
        assert endpoint["description"], name
        for one in endpoint["parameters"]:
            assert one["type"], (name, one["parameter_name"])
    clip_type = endpoints["/remove"]["parameters"][0]["type"]["properties"]
    assert "path" in clip_type


def test_the_guides_example_removes_a_sign(app: Server, clip: Path, tmp_path: Path) -> None:
    example = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert "http://127.0.0.1:7860" in example
    shutil.copy(clip, tmp_path / "clip.mp4")
    ran = subprocess.run(
        [sys.executable, "-c", example.replace("http://127.0.0.1:7860", app.address)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Done: 20 frames" in ran.stdout
    assert Path(ran.stdout.split()[-1]).name == "clip-clean.mp4"


def test_programs_find_logos_too(app: Server, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    logo = scene(tmp_path / "logo.mp4", {(0, 90): letters("LOGO", (20, 40))})
    client = Client(app.address, verbose=False)
    try:
        (found,) = client.predict(clip=handle_file(str(logo)), api_name="/suggest")
    finally:
        client.close()
    assert (found["kind"], found["first"], found["last"]) == ("logo", 0, 89)
    x0, y0, x1, y1 = found["box"]
    assert 0 < x1 - x0 < 160
    assert 0 < y1 - y0 < 60
    assert found["confidence"] > 0.9


def test_every_endpoint_and_option_is_in_the_guide(app: Server) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    for name in app.get("/gradio_api/info")["named_endpoints"]:
        assert f"`{name}`" in guide
    for option in ("--folder", "--max-upload", "--keep-days", "--host", "--port", "--no-browser"):
        assert option in guide


def test_programs_name_no_files_of_this_computer(app: Server, clip: Path) -> None:
    from gradio_client import Client
    from gradio_client.exceptions import AppError

    client = Client(app.address, verbose=False)
    before = set(app.options.temporary.rglob("*"))
    try:
        for path in ("/etc/passwd", str(clip), str(app.options.folder / "speeds.json")):
            sent = {"path": path, "meta": {"_type": "gradio.FileData"}, "orig_name": "a.mp4"}
            session = httpx.post(
                f"{app.address}/gradio_api/call/segment", json={"data": [sent, [], None, None]}
            ).json()["event_id"]
            news = httpx.get(f"{app.address}/gradio_api/call/segment/{session}").text
            assert "event: error" in news
            assert str(app.options.temporary) not in news
        assert set(app.options.temporary.rglob("*")) == before, "nothing was copied"
        with pytest.raises(AppError, match="This link's project is not here any more"):
            client.predict(job="../../etc", api_name="/job_status")
    finally:
        client.close()


def test_the_password_guards_gradios_routes_too(tmp_path: Path) -> None:
    with serving(tmp_path, page=True, password="open sesame") as locked:
        for path in ("/", "/config", "/gradio_api/info", "/gradio_api/upload_progress"):
            assert locked.client.get(path).status_code == 401
        assert httpx.get(locked.address, auth=("", "open sesame")).status_code == 200
