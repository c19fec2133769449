"""Outputs that are there already, and what is left beside them."""

from fractions import Fraction
from pathlib import Path

import pytest

from cleanplate import api
from cleanplate.errors import CancelledError, InputError
from cleanplate.media.images import write_images
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from cleanplate.types import Box, Prompt
from tests import scene

SIGN = Prompt(box=scene.sign_box(0))
OTHER = Prompt(box=Box(120, 10, 150, 30))
QUICK = {"static": True, "inpainter": "telea"}


class StopAt(Progress):
    """Stops the job when a stage begins, or after some of its frames."""

    def __init__(self, stage: str, frames: int = 0) -> None:
        self.stage, self.left, self.now = stage, frames, ""

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        self.now = stage
        if stage == self.stage and self.left == 0:
            raise CancelledError("stop")

    def advance(self) -> None:
        if self.now == self.stage:
            self.left -= 1
            if self.left == 0:
                raise CancelledError("stop")


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.iterdir())}


def test_a_folder_of_an_earlier_job_is_replaced_and_not_taken_for_done(
    scene_clip: Path, tmp_path: Path
) -> None:
    again, fresh = tmp_path / "again", tmp_path / "fresh"
    api.remove(scene_clip, f"{again}/", SIGN, **QUICK)
    (again / "notes.txt").write_text("mine")
    api.remove(scene_clip, f"{again}/", OTHER, overwrite=True, end="@30", **QUICK)
    api.remove(scene_clip, f"{fresh}/", OTHER, end="@30", **QUICK)
    assert contents(again) == contents(fresh) | {"notes.txt": b"mine"}


def test_a_folder_begun_with_other_settings_begins_anew(scene_clip: Path, tmp_path: Path) -> None:
    out, fresh = f"{tmp_path / 'out'}/", f"{tmp_path / 'fresh'}/"
    with pytest.raises(CancelledError):
        api.remove(scene_clip, out, SIGN, progress=StopAt("inpaint", 20), **QUICK)
    api.remove(scene_clip, out, OTHER, **QUICK)
    api.remove(scene_clip, fresh, OTHER, **QUICK)
    assert contents(Path(out)) == contents(Path(fresh))


@pytest.mark.parametrize("masks", ["masks.mkv", "masks/"])
def test_saved_masks_do_not_stop_the_same_command_from_going_on(
    scene_clip: Path, tmp_path: Path, masks: str
) -> None:
    kept = {"save_masks": f"{tmp_path}/{masks}"}
    with pytest.raises(CancelledError):
        api.remove(
            scene_clip, tmp_path / "c.mp4", SIGN, progress=StopAt("inpaint"), **QUICK, **kept
        )
    assert (tmp_path / masks).exists()
    with pytest.raises(InputError, match="exists"):
        api.remove(scene_clip, tmp_path / "d.mp4", SIGN, **QUICK, **kept)
    assert api.remove(scene_clip, tmp_path / "c.mp4", SIGN, **QUICK, **kept).resumed


def test_a_job_stopped_while_it_counts_its_checksums_goes_on(
    scene_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(path: Path) -> str:
        raise CancelledError("stop")

    with monkeypatch.context() as patched:
        patched.setattr("cleanplate.jobs.job.checksum", stop)
        with pytest.raises(CancelledError):
            api.remove(scene_clip, tmp_path / "c.mp4", SIGN, **QUICK)
    assert api.remove(scene_clip, tmp_path / "c.mp4", SIGN, **QUICK).resumed


@pytest.mark.parametrize(
    "prompt", [Prompt(box=Box(0, 0, 9, 9), at=99), Prompt(box=Box(900, 0, 990, 9))]
)
def test_a_mistyped_prompt_leaves_nothing(scene_clip: Path, tmp_path: Path, prompt: Prompt) -> None:
    with pytest.raises(InputError):
        api.remove(scene_clip, tmp_path / "c.mp4", prompt)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["m.mp4", "m.png", "m", "c.mp4"])
def test_masks_are_saved_as_what_they_are_named(
    scene_clip: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(InputError, match=r"\.mkv|both"):
        api.remove(scene_clip, tmp_path / "c.mp4", SIGN, save_masks=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_output_that_cannot_be_is_said_before_any_work(scene_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "file").touch()
    for out in ("folder.mp4", "file/c.mp4", "file/"):
        with pytest.raises(InputError, match=r"is a folder|is a file|exists"):
            api.remove(scene_clip, f"{tmp_path}/{out}", SIGN, overwrite=True)
    (tmp_path / "empty").mkdir()
    api.remove(scene_clip, f"{tmp_path}/empty/", SIGN, **QUICK, end="@2")


def test_masks_of_a_folder_of_images_bear_the_numbers_of_the_images(
    scene_clip: Path, tmp_path: Path
) -> None:
    with open_clip(scene_clip) as clip:
        files = write_images(clip.pictures(0, 4), tmp_path / "images")
    for number, file in zip((7, 8, 10, 11), reversed(files), strict=True):
        file.rename(file.with_name(f"frame{number}.png"))
    api.track(tmp_path / "images", f"{tmp_path / 'masks'}/", SIGN, static=True)
    names = sorted(file.name for file in (tmp_path / "masks").iterdir())
    assert names == ["00007.png", "00008.png", "00010.png", "00011.png"]
    api.inpaint(tmp_path / "images", tmp_path / "c.mkv", tmp_path / "masks", inpainter="telea")


def test_masks_saved_over_more_masks_leave_none_of_them(scene_clip: Path, tmp_path: Path) -> None:
    masks = f"{tmp_path / 'masks'}/"
    api.track(scene_clip, masks, SIGN, static=True)
    api.track(scene_clip, masks, SIGN, static=True, end="@5", overwrite=True)
    assert len(list(Path(masks).iterdir())) == 5


def test_a_name_as_long_as_the_file_system_takes_works(scene_clip: Path, tmp_path: Path) -> None:
    out = tmp_path / f"{'ü' * 125}x.mp4"
    api.remove(scene_clip, out, SIGN, **QUICK)
    assert [one.name for one in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("count", [36, 31])  # their ends are rounded to a millisecond by the header
def test_a_constant_rate_stays_the_same_fraction(tmp_path: Path, count: int) -> None:
    clip = scene.write_scene(tmp_path / "in.mp4", count)
    out = tmp_path / "out.mp4"
    api.remove(clip, out, SIGN, **QUICK)
    with open_clip(clip) as source, open_clip(out) as clean:
        assert source.info.average_rate == scene.RATE
        assert clean.info.average_rate == scene.RATE
        assert source.info.stream_duration is not None
        assert clean.info.stream_duration is not None
        later = clean.info.stream_duration - source.info.stream_duration
        assert abs(later) < Fraction(1, 1000)
