"""PSNR, SSIM and the warping error against what the published protocols compute."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cleanplate.evaluation import measures
from cleanplate.evaluation.warping import occluded, warping_error


@pytest.fixture(scope="module")
def i3d(golden: Callable[[str], Any]) -> Any:
    return golden("i3d")


def frames(i3d: Any) -> tuple[np.ndarray, np.ndarray]:
    real = i3d.inputs.clip(12, 96, 128, 51)
    return real, i3d.inputs.distorted(real, 3)


def test_psnr_and_ssim_are_those_of_the_published_tables(i3d: Any) -> None:
    real, completed = frames(i3d)
    case = i3d.manifest["cases"]["psnr_ssim"]
    half = (0.5 * real + 0.5 * completed).astype(np.float32)
    for suffix, results in (("", completed), ("_half", half)):
        for name, measure in (("psnr", measures.psnr), ("ssim", measures.ssim)):
            found = [measure(a, b) for a, b in zip(real, results, strict=True)]
            tolerance = case["tolerance"][f"{name}_abs"]
            np.testing.assert_allclose(found, case["values"][name + suffix], rtol=0, atol=tolerance)


def test_occlusions_and_the_warping_error_are_those_of_the_protocol(i3d: Any) -> None:
    _, completed = frames(i3d)
    case = i3d.manifest["cases"]["warp_error"]
    images = completed[:4].astype(np.float32) / 255

    def blocks(name: str, reach: int) -> np.ndarray:
        flow = (i3d.inputs.integers(name, (12, 16, 2), -reach, reach) / 1000).astype(np.float32)
        return flow.repeat(8, axis=0).repeat(8, axis=1)

    for pair, wanted in enumerate(case["values"]["per_pair"]):
        forward = blocks(f"wf{pair}", 3000)
        hidden = occluded(forward, blocks(f"wb{pair}", 500) - forward)
        packed = i3d.array(case["outputs"][f"occlusion{pair}"]["array"])
        truth = np.unpackbits(packed)[: hidden.size].reshape(hidden.shape) > 0
        np.testing.assert_array_equal(hidden, truth)
        found = warping_error(images[pair], images[pair + 1], forward, hidden)
        assert found == pytest.approx(wanted, rel=case["tolerance"]["rel"])
