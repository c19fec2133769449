"""Jobs as a user runs them: the program, real files, interruptions."""

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import cleanplate
from cleanplate import Box, Point, Prompt, api
from cleanplate.errors import CancelledError, InputError, MaskError
from cleanplate.media.mask_track import read_mask_track
from cleanplate.media.mask_writing import write_mask_folder, write_mask_image
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from tests import scene

PROGRAM = Path(sys.executable).with_name("cleanplate")
SIGN = Prompt(box=scene.sign_box(0))


def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *map(str, args)], capture_output=True, text=True, check=False, timeout=300
    )


def pictures(path: Path) -> list[np.ndarray]:
    with open_clip(path) as clip:
        return [picture.rgb() for picture in clip.pictures()]


def times(path: Path) -> list[Fraction]:
    with open_clip(path) as clip:
        return [picture.time for picture in clip.pictures()]


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if ".part" in p.name or "cleanplate" in p.name)


class Stop(Progress):
    """Stops a job in the middle of a stage."""

    def __init__(self, stage: str, after: int) -> None:
        self.stage, self.after, self.now = stage, after, ""
        self.began: dict[str, int] = {}

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        self.now, self.count = stage, 0
        self.began[stage] = done

    def advance(self) -> None:
        self.count += 1
        if self.now == self.stage and self.count >= self.after:
            raise CancelledError("stopped by the test")


