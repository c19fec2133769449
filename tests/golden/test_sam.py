"""SAM, HQ-SAM and MobileSAM compute what the authors' code computes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cleanplate.engines.segment.mobile_sam import Engine as MobileSam
from cleanplate.engines.segment.sam import Engine as PlainSam
from cleanplate.engines.segment.sam_hq import Engine as HighQuality
from cleanplate.engines.segment.shared.sam import Decoded, SamEngine
from cleanplate.networks.sam import sam
from cleanplate.protocols import Runtime
from tests.golden.conftest import Case, Golden
from tests.golden.kinds import FAMILIES

SLOW = ("sam_vit_b", "sam_vit_l", "sam_vit_h", "sam_hq_vit_b", "sam_hq_vit_l", "sam_hq_vit_h")
LOGIT = 1e-3  # by which logits may differ where the manifest gives a share of pixels


class Loaded:
    """One golden network, built and loaded as the engine does it."""

    def __init__(self, golden: Golden, folder: Path) -> None:
        name = golden.name
        path = folder / f"{name}.pth"
        torch.save({k: torch.from_numpy(v) for k, v in golden.weights().items()}, path)
        engine: Any = MobileSam
        options: dict[str, Any] = {}
        if name.startswith("sam_"):
            engine = HighQuality if name.startswith("sam_hq") else PlainSam
            options["model"] = name.split("_", 2)[-1] if "hq" in name else name[4:]
            options["model"] = options["model"].removeprefix("hq_")
        self.engine: SamEngine = engine(engine.Settings(weights=str(path), **options), Runtime())
        self.network: sam.Sam = self.engine._network
        path.unlink()
        self._seen: dict[bytes, tuple[Any, dict[str, Tensor]]] = {}

    def encoded(self, image: np.ndarray) -> Any:
        return self._looked_at(image)[0]

    def inner(self, image: np.ndarray) -> dict[str, Tensor]:
        """What the encoder's layers gave for ``image``."""
        return self._looked_at(image)[1]

    def _looked_at(self, image: np.ndarray) -> tuple[Any, dict[str, Tensor]]:
        key = image.tobytes()
        if key not in self._seen:
            inner: dict[str, Tensor] = {}
            encoder = self.network.image_encoder
            blocks = getattr(encoder, "blocks", None)
            stages: Any = encoder.layers if blocks is None else blocks
            kept: list[tuple[str, Any]] = [("patch_embed", encoder.patch_embed)]
            name = "layer" if blocks is None else "block"
            kept += [(f"{name}{index}", one) for index, one in enumerate(stages)]
            hooks = [
                one.register_forward_hook(lambda *call, name=name: inner.update({name: call[2]}))
                for name, one in kept
            ]
            self._seen[key] = self.engine._encode(image), inner
            for hook in hooks:
                hook.remove()
        return self._seen[key]


def loaded_for(case: Case, built: dict[str, Loaded], folder: Path) -> Loaded:
    name = case.golden.name
    if name not in built:
        built[name] = Loaded(case.golden, folder)
    return built[name]


def image_of(case: Case) -> np.ndarray:
    """The picture that a case is about."""
    calls = re.findall(r"\bimage\w*\(\)", " ".join(case["inputs"]))
    return eval(f"inputs.{calls[0]}", {"inputs": case.inputs})


def check(case: Case, name: str, found: Any) -> None:
    """Hold ``found`` to the case's output ``name``, if it lists that."""
    output = case.output(name)
    if output is None:
        return
    wanted = case.wanted(name)
    found = found.numpy() if isinstance(found, Tensor) else np.asarray(found)
    full = tuple(output["full_shape"])
    share = output.get("max_fraction_of_differing_pixels", 0)
    if "packed" in output:  # along the last axis; of several masks the first ones only
        wanted = np.unpackbits(wanted, axis=-1)[..., : full[-1]].astype(bool)
        found = found[: full[0]]
    assert found.shape == full, name
    if "sample" in output:
        found = eval(f"found{output['sample']}", {"found": found})
    if share or "packed" in output:
        apart = found != wanted if found.dtype == bool else abs(found - wanted) > LOGIT
        assert apart.mean() <= share, name
    else:
        np.testing.assert_allclose(
            found, wanted, output.get("rtol", 0), output.get("atol", 0), err_msg=name
        )


