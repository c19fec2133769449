"""What a page does with a project, from the first click to the download."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.app.page.choices import choices
from cleanplate.app.speeds import Speeds
from cleanplate.jobs.report import Report
from cleanplate.media.mask_track import read_mask_track, write_mask_track
from cleanplate.media.read import open_clip
from tests.media.media_make import packets_of
from tests.scene import sign_box, write_scene

from .conftest import Server, serving

COUNT = 40


def box(frame: int = 0) -> dict[str, Any]:
    one = sign_box(frame)
    return {"box": [one.x0, one.y0, one.x1, one.y1]}


def picked(server: Server, clip: Path) -> str:
    """A project with the sign marked in frame 0."""
    project = server.opened(clip)
    number = server.edit(project, "add_object", name="sign")["object"]
    server.edit(project, "prompt", frame=0, object=number, prompt=box())
    return project


def followed(server: Server, clip: Path) -> str:
    project = picked(server, clip)
    server.post(f"/project/{project}/job", {"kind": "track"})
    server.done(project)
    return project


@pytest.fixture(scope="module")
def finished(server: Server, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A project tried and removed without loss, and its clip."""
    clip = write_scene(tmp_path_factory.mktemp("clip") / "harbour.mp4", COUNT)
    project = followed(server, clip)
    server.edit(project, "settings", values={"lossless": True, "flowfill.window": 3})
    for wanted in ({"kind": "try", "frame": 20, "seconds": 0.8}, {"kind": "remove"}):
        server.post(f"/project/{project}/job", wanted)
        server.done(project)
    return project, clip


def still(server: Server, clip: Path) -> str:
    """A project of something that does not move: it can be removed at once."""
    project = server.opened(clip)
    number = server.edit(project, "add_object", name="logo", static=True)["object"]
    server.edit(project, "prompt", frame=0, object=number, prompt={"box": [4, 4, 40, 24]})
    return project


def pictures(path: Path) -> list[np.ndarray]:
    with open_clip(path) as clip:
        return [one.rgb() for one in clip.pictures()]


def decoded(data: bytes) -> np.ndarray:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    return found


# --- looking ---


def test_the_facts_are_the_probes(server: Server, scene_clip: Path) -> None:
    state = server.get(f"/project/{server.opened(scene_clip)}")
    with open_clip(scene_clip) as clip:
        info = clip.info
    shown = state["clip"]
    assert (shown["width"], shown["height"], shown["frames"]) == (info.width, info.height, 40)
    assert shown["rate"] == pytest.approx(float(info.average_rate or 0))
    assert (shown["codec"], shown["audio"]) == (info.codec, 1)
    assert state["can"]["remove"][0] is False
    assert state["can"]["track"] == [False, "Pick an object first."]


def test_a_list_of_clips_is_told_of_each_in_short(server: Server, scene_clip: Path) -> None:
    project = server.opened(scene_clip)
    told = server.get(f"/project/{project}/brief")
    assert told["name"] == scene_clip.name
    assert (told["job"]["kind"], told["job"]["state"]) == ("open", "done")
    assert told["clean"] is None
    assert told["open"]
    assert server.get("/project/AAAAAAAAAAAAAAAAAAAAAA/brief") is None


def test_a_still_is_there_before_the_clip_was_surveyed(server: Server, scene_clip: Path) -> None:
    project = server.post("/project", {"path": str(scene_clip)})["id"]
    state = server.get(f"/project/{project}")
    assert state["opening"]
    assert server.client.get(f"/project/{project}/frame/0.jpg").status_code == 200
    answer = server.client.post(f"/project/{project}/edit", json={"op": "undo"})
    assert answer.status_code == 409
    assert "still being opened" in answer.json()["error"]
    server.wait(project, lambda state: not state["opening"])


