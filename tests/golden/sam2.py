"""What the tests of SAM 2.1's goldens share: the network, its prompts, and how outputs compare."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cleanplate.engines.segment.sam2 import Engine
from cleanplate.engines.segment.shared.sam import Encoded
from cleanplate.networks.sam2.sam2 import Features, Sam2
from cleanplate.protocols import Runtime
from tests.golden.conftest import Case, Golden

SLOW = ("sam2_1_hiera_large",)
FIRST_PROMPTS = 0.01
"""The tolerance that the cases give to prompts without memory, in which no rounding grows."""


class Loaded:
    """One golden network, built and loaded as the engine does it."""

    def __init__(self, golden: Golden, folder: Path) -> None:
        path = folder / f"{golden.name}.pt"
        state = {k: torch.from_numpy(v) for k, v in golden.weights().items()}
        torch.save({"model": state}, path)  # as published
        model = golden.name.removeprefix("sam2_1_hiera_")
        self.engine = Engine(Engine.Settings(model=model, weights=str(path)), Runtime())
        self.network: Sam2 = self.engine._network
        path.unlink()
        self.seen: dict[Any, Features] = {}
        """Features of the frames of clips, by size and number."""
        self._looked: dict[bytes, tuple[Encoded, dict[str, Any]]] = {}

    def encoded(self, image: np.ndarray) -> Encoded:
        return self.inner(image)[0]

    def inner(self, image: np.ndarray) -> tuple[Encoded, dict[str, Any]]:
        """``image`` as the engine sees it, and what the encoder's layers gave for it."""
        key = image.tobytes()
        if key not in self._looked:
            found: dict[str, Any] = {}
            encoder: Any = self.network.image_encoder
            parts = {"patch_embed": encoder.trunk.patch_embed, "neck": encoder.neck}
            parts |= {"trunk": encoder.trunk, "image_encoder": encoder}
            parts |= {f"block{n}": block for n, block in enumerate(encoder.trunk.blocks)}
            hooks = [
                part.register_forward_hook(
                    lambda _, given, output, name=name: found.update(
                        {name: output, f"{name} given": given}
                    )
                )
                for name, part in parts.items()
            ]
            self._looked[key] = self.engine._encode(image), found
            for hook in hooks:
                hook.remove()
        return self._looked[key]


def loaded_for(case: Case, built: dict[Any, Any], folder: Path) -> Loaded:
    name = case.golden.name
    if name not in built:
        built[name] = Loaded(case.golden, folder)
    return built[name]


def image_of(case: Case) -> np.ndarray:
    """The picture that a case is about; those that do not name one are about the only one."""
    return case.inputs.image()


def prompts_of(case: Case) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each prompt that the inputs of a case name: ``box_points = BOX and POINTS, ...``."""
    for name, text in re.findall(
        r"(\w+) = ((?:[A-Z][A-Z_]+|mask_input\(\)| and )+)", case["inputs"]
    ):
        yield name, parts_of(case, text)


def parts_of(case: Case, text: str) -> dict[str, Any]:
    """The arrays that a text names, with the labels of its points."""
    parts: dict[str, Any] = {}
    for word in re.findall(r"[A-Z][A-Z_]+|mask_input(?=\(\))", text):
        value = getattr(case.inputs, word)
        if word.startswith("mask_input"):
            parts["low"] = value()
        elif "BOX" in word:
            parts["boxes"] = value if value.ndim == 2 else value[None]
        elif "LABEL" not in word:
            parts["points"] = value[None]
            labels = word.removesuffix("S") + "_LABEL" + "S" * word.endswith("S")
            parts["labels"] = getattr(case.inputs, labels)[None]
    return parts


def check(case: Case, name: str, found: Any) -> None:
    """Hold ``found`` to the case's output ``name``, if it lists that."""
    output = case.output(name)
    if output is None:
        return
    wanted = case.wanted(name)
    found = found.detach().numpy() if isinstance(found, Tensor) else np.asarray(found)
    assert found.shape == tuple(output["shape"]), name
    if "sha256" in output:
        assert hashlib.sha256(found.tobytes()).hexdigest() == output["sha256"], name
    rule = case["tolerance"]
    step = output.get("step", 1)
    if "packed" in output:
        if "axis=-1" in output["packed"]:
            wanted = np.unpackbits(wanted, axis=-1)[..., : found.shape[-1]].ravel()
            apart = found.ravel() != wanted.astype(bool)
        else:
            sample = found.ravel()[::step]
            apart = sample != np.unpackbits(wanted)[: len(sample)].astype(bool)
        assert apart.mean() <= rule["share"], name
        return
    sample, wanted = found.ravel()[::step], wanted.ravel()
    if "exact" in output:
        share = rule["label_share"] if "label_share" in output["exact"] else 0
        assert np.count_nonzero(sample != wanted) <= share * len(sample), name
        return
    atol = output.get("atol", rule["atol"])
    if output["shape"] == [1] and atol > FIRST_PROMPTS:
        # One number, measured once, may have agreed by chance: take the others' as well.
        scores = [o for n, o in case["outputs"].items() if n.endswith(("/score", "/scores"))]
        atol = max(score["atol"] for score in scores)
    share = rule.get("label_share", 0) if "atol" not in output else 0
    if share:
        apart = abs(sample - wanted) > atol + rule["rtol"] * abs(wanted)
        # Of a thin sample one value is more than its share of the pixels.
        assert np.count_nonzero(apart) <= np.ceil(share * len(sample)), name
    else:
        np.testing.assert_allclose(sample, wanted, rule["rtol"], atol, err_msg=name)
