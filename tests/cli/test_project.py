"""``cleanplate project`` and the table of ``cleanplate track --report``, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from cleanplate.cli import app
from cleanplate.errors import InputError
from cleanplate.media.mask_track import read_mask_track
from cleanplate.media.read import open_clip
from cleanplate.projects.project import Project
from tests.projects import stage
from tests.scene import sign_box


def run(*args: object) -> None:
    app([str(arg) for arg in args], standalone_mode=False)


def text(box) -> str:
    return f"{box.x0},{box.y0},{box.x1},{box.y1}"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stage.write_stage(tmp_path_factory.mktemp("stage") / "stage.mp4")


@pytest.fixture
def folder(clip: Path, tmp_path: Path) -> Path:
    run("project", "new", tmp_path / "p", clip, "--quiet")
    return tmp_path / "p"


def test_a_clip_is_finished_from_the_command_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = ("--box", text(sign_box(0)), "--object", 2, "--box", text(stage.other_box(0)))
    run("project", "prompt", folder, *boxes, "--quiet")
    run("project", "object", folder, "--object", 2, "--name", "dark sign")
    run("project", "set", folder, "--inpainter", "telea", "--start", "@2", "--end", "@50")
    run("project", "track", folder, "--quiet")
    run("project", "show", folder)
    shown = capsys.readouterr().out
    assert "dark sign" in shown
    assert "A prompt for dark sign is due at frame " in shown
    run("project", "doubtful", folder)
    shown = capsys.readouterr().out
    assert "a prompt is due" in " ".join(shown.split())
    assert "dark sign" in shown
    assert "lost" in shown
    run("project", "doubtful", folder, "--json")
    row = json.loads(capsys.readouterr().out)[0]
    run("project", "dismiss", folder, row["id"])
    run("project", "doubtful", folder, "--json")
    assert row["id"] not in capsys.readouterr().out
    run("project", "prompt", folder, "--box", text(sign_box(30)) + "@30", "--quiet")
    run("project", "track", folder, "--direction", "forward", "--at", "@30", "--quiet")
    run("project", "approve", folder, "--at", "@10")
    run("project", "gone", folder, "--object", 2, "--at", "@40")
    run("project", "masks", folder, "-o", tmp_path / "masks.mkv", "--quiet")
    assert len(list(read_mask_track(tmp_path / "masks.mkv"))) == stage.COUNT
    run("project", "remove", folder, "-o", tmp_path / "clean.mp4", "--quiet")
    run("project", "show", folder, "--json")
    plain = json.loads(capsys.readouterr().out)
    assert plain["span"] == [2, 50]
    assert plain["settings"]["inpainter"] == "telea"
    assert plain["prompts"]["10"]["1"]["kind"] == "approved"
    assert (tmp_path / "clean.mp4").is_file()
    run("project", "undo", folder)
    assert "40" not in Project.open(folder).as_json()["prompts"]
    run("project", "redo", folder)
    assert "40" in Project.open(folder).as_json()["prompts"]


def test_masks_are_taken_from_the_command_line(folder: Path, tmp_path: Path) -> None:
    stills = ("--box", "4,6,40,22", "--static", "--quiet")
    run("project", "prompt", folder, *stills)
    run("project", "set", folder, "--overlay", "box")
    run("project", "masks", folder, "-o", tmp_path / "mask.png")
    run("project", "masks", folder, "--import", tmp_path / "mask.png", "--quiet")
    project = Project.open(folder)
    assert project.state.objects[0].static
    assert (project.mask(30) == 1).sum() == 36 * 16
    with pytest.raises(InputError, match="exists"):
        run("project", "masks", folder, "-o", tmp_path / "mask.png")


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("prompt", "{folder}"), "Nothing was pointed at"),
        (("prompt", "{folder}", "--object", 5, "--box", "1,1,9,9"), "the next one is 1"),
        (("track", "{folder}", "--direction", "up"), "no direction"),
        (("undo", "{folder}"), "nothing to undo"),
        (("redo", "{folder}"), "nothing to redo"),
        (("masks", "{folder}"), "either -o OUT"),
        (("remove", "{folder}", "-o", "x.mp4"), "Pick an object first"),
        (("approve", "{folder}", "--at", "@99"), "Frame 99 is not in the clip"),
        (("show", "nowhere"), "is not a project"),
        (("new", "{folder}", "{folder}"), "already"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(
    folder: Path, args: tuple[object, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        run("project", *(str(arg).format(folder=folder) for arg in args))


def test_track_prints_a_table_of_the_frames_to_look_at(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "masks.mkv"
    run("track", clip, "--box", text(stage.other_box(0)), "--report", "-o", out, "--quiet")
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].split() == ["frames", "look", "at", "object", "why"]
    first, last = map(int, shown[1].split()[0].split("-"))
    assert stage.LEAVES - 12 < first < stage.LEAVES + 2
    assert last == stage.COUNT - 1
    still = ("--box", "4,6,40,22", "--static", "--overlay", "box", "--overwrite", "--quiet")
    run("track", clip, *still, "-o", out, "--report")
    assert "No frame needs a look" in capsys.readouterr().out


def test_a_report_of_what_does_not_move_tells_of_each_frame(clip: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "masks.mkv", tmp_path / "report.json"
    still = ("--box", "4,6,40,22", "--static", "--overlay", "box", "--quiet")
    run("track", clip, *still, "--start", "@10", "-o", out, "--report", report)
    frames = json.loads(report.read_text())["frames"]
    assert [frame["frame"] for frame in frames] == list(range(10, stage.COUNT))
    assert frames[7]["objects"] == [
        {"object": 1, "confidence": 1.0, "state": "visible", "area": 36 * 16}
    ]


def test_a_job_says_where_the_next_prompt_is_due(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("track", clip, "--box", text(stage.other_box(0)), "--tracker", "planar")
    run(*given, "-o", tmp_path / "m.mkv", "--report", tmp_path / "r.json")
    said = " ".join("".join(capsys.readouterr()).split())
    (due,) = json.loads((tmp_path / "r.json").read_text())["prompts_due"]
    assert due["object"] == 1
    assert stage.LEAVES - 12 <= due["frame"] <= stage.LEAVES + 2
    assert f"A prompt for object 1 is due at frame {due['frame']}" in said
    run(*given, "-o", tmp_path / "again.mkv", "--report", "--quiet")
    table = " ".join(capsys.readouterr().out.split())
    assert f"due at frame {due['frame']}" in table


@pytest.fixture(scope="module")
def numbered(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames 1001 to 1012 of a sequence of images."""
    folder = tmp_path_factory.mktemp("numbered")
    for picture in open_clip(clip).pictures(0, 12):
        name = folder / f"shot.{1001 + picture.index}.png"
        cv2.imwrite(str(name), picture.rgb()[..., ::-1])
    return folder


def test_a_project_of_images_takes_and_shows_the_numbers_in_their_names(
    numbered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "p"
    run("project", "new", folder, numbered, "--quiet")
    run("project", "set", folder, "--start", "@1002", "--end", "@1010")
    run("project", "prompt", folder, "--box", text(sign_box(3)) + "@1004")
    assert "in frame 1004" in capsys.readouterr().err
    run("project", "gone", folder, "--object", 1, "--at", "@1008")
    run("project", "show", folder)
    shown = capsys.readouterr().out
    assert "12 frames; working on 1002 to 1009" in shown
    assert "1004-1004" in shown
    project = Project.open(folder)
    assert project.state.span == (1, 9)
    with pytest.raises(InputError, match="Frame 3 is not in the clip; its frames are 1001 to 1012"):
        run("project", "approve", folder, "--at", "@3")
    run("project", "set", folder, "--end", "@1013")
    assert Project.open(folder).state.span == (1, 12)


def test_segment_all_looks_at_the_frame_of_that_number(numbered: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Frame 5 is not in the clip; its frames are 1001 to 1012"):
        run("segment", numbered, "--all", "--at", "@5", "-o", tmp_path / "m.png")
