"""LaMa computes what the authors' code computes, from single layers to the written picture."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.engines.inpaint.shared import lama as painting
from cleanplate.networks import lama
from cleanplate.protocols import Runtime
from tests.golden.conftest import Case, Golden
from tests.golden.kinds import FAMILIES


def build(golden: Golden, folder: Path) -> painting.Lama:
    """The golden network, loaded by the engine from the published wrapping."""
    path = folder / f"{golden.name}.ckpt"
    state = {k: torch.from_numpy(np.asarray(v)) for k, v in golden.weights().items()}
    torch.save({"state_dict": state, "global_step": 1}, path)
    engine = painting.Lama(str(path), Runtime())
    path.unlink()
    return engine


@pytest.fixture
def engine(
    case: Case, built: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> painting.Lama:
    name = case.golden.name
    if name not in built:
        built[name] = build(case.golden, tmp_path_factory.mktemp("weights"))
    return built[name]


def check(case: Case, name: str, found: Any) -> None:
    """Hold ``found`` to the case's output ``name``, if it lists that."""
    output = case.output(name)
    if output is None:
        return
    wanted = case.wanted(name).ravel()
    found = found.numpy() if isinstance(found, Tensor) else np.asarray(found)
    assert found.shape == tuple(output["shape"]), name
    sample = found.ravel()[:: output["step"]].astype(np.float64)
    if "differing" in output:
        assert (sample != wanted).mean() <= output["differing"], name
        assert abs(sample - wanted).max() <= output["atol"], name
        return
    rtol = case["tolerance"]["rtol"]
    np.testing.assert_allclose(sample, wanted, rtol, output["atol"], err_msg=name)


def layer_of(engine: painting.Lama, case: Case) -> Any:
    """The layer that a case's ``call`` names."""
    (path,) = re.findall(r"generator\.(model\.\d+(?:\.\w+)*)", case["call"])[:1]
    return engine.network.generator.get_submodule(path.removesuffix(".ffc"))


def features_of(case: Case) -> tuple[Tensor, Tensor]:
    asked = re.findall(r"features\(\d+, \d+\)", case["inputs"])
    near, far = (torch.tensor(eval(f"inputs.{one}", {"inputs": case.inputs})) for one in asked)
    return near, far


@pytest.mark.parametrize("name", FAMILIES["lama"])
def test_keys_and_shapes_are_the_published_ones(name: str, golden: Callable[..., Golden]) -> None:
    manifest = golden(name).manifest
    with torch.device("meta"):
        network = lama.lama()
    found = {k: list(v.shape) for k, v in network.state_dict().items()}
    assert found == manifest["weights"]["tensors"]
    assert sum(one.numel() for one in network.parameters()) == manifest["parameters"]


@pytest.mark.compares("lama", "convolution")
def test_a_fourier_convolution_agrees_part_by_part(case: Case, engine: painting.Lama) -> None:
    convolution: Any = layer_of(engine, case).ffc
    near, far = features_of(case)
    inner: dict[str, Tensor] = {}
    whole = convolution.convg2g

    def note(name: str) -> Any:
        return lambda _, given, output: inner.update({name: output, f"{name} given": given[0]})

    parts = {"reduced": whole.conv1, "filtered": whole.fu.bn, "spectrum": whole.fu.conv_layer}
    parts |= {"fu": whole.fu, "g2g": whole}
    parts |= {"l2l": convolution.convl2l, "g2l": convolution.convg2l, "l2g": convolution.convl2g}
    hooks = [part.register_forward_hook(note(name)) for name, part in parts.items()]
    with torch.inference_mode():
        out_l, out_g = convolution((near, far))
    for hook in hooks:
        hook.remove()
    found = {name: inner[name] for name in ("l2l", "g2l", "l2g", "reduced", "g2g")}
    found |= {"spectrum": inner["spectrum given"], "filtered": inner["filtered"].relu()}
    found |= {"back": inner["fu"], "out_l": out_l, "out_g": out_g}
    for name, value in found.items():
        check(case, name, value)


@pytest.mark.compares("lama", "block")
def test_a_block_agrees(case: Case, engine: painting.Lama) -> None:
    block: Any = layer_of(engine, case)
    with torch.inference_mode():
        given = features_of(case)
        first = block.conv1(given)
        steps = {"conv1": first, "conv2": block.conv2(first), "out": block(given)}
    for name, (near, far) in steps.items():
        check(case, f"{name}_l", near)
        check(case, f"{name}_g", far)


@pytest.mark.compares("lama", "network")
def test_the_whole_network_agrees_layer_by_layer(case: Case, engine: painting.Lama) -> None:
    generator = engine.network.generator
    ends = {"stem": 1, "down1": 2, "down2": 3, "down3": 4, "up1": 26, "up2": 29, "up3": 32}
    ends |= {f"block{n}": 5 + n for n in range(lama.BLOCKS)} | {"logits": 34}
    x: Any = torch.tensor(case.inputs.network_input())
    with torch.inference_mode():
        check(case, "output", generator(x))
        for index, layer in enumerate(generator.model):
            x = layer(x)
            for name in (name for name, end in ends.items() if end == index):
                if isinstance(x, tuple):
                    check(case, f"{name}_l", x[0])
                    check(case, f"{name}_g", x[1])
                else:
                    check(case, name, x)


@pytest.mark.compares("lama", "prediction")
def test_pictures_are_filled_as_by_the_published_script(case: Case, engine: painting.Lama) -> None:
    expressions = re.findall(r"\w+\(\*PICTURES\[.*?\]\)", case["inputs"])
    known = {name: getattr(case.inputs, name) for name in ("picture", "hole", "PICTURES")}
    picture, mask = (eval(one, known) for one in expressions)
    hole = mask > 0
    inner: dict[str, Tensor] = {}
    hook = engine.network.generator.register_forward_hook(
        lambda _, given, output: inner.update(given=given[0], predicted=output)
    )
    inpainted = engine.predicted(picture, hole)
    hook.remove()
    image, padded_hole = painting.padded(picture.astype(np.float32) / 255, hole)
    _, grey = painting.padded(picture.astype(np.float32) / 255, mask.astype(np.float32) / 255)
    check(case, "padded_image", image.transpose(2, 0, 1)[None])
    check(case, "padded_mask", grey[None, None])
    assert ((grey > 0) == padded_hole).all()
    check(case, "network_input", inner["given"])
    check(case, "predicted", inner["predicted"])
    check(case, "inpainted", inpainted)
    check(case, "result", engine.whole(picture, hole))