@pytest.fixture(scope="module")
def removed(scene_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scene's sign removed by the program."""
    folder = tmp_path_factory.mktemp("removed")
    box = scene.sign_box(0)
    done = run(
        *("remove", scene_clip, "--box", f"{box.x0},{box.y0},{box.x1},{box.y1}"),
        *("-o", folder / "clean.mp4", "--save-masks", folder / "masks.mkv"),
        *("--report", folder / "report.json"),
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_main_job_gives_back_the_background(removed: Path) -> None:
    masks = list(read_mask_track(removed / "masks.mkv"))
    clean = pictures(removed / "clean.mp4")
    errors, before = [], []
    for (image, truth), mask, cleaned in zip(scene.frames(40), masks, clean, strict=True):
        inside = scene.sign_masks(40)[len(errors)] > 0
        assert (mask[inside] > 0).mean() > 0.97, "the sign is covered"
        errors.append(np.abs(cleaned[inside].astype(int) - truth[inside]).mean())
        before.append(np.abs(image[inside].astype(int) - truth[inside]).mean())
    assert np.mean(errors) < 0.15 * np.mean(before)


def test_times_count_and_sound_are_the_source_s(removed: Path, scene_clip: Path) -> None:
    assert times(removed / "clean.mp4") == times(scene_clip)
    with open_clip(removed / "clean.mp4") as clean, open_clip(scene_clip) as source:
        assert [s.codec for s in clean.info.streams] == [s.codec for s in source.info.streams]


def test_the_report_tells_what_was_done(removed: Path) -> None:
    report = json.loads((removed / "report.json").read_text())
    assert report["frame_count"] == len(report["frames"]) == 40
    assert {"name": "planar"}.items() <= report["engines"]["track"].items()
    assert report["engines"]["inpaint"]["name"] == "flowfill"
    assert set(report["seconds"]) >= {"survey", "track", "inpaint", "write"}
    assert len(report["checksums"]["output"]) == 64
    first = report["frames"][0]["objects"][0]
    assert first["object"] == 1
    assert first["confidence"] > 0.5
    assert first["state"] == "visible"


def test_nothing_is_left_beside_the_output(removed: Path) -> None:
    assert leftovers(removed) == []


def test_outside_the_mask_a_lossless_output_is_the_source_sample_by_sample(
    scene_clip: Path, tmp_path: Path
) -> None:
    np.savez(tmp_path / "masks.npz", scene.sign_masks(40))
    out = tmp_path / "clean.mkv"
    done = run(
        *("inpaint", scene_clip, "--masks", tmp_path / "masks.npz", "-o", out, "--lossless"),
    )
    assert done.returncode == 0, done.stderr
    with open_clip(scene_clip) as source, open_clip(out) as clean:
        pairs = zip(source.pictures(), clean.pictures(), scene.sign_masks(40), strict=True)
        for before, after, mask in pairs:
            chroma = cv2.resize(mask * 255, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            one, other = (p.frame.to_ndarray(format="yuv420p").reshape(-1) for p in (before, after))
            outside = np.concatenate([(m == 0).ravel() for m in (mask, chroma, chroma)])
            np.testing.assert_array_equal(one[outside], other[outside])
            assert (one[~outside] != other[~outside]).any()


def test_a_folder_of_pngs_can_be_the_output(scene_clip: Path, tmp_path: Path) -> None:
    write_mask_image(tmp_path / "mask.png", scene.sign_masks(1)[0])
    out = tmp_path / "clean"
    api.inpaint(scene_clip, f"{out}/", tmp_path / "mask.png", inpainter="telea", end="@10")
    assert len(sorted(out.glob("*.png"))) == 10


def test_a_part_of_the_clip_can_be_worked_on(scene_clip: Path, tmp_path: Path) -> None:
    write_mask_image(tmp_path / "mask.png", scene.sign_masks(1)[0])
    out = tmp_path / "part.mp4"
    report = api.inpaint(
        *(scene_clip, out, tmp_path / "mask.png"), inpainter="telea", start="@10", end="0:01"
    )
    assert report.first_frame == 10
    assert report.frame_count == len(pictures(out)) == 20


def test_two_programs_cannot_make_the_same_output_at_once(scene_clip: Path, tmp_path: Path) -> None:
    write_mask_image(tmp_path / "mask.png", scene.sign_masks(1)[0])
    job = (scene_clip, tmp_path / "clean.mkv", tmp_path / "mask.png")
    refused = []

    class Second(Progress):
        def start(self, stage: str, total: int | None, done: int = 0) -> None:
            if stage == "inpaint":
                with pytest.raises(InputError, match="by another program"):
                    api.inpaint(*job, inpainter="telea")
                refused.append(run("inpaint", job[0], "--masks", job[2], "-o", job[1]))

    api.inpaint(*job, inpainter="telea", lossless=True, progress=Second())
    assert [one.returncode for one in refused] == [2]
    assert len(pictures(job[1])) == 40
    assert leftovers(tmp_path) == []


def test_what_is_removed_from_a_part_is_not_brought_back_from_beside_it(
    scene_clip: Path, tmp_path: Path
) -> None:
    """The sign is there before and after the part, and nobody has looked for it there."""
    out, edge = tmp_path / "part.mkv", 19
    cleanplate.remove(
        *(scene_clip, out, Prompt(box=scene.sign_box(10), at=10)),
        start="@10",
        end="@20",
        lossless=True,
        engine_settings={"flowfill": {"quality": "fast", "window": 12}},
    )
    there = scene.sign_box(edge)
    sign = pictures(scene_clip)[edge][there.slices].astype(float)
    filled = pictures(out)[edge - 10][there.slices].astype(float)
    assert np.corrcoef(sign.ravel(), filled.ravel())[0, 1] < 0.2


@pytest.mark.parametrize("masks", ["m/", "m.mkv"])
def test_masks_that_were_tracked_in_a_part_fill_that_part(
    scene_clip: Path, tmp_path: Path, masks: str
) -> None:
    part = {"start": "@10", "end": "@20"}
    api.track(scene_clip, f"{tmp_path}/{masks}", SIGN, tracker="fixed", grow=4, **part)
    report = api.inpaint(
        *(scene_clip, f"{tmp_path}/out.mkv", tmp_path / masks),
        inpainter="telea",
        lossless=True,
        **part,
    )
    assert report.frame_count == 10
    before, after = pictures(scene_clip)[10:20], pictures(tmp_path / "out.mkv")
    box = scene.sign_box(0)
    inside = np.s_[box.y0 + 2 : box.y1 - 2, box.x0 + 2 : box.x1 - 2]
    assert all((a[inside] != b[inside]).any() for a, b in zip(before, after, strict=True))


def test_a_picture_can_be_cleaned_into_a_picture(tmp_path: Path) -> None:
    (image, _), mask = next(scene.frames(1)), scene.sign_masks(1)[0]
    cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    api.remove(tmp_path / "a.png", tmp_path / "b.png", SIGN, static=True)
    clean = cv2.imread(str(tmp_path / "b.png"))[..., ::-1]
    np.testing.assert_array_equal(clean[mask == 0], image[mask == 0])
    assert np.abs(clean[mask > 0].astype(int) - image[mask > 0]).mean() > 5


def test_a_clip_cannot_become_one_picture(scene_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="single picture"):
        api.remove(scene_clip, tmp_path / "b.png", SIGN)


def test_a_still_mask_needs_no_tracking(scene_clip: Path, tmp_path: Path) -> None:
    report = api.remove(scene_clip, tmp_path / "c.mp4", SIGN, static=True, inpainter="telea")
    assert "track" not in report.seconds
    assert report.engines["track"]["name"] == "fixed"
    assert [frame["frame"] for frame in report.frames] == list(range(40))
    assert all(frame["objects"][0]["state"] == "visible" for frame in report.frames)


def test_a_prompt_in_the_middle_is_followed_both_ways(scene_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "masks.mkv"
    report = api.track(scene_clip, out, Prompt(box=scene.sign_box(20), at=20))
    overlap = [
        ((mask > 0) & (truth > 0)).sum() / ((mask > 0) | (truth > 0)).sum()
        for mask, truth in zip(read_mask_track(out), scene.sign_masks(40), strict=True)
    ]
    assert min(overlap) > 0.85
    assert [frame["frame"] for frame in report.frames] == list(range(40))


def test_an_object_prompted_twice_is_corrected_there(scene_clip: Path, tmp_path: Path) -> None:
    wrong = Prompt(box=Box(2, 2, 40, 30))
    right = Prompt(box=scene.sign_box(25), at=25)
    out = tmp_path / "masks.mkv"
    api.track(scene_clip, out, wrong, right)
    masks = list(read_mask_track(out))
    np.testing.assert_array_equal(masks[25] > 0, scene.sign_masks(40)[25] > 0)
    truth = scene.sign_masks(40)[35] > 0
    assert ((masks[35] > 0) & truth).sum() / ((masks[35] > 0) | truth).sum() > 0.85


def test_two_objects_keep_their_ids(scene_clip: Path, tmp_path: Path) -> None:
    other = Prompt(box=Box(130, 80, 170, 120), object_id=9)
    out = tmp_path / "masks.mkv"
    api.track(scene_clip, out, SIGN, other)
    assert set(np.unique(next(read_mask_track(out)))) == {0, 1, 9}


def test_segment_writes_one_frame_s_mask(scene_clip: Path, tmp_path: Path) -> None:
    box, out = scene.sign_box(5), tmp_path / "mask.png"
    done = run("segment", scene_clip, "--point", f"{box.x0 + 3},{box.y0 + 4}@5", "-o", out)
    assert done.returncode == 0, done.stderr
    found = api.segment(scene_clip, Prompt(points=(Point(box.x0 + 3, box.y0 + 4),), at=5))
    assert found[1].masks.shape[1:] == (scene.HEIGHT, scene.WIDTH)
    assert out.is_file()


# --- interruptions -----------------------------------------------------------------------------


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleanplate.jobs.stages.write.PIECE", 10)
    monkeypatch.setattr("cleanplate.tracks.passes.PIECE", 8)


@pytest.mark.usefixtures("short_pieces")
@pytest.mark.parametrize(("stage", "kept"), [("track", 31), ("inpaint", 30)])
def test_a_stopped_job_goes_on_from_what_it_has_finished(
    scene_clip: Path, tmp_path: Path, stage: str, kept: int
) -> None:
    out, whole = tmp_path / "clean.mp4", tmp_path / "whole.mp4"
    with pytest.raises(CancelledError):
        api.remove(scene_clip, out, SIGN, progress=Stop(stage, 31))
    assert not out.exists()
    again = Stop("none", 0)
    report = api.remove(scene_clip, out, SIGN, progress=again)
    assert report.resumed
    assert kept - 10 <= again.began[stage] <= kept
    assert "survey" not in again.began, "what was finished is not done again"
    api.remove(scene_clip, whole, SIGN)
    for one, other in zip(pictures(out), pictures(whole), strict=True):
        assert np.abs(one.astype(int) - other).mean() < 1
    assert leftovers(tmp_path) == []


@pytest.mark.usefixtures("short_pieces")
def test_other_settings_begin_anew(scene_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean.mp4"
    with pytest.raises(CancelledError):
        api.remove(scene_clip, out, SIGN, progress=Stop("inpaint", 25))
    report = api.remove(scene_clip, out, SIGN, grow=9)
    assert not report.resumed


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scene.write_scene(tmp_path_factory.mktemp("long") / "long.mp4", 520, sound=False)


def started(clip: Path, out: Path) -> tuple[subprocess.Popen[str], list[str]]:
    command = [
        *(str(PROGRAM), "remove", str(clip), "--box", "20,20,90,100", "--static"),
        *("-o", str(out), "--set", "flowfill.quality=fast"),
    ]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True), command


def wait_for_pieces(out: Path, count: int) -> list[Path]:
    folder = out.parent / f".{out.name}.cleanplate" / "pieces"
    deadline = time.monotonic() + 280
    while time.monotonic() < deadline:
        pieces = sorted(folder.glob("[0-9]*.mkv"))  # no drafts, whose names begin with a dot
        if len(pieces) >= count:
            return pieces
        time.sleep(0.02)
    raise AssertionError("no piece was finished in five minutes")


@pytest.mark.slow
def test_after_kill_9_the_same_command_goes_on(long_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean.mp4"
    process, command = started(long_clip, out)
    pieces = wait_for_pieces(out, 1)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    made = {piece: piece.stat().st_mtime_ns for piece in pieces}
    assert not out.exists()
    again = subprocess.Popen(command)
    wait_for_pieces(out, 2)
    assert {piece: piece.stat().st_mtime_ns for piece in pieces} == made
    assert again.wait(300) == 0
    assert times(out) == times(long_clip)
    assert leftovers(tmp_path) == []


@pytest.mark.slow
def test_ctrl_c_stops_within_a_second_and_says_how_to_go_on(
    long_clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "clean.mp4"
    process, _ = started(long_clip, out)
    wait_for_pieces(out, 1)
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert time.monotonic() - begun < 1.5
    assert process.returncode == 130
    assert "run the same command again" in said
    assert "Traceback" not in said
    assert not out.exists()
    assert not list(tmp_path.rglob("*.part*"))


# --- what cannot work --------------------------------------------------------------------------


def test_an_output_that_exists_is_not_replaced_unasked(scene_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "clean.mp4"
    out.write_text("mine")
    with pytest.raises(InputError, match="--overwrite"):
        api.remove(scene_clip, out, SIGN)
    assert out.read_text() == "mine"


def test_the_source_is_never_the_output(scene_clip: Path) -> None:
    with pytest.raises(InputError, match="is the source itself"):
        api.remove(scene_clip, scene_clip, SIGN, overwrite=True)


@pytest.mark.parametrize(
    ("prompt", "settings", "words"),
    [
        (Prompt(box=Box(0, 0, 9, 9), at=99), {}, "frames are 0 to 39"),
        (Prompt(box=Box(0, 0, 9, 9), at=Fraction(60)), {}, "not in the clip"),
        (Prompt(box=Box(900, 0, 990, 9)), {}, "900"),
        (Prompt(mask=np.ones((5, 5), bool)), {}, "5x5 and the clip is 192x128"),
        (SIGN, {"inpainter": "magic"}, "there are: e2fgvi"),
        (SIGN, {"device": "cuda"}, "cuda"),
        (SIGN, {"engine_settings": {"magic": {"x": 1}}}, "no engine 'magic'"),
        (SIGN, {"engine_settings": {"flowfill": {"x": 1}}}, "no setting 'x'"),
        (SIGN, {"depth": 3}, "no setting depth"),
        (SIGN, {"start": "@30", "end": "@20"}, "empty"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_written(
    scene_clip: Path, tmp_path: Path, prompt: Prompt, settings: dict[str, object], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        api.remove(scene_clip, tmp_path / "clean.mp4", prompt, **settings)
    assert not (tmp_path / "clean.mp4").exists()


def test_masks_that_do_not_belong_to_the_clip_are_refused_before_work_begins(
    scene_clip: Path, tmp_path: Path
) -> None:
    write_mask_folder(tmp_path / "masks", scene.sign_masks(39))
    with pytest.raises(MaskError, match="holds 39 masks and the clip has 40 frames"):
        api.inpaint(scene_clip, tmp_path / "clean.mp4", tmp_path / "masks")


def test_neither_and_both_of_prompts_and_masks_are_refused(
    scene_clip: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="Nothing says what to remove"):
        api.remove(scene_clip, tmp_path / "c.mp4")
    with pytest.raises(InputError, match="give one of them"):
        api.remove(scene_clip, tmp_path / "c.mp4", SIGN, masks=tmp_path)


def test_engines_work_alone_on_arrays() -> None:
    engine = cleanplate.create("inpaint", "telea")
    masked = (
        cleanplate.MaskedFrame(cleanplate.Frame(i, Fraction(i), image), mask)
        for i, ((image, _), mask) in enumerate(
            zip(scene.frames(3), scene.sign_masks(3), strict=True)
        )
    )
    assert [frame.index for frame in engine.inpaint(masked)] == [0, 1, 2]
