"""E2FGVI, E2FGVI-HQ and SPyNet against what the authors' code computed, part by part."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.networks.e2fgvi import e2fgvi
from cleanplate.networks.e2fgvi.e2fgvi import E2FGVI
from cleanplate.networks.e2fgvi.spynet import warp
from cleanplate.networks.e2fgvi.transformer import WINDOW, whole_of
from cleanplate.networks.layers.sampling import warp_features
from tests.e2fgvi_published import dilated, padded
from tests.golden.conftest import Case, Golden
from tests.golden.kinds import FAMILIES


def network_of(case: Case, built: dict[str, E2FGVI]) -> E2FGVI:
    """The network of a case, loaded strictly; ``built`` keeps it."""
    name = case.golden.name
    if name not in built:
        built[name] = load(getattr(e2fgvi, name)().eval(), case.golden.weights())
    return built[name]


def load(network: Any, weights: dict[str, np.ndarray]) -> Any:
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    network.load_state_dict(tensors, strict=True)
    return network


def inputs(case: Case) -> dict[str, Tensor]:
    """A case's inputs where they are arrays."""
    return {
        name: torch.from_numpy(np.ascontiguousarray(case.golden.input(text)))
        for name, text in case["inputs"].items()
        if text.startswith(("inputs.", "(inputs."))
    }


def check(case: Case, **found: Tensor) -> None:
    """Hold each of ``found`` to the output of its name, if the case lists it."""
    for name, value in found.items():
        output = case.output(name)
        if output is None:
            continue
        assert list(value.shape) == output["shape"], name
        stride = tuple(slice(None, None, step) for step in output["stride"])
        tolerance = output.get("tolerance") or case["tolerance"]
        np.testing.assert_allclose(
            value.detach().numpy()[stride],
            case.wanted(name),
            tolerance["rel"],
            tolerance["abs"],
            err_msg=name,
        )


@pytest.mark.compares("e2fgvi", "flow")
@torch.no_grad()
def test_flow_agrees(case: Case, built: dict[str, E2FGVI]) -> None:
    network = network_of(case, built)
    for name, images in inputs(case).items():
        flow = network.update_spynet(images[:1], images[1:])
        check(case, **{f"flow_{name}": flow})


@pytest.mark.compares("e2fgvi", "warp")
@torch.no_grad()
def test_warping_agrees(case: Case) -> None:
    given = inputs(case)
    flow = given["flow"].permute(0, 3, 1, 2)
    check(case, zeros=warp(given["x"], flow), border=warp(given["x"], flow, "border"))
    check(case, zeros=warp_features(given["x"], flow))


@pytest.mark.compares("e2fgvi", "alignment")
@torch.no_grad()
def test_deformable_alignment_agrees(case: Case, built: dict[str, E2FGVI]) -> None:
    way = re.search(r"deform_align\.(\w+)\(", case["call"])
    assert way is not None
    layer: Any = network_of(case, built).feat_prop_module.deform_align[way[1]]
    given = inputs(case)
    x, rest = given.pop("x"), tuple(given.values())
    check(case, raw_offset_mask=layer.offsets(*rest), output=layer(x, *rest))


@pytest.mark.compares("e2fgvi", "propagation")
@torch.no_grad()
def test_propagation_agrees(case: Case, built: dict[str, E2FGVI]) -> None:
    check(case, output=network_of(case, built).feat_prop_module(**inputs(case)))


def masked_frames(case: Case) -> Tensor:
    given = {name: case.golden.input(case["inputs"][name]) for name in ("frames", "raw_masks")}
    holes = np.stack([dilated(mask) for mask in given["raw_masks"]])
    x = case.inputs.signed(given["frames"]) * (1 - holes[None, :, None].astype(np.float32))
    return padded(torch.from_numpy(x))


def stages(network: E2FGVI, x: Tensor, local: int) -> Iterator[tuple[str, Tensor]]:
    """All that a generator case may hold, in the layout of the authors' code."""
    yield "masked_input", x
    flows = network.flows(x[:, :local])
    yield from zip(("flow_forward", "flow_backward"), flows, strict=True)
    features = network.encode(x[0])
    yield "encoder", features
    carried = network.feat_prop_module(features[None, :local], *flows)
    yield "propagated", carried
    features = torch.cat([carried[0], features[local:]])
    tokens = network.ss(features)[None]
    yield "soft_split", tokens
    part = whole_of(tokens)
    for number, block in enumerate(network.transformer):
        y = block.norm1(tokens)
        pooled = block.pool(y)
        yield f"block{number}_norm1", y
        yield f"block{number}_pooled", pooled.permute(0, 2, 3, 1, 4)[..., None]
        attended = block.attn(y, pooled, part, slice(None))
        yield f"block{number}_attn", windowed(attended)
        y = block.norm2(tokens + attended)[0]
        yield f"block{number}_mlp", block.mlp(y, part, part).reshape(1, -1, y.shape[-1])
        tokens = block(tokens)
        yield f"block{number}", tokens
    composed = network.sc(tokens[0], part, part)
    yield "soft_comp", composed
    crop = e2fgvi.Crop(0, 0, *features.shape[-2:])
    yield "decoder_pre_tanh", network.decoder(composed + features, crop, *features.shape[-2:])


def windowed(tokens: Tensor) -> Tensor:
    """(1, T, rows, columns, c) to (windows, T * 45, c)."""
    x = tokens[0].unflatten(2, (-1, WINDOW[1])).unflatten(1, (-1, WINDOW[0]))
    return x.permute(1, 3, 0, 2, 4, 5).flatten(2, 4).flatten(0, 1)


@pytest.mark.slow
@pytest.mark.compares("e2fgvi", "generator")
@torch.no_grad()
def test_every_stage_of_the_generator_agrees(case: Case, built: dict[str, E2FGVI]) -> None:
    network = network_of(case, built)
    local = re.search(r"num_local_frames=(\d+)", case["call"])
    assert local is not None
    x = masked_frames(case)
    for name, value in stages(network, x, int(local[1])):
        check(case, **{name: value})
    pictures, flows = network(x, int(local[1]))
    check(case, output=pictures, flow_forward=flows[0], flow_backward=flows[1])


@pytest.mark.parametrize("name", FAMILIES["e2fgvi"])
def test_another_constant_is_refused(name: str, golden: Callable[[str], Golden]) -> None:
    network = getattr(e2fgvi, name)()
    for constant in golden(name).constants():
        state = network.state_dict()
        state[constant] = state[constant] + 1
        with pytest.raises(RuntimeError, match=re.escape(constant)):
            network.load_state_dict(state)
