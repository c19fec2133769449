"""VINet against the goldens: every intermediate, both topologies, the demo and the causal mode."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from cleanplate.engines.inpaint._vinet_order import REACH, Order
from cleanplate.engines.inpaint._vinet_pictures import Scale, levels
from cleanplate.engines.inpaint._vinet_shot import run
from cleanplate.networks.correlation import correlation
from cleanplate.networks.vinet import VINet
from cleanplate.networks.vinet_layers import State, warp
from cleanplate.types import Frame, MaskedFrame


@pytest.fixture(scope="module")
def vinet(golden: Callable[[str], Any]) -> Any:
    return golden("vinet")


@pytest.fixture(scope="module")
def weights(vinet: Any) -> dict[str, Tensor]:
    return {
        name.removeprefix("module."): torch.from_numpy(np.array(value))
        for name, value in vinet.weights().items()
    }


def build(weights: dict[str, Tensor], double_size: bool, align_corners: bool = True) -> VINet:
    network = VINet(double_size, align_corners).eval().requires_grad_(False)
    network.load_state_dict(weights, strict=True)
    return network.channels_last()


def cases(vinet: Any, kind: str) -> list[dict[str, Any]]:
    """The cases of a kind; skips where there are none."""
    found = [case for case in vinet.manifest["cases"] if case["kind"].split(",")[0] == kind]
    if not found:
        pytest.skip(f"NO CASE: these goldens have none of the kind {kind}")
    return found


def sampled(output: dict[str, Any], found: np.ndarray) -> np.ndarray:
    assert list(found.shape) == output["shape"]
    return found[tuple(slice(None, None, step) for step in output["stride"])]


def check(vinet: Any, case: dict[str, Any], name: str, found: np.ndarray) -> None:
    output, tolerance = case["outputs"][name], case["tolerance"]
    absolute = tolerance["atol_of_absmax"] * output["absmax"]
    want = vinet.array(name)
    np.testing.assert_allclose(
        sampled(output, found), want, tolerance["rtol"], absolute, err_msg=name
    )
    bound = tolerance["atol_of_absmax"] * output["absmax"] * found.size
    assert abs(found.astype(np.float64).sum() - output["sum"]) <= bound, name


def check_levels(vinet: Any, case: dict[str, Any], name: str, found: np.ndarray) -> None:
    """At most one level, in at most 0.5 % of the values."""
    apart = np.abs(sampled(case["outputs"][name], found).astype(int) - vinet.array(name))
    assert apart.max() <= 1, name
    assert (apart > 0).mean() <= 0.005, name


def test_every_intermediate_of_every_step_agrees(vinet: Any, weights: dict[str, Tensor]) -> None:
    for case in cases(vinet, "network"):
        call = case["call"]
        network = build(weights, call["double_size"], call["grid_sample_align_corners"])
        frames, holes = tensors_of(vinet, call)
        feedback, state = None, None
        seen: set[str] = set()
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
                partial(compare, vinet, case, f"{case['name']}.step{number}", seen),
            )
            aged = holes[t] * (0.5 if call["double_size"] else 0)
            feedback = torch.cat([step.image[0], ones, aged])[None]
            state = step.state if call["lstm_state"] == "carried" else None
        assert seen == set(case["outputs"])


def compare(
    vinet: Any, case: dict[str, Any], step: str, seen: set[str], name: str, found: Tensor
) -> None:
    if f"{step}.{name}" in case["outputs"]:
        check(vinet, case, f"{step}.{name}", found.numpy())
        seen.add(f"{step}.{name}")


def tensors_of(vinet: Any, call: dict[str, Any]) -> tuple[Tensor, Tensor]:
    images, masks = vinet.inputs.clip(
        call["height"], call["width"], call["clip_length"], call["seed"]
    )
    holes = torch.from_numpy(masks)[:, None].float()
    frames = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    return frames * (1 - holes), holes


def test_correlation_and_warps_agree(vinet: Any) -> None:
    for case in cases(vinet, "operators"):
        # The note writes the inputs as expressions: two maps, then an image and a flow.
        written = re.findall(r"field\(\(([\d,]+)\),(\d+),(\d+)\)", case["note"])
        one, other, image, flow = (
            torch.from_numpy(
                vinet.inputs.field(tuple(map(int, shape.split(","))), int(scale), int(seed))
            )
            for shape, scale, seed in written
        )
        found = {
            "correlation": correlation(one, other, 4),
            "resample2d": warp(image, flow, "border"),
            "warp_layer": warp(image, flow, "zeros"),
        }
        for name in case["outputs"]:
            check(vinet, case, name, found[name.rpartition(".")[2]].numpy())


def masked_frames(images: np.ndarray, masks: np.ndarray) -> list[MaskedFrame]:
    """The goldens' channels are the network's; the program's are the other way round."""
    return [
        MaskedFrame(Frame(n, Fraction(n, 25), np.ascontiguousarray(image[..., ::-1])), mask)
        for n, (image, mask) in enumerate(zip(images, masks, strict=True))
    ]


