"""E2FGVI's whole procedure, its training step and its discriminator against the authors' code."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate import registry
from cleanplate.engines.inpaint.shared.e2fgvi.pictures import Fitted, nearest, resized
from cleanplate.networks.e2fgvi import e2fgvi
from cleanplate.networks.e2fgvi.discriminator import Discriminator
from cleanplate.networks.e2fgvi.e2fgvi import E2FGVI
from cleanplate.networks.e2fgvi.spynet import SPyNet
from cleanplate.training import e2fgvi as recipe
from cleanplate.training.configuration import LossSettings
from cleanplate.types import Frame, MaskedFrame
from tests.e2fgvi_published import dilated, masked_frames, run, windows
from tests.golden.conftest import Case
from tests.golden.test_e2fgvi import check, inputs, load, network_of

AFTER_ADAM = 5e-3
"""Relative to the largest. Adam's first step is the sign of each gradient: where that is nothing
but rounding it turns from machine to machine (0.3 % of them between float32 and float64), and
with it what the discriminator says of the next picture."""


def given_in(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """A clip's frames, and its holes as the published procedure widens them."""
    frames, masks = (case.golden.input(case["inputs"][name]) for name in ("frames", "masks"))
    return frames, np.stack([dilated(mask) for mask in masks])


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.compares("e2fgvi", "clip")
def test_the_windows_of_a_clip_agree(case: Case, built: dict[str, E2FGVI]) -> None:
    """Which they are, and the pictures of the last: those of all are in the frames, below."""
    frames, holes = given_in(case)
    case.leave("frames", "frame_sums")
    chosen = windows(len(frames))
    assert [window.centre for window in chosen] == [known["f"] for known in case["windows"]]
    for window, known in zip(chosen, case["windows"], strict=True):
        assert known["neighbours"] == [window.neighbours[0], window.neighbours[-1]]
        assert known["references"] == window.references
    pictures = run(network_of(case, built), masked_frames(frames, holes), chosen[-1])
    np.testing.assert_allclose(
        pictures[:, :, ::8, ::8],
        case.golden.arrays[case["windows"][-1]["array"]],
        rtol=0,
        atol=case["tolerance"]["windows_abs"],
    )


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.compares("e2fgvi", "clip")
def test_the_engine_gives_the_published_frames(
    case: Case, built: dict[str, E2FGVI], tmp_path: Path
) -> None:
    torch.save(network_of(case, built).state_dict(), tmp_path / "weights.pth")
    # The published procedure also repaints what it widens the masks by; an engine never touches
    # what is not masked, so it is given the widened masks.
    settings = {"weights": str(tmp_path / "weights.pth"), "dilation": "0"}
    engine = registry.create("inpaint", case.golden.name, settings)
    images, holes = given_in(case)
    frames = [
        MaskedFrame(Frame(n, Fraction(n, 24), image), hole.view(np.uint8))
        for n, (image, hole) in enumerate(zip(images, holes, strict=True))
    ]
    result = np.stack([frame.image for frame in engine.inpaint(frames)])
    check_frames(case, result, images, holes)


def check_frames(case: Case, result: np.ndarray, frames: np.ndarray, holes: np.ndarray) -> None:
    """Hold a clip's ``result`` to the case's tolerances."""
    tolerance, output = case["tolerance"], case.output("frames")
    assert output is not None
    stride = tuple(slice(None, None, step) for step in output["stride"])
    apart = np.abs(result[stride] - case.wanted("frames").astype(int))
    assert list(result.shape) == output["shape"]
    assert apart.max() <= tolerance["frames_abs"]
    assert (apart > 0).mean() <= tolerance["frames_share_that_may_differ"]
    np.testing.assert_allclose(
        result.sum(axis=(1, 2, 3), dtype=float),
        case.wanted("frame_sums"),
        rtol=0,
        atol=tolerance["frame_sums_abs"],
    )
    assert np.array_equal(result[~holes], frames[~holes])


@pytest.mark.compares("e2fgvi", "preparation")
def test_pictures_are_prepared_as_published(case: Case) -> None:
    outputs = case["outputs"]
    size = tuple(outputs[case.listed["mask"]]["shape"])
    stride = tuple(slice(None, None, n) for n in outputs[case.listed["frame"]]["stride"])
    frame, mask = (case.golden.input(case["inputs"][name]) for name in ("frame", "mask"))
    apart = np.abs(resized(frame, size)[stride] - case.wanted("frame").astype(int))
    assert apart.max() <= case["tolerance"]["frame_abs"]
    bits = case.wanted("mask")
    wanted = np.unpackbits(bits)[: size[0] * size[1]].reshape(size) > 0
    assert np.array_equal(dilated(nearest(mask > 0, size)), wanted)
    seen = Fitted(*mask.shape[::-1], size, 4).take(frame, mask > 0)
    assert np.array_equal(seen.hole, wanted)