def test_engines_say_what_they_need_and_how_long_they_take(
    server: Server, finished: tuple[str, Path]
) -> None:
    engines = {row["name"]: row for row in server.get(f"/project/{finished[0]}")["engines"]}
    assert server.get(f"/project/{finished[0]}")["job"]["device"] == "cpu"
    assert engines["flowfill"]["here"]
    assert engines["flowfill"]["seconds_per_frame"] > 0
    assert engines["flowfill"]["needs"] == ""
    learned = engines["e2fgvi"]
    assert not learned["here"]
    assert "weights" in learned["needs"]
    assert learned["licence"]
    assert isinstance(learned["commercial"], bool)
    speeds = json.loads((server.options.folder / "speeds.json").read_text())
    assert speeds["flowfill/cpu"] > 0, "what a job took here is kept"


def test_a_quick_choice_is_told_to_take_less_and_teaches_the_standard_ones_time(
    tmp_path: Path,
) -> None:
    report = Report("inpaint", "clip.mp4", "clean.mp4", {}, frame_count=10)
    report.regions = [{"first": 0, "stop": 10, "width": 1000, "height": 1000}]
    report.seconds["inpaint"] = 8.0
    runtime = {"device": "cpu"}
    share = registry.find("inpaint", "flowfill").about.time_share
    for quality in ("standard", "fast", "best"):
        report.engines["inpaint"] = {
            **{"name": "flowfill", "runtime": runtime},
            "settings": {"quality": quality},
        }
        speeds = Speeds(tmp_path / quality)
        speeds.note(report)
        expected = 0.8 / share({"quality": quality})
        assert speeds.seconds("flowfill", "cpu", 1.0) == pytest.approx(expected, abs=1e-3)
    assert share({"quality": "fast"}) < 1 < share({"quality": "best"})
    times = {one["title"]: one["time"] for one in choices() if one["engine"] == "flowfill"}
    assert times["Real background, fast"] < times["Real background"] == 1
    assert times["Real background, best"] > 1


# --- changing ---


def test_every_edit_can_be_undone_and_is_counted(server: Server, scene_clip: Path) -> None:
    project = picked(server, scene_clip)
    before = (server.folder(project) / "project.json").read_bytes()
    edits = [
        ("change_object", {"object": 1, "name": "board"}),
        ("change_object", {"object": 1, "hidden": True}),
        ("span", {"start": 2, "stop": 30}),
        ("settings", {"values": {"grow": 4, "flowfill.quality": "fast"}}),
        ("gone", {"object": 1, "frame": 20, "until": 25}),
        ("approve", {"object": 1, "frame": 0}),
    ]
    for number, (op, args) in enumerate(edits):
        fields = {"op": op, "number": number, **args}
        answer = server.post(f"/project/{project}/edit", fields)
        assert answer["number"] == number
    state = server.get(f"/project/{project}")
    assert state["objects"][0]["name"] == "board"
    assert state["span"] == [2, 30]
    assert state["settings"]["grow"] == 4
    assert state["settings"]["engine_fields"] == {"flowfill.quality": "fast"}
    for _ in edits:
        server.edit(project, "undo")
    assert (server.folder(project) / "project.json").read_bytes() == before


@pytest.mark.parametrize(
    "fields",
    [
        {"op": "format_disk"},
        {},
        {"op": "prompt", "frame": "0", "object": 1, "prompt": {}},
        {"op": "prompt", "frame": 4000, "object": 1, "prompt": box()},
        {"op": "prompt", "frame": 0, "object": 9, "prompt": box()},
        {"op": "prompt", "frame": 0, "object": 1, "prompt": {"points": [["a", 1, True]]}},
        {"op": "prompt", "frame": 0, "object": 1, "prompt": {"box": [1, 2]}},
        {"op": "change_object", "object": 1, "name": 7},
        {"op": "span", "start": 30, "stop": 2},
        {"op": "settings", "values": {"grow": 100000}},
        {"op": "settings", "values": {"nonsense": 1}},
        {"op": "settings", "values": {"inpainter": "/etc/passwd"}},
        {"op": "dismiss", "row": "none"},
    ],
)
def test_what_does_not_fit_is_one_sentence_and_changes_nothing(
    server: Server, finished: tuple[str, Path], fields: dict[str, Any]
) -> None:
    path = server.folder(finished[0]) / "project.json"
    before = path.read_bytes()
    answer = server.client.post(f"/project/{finished[0]}/edit", json=fields)
    assert answer.status_code == 400, answer.text
    said = answer.json()["error"]
    assert said.endswith(".")
    assert "\n" not in said
    assert "Traceback" not in said
    assert path.read_bytes() == before


