"""VINet against the goldens: every intermediate, both topologies, the demo and the causal mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.engines.inpaint._vinet_order import REACH, Order
from cleanplate.engines.inpaint._vinet_pictures import Scale, levels
from cleanplate.engines.inpaint._vinet_shot import run
from cleanplate.networks.correlation import correlation
from cleanplate.networks.vinet import VINet, warp
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


def cases(vinet: Any, kind: str) -> Iterator[dict[str, Any]]:
    return (case for case in vinet.manifest["cases"] if case["kind"].split(",")[0] == kind)


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
    field = vinet.inputs.field
    for case in cases(vinet, "operators"):
        one, other = (torch.from_numpy(field((1, 24, 12, 16), 1, seed)) for seed in (11, 12))
        image = torch.from_numpy(field((1, 5, 20, 24), 1, 13))
        flow = torch.from_numpy(field((1, 2, 20, 24), 9, 14))
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
