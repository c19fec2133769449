"""Who is let in, and from which page."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from cleanplate.app.server.options import Options
from cleanplate.errors import InputError

from .conftest import Server, serving


def test_a_foreign_host_is_refused(server: Server) -> None:
    answer = server.client.get("/about", headers={"Host": "evil.example"})
    assert answer.status_code == 403
    assert "127.0.0.1" in answer.json()["error"]


@pytest.mark.parametrize("host", ["[", "", "127.0.0.1.evil.example", "evil@127.0.0.1:x"])
def test_an_odd_host_is_refused(server: Server, host: str) -> None:
    assert server.client.get("/about", headers={"Host": host}).status_code in (400, 403)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "LOCALHOST"])
def test_the_own_names_are_let_in_whatever_the_port(server: Server, host: str) -> None:
    port = server.options.port
    assert server.client.get("/about", headers={"Host": f"{host}:{port}"}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/project", "/project/x/job/stop"])
def test_a_post_from_another_page_is_refused(
    server: Server, headers: dict[str, str], path: str
) -> None:
    before = list(server.options.projects.iterdir())
    answer = server.client.post(path, content=b"x", headers=headers)
    assert answer.status_code == 403
    assert list(server.options.projects.iterdir()) == before


def test_the_own_page_may_post(server: Server) -> None:
    own = {"Origin": server.address, "Sec-Fetch-Site": "same-origin"}
    answer = server.client.post("/project", json={}, headers=own)
    assert answer.status_code == 400  # let in, and told what is missing
    assert "Send a file" in answer.json()["error"]


def test_every_answer_keeps_the_private_link_private(server: Server) -> None:
    headers = server.client.get("/about").headers
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"


def test_nobody_serves_others_without_a_password(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="CLEANPLATE_PASSWORD"):
        Options(folder=tmp_path, host="0.0.0.0")
    assert Options(folder=tmp_path, host="0.0.0.0", password="secret").password


def test_the_password_guards_every_route(tmp_path: Path) -> None:
    with serving(tmp_path, password="open sesame") as server:
        for path in ("/about", "/project/x", "/page/style.css"):
            answer = server.client.get(path)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")
        assert httpx.get(f"{server.address}/about", auth=("any", "wrong")).status_code == 401
        assert httpx.get(f"{server.address}/about", auth=("any", "open sesame")).status_code == 200


def test_others_get_no_path_of_this_computer(tmp_path: Path, scene_clip: Path) -> None:
    with serving(tmp_path, host="0.0.0.0", password="x") as server:
        answer = httpx.post(
            f"{server.address}/project", json={"path": str(scene_clip)}, auth=("", "x")
        )
        assert answer.status_code == 403
        assert "only on the computer" in answer.json()["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/project/..",
        "/project/../../etc/passwd",
        "/project/%2e%2e%2fapp.lock",
        "/project/AAAAAAAAAAAAAAAAAAAAAA",
        "/project/AAAAAAAAAAAAAAAAAAAAAA/frame/0.jpg",
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "/page/choices.py",
        "/page/__init__.py",
        "/openapi.json",
        "/docs",
    ],
)
def test_nothing_outside_a_project_is_served(server: Server, path: str) -> None:
    answer = server.client.get(httpx.URL(server.address + path))
    assert answer.status_code in (403, 404)


def test_an_unknown_link_says_where_projects_lie(server: Server) -> None:
    answer = server.client.get("/project/AAAAAAAAAAAAAAAAAAAAAA")
    assert answer.status_code == 404
    assert str(server.options.projects) in answer.json()["error"]
