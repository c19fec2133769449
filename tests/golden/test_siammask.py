"""SiamMask against the goldens: every stage, the crops, and whole clips."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.engines.track.shared.siammask.follower import Follower, Sighting
from cleanplate.engines.track.shared.siammask.geometry import TUNINGS, Place, crop, rotated_box
from cleanplate.networks.layers.winograd import quicken
from cleanplate.networks.siammask import GRID, SiamMask
from tests.golden.conftest import Case


def network_of(case: Case, built: dict[Any, Any], refine: bool, fold: bool = True) -> SiamMask:
    """The network of a case, loaded strictly; ``built`` keeps it."""
    key = case.golden.name, refine, fold
    if key not in built:
        network = SiamMask(refine).eval().requires_grad_(False)
        weights = {name: torch.from_numpy(np.array(w)) for name, w in case.golden.weights().items()}
        if not refine:
            weights = {n: w for n, w in weights.items() if not n.startswith("refine_model.")}
        network.load_state_dict(weights, strict=True)
        if fold:
            quicken(network.fold())
        built[key] = network
    return built[key]


def check(case: Case, name: str, found: np.ndarray) -> None:
    """Hold ``found`` to an output, if the case lists it."""
    output = case.output(name)
    if output is None:
        return
    assert list(found.shape) == output["shape"], name
    sample = found.ravel()[:: output["step"]]
    want = case.wanted(name).ravel()
    np.testing.assert_allclose(
        sample, want, case["tolerance"]["rtol"], output["atol"], err_msg=name
    )


def whole(case: Case, name: str) -> np.ndarray:
    """An array that the goldens hold in full, in its own shape."""
    output = case.output(name)
    assert output is not None
    return case.wanted(name).reshape(output["shape"])


def picture(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


@pytest.mark.compares("siammask", "network")
@pytest.mark.parametrize("fold", [False, True], ids=["as published", "folded"])
@torch.inference_mode()
def test_every_stage_and_head_agrees(case: Case, built: dict[Any, Any], fold: bool) -> None:
    network = network_of(case, built, True, fold)
    template, search = (picture(make()) for make in (case.inputs.template, case.inputs.search))
    near, far = network.region(template), network.region(search)
    exemplar = network.exemplar(template)
    found = {f"z_{name}": value for name, value in near.stages._asdict().items()}
    found |= {f"x_{name}": value for name, value in far.stages._asdict().items()}
    found |= {"zf": near.features, "xf": far.features}
    heads = {
        "cls": network.rpn_model.cls,
        "loc": network.rpn_model.loc,
        "mask": network.mask_model.mask,
    }
    for name, kernel in exemplar._asdict().items():
        found[f"{name}_corr"] = heads[name].correlation(kernel, far.features)
        found[name] = heads[name].head(found[f"{name}_corr"])
    for number, (row, column) in enumerate(case.inputs.POSITIONS):
        refined = network.refined_mask(exemplar, far, row, column)
        found[f"refine{number}"] = refined.flatten(1)
        # One cell alone is what it is among all.
        coarse = network.coarse_mask(exemplar, far, row, column)
        torch.testing.assert_close(
            coarse.flatten(), found["mask"][0, :, row, column], atol=1e-4, rtol=1e-4
        )
    cls, loc = network.locate(exemplar, far)
    torch.testing.assert_close((cls, loc), (found["cls"], found["loc"]))
    for name, value in found.items():
        check(case, name, value.contiguous().numpy())


@pytest.mark.compares("siammask", "crops")
def test_crops_agree(case: Case) -> None:
    said = re.search(r"frame\((\d+)\)", case["inputs"])
    assert said is not None
    frame = case.inputs.frame(int(said[1]))
    mean = frame.mean(axis=(0, 1))
    check(case, "mean", mean)
    for number, (x, y, side, size) in enumerate(case.inputs.CROPS):
        check(case, f"crop{number}", crop(frame, x, y, side, size, mean))


def first_place(case: Case) -> Place:
    x, y, width, height = case.inputs.BOX
    return Place(x + width / 2, y + height / 2, width, height)


def same_corners(found: np.ndarray, want: np.ndarray, apart: float) -> None:
    """Up to where the list begins."""
    assert min(np.abs(np.roll(found, n, 0) - want).max() for n in range(4)) <= apart


@pytest.mark.compares("siammask", "rectangle")
def test_the_box_around_a_mask_agrees(case: Case) -> None:
    for number, want in enumerate(whole(case, "polygon")):
        found = rotated_box(case.inputs.blob(number) != 0, first_place(case))
        same_corners(found, want, case["tolerance"]["atol"])


def follow(case: Case, network: SiamMask, tuning: str, outline: bool) -> list[Sighting]:
    frames = [case.inputs.frame(t)[..., ::-1] for t in range(case.inputs.FRAMES)]
    images = [np.ascontiguousarray(frame) for frame in frames]
    follower = Follower.start(network, TUNINGS[tuning], images[0], first_place(case))
    seen = []
    for image in images[1:]:
        seen.append(follower.look(image, outline))
        follower.accept(seen[-1])
    return seen


@pytest.mark.compares("siammask", "clip")
def test_whole_clips_agree(case: Case, built: dict[Any, Any]) -> None:
    network = network_of(case, built, refine="without refinement" not in case["call"])
    tuning = "vot" if "VOT" in case["call"] else "davis"
    seen = follow(case, network, tuning, outline="no mask branch" not in case["call"])
    places = [first_place(case), *(sighting.place for sighting in seen)]
    check(case, "position", np.array([(p.x, p.y) for p in places]))
    check(case, "size", np.array([(p.width, p.height) for p in places]))
    check(case, "score", np.array([sighting.score for sighting in seen]))
    if case.output("mask_grid"):
        check(case, "mask_grid", np.stack([sighting.probability[::7, ::7] for sighting in seen]))
    if case.output("polygon"):
        for sighting, want in zip(seen, whole(case, "polygon"), strict=True):
            same_corners(sighting.box, want, 2.0)
    if case.output("cells"):
        cells = [sighting.cell for sighting in seen]
        assert cells == [tuple(cell) for cell in whole(case, "cells").tolist()]
        assert np.max(cells) < GRID
    if case.output("mask_bits"):
        share = case["tolerance"]["mask_share"]
        for sighting, bits in zip(seen, whole(case, "mask_bits"), strict=True):
            want = np.unpackbits(bits, axis=-1)[:, : sighting.mask.shape[1]] != 0
            assert (sighting.mask != want).mean() <= share
