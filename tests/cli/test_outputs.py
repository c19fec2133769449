"""No command writes over what it reads, or over what nobody said may go."""

import errno
from pathlib import Path

import pytest

from cleanplate import DiskError, api
from cleanplate.cli import app
from cleanplate.errors import InputError, MediaError
from cleanplate.files.publish import check_target, publishing
from cleanplate.types import Point, Prompt
from tests import scene

BOX = "40,60,84,88"


def run(*args: object) -> None:
    app([str(arg) for arg in args], standalone_mode=False)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return scene.write_scene(tmp_path / "clip.mp4", 3, sound=False)


@pytest.mark.parametrize(
    "args",
    [
        ("segment", "{clip}", "--box", BOX, "-o", "{clip}", "--overwrite"),
        ("compare", "{clip}", "{clip}", "-o", "{clip}", "--overwrite"),
        ("compare", "{clip}", "{clip}", "-o", "{link}", "--overwrite"),
        ("remove", "{clip}", "--box", BOX, "-o", "{out}", "--report", "{clip}", "--overwrite"),
        ("remove", "{clip}", "--box", BOX, "-o", "{out}", "--report", "{link}", "--overwrite"),
        ("remove", "{clip}", "--box", BOX, "-o", "{out}", "--report", "{out}", "--overwrite"),
        ("track", "{clip}", "--box", BOX, "-o", "{out}", "--report", "{clip}", "--overwrite"),
        ("inpaint", "{clip}", "--masks", "{link}", "-o", "{out}", "--report", "{link}"),
        ("remove", "{clip}", "--box", BOX, "-o", "{out}", "--report", "{folder}", "--overwrite"),
        ("remove", "{clip}", "--box", BOX, "-o", "{out}", "--report", "{report}"),
    ],
)
def test_what_is_read_or_there_is_never_written_over(
    clip: Path, tmp_path: Path, args: tuple[str, ...]
) -> None:
    (tmp_path / "link.mp4").symlink_to(clip)
    (tmp_path / "folder").mkdir()
    (tmp_path / "report.json").write_text("{}")
    names = {
        "clip": clip,
        "link": tmp_path / "link.mp4",
        "out": tmp_path / "out.mkv",
        "folder": tmp_path / "folder",
        "report": tmp_path / "report.json",
    }
    before = clip.read_bytes()
    with pytest.raises(InputError, match=r"source itself|would replace|is a folder|exists|PNG"):
        run(*(arg.format(**names) for arg in args))
    assert clip.read_bytes() == before
    assert (tmp_path / "report.json").read_text() == "{}"
    assert not names["out"].exists(), "it is said before any work"


def test_a_mask_is_a_png(clip: Path, tmp_path: Path) -> None:
    for name in ("mask.jpg", "mask", "mask.mkv"):
        with pytest.raises(InputError, match=r"\.png"):
            api.segment(clip, Prompt(points=(Point(9, 9),)), out=tmp_path / name)


def test_segment_checks_its_settings_like_the_other_commands(clip: Path) -> None:
    with pytest.raises(InputError, match="not a device"):
        api.segment(clip, Prompt(points=(Point(9, 9),)), device="tpu")
    with pytest.raises(InputError, match="'planar'"):
        api.segment(clip, Prompt(points=(Point(9, 9),)), engine_settings={"planar": {"x": 1}})


def test_where_no_file_can_be_is_said_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        check_target(tmp_path / "file" / "report.json", False)
    with pytest.raises(InputError, match="is a folder"):
        check_target(tmp_path, True)
    check_target(tmp_path / "not" / "yet" / "report.json", False)
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write anywhere
    with pytest.raises(MediaError, match="cannot be written to"):
        check_target(tmp_path / "not" / "yet" / "report.json", False)


def test_a_full_disk_is_named_and_leaves_no_draft(tmp_path: Path) -> None:
    def write() -> None:
        with publishing(tmp_path / "report.json") as draft:
            draft.write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DiskError, match=r"report\.json.*No space.*make room"):
        write()
    assert list(tmp_path.iterdir()) == []
