"""VINet's whole clips against the goldens: the authors' demo and the causal mode."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate.engines.inpaint.vinet.order import REACH, Order
from cleanplate.engines.inpaint.vinet.pictures import Scale, levels
from cleanplate.engines.inpaint.vinet.shot import run
from cleanplate.networks.vinet.vinet import VINet
from cleanplate.types import Frame, MaskedFrame
from tests.golden.conftest import Case
from tests.golden.test_vinet import network_of, sampled


def check_levels(case: Case, name: str, found: np.ndarray) -> None:
    """At most one level, in at most 0.5 % of the values, if the case lists it."""
    output = case.output(name)
    if output is None:
        return
    apart = np.abs(sampled(output, found).astype(int) - case.wanted(name))
    assert apart.max() <= 1, name
    assert (apart > 0).mean() <= 0.005, name


def check_raw(case: Case, raw: np.ndarray) -> None:
    """The network's own pictures, of every step."""
    most = case["tolerance"].get("raw_absolute", 1e-4)
    sums = raw.astype(np.float64).sum((1, 2, 3))
    assert np.abs(sums - case["raw_sums_every_step_float64"]).max() <= 1e-4 * raw[0].size
    output = case.output("raw")
    if output is not None:
        assert np.abs(sampled(output, raw) - case.wanted("raw")).max() <= most


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
@pytest.mark.compares("vinet", "demo")
def test_the_demo_agrees_from_its_resize_to_its_saved_frames(
    case: Case, built: dict[str, Any]
) -> None:
    call = case["call"]
    height, width = call["native"]
    images, masks = case.inputs.clip(height, width, call["length"], call["seed"])
    network = network_of(case, built)
    scale = Scale.of(height, width, call["crop_size"], network.multiple, grow=True)
    frames = masked_frames(images, masks)
    seen = [scale.picture(one, (0, 0)) for one in frames]
    pictures, holes = np.stack([one[0] for one in seen]), np.stack([one[1] for one in seen])
    assert [int(hole.sum()) for hole in holes] == case["mask_sums_after_dilation"]
    output = case.output("dilated_mask")
    if output is not None:
        assert np.array_equal(sampled(output, holes), case.wanted("dilated_mask"))
    check_pictures(case, pictures, holes)

    raw, shown = filled(frames, Order(REACH, call["pre_run"]), scale, network)
    check_raw(case, raw)
    # The demo never saves frame 0; the program gives it.
    saved = shown[1:]
    check_levels(case, "saved", saved)
    composite = np.where(holes[1:, ..., None], saved, pictures[1:])
    check_levels(case, "composite", composite)
    for found, sums in ((saved, "frame_sums_uint8"), (composite, "composite_sums_uint8")):
        np.testing.assert_allclose(found.sum((1, 2, 3), dtype=np.int64), case[sums], 2e-4)
    check_retargeted(case, saved, images[1:], masks[1:])


def check_retargeted(case: Case, saved: np.ndarray, images: np.ndarray, masks: np.ndarray) -> None:
    """The authors' retargeting of the saved frames, which tells whether these are right as well."""
    for name, across in (("retarget_horizontal", True), ("retarget_vertical", False)):
        if case.output(name) is None:
            continue
        assert saved.shape == images.shape, "retargeting is held for clips that are not resized"
        pairs = zip(saved, images, masks, strict=True)
        found = np.stack([narrowed(*one, across) for one in pairs])
        check_levels(case, name, found)
        sums = found.sum((1, 2, 3), dtype=np.int64)
        np.testing.assert_allclose(sums, case[name]["sums_uint8"], 2e-4)


def narrowed(fill: np.ndarray, image: np.ndarray, mask: np.ndarray, across: bool) -> np.ndarray:
    """Half as wide (``across``) or high: the fill squeezed, the object pasted as it is.

    As the authors do it: a channel of the object that is 0 shows what is behind.
    """
    if not across:
        turned = (fill.transpose(1, 0, 2), image.transpose(1, 0, 2), mask.T)
        return narrowed(*turned, True).transpose(1, 0, 2)
    height, width = mask.shape
    behind = cv2.resize(np.ascontiguousarray(fill), (width // 2, height))
    columns = np.flatnonzero(mask.any(axis=0))
    middle = (columns[0] + columns[-1]) / 2
    first, stop = int(0.5 * middle), int((width - middle) * 0.5 + middle)
    part = np.where(mask[..., None] > 0, image, 0)[:, first:stop]
    return np.where(part == 0, behind, part)


def check_pictures(case: Case, pictures: np.ndarray, holes: np.ndarray) -> None:
    """Outside the holes: what is in them is never looked at, and ours is grey."""
    output = case.output("network_image")
    if output is None:
        return
    unit = pictures.transpose(3, 0, 1, 2).astype(np.float32) / 255
    outside = sampled(output, np.broadcast_to(~holes, unit.shape))
    found = sampled(output, unit)
    np.testing.assert_allclose(found[outside], case.wanted("network_image")[outside], 0, 1e-6)


@pytest.mark.compares("vinet", "causal clip")
def test_the_causal_mode_agrees(case: Case, built: dict[str, Any]) -> None:
    call = case["call"]
    height, width = call["height"], call["width"]
    frames = masked_frames(*case.inputs.clip(height, width, call["length"], call["seed"]))
    network = network_of(case, built)
    scale = Scale.of(height, width, 0, network.multiple, grow=False)
    raw, shown = filled(frames, Order(0, call["pre_run"]), scale, network)
    check_raw(case, raw)
    check_levels(case, "frames", shown)
    sums = shown.sum((1, 2, 3), dtype=np.int64)
    np.testing.assert_allclose(sums, case["frame_sums_uint8"], 2e-4)