def prompts(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each prompt of a case: its name, and its parts as arrays."""
    for name, text in case["prompts"].items():
        yield name, parts_of(case, text)


def parts_of(case: Case, text: str) -> dict[str, Any]:
    """The arrays that a text names: ``POINTS, POINT_LABELS and BOX``."""
    parts: dict[str, Any] = {}
    plain = re.sub(r"\(batch.*?\)", "", text)
    for word in re.findall(r"[A-Z][A-Z_]+|mask_input\w*(?=\(\))", plain):
        value = getattr(case.inputs, word)
        if word.startswith("mask_input"):
            parts["low"] = value()
        elif "LABEL" in word:
            parts["labels"] = value if value.ndim == 2 else value[None]
        elif "BOX" in word:
            parts["boxes"] = value if value.ndim == 2 else value[None]
        else:
            parts["points"] = value if value.ndim == 3 else value[None]
    return parts


@pytest.fixture
def loaded(
    case: Case, built: dict[str, Loaded], tmp_path_factory: pytest.TempPathFactory
) -> Loaded:
    return loaded_for(case, built, tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("name", FAMILIES["sam"])
def test_keys_and_shapes_are_the_published_ones(name: str, golden: Callable[..., Golden]) -> None:
    wanted = golden(name).manifest["weights"]["tensors"]
    with torch.device("meta"):
        network = getattr(sam, name)()
    assert {k: list(v.shape) for k, v in network.state_dict().items()} == wanted


@pytest.mark.compares("sam", "embedding")
def test_the_embedding_of_an_image_agrees(case: Case, loaded: Loaded) -> None:
    image = image_of(case)
    seen, inner = loaded.encoded(image).embedding, loaded.inner(image)
    found: dict[str, Any] = {
        "embedding": seen.embedding,
        "embedding_mean": seen.embedding.mean((2, 3)),
        "embedding_std": seen.embedding.std((2, 3), correction=0),
        "hq_features": seen.detail,
        **inner,
    }
    blocks = getattr(loaded.network.image_encoder, "blocks", None)
    whole = [] if blocks is None else [i for i, block in enumerate(blocks) if not block.window]
    for index, block in enumerate(whole):
        found[f"interm{index}"] = inner[f"block{block}"]
    if blocks is None:
        found["interm0"] = inner["layer1"].permute(0, 2, 3, 1)
    for name in case.listed:
        if name not in found:
            continue
        value = found[name]
        if name.startswith("layer"):  # the authors' maps are lists of tokens here
            value = value.flatten(2).transpose(1, 2)
        check(case, name, value)


@pytest.mark.compares("sam", "prompts")
def test_prompts_become_the_same_tokens(case: Case, loaded: Loaded) -> None:
    encoder = loaded.network.prompt_encoder
    scale = loaded.engine._scale((case.inputs.H, case.inputs.W))
    with torch.inference_mode():
        check(case, "dense_pe", encoder.grid())
        for name, parts in prompts(case):
            points, labels = parts.get("points"), parts.get("labels")
            boxes, low = parts.get("boxes"), parts.get("low")
            sparse, dense = encoder(
                None if points is None else torch.tensor(points * scale).float(),
                None if labels is None else torch.tensor(labels),
                None if boxes is None else torch.tensor(boxes * np.tile(scale, 2)).float(),
                None if low is None else torch.tensor(low[None]),
            )
            check(case, f"{name}_sparse", sparse)
            check(case, f"{name}_dense", dense)


def hooks_on(decoder: nn.Module, inner: dict[str, Any]) -> list[Any]:
    """``inner`` gets what the decoder computes on its way."""
    parts: Any = decoder
    return [
        parts.iou_prediction_head.register_forward_hook(
            lambda _, __, output: inner.update(iou_all=output)
        ),
        parts.transformer.register_forward_hook(
            lambda _, __, output: inner.update(tokens=output[0], image_tokens=output[1])
        ),
        parts.register_forward_hook(lambda _, __, output: inner.update(all_masks=output[0])),
    ]


@pytest.mark.compares("sam", "decoder")
def test_the_decoder_gives_the_same_masks_and_qualities(case: Case, loaded: Loaded) -> None:
    inner: dict[str, Any] = {}
    encoded = loaded.encoded(image_of(case))
    hooks = hooks_on(loaded.network.mask_decoder, inner)
    for name, parts in prompts(case):
        for several in (False, True):
            for only in (False, True):
                kind = f"{name}_{'multi' if several else 'single'}{'_hqonly' if only else ''}"
                if case.output(f"{kind}_low_res") is None:
                    continue
                found = loaded.engine.decode_many(
                    encoded, **parts, several=several, refined_only=only
                )
                check(case, f"{kind}_low_res", found.low)
                check(case, f"{kind}_iou", found.quality)
        for output, value in inner.items():
            check(case, f"{name}_{output}", value)
    for hook in hooks:
        hook.remove()


def calls_of(case: Case) -> dict[str, str]:
    """For each answer that the case lists the words in its ``call`` that say how it is asked for:

    ``box: BOX, multimask_output=False; again: POINTS with mask_input = ...``.
    """
    said = dict(re.findall(r"(\w+): ([^;:]+)(?=[;.]|$)", case["call"]))
    kinds = ("logits", "masks", "iou", "area")
    names = (re.fullmatch(rf"(\w+)_(?:{'|'.join(kinds)})", name) for name in case.listed)
    return {found[1]: said[found[1]] for found in names if found}


@pytest.mark.compares("sam", "masks")
def test_masks_at_the_size_of_the_picture_agree(case: Case, loaded: Loaded) -> None:
    encoded = loaded.encoded(image_of(case))
    answers: dict[str, Decoded] = {}
    for name, text in calls_of(case).items():
        parts = parts_of(case, text.partition(" with ")[0])
        if "points" in parts and "labels" not in parts:
            label = "POINT_LABELS" if "POINTS" in text else "POINT_LABEL"
            parts |= parts_of(case, label)
        again = re.search(r"logits of (\w+) with the best", text)
        if again:
            best = answers[again[1]].quality[0].argmax()
            check(case, f"{name}_best", best)
            parts["low"] = answers[again[1]].low[0, best]
        answers[name] = loaded.engine.decode_many(
            encoded,
            **parts,
            several="multimask_output=True" in text,
            refined_only="hq_token_only=True" in text,
        )
    for name, decoded in answers.items():
        logits = decoded.logits[0]
        check(case, f"{name}_logits", logits)
        check(case, f"{name}_masks", logits > 0)
        check(case, f"{name}_iou", decoded.quality[0])
        check(case, f"{name}_area", (logits > 0).sum((1, 2)))


@pytest.mark.compares("sam", "preparation")
def test_pictures_are_fitted_into_the_frame_in_the_same_way(case: Case, loaded: Loaded) -> None:
    engine, inputs = loaded.engine, case.inputs
    for name in re.findall(r"\b(image\w*)\(\)", " ".join(case["inputs"])):
        image = getattr(inputs, name)()
        resized = engine.prepare(image)
        sha = np.frombuffer(hashlib.sha256(resized.tobytes()).digest(), np.uint8)
        check(case, f"{name}_resized", resized)
        check(case, f"{name}_resized_rows", resized)
        check(case, f"{name}_resized_sha256", sha)
        pixels = torch.tensor(resized.astype(np.float32))
        check(case, f"{name}_input", sam.prepared(pixels))
    scale = engine._scale((inputs.H, inputs.W))
    check(case, "points_in_frame", inputs.POINTS * scale)
    check(case, "boxes_in_frame", inputs.BOXES * np.tile(scale, 2))