def filled(
    frames: list[MaskedFrame], order: Order, scale: Scale, network: VINet
) -> tuple[np.ndarray, np.ndarray]:
    """The raw image of every step, and the levels of every frame."""
    steps = [(step.image, step.rehearsal) for step in run(frames, order, scale, network, False)]
    raw = np.concatenate([image.numpy() for image, _ in steps if image is not None])
    shown = [levels(image) for image, early in steps if image is not None and not early]
    return raw, np.stack(shown)


@pytest.mark.slow
def test_the_demo_agrees_from_its_resize_to_its_saved_frames(
    vinet: Any, weights: dict[str, Tensor]
) -> None:
    for case in cases(vinet, "clip"):
        if "crop_size" not in case["call"]:
            continue
        call, name, outputs = case["call"], case["name"], case["outputs"]
        images, masks = vinet.inputs.clip(*call["native"], call["length"], call["seed"])
        network = build(weights, call["double_size"])
        size = call["crop_size"]
        height, width = call["native"]
        scale = Scale.of(height, width, size, network.multiple, grow=True)
        frames = masked_frames(images, masks)
        pictures, holes = zip(*(scale.picture(one, (0, 0)) for one in frames), strict=True)
        assert [int(hole.sum()) for hole in holes] == case["mask_sums_after_dilation"]
        want = vinet.array(f"{name}.dilated_mask")
        assert np.array_equal(sampled(outputs[f"{name}.dilated_mask"], np.stack(holes)), want)
        check_pictures(vinet, case, np.stack(pictures), np.stack(holes))

        raw, shown = filled(frames, Order(REACH, call["pre_run"]), scale, network)
        check_sums(raw, case)
        apart = sampled(outputs[f"{name}.raw"], raw) - vinet.array(f"{name}.raw")
        assert np.abs(apart).max() <= 1e-4
        # The demo never saves frame 0; the program gives it.
        saved = shown[1:]
        check_levels(vinet, case, f"{name}.saved", saved)
        composite = np.where(np.stack(holes)[1:, ..., None], saved, np.stack(pictures)[1:])
        check_levels(vinet, case, f"{name}.composite", composite)
        sums = saved.sum((1, 2, 3), dtype=np.int64)
        np.testing.assert_allclose(sums, case["frame_sums_uint8"], 2e-4)


def check_pictures(
    vinet: Any, case: dict[str, Any], pictures: np.ndarray, holes: np.ndarray
) -> None:
    """Outside the holes: what is in them is never looked at, and ours is grey."""
    name = f"{case['name']}.network_image"
    unit = pictures.transpose(3, 0, 1, 2).astype(np.float32) / 255
    outside = sampled(case["outputs"][name], np.broadcast_to(~holes, unit.shape))
    found = sampled(case["outputs"][name], unit)
    np.testing.assert_allclose(found[outside], vinet.array(name)[outside], 0, 1e-6)


def check_sums(raw: np.ndarray, case: dict[str, Any]) -> None:
    sums = raw.astype(np.float64).sum((1, 2, 3))
    apart = np.abs(sums - case["raw_sums_every_step_float64"])
    assert apart.max() <= 1e-4 * raw[0].size


def test_the_causal_mode_agrees(vinet: Any, weights: dict[str, Tensor]) -> None:
    for case in cases(vinet, "clip"):
        if "streams" not in case["call"]:
            continue
        call, name = case["call"], case["name"]
        height, width = call["height"], call["width"]
        frames = masked_frames(*vinet.inputs.clip(height, width, call["length"], call["seed"]))
        network = build(weights, call["double_size"])
        scale = Scale.of(height, width, 0, network.multiple, grow=False)
        raw, shown = filled(frames, Order(0, call["pre_run"]), scale, network)
        check_sums(raw, case)
        apart = sampled(case["outputs"][f"{name}.raw"], raw) - vinet.array(f"{name}.raw")
        assert np.abs(apart).max() <= case["tolerance"]["raw_absolute"]
        check_levels(vinet, case, f"{name}.frames", shown)
        sums = shown.sum((1, 2, 3), dtype=np.int64)
        np.testing.assert_allclose(sums, case["frame_sums_uint8"], 2e-4)


def test_the_losses_and_gradients_of_a_training_step_agree(
    vinet: Any, weights: dict[str, Tensor]
) -> None:
    for case in cases(vinet, "training step"):
        call, want, tolerance = case["call"], case["values_float64"], case["tolerance"]
        network = VINet(call["double_size"])
        network.load_state_dict(weights)
        terms = training_terms(vinet, network, call)
        for name, values in terms.items():
            found = torch.stack(values).tolist()
            close = tolerance["losses_rtol"], tolerance["losses_atol"]
            np.testing.assert_allclose(found, want[name], *close, err_msg=name)
        sums = {name: torch.stack(values).sum() for name, values in terms.items()}
        flows = sums["flow_epe_l1"] + sums["flow_warp_gt"] + sums["flow_warp_out"]
        last = terms["flow_epe_l1"][-1] + terms["flow_warp_gt"][-1] + terms["flow_warp_out"][-1]
        rest = sums["l1"] - sums["ssim"] + 5 * sums["hole_l1"] + sums["st"] + sums["lt"]
        assert (rest + 10 * flows).item() == pytest.approx(want["total_flow_summed"], rel=1e-4)
        total = rest + 10 * last
        assert total.item() == pytest.approx(want["total_as_code"], rel=1e-4)
        total.backward()
        for name, norm in want["grad_norms"].items():
            gradient = network.get_parameter(name).grad
            assert gradient is not None
            assert float(gradient.norm()) == pytest.approx(norm, rel=tolerance["grad_norms_rtol"])