def test_ten_quick_clicks_all_arrive(server: Server, scene_clip: Path) -> None:
    project = picked(server, scene_clip)

    def click(number: int) -> int:
        prompt = box() | {"points": [[42.0 + number, 60.0, True]]}
        fields = {"op": "prompt", "frame": 0, "object": 1, "prompt": prompt, "number": number}
        return server.post(f"/project/{project}/edit", fields)["number"]

    first = server.get(f"/project/{project}")["version"]
    with ThreadPoolExecutor(10) as pool:
        assert sorted(pool.map(click, range(10))) == list(range(10))
    assert server.get(f"/project/{project}")["version"] == first + 10


def test_news_come_when_there_are_some(server: Server, scene_clip: Path) -> None:
    project = server.opened(scene_clip)
    server.wait(project, lambda state: state["proxy"]["ready"])
    assert server.desk.queue.wait(server.folder(project), 20)  # its worker has gone as well
    stamp = server.get(f"/project/{project}")["stamp"]
    path = f"/project/{project}/changes?stamp={stamp}"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(server.client.get, path)
        time.sleep(0.3)
        assert not waiting.done()
        began = time.monotonic()
        server.edit(project, "add_object", name="cup")
        news = waiting.result(5).json()
    assert time.monotonic() - began < 2
    assert [one["name"] for one in news["objects"]] == ["cup"]


def test_a_click_shows_a_mask_and_a_hover_stores_none(server: Server, scene_clip: Path) -> None:
    project = picked(server, scene_clip)
    version = server.get(f"/project/{project}")["version"]
    one = sign_box(0)
    path = f"/project/{project}/preview?frame=0&object=1&x={one.x0 + 5}&y={one.y0 + 5}"
    assert decoded(server.client.get(path).content)[..., 3].any()
    assert server.get(f"/project/{project}")["version"] == version
    stamp = server.get(f"/project/{project}")["masks"]
    answer = server.client.get(f"/project/{project}/mask/0.png?v={stamp}")
    assert "immutable" in answer.headers["cache-control"]
    shown = decoded(answer.content)[..., 3] > 0
    assert shown[one.slices].mean() > 0.9
    server.edit(project, "prompt", frame=0, object=1, prompt=None)
    assert server.get(f"/project/{project}")["masks"] != stamp


# --- working ---


def test_a_result_keeps_frames_times_and_sound(
    server: Server, finished: tuple[str, Path], tmp_path: Path
) -> None:
    project, clip = finished
    result = server.get(f"/project/{project}")["results"][-1]
    assert (result["kind"], result["first"], result["last"]) == ("remove", 0, COUNT - 1)
    assert result["sentence"].startswith("Removed 'sign' from 40 frames in")
    answer = server.client.get(f"/project/{project}/result/{result['name']}/clip")
    assert result["file"] in answer.headers["content-disposition"]
    saved = tmp_path / result["file"]
    saved.write_bytes(answer.content)
    with open_clip(saved) as made, open_clip(clip) as source:
        times = [[one.time for one in each.pictures()] for each in (made, source)]
    assert times[0] == times[1]
    assert packets_of(saved, "audio") == packets_of(clip, "audio")
    report = server.get(f"/project/{project}/result/{result['name']}/report.json")
    assert report["frame_count"] == COUNT


def test_only_what_is_masked_changes(server: Server, finished: tuple[str, Path]) -> None:
    project, clip = finished
    path = next((server.folder(project) / "out" / "remove-1").glob("clean.*"))
    for number, (was, now) in enumerate(zip(pictures(clip), pictures(path), strict=True)):
        changed = (was != now).any(axis=2)
        near = cv2.dilate(_mask(server, project, number), np.ones((13, 13), np.uint8)) > 0
        assert changed.any()
        assert not (changed & ~near).any()


def _mask(server: Server, project: str, frame: int) -> np.ndarray:
    found = server.client.get(f"/project/{project}/mask/{frame}.png").content
    return (decoded(found)[..., 3] > 0).astype(np.uint8)


