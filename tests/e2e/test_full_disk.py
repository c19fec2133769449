"""A disk that fills up: one sentence, what is finished is kept, and the same call goes on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanplate import api
from cleanplate.errors import DiskError
from cleanplate.files.publish import publishing, write_text
from cleanplate.media.mask_writing import write_mask_folder
from cleanplate.types import Prompt
from tests import scene

SIGN = Prompt(box=scene.sign_box(0))
SIZE = 4 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("NOT TESTED: a full disk, for there is no mount here")
    if done.returncode != 0:
        pytest.skip("NOT TESTED: a full disk, for no file system may be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def _fill(disk: Path, leave: int) -> Path:
    """A file that takes all of ``disk`` but ``leave`` bytes."""
    state = os.statvfs(disk)
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, state.f_bavail * state.f_frsize - leave)))
    return filler


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.mov", "out.webm", "out/"])
def test_a_job_on_a_full_disk_says_so_and_goes_on(
    scene_clip: Path, small_disk: Path, name: str
) -> None:
    def remove() -> str:
        out = f"{small_disk}/{name}"
        try:
            api.remove(scene_clip, out, SIGN, static=True, inpainter="telea", overwrite=True)
        except DiskError as error:
            return str(error)
        return ""

    said = []
    for leave in (0, 4 << 10, 24 << 10):
        filler = _fill(small_disk, leave)
        said.append(remove())
        filler.unlink()
    for sentence in filter(None, said):
        assert str(small_disk) in sentence
        assert "No space left on device; make room and run the same command" in sentence
        assert ".\n" not in sentence
    assert len(list(filter(None, said))) >= 2
    assert remove() == ""
    assert not [one for one in small_disk.iterdir() if one.name.startswith(".")]


def test_masks_on_a_full_disk(scene_clip: Path, small_disk: Path) -> None:
    filler = _fill(small_disk, 16 << 10)
    with pytest.raises(DiskError, match=r"No space left .* what is finished is kept in"):
        api.track(scene_clip, small_disk / "masks.mkv", SIGN, tracker="planar")
    filler.unlink()
    assert api.track(scene_clip, small_disk / "masks.mkv", SIGN, tracker="planar").resumed


def test_single_files_on_a_full_disk(small_disk: Path) -> None:
    masks = scene.sign_masks(3)
    _fill(small_disk, 0)
    with pytest.raises(DiskError, match=r"report\.json cannot be written: No space left"):
        write_text(small_disk / "report.json", "x" * 100)
    with pytest.raises(DiskError, match=r"00000\.png cannot be written: No space left"):
        write_mask_folder(small_disk / "masks", masks)
    assert not list(small_disk.glob("*.json"))


def test_a_file_larger_than_the_limit_is_told_as_such(tmp_path: Path) -> None:
    code = (
        "import resource, pathlib, sys\n"
        "from cleanplate.errors import DiskError\n"
        "from cleanplate.files.publish import write_text\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_text(pathlib.Path(sys.argv[1]), 'x' * 5000)\n"
        "except DiskError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.txt")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "a.txt cannot be written: File too large; allow larger files there" in done.stdout
    assert not list(tmp_path.iterdir())


def test_other_errors_pass_as_they_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), publishing(tmp_path / "a"):
        raise ValueError("mine")
