"""What is learned from depends on the seed and a sample's number alone."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from cleanplate.errors import InputError, MediaError
from cleanplate.media.new_clip import write_clip
from cleanplate.training.configuration import Configuration, DataSettings
from cleanplate.training.data import Samples, licence_of, read, videos_in
from cleanplate.training.generated import rendered
from cleanplate.training.masks import holes
from tests.scene import texture

SMALL = DataSettings(generated=1.0, width=64, height=48, local_frames=3, reference_frames=2)


def frames(count: int) -> Iterator[np.ndarray]:
    wide = texture(200, 60, 3)
    for n in range(count):
        yield wide[:, 2 * n : 2 * n + 100]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the E2FGVI project lays out YouTube-VOS."""
    root = tmp_path_factory.mktemp("youtube")
    (root / "JPEGImages").mkdir()
    for name in ("a", "b"):
        with zipfile.ZipFile(root / "JPEGImages" / f"{name}.zip", "w") as archive:
            for n, image in enumerate(frames(12)):
                done = cv2.imencode(".png", image[..., ::-1])[1]
                archive.writestr(f"{n:05d}.png", done.tobytes())
    (root / "train.json").write_text(json.dumps({"a": 12, "b": 12}))
    return root


def of(dataset: Path, network: str = "e2fgvi_hq") -> Configuration:
    data = replace(SMALL, generated=0.0, clips=(str(dataset),), flip=False)
    return Configuration(network=network, steps=10, batch=2, data=data)


@pytest.mark.parametrize("kind", ["stationary", "moving", "figure"])
def test_holes_are_those_of_the_seed_and_cover_a_part(kind: str) -> None:
    shares = []
    for seed in range(20):
        first, second = (
            np.stack(list(holes(kind, 108, 60, 6, np.random.default_rng(seed)))) for _ in range(2)
        )
        assert np.array_equal(first, second)
        assert first.shape == (6, 60, 108)
        assert set(np.unique(first)) == {0, 1}
        assert (first == first[0]).all() == (kind == "stationary") or kind == "moving"
        shares.append(first.mean())
    assert 0.02 < np.mean(shares) < 0.6
    assert len(set(shares)) > 15


def test_free_form_holes_move_by_whole_pixels_and_stay_inside() -> None:
    moved = 0
    for seed in range(10):
        masks = list(holes("moving", 108, 60, 30, np.random.default_rng(seed)))
        sizes = {int(mask.sum()) for mask in masks}
        assert len(sizes) == 1  # nothing of the shape is ever cut off
        moved += any((mask != masks[0]).any() for mask in masks)
    assert moved >= 9


def test_rendered_clips_move_and_are_those_of_the_seed() -> None:
    first, second = (rendered(64, 48, 6, np.random.default_rng(5), []) for _ in range(2))
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert first.std() > 10
    assert np.abs(first[5].astype(int) - first[0]).mean() > 1
    assert not np.array_equal(first, rendered(64, 48, 6, np.random.default_rng(6), []))


def test_clips_are_rendered_from_photographs_where_there_are_some(tmp_path: Path) -> None:
    red = np.zeros((100, 150, 3), np.uint8)
    red[..., 2] = 200
    cv2.imwrite(str(tmp_path / "red.png"), red)
    clip = rendered(64, 48, 3, np.random.default_rng(0), [tmp_path / "red.png"])
    assert clip[..., 0].mean() > 150
    assert clip[..., 1].mean() < 20


def test_a_sample_is_told_by_its_number(dataset: Path) -> None:
    configuration = of(dataset)
    samples = Samples(configuration, videos_in(configuration.data.clips))
    assert len(samples) == 20
    one, again, other = samples[7], samples[7], samples[8]
    assert one["frames"].shape == (5, 3, 48, 64)
    assert one["masks"].shape == (5, 1, 48, 64)
    assert one["flows"].shape == (4, 2, 12, 16)
    assert one["frames"].min() >= -1
    assert one["frames"].max() <= 1
    for name in ("frames", "masks", "flows"):
        assert torch.equal(one[name], again[name])
    assert not torch.equal(one["frames"], other["frames"])
    # The camera goes to the right by 2 px of 100, of 16 at a quarter of the size.
    assert float(one["flows"][:2, 0].median()) == pytest.approx(-0.32, abs=0.15)
    assert float(one["flows"][2:, 0].median()) == pytest.approx(0.32, abs=0.15)


def test_a_sample_of_vinet_is_a_window_with_its_flows(dataset: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "clip.mp4", frames(20), Fraction(25), None)
    configuration = of(tmp_path, "vinet_256")
    sample = Samples(configuration, videos_in(configuration.data.clips))[0]
    assert sample["frames"].shape == (16, 3, 48, 64)
    assert sample["flows"].shape == (5, 2, 48, 64)
    assert float(sample["flows"][0, 0].median()) == pytest.approx(1.28, abs=0.4)


def test_frames_of_a_zip_are_read_by_number(dataset: Path) -> None:
    (video, _) = videos_in((str(dataset),))
    known = list(frames(12))
    for image, n in zip(read(video, [7, 2, 3]), (7, 2, 3), strict=True):
        assert np.array_equal(image, known[n])


def test_a_broken_clip_is_left_out_and_said(dataset: Path, tmp_path: Path) -> None:
    write_clip(tmp_path / "good.mp4", frames(12), Fraction(25), None)
    (tmp_path / "bad.mp4").write_bytes(b"no video at all")
    configuration = of(tmp_path)
    samples = Samples(configuration, videos_in(configuration.data.clips))
    notes = {samples[n]["note"] for n in range(6)}
    assert "" in notes
    assert any("bad.mp4 was left out of a sample" in note for note in notes)


def test_clips_that_are_all_too_short_are_said(tmp_path: Path) -> None:
    write_clip(tmp_path / "short.mp4", frames(3), Fraction(25), None)
    configuration = of(tmp_path)
    with pytest.raises(MediaError, match=r"None of the 1 clips can be learned from.*3 frames of"):
        Samples(configuration, videos_in(configuration.data.clips))[0]
    with pytest.raises(InputError, match="There is no folder"):
        videos_in((str(tmp_path / "none"),))


def test_the_licence_beside_a_clip_is_recorded(tmp_path: Path) -> None:
    for name in ("free", "unknown"):
        (tmp_path / name).mkdir()
        write_clip(tmp_path / name / "video.mp4", frames(2), Fraction(25), None)
    (tmp_path / "free" / "clip.json").write_text(json.dumps({"licence": "CC0-1.0"}))
    free, unknown = videos_in((str(tmp_path),))
    assert licence_of(free) == "CC0-1.0"
    assert licence_of(unknown) == "not stated"
