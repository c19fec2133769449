"""A clip in another shape, as a user gets it."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate import Box, Prompt
from cleanplate.errors import CancelledError, InputError
from cleanplate.media.new_clip import write_clip
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from tests import scene

PROGRAM = Path(sys.executable).with_name("cleanplate")
RATE = Fraction(25, 2)
COUNT = 50
QUICK: dict[str, Any] = {"preset": "ultrafast"}


def walker(index: int) -> Box:
    """Where the sign is: it stands, goes to the right, stands."""
    x = round(float(np.interp(index, [0, 12, 36, 50], [20, 20, 210, 210])))
    return Box(x, 40, x + 44, 68)


def painted(index: int, cut: int | None = None) -> np.ndarray:
    wide = scene.texture(288, 112, seed=0 if cut is None or index < cut else 5)
    if cut is None or index < cut:
        wide[walker(index).slices] = scene.sign()
    else:
        wide[20:48, 230:274] = scene.sign()
    return wide


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sign that goes through a wide picture, with a tone."""
    path = tmp_path_factory.mktemp("walk") / "walk.mp4"
    tone = np.sin(np.arange(48000 * 4) / 20).astype(np.float32)[None] * 0.1
    write_clip(path, (painted(n) for n in range(COUNT)), RATE, tone, crf=10)
    return path


SIGN = Prompt(box=walker(0))


def pictures(path: Path) -> list[np.ndarray]:
    with open_clip(path) as clip:
        return [picture.rgb() for picture in clip.pictures()]


def test_what_is_pointed_at_stays_whole_and_times_and_sound_are_kept(
    walk: Path, tmp_path: Path
) -> None:
    out = tmp_path / "tall.mp4"
    report = cleanplate.retarget(
        walk, out, SIGN, aspect="9:16", save_path=tmp_path / "p.json", **QUICK
    )
    with open_clip(walk) as old, open_clip(out) as new:
        assert (new.info.width, new.info.height) == (64, 112)
        assert [s.codec for s in new.info.streams] == [s.codec for s in old.info.streams]
        assert [p.time for p in new.pictures()] == [p.time for p in old.pictures()]
    assert report.lost == []
    saved = json.loads((tmp_path / "p.json").read_text())["frames"]
    for index, entry in enumerate(saved):
        x0, _, x1, _ = entry["box"]
        assert x0 <= walker(index).x0
        assert walker(index).x1 <= x1
    crops = np.array([entry["box"][0] for entry in saved])
    assert np.ptp(crops[:5]) < 2, "it stands at first"
    assert np.ptp(crops[-5:]) < 2, "and in the end"
    for index in (0, 25, 49):
        x = saved[index]["box"][0]
        shown = cv2.getRectSubPix(painted(index), (64, 112), (x + 31.5, 55.5))
        assert np.abs(pictures(out)[index].astype(int) - shown).mean() < 9


def test_without_a_prompt_it_follows_what_moves(walk: Path, tmp_path: Path) -> None:
    report = cleanplate.retarget(walk, tmp_path / "o.mp4", aspect="1:1", captions="ignore", **QUICK)
    middles = np.array([(box[0] + box[2]) / 2 for box in report.boxes])
    assert middles[-1] - middles[0] > 80
    for n in range(14, 40):
        shown = min(walker(n).x1, report.boxes[n][2]) - max(walker(n).x0, report.boxes[n][0])
        assert shown >= 0.8 * walker(n).width, f"frame {n}"


def test_a_cut_begins_anew(tmp_path: Path) -> None:
    clip = tmp_path / "cut.mp4"
    write_clip(clip, (painted(n, cut=25) for n in range(COUNT)), RATE, crf=10)
    other = Prompt(box=Box(230, 20, 274, 48), at=25, object_id=2)
    report = cleanplate.retarget(clip, tmp_path / "o.mp4", SIGN, other, aspect="9:16", **QUICK)
    assert report.shot_cuts == [25]
    places = np.array([box[0] for box in report.boxes])
    assert places[25] - places[24] > 60
    assert np.ptp(places[25:]) == 0
    assert report.lost == []


