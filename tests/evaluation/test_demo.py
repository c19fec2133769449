from pathlib import Path

import numpy as np
import pytest

from cleanplate.evaluation.demo import run_demo
from cleanplate.evaluation.sample import COUNT, first_box, sample_frames
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress


def test_the_sample_differs_from_its_truth_in_the_sign_alone() -> None:
    frame = next(sample_frames())
    differs = (frame.image != frame.truth).any(axis=2)
    outside = differs.copy()
    outside[first_box().slices] = False
    assert differs.any()
    assert not outside.any()


@pytest.mark.slow
def test_the_demo_beats_telea_by_far_and_says_so(tmp_path: Path) -> None:
    shown = run_demo(tmp_path / "demo", Progress())
    assert shown.psnr > 30
    assert shown.psnr > shown.telea_psnr + 10
    assert f"{shown.psnr:.2f} dB" in shown.text()
    with open_clip(shown.clean) as clean:
        assert len([p.time for p in clean.pictures()]) == COUNT
        assert [stream.kind for stream in clean.info.streams] == ["audio"]
    assert shown.picture.is_file()
    again = run_demo(tmp_path / "demo", Progress())
    assert np.isclose(again.psnr, shown.psnr), "the same twice"
