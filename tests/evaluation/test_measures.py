import numpy as np
import pytest

from cleanplate.evaluation import measures
from cleanplate.evaluation.vfid import frechet_distance
from tests.scene import texture


def test_psnr_of_a_known_error() -> None:
    truth = np.full((20, 30, 3), 100, np.uint8)
    assert measures.psnr(truth, truth + 10) == pytest.approx(20 * np.log10(255 / 10))
    assert measures.psnr(truth, truth) == float("inf")


def test_ssim_is_one_for_equals_and_falls_with_blur() -> None:
    truth = texture(120, 100)
    blurred = (truth.astype(int) // 32 * 32).astype(np.uint8)
    assert measures.ssim(truth, truth) == pytest.approx(1)
    assert 0.5 < measures.ssim(truth, blurred) < 0.999


def test_the_hole_s_error_counts_the_hole_alone() -> None:
    truth = np.zeros((10, 10, 3), np.uint8)
    result, mask = truth.copy(), np.zeros((10, 10), np.uint8)
    result[2:4, 2:4] = 3
    result[8, 8] = 200
    mask[2:4, 2:4] = 5
    assert measures.hole_error(truth, result, mask) == (4 * 3 * 9.0, 12)


def test_a_seam_is_the_wrong_part_of_the_step_across_the_rim() -> None:
    truth = np.tile((np.arange(20) * 5).astype(np.uint8)[None, :, None], (20, 1, 3))
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    assert measures.seam_error(truth, truth, mask) == 0
    lifted = truth.copy()
    lifted[mask > 0] += 7
    assert measures.seam_error(truth, lifted, mask) == pytest.approx(7)
    assert measures.seam_error(truth, truth, np.ones((20, 20), np.uint8)) == 0


def test_a_fill_that_moves_with_the_scene_neither_warps_nor_flickers() -> None:
    wide = texture(200, 100)
    one, other = wide[:, 10:170].copy(), wide[:, 12:172].copy()
    mask = np.zeros((100, 160), np.uint8)
    mask[40:60, 60:100] = 1
    motion = measures.Motion(one, other, mask)
    steady = motion.change(one, other)
    squares, samples = measures.warping(steady)
    assert samples > 1500
    assert squares / samples < 4
    pumped = other.copy()
    pumped[30:70, 50:110] = np.clip(pumped[30:70, 50:110].astype(int) + 20, 0, 255)
    flickers, count = measures.flicker(motion.change(one, pumped), steady)
    assert flickers / count == pytest.approx(20, abs=2)
    assert measures.warping(motion.change(one, pumped))[0] > 50 * squares


def test_frechet_distance_of_sets_with_known_moments() -> None:
    generator = np.random.default_rng(0)
    real = generator.normal(size=(4000, 3))
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(real, real + np.array([3, 0, 4])) == pytest.approx(25)
    # N(0, 1) against N(0, 4) in each of three dimensions: 1 + 4 - 2 * 2 = 1 each.
    assert frechet_distance(real, 2 * real) == pytest.approx(3, rel=0.1)