class Stop(Progress):
    """Stops in the middle of a stage."""

    def __init__(self, stage: str, after: int) -> None:
        self.stage, self.left, self.now = stage, after, ""
        self.stages: list[str] = []

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        self.now = stage
        self.stages.append(stage)

    def advance(self) -> None:
        self.left -= self.now == self.stage
        if self.left == 0:
            raise CancelledError("stopped by the test")


def test_it_goes_on_where_it_was_stopped(
    walk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cleanplate.jobs.stages.write.PIECE", 10)
    out, whole = tmp_path / "tall.mp4", tmp_path / "whole.mp4"
    wanted: dict[str, Any] = {"aspect": "9:16", **QUICK}
    with pytest.raises(CancelledError):
        cleanplate.retarget(walk, out, SIGN, progress=Stop("crop", 35), **wanted)
    assert not out.exists()
    again = Stop("none", -1)
    assert cleanplate.retarget(walk, out, SIGN, progress=again, **wanted).resumed
    assert "survey" not in again.stages
    assert "track" not in again.stages
    cleanplate.retarget(walk, whole, SIGN, **wanted)
    for resumed, made in zip(pictures(out), pictures(whole), strict=True):
        assert (resumed == made).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["tall.mp4", "whole.mp4"]


def test_of_two_objects_the_first_is_kept_and_the_report_says_what_is_cut(
    walk: Path, tmp_path: Path
) -> None:
    still = Prompt(box=Box(200, 10, 260, 36), object_id=2)
    wanted: dict[str, Any] = {"aspect": "9:16", "end": "@10", "tracker": "fixed", **QUICK}
    report = cleanplate.retarget(walk, tmp_path / "a.mp4", SIGN, still, **wanted)
    assert {lost["what"] for lost in report.lost} == {"object 2"}
    swapped = cleanplate.retarget(walk, tmp_path / "b.mp4", SIGN, still, keep=[2], **wanted)
    assert {lost["what"] for lost in swapped.lost} == {"object 1"}
    with pytest.raises(InputError, match="nothing points at it"):
        cleanplate.retarget(walk, tmp_path / "c.mp4", SIGN, keep=[7], **wanted)


def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), "retarget", *map(str, args)], capture_output=True, text=True, check=False
    )


def test_the_program_writes_a_path_and_follows_a_corrected_one(walk: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "path.json", tmp_path / "a.mp4"
    wanted = (walk, "--aspect", "9:16", "--box", "20,40,64,68", "--preset", "ultrafast")
    done = run(*wanted, "-o", out, "--path", file)
    assert done.returncode == 0, done.stderr
    keys = [{"frame": 0, "box": [100, 0, 164, 112]}, {"frame": 40, "box": [200, 0, 264, 112]}]
    file.write_text(json.dumps({"frames": keys}))
    typed = file.read_bytes()
    done = run(
        *wanted, "-o", tmp_path / "b.mp4", "--path", file, "--save-path", tmp_path / "c.json"
    )
    assert done.returncode == 0, done.stderr
    assert file.read_bytes() == typed, "what is followed is never written to"
    saved = json.loads((tmp_path / "c.json").read_text())["frames"]
    assert saved[0]["box"][0] == 100
    assert saved[-1]["box"][0] == 200
    shown = pictures(tmp_path / "b.mp4")[0].astype(int)
    assert np.abs(shown - painted(0)[:, 100:164]).mean() < 9
    done = run(*wanted, "-o", out)
    assert done.returncode == 2
    assert "exists; add --overwrite" in done.stderr


def test_a_folder_of_pictures_and_a_size_can_be_asked_for(walk: Path, tmp_path: Path) -> None:
    report = cleanplate.retarget(
        walk, f"{tmp_path / 'out'}/", SIGN, size="90x160", end="@3", tracker="fixed"
    )
    assert len(list((tmp_path / "out").iterdir())) == report.frame_count == 3
    assert pictures(tmp_path / "out")[0].shape == (160, 90, 3)
    assert report.crop == {"width": 62, "height": 112, "out_width": 90, "out_height": 160} or (
        report.crop["width"] == 64
    )