def judge_of(case: Case) -> Discriminator:
    listed = case.golden.manifest["other_weights"]["discriminator"]
    return load(Discriminator(), case.golden.weights(listed))


@pytest.mark.compares("e2fgvi", "discriminator")
def test_the_discriminator_agrees_call_by_call(case: Case) -> None:
    judge, x = judge_of(case), inputs(case)["x"]
    check(case, first=judge(x), second=judge(x), eval=judge.eval()(x))
    first: Any = judge.conv[0]
    check(case, u_after=first.weight_u, v_after=first.weight_v)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.compares("e2fgvi", "training step")
def test_a_step_of_training_agrees(case: Case) -> None:
    """Losses, gradients and the discriminator's moves: each is differentiable as it was."""
    network = load(getattr(e2fgvi, case.golden.name)(), case.golden.weights())
    others = case.golden.manifest["other_weights"].values()
    file = next(text for text in others if "spynet" in text).split(":")[0]
    frozen = SPyNet()
    numbers = {name.split(".", 1)[1]: value for name, value in case.golden.weights(file).items()}
    constants = {name: value.numpy() for name, value in frozen.named_buffers()}
    load(frozen, numbers | constants).requires_grad_(False)
    training_step(case, network, judge_of(case), frozen)


def training_step(case: Case, network: E2FGVI, judge: Discriminator, frozen: SPyNet) -> None:
    given = inputs(case)
    frames, masks = given["frames"], given["masks"].float()[None, :, None]
    local = int(re.findall(r"(\d+) local", case["inputs"]["frames"])[0])
    found: dict[str, Any] = {}
    seen = Overheard(judge)
    optimiser = torch.optim.Adam(judge.parameters(), 1e-4, (0.0, 0.99))
    filled = recipe.fill(network, frames, masks, local)
    truths = recipe.true_flows(frozen, frames[:, :local])
    judged = recipe.discriminator_terms(seen, frames, filled.composed)
    judged["discriminator"].backward()
    for name, norm in case["discriminator_grad_norms"].items():
        assert gradient(judge, name).norm().item() == pytest.approx(norm, rel=1e-3, abs=1e-6)
    optimiser.step()
    share = masks.mean()
    terms = recipe.generator_terms(filled, frames, masks, truths, share, LossSettings(), seen)
    terms["total"].backward()
    found["disc_real"], found["disc_fake"], found["disc_gen"] = seen.scores
    losses = {
        **{name: terms[name] for name in ("flow", "hole", "valid", "total")},
        **{"dis_real": judged["real"], "dis_fake": judged["fake"]},
        **{"dis": judged["discriminator"], "gan_weighted": terms["adversarial"]},
        "mask_mean": share,
    }
    for name, loss in case["losses"].items():
        rel = AFTER_ADAM if name == "gan_weighted" else 1e-4
        assert losses[name].item() == pytest.approx(loss, rel=rel), name
    for name, norm in case["generator_grad_norms"].items():
        assert gradient(network, name).norm().item() == pytest.approx(norm, rel=1e-3), name
    lacking = [name for name, p in network.named_parameters() if p.grad is None]
    assert lacking == case["parameters_without_gradient"]
    found["pred"] = filled.pictures
    after = {"disc_gen": found.pop("disc_gen"), "u_after": judge.conv[0].weight_u}
    for name, value in after.items():
        step = tuple(slice(None, None, step) for step in case["outputs"][name]["stride"])
        wanted = case.wanted(name)
        computed = value.detach().numpy()[step]
        np.testing.assert_allclose(computed, wanted, 0, AFTER_ADAM * abs(wanted).max())
    found["grad_encoder0"] = gradient(network, "encoder.layers.0.weight")
    found["grad_dcn_forward"] = gradient(network, "feat_prop_module.deform_align.forward_.weight")
    spynet = "update_spynet.basic_module.5.basic_module.0.conv.weight"
    found["grad_spynet5"] = gradient(network, spynet)
    found["grad_qkv3"] = gradient(network, "transformer.3.attn.qkv.weight")
    check(case, **found)


class Overheard(torch.nn.Module):
    """A discriminator whose scores are kept, in order."""

    def __init__(self, judge: Discriminator) -> None:
        super().__init__()
        self.judge, self.scores = judge, []

    def forward(self, clips: Tensor) -> Tensor:
        self.scores.append(self.judge(clips))
        return self.scores[-1]


def gradient(network: torch.nn.Module, name: str) -> Tensor:
    found = network.get_parameter(name).grad
    assert found is not None
    return found
