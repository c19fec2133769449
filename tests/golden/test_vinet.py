"""VINet against the goldens: every intermediate, both topologies, operators and training."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.networks.layers.correlation import correlation
from cleanplate.networks.vinet.layers import State, warp
from cleanplate.networks.vinet.vinet import VINet
from cleanplate.training.configuration import LossSettings
from cleanplate.training.vinet import terms_of, weighed
from tests.golden.conftest import Case


def weights_of(case: Case, built: dict[str, Any]) -> dict[str, Tensor]:
    """Every weight of a case's network, without the published prefix; ``built`` keeps them."""
    name = case.golden.name
    if name not in built:
        built[name] = {
            key.removeprefix("module."): torch.from_numpy(np.array(value))
            for key, value in case.golden.weights().items()
        }
    return built[name]


def network_of(case: Case, built: dict[str, Any], align_corners: bool = True) -> VINet:
    network = VINet(case["call"]["double_size"], align_corners).eval().requires_grad_(False)
    network.load_state_dict(weights_of(case, built), strict=True)
    return network.channels_last()


def sampled(output: dict[str, Any], found: np.ndarray) -> np.ndarray:
    assert list(found.shape) == output["shape"]
    return found[tuple(slice(None, None, step) for step in output["stride"])]


def check(case: Case, name: str, found: np.ndarray) -> None:
    """Hold ``found`` to an output, if the case lists it."""
    output, tolerance = case.output(name), case["tolerance"]
    if output is None:
        return
    absolute = tolerance["atol_of_absmax"] * output["absmax"]
    np.testing.assert_allclose(
        sampled(output, found), case.wanted(name), tolerance["rtol"], absolute, err_msg=name
    )
    bound = tolerance["atol_of_absmax"] * output["absmax"] * found.size
    assert abs(found.astype(np.float64).sum() - output["sum"]) <= bound, name


@pytest.mark.compares("vinet", "network")
def test_every_intermediate_of_every_step_agrees(case: Case, built: dict[str, Any]) -> None:
    call = case["call"]
    network = network_of(case, built, call["grid_sample_align_corners"])
    frames, holes = tensors_of(case)
    feedback, state = None, None
    for number in range(1, call["steps"] + 1):
        t = call["start"] + number - 1
        beside = [t - 6, t - 3, t, t + 3, t + 6]
        ones = torch.ones_like(holes[t])
        if feedback is None:
            feedback = torch.cat([frames[t], ones, holes[t]])[None]
        step = network(
            frames[beside].transpose(0, 1)[None],
            holes[beside].transpose(0, 1)[None],
            feedback,
            state,
            number == 1,
            partial(compare, case, f"step{number}"),
        )
        aged = holes[t] * (0.5 if call["double_size"] else 0)
        feedback = torch.cat([step.image[0], ones, aged])[None]
        state = step.state if call["lstm_state"] == "carried" else None


def compare(case: Case, step: str, name: str, found: Tensor) -> None:
    check(case, f"{step}.{name}", found.numpy())


def tensors_of(case: Case) -> tuple[Tensor, Tensor]:
    call = case["call"]
    images, masks = case.inputs.clip(
        call["height"], call["width"], call["clip_length"], call["seed"]
    )
    holes = torch.from_numpy(masks)[:, None].float()
    frames = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    return frames * (1 - holes), holes


@pytest.mark.compares("vinet", "operators")
def test_correlation_and_warps_agree(case: Case) -> None:
    # The note writes the inputs as expressions: two maps, then an image and a flow.
    written = re.findall(r"field\(\(([\d, ]+)\), ?([\d.]+), ?(\d+)\)", case["note"])
    one, other, image, flow = (
        torch.from_numpy(
            case.inputs.field(tuple(map(int, shape.split(","))), float(scale), int(seed))
        )
        for shape, scale, seed in written
    )
    radius = re.search(r"radius (\d+)", case["note"])
    assert radius is not None
    check(case, "correlation", correlation(one, other, int(radius[1])).numpy())
    check(case, "resample2d", warp(image, flow, "border").numpy())
    check(case, "warp_layer", warp(image, flow, "zeros").numpy())


@pytest.mark.compares("vinet", "training step")
def test_the_losses_and_gradients_of_a_training_step_agree(
    case: Case, built: dict[str, Any]
) -> None:
    want, tolerance = case["values_float64"], case["tolerance"]
    network = VINet(case["call"]["double_size"])
    network.load_state_dict(weights_of(case, built))
    terms = training_terms(case, network)
    for name, values in terms.items():
        found = torch.stack(values).tolist()
        close = tolerance["losses_rtol"], tolerance["losses_atol"]
        np.testing.assert_allclose(found, want[name], *close, err_msg=name)
    losses = weighed(terms, LossSettings())
    assert losses["total"].item() == pytest.approx(want["total_flow_summed"], rel=1e-4)
    # The authors' script keeps only the last step's flow terms.
    kinds = ("flow_epe_l1", "flow_warp_gt", "flow_warp_out")
    last = sum((terms[name][-1] for name in kinds), torch.zeros(()))
    total = losses["total"] - losses["flow"] + 10 * last
    assert total.item() == pytest.approx(want["total_as_code"], rel=1e-4)
    total.backward()
    for name, norm in want["grad_norms"].items():
        gradient = network.get_parameter(name).grad
        assert gradient is not None
        assert float(gradient.norm()) == pytest.approx(norm, rel=tolerance["grad_norms_rtol"])


def training_terms(case: Case, network: VINet) -> dict[str, list[Tensor]]:
    """Every term of the losses, by its name in the golden, one value a step."""
    call = case["call"]
    images, masks = case.inputs.clip(
        call["height"], call["width"], call["clip_length"], call["seed"]
    )
    frames = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    holes = torch.from_numpy(masks)[:, None].float()
    stride = call["t_stride"]
    truths: list[Tensor] = []
    seen_holes: list[Tensor] = []
    outputs: list[Tensor] = []
    applied: list[Tensor | None] = []
    state = None
    for t in range(call["sample_frames"]):
        window = [t + n * stride for n in range(5)]
        seen = (frames * (1 - holes))[window].transpose(0, 1)[None]
        hole, ones = holes[window[2]][None], torch.ones(1, 1, *frames.shape[-2:])
        previous = outputs[-1].detach() if outputs else seen[:, :, 2]
        mask = torch.zeros_like(hole) if outputs else hole
        feedback = torch.cat([previous, ones, mask], 1)
        step = network(seen, holes[window].transpose(0, 1)[None], feedback, state, not outputs)
        state = State(*(value.detach() for value in step.state))
        truths.append(frames[window[2]][None])
        seen_holes.append(hole)
        outputs.append(step.image)
        applied.append(step.flow)
    pairs = [(t, t - 1) for t in range(1, len(truths))] + [(t, 0) for t in range(2, len(truths))]
    flows = {pair: known_flow(case, *pair, truths[0]) for pair in pairs}
    return terms_of(outputs, truths, seen_holes, applied, flows)


def known_flow(case: Case, later: int, earlier: int, like: Tensor) -> Tensor:
    """What stands for the flow between two steps: the true pan and noise."""
    noise = case.inputs.field((1, 2, *like.shape[-2:]), 0.25, 100 + 10 * later + earlier)
    return torch.from_numpy(noise) + (later - earlier) * torch.tensor([2.0, 1.0]).view(1, 2, 1, 1)
