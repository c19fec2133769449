"""SiamMask against the goldens: every stage, the crops, and whole clips."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.engines.track._siammask_follower import Follower, Sighting
from cleanplate.engines.track._siammask_geometry import TUNINGS, Place, crop, rotated_box
from cleanplate.networks.siammask import GRID, SiamMask
from cleanplate.networks.winograd import quicken


@pytest.fixture(scope="module")
def siammask(golden: Callable[[str], Any]) -> Any:
    return golden("siammask")


def build(siammask: Any, refine: bool = True, fold: bool = True) -> SiamMask:
    network = SiamMask(refine).eval().requires_grad_(False)
    weights = {name: torch.from_numpy(np.array(w)) for name, w in siammask.weights().items()}
    if not refine:
        weights = {n: w for n, w in weights.items() if not n.startswith("refine_model.")}
    network.load_state_dict(weights, strict=True)
    if fold:
        quicken(network.fold())
    return network


def cases(siammask: Any, output: str) -> list[str]:
    """The names of the cases that have an output of that name; skips where there are none."""
    named = siammask.manifest["cases"].items()
    found = [name for name, case in named if f"{name}/{output}" in case["outputs"]]
    if not found:
        pytest.skip(f"NO CASE: these goldens have none with the output {output}")
    return found


def check(siammask: Any, case: str, name: str, found: np.ndarray) -> None:
    output = siammask.manifest["cases"][case]["outputs"][name]
    rtol = siammask.manifest["cases"][case]["tolerance"]["rtol"]
    assert list(found.shape) == output["shape"], name
    sample = found.ravel()[:: output["step"]]
    want = siammask.array(name).ravel()
    np.testing.assert_allclose(sample, want, rtol, output["atol"], err_msg=name)


def whole(siammask: Any, case: str, name: str) -> np.ndarray:
    """An array that the goldens hold in full, in its own shape."""
    return siammask.array(name).reshape(siammask.manifest["cases"][case]["outputs"][name]["shape"])


def picture(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


@pytest.mark.parametrize("fold", [False, True], ids=["as published", "folded"])
@torch.inference_mode()
def test_every_stage_and_head_agrees(siammask: Any, fold: bool) -> None:
    network = build(siammask, fold=fold)
    template, search = (
        picture(make()) for make in (siammask.inputs.template, siammask.inputs.search)
    )
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
    for number, (row, column) in enumerate(siammask.inputs.POSITIONS):
        refined = network.refined_mask(exemplar, far, row, column)
        found[f"refine{number}"] = refined.flatten(1)
        # One cell alone is what it is among all.
        coarse = network.coarse_mask(exemplar, far, row, column)
        torch.testing.assert_close(
            coarse.flatten(), found["mask"][0, :, row, column], atol=1e-4, rtol=1e-4
        )
    cls, loc = network.locate(exemplar, far)
    torch.testing.assert_close((cls, loc), (found["cls"], found["loc"]))
    for case in cases(siammask, "xf"):
        for name in siammask.manifest["cases"][case]["outputs"]:
            check(siammask, case, name, found[name.partition("/")[2]].contiguous().numpy())


def test_crops_agree(siammask: Any) -> None:
    frame = siammask.inputs.frame(0)
    mean = frame.mean(axis=(0, 1))
    for case in cases(siammask, "mean"):
        for name in siammask.manifest["cases"][case]["outputs"]:
            number = re.fullmatch(r".*/crop(\d+)", name)
            if number is None:
                check(siammask, case, name, mean)
                continue
            x, y, side, size = siammask.inputs.CROPS[int(number[1])]
            check(siammask, case, name, crop(frame, x, y, side, size, mean))


def first_place(siammask: Any) -> Place:
    x, y, width, height = siammask.inputs.BOX
    return Place(x + width / 2, y + height / 2, width, height)


def same_corners(found: np.ndarray, want: np.ndarray, apart: float) -> None:
    """Up to where the list begins."""
    assert min(np.abs(np.roll(found, n, 0) - want).max() for n in range(4)) <= apart


def test_the_box_around_a_mask_agrees(siammask: Any) -> None:
    for case in set(cases(siammask, "polygon")) - set(cases(siammask, "position")):
        tolerance = siammask.manifest["cases"][case]["tolerance"]
        for number, want in enumerate(whole(siammask, case, f"{case}/polygon")):
            found = rotated_box(siammask.inputs.blob(number) != 0, first_place(siammask))
            same_corners(found, want, tolerance["atol"])


def follow(siammask: Any, network: SiamMask, tuning: str, outline: bool) -> list[Sighting]:
    frames = [siammask.inputs.frame(t)[..., ::-1] for t in range(siammask.inputs.FRAMES)]
    images = [np.ascontiguousarray(frame) for frame in frames]
    follower = Follower.start(network, TUNINGS[tuning], images[0], first_place(siammask))
    seen = []
    for image in images[1:]:
        seen.append(follower.look(image, outline))
        follower.accept(seen[-1])
    return seen


def test_whole_clips_agree(siammask: Any) -> None:
    for case in cases(siammask, "position"):
        call = siammask.manifest["cases"][case]["call"]
        network = build(siammask, refine="without refinement" not in call)
        tuning = "vot" if "VOT" in call else "davis"
        seen = follow(siammask, network, tuning, outline="no mask branch" not in call)
        start = first_place(siammask)
        places = [start, *(sighting.place for sighting in seen)]
        arrays = {
            "position": np.array([(p.x, p.y) for p in places]),
            "size": np.array([(p.width, p.height) for p in places]),
            "score": np.array([sighting.score for sighting in seen]),
            "mask_grid": np.stack([sighting.probability[::7, ::7] for sighting in seen]),
        }
        for name in siammask.manifest["cases"][case]["outputs"]:
            what = name.partition("/")[2]
            if what in arrays:
                check(siammask, case, name, arrays[what])
            elif what == "polygon":
                for sighting, want in zip(seen, whole(siammask, case, name), strict=True):
                    same_corners(sighting.box, want, 2.0)
            elif what == "cells":
                cells = [sighting.cell for sighting in seen]
                assert cells == [tuple(cell) for cell in whole(siammask, case, name).tolist()]
                assert np.max(cells) < GRID
            else:
                assert what == "mask_bits"
                check_masks(siammask, case, name, seen)


def check_masks(siammask: Any, case: str, name: str, seen: list[Sighting]) -> None:
    share = siammask.manifest["cases"][case]["tolerance"]["mask_share"]
    for sighting, bits in zip(seen, whole(siammask, case, name), strict=True):
        want = np.unpackbits(bits, axis=-1)[:, : sighting.mask.shape[1]] != 0
        assert (sighting.mask != want).mean() <= share
