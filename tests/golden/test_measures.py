"""PSNR, SSIM and the warping error against what the published protocols compute."""

import re

import numpy as np
import pytest

from cleanplate.evaluation import measures
from cleanplate.evaluation.warping import occluded, warping_error
from tests.golden.conftest import Case


def named(case: Case, text: str, **known: np.ndarray) -> np.ndarray:
    """What an input that begins with its letter, ``a = inputs.clip(...)``, stands for."""
    return case.golden.input(text.partition("= ")[2], **known)


@pytest.mark.compares("i3d", "psnr and ssim")
def test_psnr_and_ssim_are_those_of_the_published_tables(case: Case) -> None:
    real = named(case, case["inputs"]["real"])
    completed = named(case, case["inputs"]["completed"], a=real)
    half = (0.5 * real + 0.5 * completed).astype(np.float32)
    values = dict(case["values"])
    for suffix, results in (("", completed), ("_half", half)):
        for name, measure in (("psnr", measures.psnr), ("ssim", measures.ssim)):
            found = [measure(a, b) for a, b in zip(real, results, strict=True)]
            tolerance = case["tolerance"][f"{name}_abs"]
            for key, figure in ((name + suffix, found), (f"mean_{name}{suffix}", np.mean(found))):
                if key in values:
                    np.testing.assert_allclose(figure, values.pop(key), rtol=0, atol=tolerance)
    assert not values, f"no test knows what {', '.join(values)} are"


@pytest.mark.compares("i3d", "warping error")
def test_occlusions_and_the_warping_error_are_those_of_the_protocol(case: Case) -> None:
    given, values = case["inputs"], case["values"]
    count = len(values["per_pair"]) + 1
    images = named(case, given["frames"])[:count].astype(np.float32) / 255
    size = re.search(r"block of (\d+)x", given["forward_flow"])
    assert size is not None

    def blocks(text: str, pair: int) -> np.ndarray:
        call = re.search(r"(inputs\.integers\([^)]*\)[^)]*\)) / (\d+)", text)
        assert call is not None
        flow = (case.golden.input(call[1], t=pair) / int(call[2])).astype(np.float32)
        return flow.repeat(int(size[1]), axis=0).repeat(int(size[1]), axis=1)

    for pair, wanted in enumerate(values["per_pair"]):
        forward = blocks(given["forward_flow"], pair)
        hidden = occluded(forward, blocks(given["backward_flow"], pair) - forward)
        truth = np.unpackbits(case.wanted(f"occlusion{pair}"))[: hidden.size]
        np.testing.assert_array_equal(hidden, truth.reshape(hidden.shape) > 0)
        assert int(hidden.sum()) == values["occluded_pixels"][pair]
        found = warping_error(images[pair], images[pair + 1], forward, hidden)
        assert found == pytest.approx(wanted, rel=case["tolerance"]["rel"])