def test_a_trials_frames_equal_the_wholes(server: Server, finished: tuple[str, Path]) -> None:
    project, _ = finished
    trial, whole = server.get(f"/project/{project}")["results"]
    assert (trial["kind"], trial["middle"], trial["exact"]) == ("try", 20, True)
    assert 0 < trial["first"] < 20 < trial["last"] < COUNT - 1
    out = server.folder(project) / "out"
    part = pictures(out / trial["name"] / trial["clip"])
    full = pictures(out / whole["name"] / whole["clip"])[trial["first"] : trial["last"] + 1]
    assert len(part) == len(full)
    for one, other in zip(part, full, strict=True):
        assert np.array_equal(one, other)


def test_a_result_is_seen_by_the_sources_frame_numbers(
    server: Server, finished: tuple[str, Path]
) -> None:
    project, _ = finished
    trial = server.get(f"/project/{project}")["results"][0]
    name, first = trial["name"], trial["first"]
    of = pictures(server.folder(project) / "out" / name / trial["clip"])
    got = server.client.get(f"/project/{project}/result/{name}/{first + 2}.jpg").content
    assert np.abs(decoded(got)[..., ::-1].astype(int) - of[2]).mean() < 4
    for outside in (first - 1, trial["last"] + 1):
        answer = server.client.get(f"/project/{project}/result/{name}/{outside}.jpg")
        assert answer.status_code == 404
        assert f"it holds {first} to {trial['last']}" in answer.json()["error"]
    assert trial["proxy"]
    assert server.client.get(f"/project/{project}/result/{name}/proxy.mp4").status_code == 200


def test_difference_and_flicker_show_the_fill_and_nothing_else(
    server: Server, finished: tuple[str, Path]
) -> None:
    project, _ = finished
    inside = sign_box(20).slices
    apart = decoded(server.client.get(f"/project/{project}/difference/remove-1/20.png").content)
    assert apart[inside].mean() > 60
    assert apart[:30].max() == 0
    heat = decoded(server.client.get(f"/project/{project}/flicker/remove-1/20.png").content)
    assert heat.shape == (*apart.shape, 3)
    calm = decoded(server.client.get(f"/project/{project}/result/remove-1/20.jpg").content)
    assert np.abs(heat[:25].astype(int) - calm[:25] * 0.35).mean() < 4, "dimmed outside the fill"


def test_masks_given_out_come_back_as_they_were(
    server: Server, finished: tuple[str, Path], tmp_path: Path
) -> None:
    project, clip = finished
    track = server.client.get(f"/project/{project}/masks.mkv").content
    (tmp_path / "masks.mkv").write_bytes(track)
    was = list(read_mask_track(tmp_path / "masks.mkv"))
    assert len(was) == COUNT
    for name in ("masks.mkv", "masks.zip"):
        content = server.client.get(f"/project/{project}/{name}").content
        other = server.opened(clip)
        answer = server.client.post(
            f"/project/{other}/masks", params={"name": name}, content=content
        )
        assert answer.status_code == 200, answer.text
        again = tmp_path / f"again-{name}.mkv"
        again.write_bytes(server.client.get(f"/project/{other}/masks.mkv").content)
        assert all(
            np.array_equal(one, two) for one, two in zip(was, read_mask_track(again), strict=True)
        )


def test_masks_that_do_not_fit_are_refused_with_both_sizes(
    server: Server, finished: tuple[str, Path], tmp_path: Path
) -> None:
    path = tmp_path / "wrong.mkv"
    with open_clip(finished[1]) as clip:
        times = [one.time for one in clip.pictures()]
    small = np.ones((64, 96), np.uint8)
    write_mask_track(path, ((when, small) for when in times), None)
    answer = server.client.post(
        f"/project/{finished[0]}/masks", params={"name": "wrong.mkv"}, content=path.read_bytes()
    )
    assert answer.status_code == 400
    said = answer.json()["error"]
    assert "96x64" in said
    assert "192x128" in said
    assert str(server.options.folder) not in said


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.zip", b"no archive"), ("a.exe", b"MZ"), ("a.npz", b"x"), ("a.mkv", b"x")],
)
def test_what_are_no_masks_is_refused(
    server: Server, finished: tuple[str, Path], name: str, content: bytes
) -> None:
    answer = server.client.post(
        f"/project/{finished[0]}/masks", params={"name": name}, content=content
    )
    assert answer.status_code in (400, 422)
    assert name in answer.json()["error"]
    assert not list(server.options.temporary.glob("tmp*"))