def training_terms(vinet: Any, network: VINet, call: dict[str, Any]) -> dict[str, list[Tensor]]:
    """Every term of the losses, by its name in the golden, one value a step."""
    images, masks = vinet.inputs.clip(
        call["height"], call["width"], call["clip_length"], call["seed"]
    )
    frames = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    holes = torch.from_numpy(masks)[:, None].float()
    stride = call["t_stride"]
    names = ("l1", "ssim", "hole_l1", "st", "lt", "flow_epe_l1", "flow_warp_gt", "flow_warp_out")
    terms: dict[str, list[Tensor]] = {name: [] for name in names}
    truths: list[Tensor] = []
    outputs: list[Tensor] = []
    state = None
    for t in range(call["sample_frames"]):
        window = [t + n * stride for n in range(5)]
        seen = (frames * (1 - holes))[window].transpose(0, 1)[None]
        hole, ones = holes[window[2]][None], torch.ones(1, 1, *frames.shape[-2:])
        truth = frames[window[2]][None]
        previous = outputs[-1].detach() if outputs else seen[:, :, 2]
        mask = torch.zeros_like(hole) if outputs else hole
        feedback = torch.cat([previous, ones, mask], 1)
        step = network(seen, holes[window].transpose(0, 1)[None], feedback, state, not outputs)
        state = State(*(value.detach() for value in step.state))
        truths.append(truth)
        outputs.append(step.image)
        terms["l1"].append(functional.l1_loss(step.image, truth))
        terms["ssim"].append(ssim(step.image, truth))
        terms["hole_l1"].append(functional.l1_loss(step.image * hole, truth * hole))
        if t >= 1:
            add_flow_terms(vinet, terms, truths, outputs, step.flow)
            terms["st"].append(temporal(vinet, truths, step.image, t - 1))
        if t >= 2:
            terms["lt"].append(temporal(vinet, truths, step.image, 0))
    return terms


def known_flow(vinet: Any, later: int, earlier: int, like: Tensor) -> Tensor:
    """What stands for the flow between two steps: the true pan and noise."""
    noise = vinet.inputs.field((1, 2, *like.shape[-2:]), 0.25, 100 + 10 * later + earlier)
    return torch.from_numpy(noise) + (later - earlier) * torch.tensor([2.0, 1.0]).view(1, 2, 1, 1)


def temporal(vinet: Any, truths: list[Tensor], output: Tensor, earlier: int) -> Tensor:
    """How far the output is from an earlier truth, carried along, where that one fits."""
    truth = truths[-1]
    flow = known_flow(vinet, len(truths) - 1, earlier, truth)
    carried = warp(truths[earlier], flow, "border")
    fits = torch.exp(-50 * (truth - carried).sum(1, keepdim=True) ** 2)
    return functional.l1_loss(output * fits, carried * fits)


def add_flow_terms(
    vinet: Any,
    terms: dict[str, list[Tensor]],
    truths: list[Tensor],
    outputs: list[Tensor],
    applied: Tensor | None,
) -> None:
    assert applied is not None
    before, truth = truths[-2:]
    flow = known_flow(vinet, len(truths) - 1, len(truths) - 2, truth)
    apart = ((truth - warp(before, flow, "border")) ** 2).sum(1, keepdim=True)
    sure = (apart < 0.02).float()
    terms["flow_epe_l1"].append(functional.l1_loss(applied * sure, flow * sure))
    moved = warp(before, applied, "border")
    terms["flow_warp_gt"].append(functional.l1_loss(moved * sure, truth * sure))
    moved = warp(outputs[-2], applied, "border").detach()
    terms["flow_warp_out"].append(functional.l1_loss(outputs[-1] * sure, moved * sure))


def ssim(one: Tensor, other: Tensor) -> Tensor:
    """As in the public pytorch_ssim: window 11, sigma 1.5, zeros outside, on values as they are."""
    line = torch.exp(-((torch.arange(11.0) - 5) ** 2) / (2 * 1.5**2))
    line = line / line.sum()
    window = (line[:, None] * line).expand(3, 1, 11, 11)
    blur = partial(functional.conv2d, weight=window, padding=5, groups=3)
    a, b = blur(one), blur(other)
    aa, bb, ab = blur(one * one) - a * a, blur(other * other) - b * b, blur(one * other) - a * b
    c1, c2 = 0.01**2, 0.03**2
    quality = (2 * a * b + c1) * (2 * ab + c2) / ((a * a + b * b + c1) * (aa + bb + c2))
    return quality.mean()
