"""SAM 2.1 sees and outlines what the authors' code does, in every size."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from cleanplate.engines import sam2 as pictures
from cleanplate.engines.segment.sam2 import with_corners
from cleanplate.networks.sam2 import positions, sam2
from cleanplate.networks.sam2.decoder import chosen, stability
from cleanplate.networks.sam2.sam2 import prepared
from tests.golden.conftest import Case, Golden
from tests.golden.kinds import FAMILIES
from tests.golden.sam2 import SLOW, Loaded, check, image_of, loaded_for, parts_of, prompts_of

__all__ = ["SLOW"]
SIDE = 1024


@pytest.fixture
def loaded(
    case: Case, built: dict[str, Loaded], tmp_path_factory: pytest.TempPathFactory
) -> Loaded:
    return loaded_for(case, built, tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("name", FAMILIES["sam2"])
def test_keys_and_shapes_are_the_published_ones(name: str, golden: Callable[..., Golden]) -> None:
    manifest = golden(name).manifest
    with torch.device("meta"):
        network = getattr(sam2, name)()
    found = {k: list(v.shape) for k, v in network.state_dict().items()}
    assert found == manifest["weights"]["tensors"]
    assert sum(one.numel() for one in network.parameters()) == manifest["parameters"]


@pytest.mark.parametrize("name", FAMILIES["sam2"])
def test_blocks_have_the_published_widths_and_windows(
    name: str, golden: Callable[..., Golden]
) -> None:
    listed = golden(name).manifest.get("blocks")
    if listed is None:
        pytest.skip(f"the manifest of {name} does not list its blocks")
    with torch.device("meta"):
        blocks: Any = getattr(sam2, name)().image_encoder.trunk.blocks
    assert [
        [b.norm1.weight.numel(), b.norm2.weight.numel(), b.attn.heads, b.window, int(b.pools)]
        for b in blocks
    ] == listed["list"]


def check_encoder(case: Case, loaded: Loaded) -> None:
    encoded, inner = loaded.inner(image_of(case))
    features, network = encoded.embedding, loaded.network
    grid = features.grid
    check(case, "input", inner["image_encoder given"][0])
    check(case, "pos_embed", network.image_encoder.trunk.positions(4 * grid, 4 * grid))
    check(case, "image_embed", network.alone(features))
    for n, fine in enumerate(features.fine):
        check(case, f"high_res{n}", fine)
    for n, (stage, level) in enumerate(zip(inner["trunk"], inner["neck"], strict=True)):
        check(case, f"stage{n}", stage)
        check(case, f"fpn{n}", level)
        check(case, f"position{n}", positions.sine_map(256, *level.shape[2:]))
    for name in case.listed:
        if name in inner:
            check(case, name, inner[name])


@pytest.mark.compares("sam2", "encoder")
def test_the_features_of_a_picture_agree(case: Case, loaded: Loaded) -> None:
    check_encoder(case, loaded)


@pytest.mark.compares("sam2", "picture")
def test_a_picture_and_its_masks_agree(case: Case, loaded: Loaded) -> None:
    check_encoder(case, loaded)
    parts = parts_of(case, case["inputs"])
    (name,) = {name.partition("/")[0] for name in case.listed if "/" in name}
    check_masks(case, loaded, name, parts)
    check(case, f"{name}/score", decoded_for(loaded, image_of(case), parts).presence)


@pytest.mark.compares("sam2", "preparation")
def test_pictures_and_prompts_are_brought_to_the_same_frame(case: Case, loaded: Loaded) -> None:
    inputs = case.inputs
    check(case, "image_input", prepared(pictures.still_pixels(inputs.image(), SIDE)))
    (number,) = re.findall(r"\bframe\((\d+)\)", case["inputs"])
    check(case, "frame_resized", pictures.stretched(inputs.frame(int(number)), SIDE))
    scale = np.array([SIDE / inputs.WIDTH, SIDE / inputs.HEIGHT])
    check(case, "points_in_1024", inputs.POINTS[None] * scale)
    corners, _ = with_corners(None, None, inputs.BOXES * np.tile(scale, 2))
    check(case, "boxes_in_1024", corners)


def placed(parts: dict[str, Any], size: tuple[int, int]) -> tuple[Any, ...]:
    """Points, labels and masks of a prompt as the network takes them."""
    points, labels = with_corners(parts.get("points"), parts.get("labels"), parts.get("boxes"))
    low = parts.get("low")
    if points is not None:
        points = torch.tensor((points / np.array(size[::-1]) * SIDE + 0.5) / SIDE).float()
        labels = torch.tensor(labels)
    return points, labels, None if low is None else torch.tensor(low[None])


def decoded_for(loaded: Loaded, image: np.ndarray, parts: dict[str, Any]) -> Any:
    features = loaded.encoded(image).embedding
    network = loaded.network
    with torch.inference_mode():
        return network.decode(network.alone(features), features, *placed(parts, image.shape[:2]))


@pytest.mark.compares("sam2", "prompts")
def test_prompts_become_the_same_tokens(case: Case, loaded: Loaded) -> None:
    encoder = loaded.network.sam_prompt_encoder
    size, grid = image_of(case).shape[:2], SIDE // 16
    with torch.inference_mode():
        check(case, "dense_pe", encoder.places(grid))
        none = torch.zeros(1, 1, 2), torch.full((1, 1), -1)
        check(case, "empty_sparse", encoder.tokens(*none))
        for name, parts in prompts_of(case):
            points, labels, low = placed(parts, size)
            sparse = encoder.none() if points is None else encoder.tokens(points, labels)
            check(case, f"{name}_sparse", sparse)
            check(case, f"{name}_dense", encoder.dense(low, len(sparse), grid))


@pytest.mark.compares("sam2", "decoder")
def test_the_decoder_gives_the_same_masks_and_scores(case: Case, loaded: Loaded) -> None:
    image = image_of(case)
    for name, parts in prompts_of(case):
        if not any(listed.startswith(f"{name}/") for listed in case.listed):
            continue
        decoded = decoded_for(loaded, image, parts)
        check(case, f"{name}/masks", decoded.masks)
        check(case, f"{name}/ious", decoded.quality)
        check(case, f"{name}/tokens", decoded.tokens)
        check(case, f"{name}/object_score", decoded.presence)
        check(case, f"{name}/stability", stability(decoded.masks[:, :1]))
        for kind, found in (("three", decoded.three()), ("one", decoded.one())):
            check(case, f"{name}/{kind}_masks", found.masks)
            check(case, f"{name}/{kind}_ious", found.quality)
            check(case, f"{name}/{kind}_tokens", found.tokens)
    masks, quality = made_choice(case)
    found, its = chosen(masks, quality)
    check(case, "dynamic/masks", found)
    check(case, "dynamic/ious", its)
    check(case, "dynamic/stability", stability(masks[:, :1]))


def made_choice(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """The logits and qualities on which the choice alone is tried; the ``call`` says them."""
    call = case["call"]
    factor, shape, seed = re.findall(r"masks = (\d+) ramp\((\([\d,]+\)), (\d+)\)", call)[0]
    masks = int(factor) * case.inputs.ramp(eval(shape), int(seed))
    shape, seed = re.findall(r"ious = ramp\((\([\d,]+\)), (\d+)\)", call)[0]
    first = masks[0, 0]
    (added,) = re.findall(r"then \+ ([\d.]+) everywhere", call)
    (dimmed,) = re.findall(r"mask 0 of item 1 times ([\d.]+)", call)
    masks[0, 0] = np.where(abs(first) < 1, np.sign(first) + 1, first) + float(added)
    masks[1, 0] *= np.float32(dimmed)
    return torch.tensor(masks), torch.tensor(case.inputs.ramp(eval(shape), int(seed)))


def check_masks(case: Case, loaded: Loaded, name: str, parts: dict[str, Any]) -> None:
    encoded = loaded.encoded(image_of(case))
    for kind, several in (("three", True), ("one", False)):
        found = loaded.engine.decode_many(encoded, **parts, several=several)
        answers = found.logits, found.low, found.quality, found.logits > 0
        for end, value in zip(("logits", "low", "ious", "on"), answers, strict=True):
            check(case, f"{name}/{kind}_{end}", value[0] if len(value) == 1 else value)


@pytest.mark.compares("sam2", "masks")
def test_masks_at_the_size_of_the_picture_agree(case: Case, loaded: Loaded) -> None:
    for name, parts in prompts_of(case):
        check_masks(case, loaded, name, parts)


@pytest.mark.compares("sam2", "memory encoder")
def test_what_is_remembered_of_a_frame_agrees(case: Case, loaded: Loaded) -> None:
    network = loaded.network
    features = loaded.encoded(image_of(case)).embedding
    (asked,) = re.findall(r"mask_logits\(\d+, \d+\)", case["inputs"])
    mask = torch.tensor(eval(f"inputs.{asked}", {"inputs": case.inputs}))
    with torch.inference_mode():
        for kind, sure in (("clicked", True), ("tracked", False)):
            for end, presence in (("present", 1.0), ("absent", -1.0)):
                found = network.remember(features, mask, torch.tensor([presence]), sure)
                check(case, f"{kind}_{end}", found)
        check(case, "position", positions.sine_map(64, features.grid, features.grid))
        scaled = mask.sigmoid() * 20 - 10
        check(case, "downsampled", network.memory_encoder.mask_downsampler(scaled))


@pytest.mark.compares("sam2", "pointers")
def test_pointers_agree(case: Case, loaded: Loaded) -> None:
    network, inputs = loaded.network, case.inputs
    features = loaded.encoded(image_of(case)).embedding
    known = {"ramp": inputs.ramp, "mask_logits": inputs.mask_logits}
    texts = [text.strip() for text in case["inputs"].split(";")]
    with torch.inference_mode():
        check(case, "projected", network.obj_ptr_proj(torch.tensor(eval(texts[0], known))))
        (numbers,) = (text for text in texts if text.startswith("distances"))
        distances = torch.tensor([float(n) for n in numbers.split()[1:]])
        for name in case.listed:
            kind, _, most = name.partition("_")
            if kind in ("sine", "position") and most.isdigit():
                code = positions.sine_line(distances / int(most), 256)
                found = code if kind == "sine" else network.times(distances / int(most))
                check(case, name, found)
        place = re.findall(r"a point \((\d+), (\d+)\) in the 1024 frame", case["call"])[0]
        point = (torch.tensor([[[float(n) for n in place]]]) + 0.5) / SIDE
        base = network.alone(features)
        (asked,) = (text for text in texts if text.startswith("mask_logits"))
        mask = torch.tensor(eval(asked, known)).float()
        answers = {
            "click": network.answer(base, features, point, torch.ones(1, 1)),
            "none": network.answer(base, features),
            "mask": network.given(features, mask),
            "empty_mask": network.given(features, torch.zeros_like(mask)),
        }
        for name, answer in answers.items():
            check(case, f"{name}/multi_low", answer.candidates)
            check(case, f"{name}/ious", answer.qualities)
            check(case, f"{name}/low", answer.low[None])
            check(case, f"{name}/pointer", answer.pointer)
            check(case, f"{name}/score", answer.presence[:, None])
        check(case, "mask/downsampled", network.mask_downsample(mask))


@pytest.mark.compares("sam2", "memory attention")
def test_looking_back_agrees(case: Case, loaded: Loaded) -> None:
    attention: Any = loaded.network.memory_attention
    text, inner = case["inputs"], {}
    seeds = dict(re.findall(r"(\w+) = ramp\(.*?, (\d+)\)", text))
    first = attention.layers[0]
    hooks = [
        part.register_forward_hook(lambda _, __, output, name=name: inner.update({name: output}))
        for name, part in (
            *(("self0", first.self_attn), ("cross0", first.cross_attn_image)),
            *((f"layer{n}", layer) for n, layer in enumerate(attention.layers)),
        )
    ]
    for side in (int(name[5:]) for name in case.listed if name.startswith("rope_")):
        check(case, f"rope_{side}", torch.stack(positions.rotations(side, 256), dim=-1))
        for kind, frames, pointers in re.findall(r"(\w+): k (\d+), p (\d+)", text):
            if not any(name.startswith(f"{kind}_{side}/") for name in case.listed):
                continue
            count = int(frames) * side**2 + int(pointers)
            shapes = {"curr": (side**2, 1, 256)}
            now, memory, places = (
                torch.tensor(
                    case.inputs.ramp(shapes.get(name, (count, 1, 64)), int(seeds[name]))
                ).transpose(0, 1)
                for name in ("curr", "memory", "memory_pos")
            )
            level = now.transpose(1, 2).unflatten(2, (side, side))
            with torch.inference_mode():
                found = attention(level, memory, places, int(pointers))
            check(case, f"{kind}_{side}/out", found.flatten(2).permute(2, 0, 1))
            for name, value in inner.items():
                check(case, f"{kind}_{side}/{name}", value)
    for hook in hooks:
        hook.remove()