@pytest.mark.parametrize(
    ("wanted", "status", "said"),
    [
        ({"kind": "dance"}, 400, "There is no job 'dance'"),
        ({"kind": "try", "frame": 400}, 400, "not between the marks"),
        ({"kind": "try", "frame": 3, "seconds": 900}, 400, "give up to 10"),
        ({"kind": "try", "frame": 3, "seconds": "x"}, 400, "give up to 10"),
        ({"kind": "track", "direction": "up"}, 400, "both, forward or backward"),
        ({"kind": "track", "objects": "all"}, 400, "a list of object ids"),
        ({"kind": "track"}, 409, "Everything is tracked"),
        ({"kind": "resume"}, 409, "nothing to go on with"),
        ({"kind": "remove", "whole": "all"}, 400, "give true or false"),
    ],
)
def test_a_job_that_cannot_be_is_refused_at_once(
    server: Server, finished: tuple[str, Path], wanted: Any, status: int, said: str
) -> None:
    answer = server.client.post(f"/project/{finished[0]}/job", json=wanted)
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_a_codec_that_there_is_not_is_refused_at_once(
    server: Server, finished: tuple[str, Path]
) -> None:
    project = finished[0]
    server.edit(project, "settings", values={"codec": "xyz"})
    answer = server.client.post(f"/project/{project}/job", json={"kind": "remove"})
    server.edit(project, "undo")
    assert answer.status_code == 400
    assert "no codec 'xyz'" in answer.json()["error"]


def test_removing_before_following_says_what_is_missing(server: Server, scene_clip: Path) -> None:
    project = picked(server, scene_clip)
    answer = server.client.post(f"/project/{project}/job", json={"kind": "remove"})
    assert answer.status_code == 409
    assert "Track" in answer.json()["error"]


def test_a_full_disk_is_said_before_the_work_begins(
    server: Server, scene_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = still(server, scene_clip)
    usage = type("Usage", (), {"free": 1_100_000})
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    before = server.get(f"/project/{project}")["job"]["id"]
    answer = server.client.post(f"/project/{project}/job", json={"kind": "remove"})
    assert answer.status_code == 507
    said = answer.json()["error"]
    assert said.startswith("Removing needs about 105 MB in ")
    assert "1.1 MB free. Choose another folder or a shorter range." in said
    assert server.get(f"/project/{project}")["job"]["id"] == before


def test_a_defect_is_a_sentence_and_its_stack_is_in_the_log(
    server: Server,
    finished: tuple[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(server.desk.frames, "still", broken)
    answer = server.client.get(f"/project/{finished[0]}/frame/0.jpg")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "please report it" in answer.json()["error"]
    assert "secret detail" in caplog.text


def test_removing_a_project_leaves_the_users_clip(server: Server, tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "mine.mp4", 12)
    project = server.opened(clip)
    folder = server.folder(project)
    answer = server.client.delete(f"/project/{project}")
    assert answer.status_code == 200, answer.text
    assert not folder.exists()
    assert clip.exists()
    assert server.client.get(f"/project/{project}").status_code == 404


def test_a_static_object_needs_no_following_and_one_result_can_be_removed(
    server: Server, scene_clip: Path
) -> None:
    project = still(server, scene_clip)
    assert server.get(f"/project/{project}")["can"]["remove"][0]
    server.post(f"/project/{project}/job", {"kind": "try", "frame": 3, "seconds": 0.2})
    name = server.done(project)["results"][0]["name"]
    server.get(f"/project/{project}/result/{name}/report.json")
    server.post(f"/project/{project}/result/{name}/delete")
    assert server.get(f"/project/{project}")["results"] == []


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "other") as running:
        yield running


def test_a_private_link_of_one_server_is_nothing_to_another(
    other: Server, finished: tuple[str, Path]
) -> None:
    assert other.client.get(f"/project/{finished[0]}").status_code == 404
