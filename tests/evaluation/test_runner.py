"""The commands as a researcher runs them, on a small dataset in each layout."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from cleanplate.media.mask_writing import write_mask_folder
from tests import scene

PROGRAM = Path(sys.executable).with_name("cleanplate")
COUNT = 8
TRACKED = 12


def run(*args: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAM), *map(str, args)], capture_output=True, text=True, check=False, timeout=300
    )


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def write_images(folder: Path, images: list[np.ndarray]) -> None:
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index:05d}.png"), image[..., ::-1])


@pytest.fixture(scope="module")
def truths() -> list[np.ndarray]:
    return [truth for _, truth in scene.frames(COUNT)]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, truths: list[np.ndarray]) -> Path:
    """Two clips as the E2FGVI project lays out DAVIS: one zipped, one in a folder."""
    root = tmp_path_factory.mktemp("davis")
    write_images(root / "JPEGImages" / "walk", truths)
    with zipfile.ZipFile(root / "JPEGImages" / "run.zip", "w") as archive:
        for file in sorted((root / "JPEGImages" / "walk").iterdir()):
            archive.write(file, file.name)
    for name in ("walk", "run"):
        write_mask_folder(root / "test_masks" / name, scene.sign_masks(COUNT))
    (root / "test.json").write_text(json.dumps({"walk": COUNT, "run": COUNT}))
    return root


def test_the_truth_as_results_is_perfect(
    dataset: Path, truths: list[np.ndarray], tmp_path: Path
) -> None:
    for name in ("walk", "run"):
        write_images(tmp_path / "theirs" / name, truths)
    out = tmp_path / "out"
    done = run(
        *("evaluate", "inpaint", dataset, "-o", out, "--results", tmp_path / "theirs"),
        *("--size", f"{scene.WIDTH}x{scene.HEIGHT}"),
    )
    assert done.returncode == 0, done.stderr
    total = report(out)["total"]
    assert total["frames"] == total["frames_without_hole"] == 2 * COUNT
    assert total["ssim"] == 1
    assert total["seam"] == total["flicker"] == 0


def test_an_engine_s_report_can_be_repeated_resumed_and_saved(
    dataset: Path, tmp_path: Path
) -> None:
    out, saved = tmp_path / "out", tmp_path / "saved"
    command = (
        *("evaluate", "inpaint", dataset, "-o", out, "--inpainter", "telea"),
        *("--save-results", saved, "--size", f"{scene.WIDTH}x{scene.HEIGHT}", "--jobs", "2"),
    )
    assert run(*command).returncode == 0
    first = report(out)
    assert [row["name"] for row in first["videos"]] == ["run", "walk"]
    assert first["videos"][0]["hole_psnr"] == first["videos"][1]["hole_psnr"]
    assert 10 < first["total"]["hole_psnr"] < first["total"]["psnr"]
    assert first["order"]["inpainter"] == "telea"
    assert set(first["checksums"]) == {"run", "walk"}
    assert len(list((saved / "walk").glob("*.png"))) == COUNT
    kept = (out / "videos" / "walk.json").stat().st_mtime_ns
    assert run(*command).returncode == 0
    assert (out / "videos" / "walk.json").stat().st_mtime_ns == kept, "not computed again"
    scored = tmp_path / "scored"
    again = run(
        *("evaluate", "inpaint", dataset, "-o", scored, "--results", saved),
        *("--size", f"{scene.WIDTH}x{scene.HEIGHT}"),
    )
    assert again.returncode == 0, again.stderr
    assert report(scored)["total"]["hole_psnr"] == first["total"]["hole_psnr"]


def test_the_page_needs_no_other_file(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        run(
            *("evaluate", "inpaint", dataset, "-o", out, "--inpainter", "telea", "--video", "walk"),
            *("--masks", "moving", "--seed", "3", "--frames", "5"),
        ).returncode
        == 0
    )
    page = (out / "report.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 4 * 5
    assert "src='http" not in page
    assert "href=" not in page
    assert "<svg" in page


def test_tracking_is_judged_against_masks_that_come_with_the_clips(tmp_path: Path) -> None:
    root = tmp_path / "clips"
    write_images(root / "sign" / "frames", [image for image, _ in scene.frames(TRACKED)])
    write_mask_folder(root / "sign" / "masks", scene.sign_masks(TRACKED))
    out = tmp_path / "out"
    done = run("evaluate", "track", root, "-o", out, "--save-results", tmp_path / "saved")
    assert done.returncode == 0, done.stderr
    total = report(out)["total"]
    assert total["j_mean"] > 0.9
    assert total["j_and_f"] == pytest.approx((total["j_mean"] + total["f_mean"]) / 2)
    scored = tmp_path / "scored"
    assert (
        run("evaluate", "track", root, "-o", scored, "--results", tmp_path / "saved").returncode
        == 0
    )
    assert report(scored)["total"]["j_mean"] == total["j_mean"]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["inpaint", "nowhere"], "There is no folder nowhere"),
        (["inpaint", ".", "--size", "4x4"], "WIDTHxHEIGHT"),
        (["inpaint", ".", "--masks", "round"], "dataset, stationary, moving"),
        (["track", "nowhere"], "There is no folder nowhere"),
    ],
)
def test_what_cannot_be_evaluated_is_said(args: list[str], words: str, tmp_path: Path) -> None:
    done = run("evaluate", *args, "-o", tmp_path / "out")
    assert done.returncode == 2
    assert words in done.stderr


def test_a_list_that_disagrees_with_its_clips_is_an_error(dataset: Path, tmp_path: Path) -> None:
    root = tmp_path / "davis"
    (root / "JPEGImages").mkdir(parents=True)
    (root / "JPEGImages" / "run.zip").write_bytes((dataset / "JPEGImages/run.zip").read_bytes())
    (root / "test.json").write_text(json.dumps({"run": COUNT + 2}))
    done = run(
        *("evaluate", "inpaint", root, "-o", tmp_path / "out"),
        *("--masks", "stationary", "--inpainter", "telea"),
    )
    assert done.returncode == 2
    assert f"has {COUNT} frames and its list says {COUNT + 2}" in done.stderr
