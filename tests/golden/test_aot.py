"""AOT and DeAOT compute what the authors' code computes, from features to label maps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.engines.track.deaot.engine import MODELS
from cleanplate.engines.track.deaot.video import GROUP, Limits, Video
from cleanplate.networks.aot import aot
from cleanplate.networks.aot.attention import as_map
from tests.golden.conftest import Case, Golden

SLOW = ("r50_deaotl", "swinb_deaotl")
UNBOUNDED = 1000  # frames: as published, every sampled frame is kept
EARLY = 1e-3  # by which logits may differ before the first label does
EXACT = {"rtol": 1e-4, "atol": 1e-4}


def network_of(case: Case, built: dict[str, aot.Aot]) -> aot.Aot:
    """The network of a case, loaded strictly; ``built`` keeps it."""
    name = case.golden.name
    if name not in built:
        built[name] = load(getattr(aot, name)(), case.golden)
    return built[name]


def load(network: aot.Aot, golden: Golden) -> aot.Aot:
    weights = {key: torch.from_numpy(value) for key, value in golden.weights().items()}
    computed = golden.manifest["weights"].get("computed", {}).get("tensors", {})
    own = network.state_dict()
    weights |= {key: own[key] for key in computed}
    network.load_state_dict(weights, strict=True)
    return network.eval()


def check(case: Case, name: str, found: Any, tolerance: dict[str, float]) -> None:
    """Hold ``found`` to an output, if the manifest lists it."""
    output = case.output(name)
    if output is None:
        return
    found = found.detach().numpy() if isinstance(found, Tensor) else np.asarray(found)
    assert list(found.shape) == output["shape"], name
    wanted = case.wanted(name)
    found = found.ravel()[:: output.get("step", 1)]
    np.testing.assert_allclose(
        found, wanted.ravel(), tolerance["rtol"], tolerance["atol"], err_msg=name
    )


@pytest.mark.parametrize("name", MODELS)
def test_keys_and_shapes_are_the_published_ones(name: str, golden: Callable[..., Golden]) -> None:
    weights = golden(name).manifest["weights"]
    wanted = weights["tensors"] | weights.get("computed", {}).get("tensors", {})
    found = {key: list(t.shape) for key, t in getattr(aot, name)().state_dict().items()}
    assert found == wanted


@pytest.mark.compares("aot", "network")
def test_every_stage_of_the_network_agrees(case: Case, built: dict[str, aot.Aot]) -> None:
    network, inputs = network_of(case, built), case.inputs
    height, width = (one - (not network.variant.align_corners) for one in inputs.EXACT)
    count = inputs.COUNT

    def stage(name: str, found: Any) -> None:
        check(case, name, found, case["tolerance"])

    def layers(prefix: str, kind: str, kept: list[Any], shape: Callable[[Tensor], Tensor]) -> None:
        for index, (key, value) in enumerate(kept):
            stage(f"{prefix}_{kind}{index}_k", shape(key))
            parts = value.split(value.shape[-1] // 2, dim=-1) if network.variant.gated else [value]
            for name, part in zip(("v", "id_v"), parts, strict=False):
                stage(f"{prefix}_{kind}{index}_{name}", shape(part))

    video = Video(network, Limits(1, UNBOUNDED, UNBOUNDED, 10_000), "cpu")
    frames, maps_of_labels = (
        [int(t) for t in re.findall(rf"{what}\((\d+)\)", case["inputs"])]
        for what in ("frame", "labels")
    )
    images = [inputs.frame(t, height, width) for t in frames]
    labels = [torch.from_numpy(inputs.labels(t, height, width))[None] for t in maps_of_labels]
    with torch.inference_mode():
        image = torch.from_numpy(video.prepared(images[0]))
        stage("input", image)
        maps = network.encode(image)
        for name, one in zip(("4x", "8x", "16x", "proj"), maps, strict=True):
            stage(f"enc_{name}", one)
        size = (maps[3].shape[2], maps[3].shape[3])
        places, identity = network.places(maps), network.identity(labels[0])
        stage("pos_emb", as_map(places, size))
        stage("id_emb", as_map(identity, size))
        outputs, views = network.propagate(maps, places, None, identity)
        for index, one in enumerate(outputs):
            stage(f"ref_lstt{index}", one.transpose(0, 1))
        kept = network.remembered(views, identity)
        layers("ref", "long", kept, lambda one: one.transpose(0, 1))
        stage("ref_logits", network.decode(maps, outputs)[:, : count + 1])
        maps = network.encode(torch.from_numpy(video.prepared(images[1])))
        memory = list(zip(kept, kept, strict=True))
        outputs, views = network.propagate(maps, places, memory)
        for index, one in enumerate(outputs):
            stage(f"cur_lstt{index}", one.transpose(0, 1))
        logits = network.decode(maps, outputs)
        stage("cur_logits_all", logits)
        stage("cur_logits", logits[:, : count + 1])
        kept = network.remembered(views, network.identity(labels[1]))
        layers("cur", "short", kept, lambda one: as_map(one, size))


# --- whole clips -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Script:
    """What happens in a clip, as the texts of its case say."""

    count: int
    """Objects of the pictures."""
    first: int
    """Of these the ones that are known from the first frame on; the others join later."""
    corrected: int
    """The object whose true mask is given later; 0: those that join."""
    later: tuple[int, ...]
    """The frames in which masks are given."""
    forced: bool
    """The true labels are passed on in the place of what was found."""
    gap: int

    @classmethod
    def of(cls, case: Case) -> Script:
        text = case["inputs"]

        def number(pattern: str, otherwise: int) -> int:
            said = re.search(pattern, text)
            return eval(said[1], vars(case.inputs)) if said else otherwise

        count = number(r"frame\([^)]*count=([\w+-]+)\)", case.inputs.COUNT)
        calls = [case["call"], *(one["call"] for one in case.golden.listed.values())]
        gaps = [said for call in calls if (said := re.search(r"long_term_mem_gap (\d+)", call))]
        named = (re.fullmatch(r"full_after_t(\d+)", name) for name in case.listed)
        return cls(
            count=count,
            first=number(r"ids <= ([\w+-]+)", count),
            corrected=number(r"of object (\d+) alone", 0),
            later=tuple(int(said[1]) for said in named if said),
            forced=re.search(r"labels\(0\.\.\d+\)", text) is not None,
            gap=int(gaps[0][1]),
        )


class Run:
    """A clip run as a golden case says, held to it frame by frame."""

    def __init__(self, case: Case, network: aot.Aot, script: Script) -> None:
        self.case, self.script = case, script
        self.video = Video(network, Limits(script.gap, UNBOUNDED, UNBOUNDED), "cpu")
        self.labels: list[np.ndarray] = []
        self.tokens: list[list[int]] = []
        self.wanted = case.wanted("labels")
        self.frames = [case.inputs.frame(t, count=script.count) for t in range(len(self.wanted))]

    def begin(self) -> None:
        first = self.truth(0)
        labels = np.where(first > self.script.first, 0, first)
        self.video.see(self.frames[0])
        check(self.case, "input0", self.video.prepared(self.frames[0]), EXACT)
        self.video.confirm(labels, self.script.first)
        self._note(labels)

    def follow(self, index: int) -> None:
        """Predict frame ``index``, check its logits, and pass on what the script says."""
        self.video.see(self.frames[index])
        self.video.match()
        for number, group in enumerate(self.video.groups):
            own = min(GROUP, self.video.count - number * GROUP)
            self.check(f"logits_t{index}_e{number}", group.logits[None, : own + 1])
        found = self.decided(f"full_t{index}")
        if index in self.script.later:
            truth, only = self.truth(index), self.script.corrected
            given = truth == only if only else truth > self.script.first
            found = np.where(given, truth, found)
            self.video.confirm(found, self.script.count)
            self.decided(f"full_after_t{index}")
        self.video.pass_on(self.truth(index) if self.script.forced else found)
        self._note(found)

    def truth(self, index: int) -> np.ndarray:
        return self.case.inputs.labels(index, count=self.script.count)

    def decided(self, name: str) -> np.ndarray:
        joined = self.video.joined()
        self.check(name, joined[None])
        return joined.argmax(dim=0).numpy().astype(np.uint8)

    def check(self, name: str, found: Tensor) -> None:
        """Tightly while every label agrees; loosely once one at a tie has gone its own way."""
        done, tolerance = len(self.labels), self.case["tolerance"]
        same = all((a == b).all() for a, b in zip(self.labels, self.wanted[:done], strict=True))
        atol = min(tolerance["atol"], EARLY) if same else tolerance["atol"]
        check(self.case, name, found, tolerance | {"atol": atol})

    def finish(self) -> None:
        for index, (found, wanted) in enumerate(zip(self.labels, self.wanted, strict=True)):
            share = (found != wanted).mean()
            most = self.case["tolerance"]["labels_share"]
            assert share <= most, f"{self.case} frame {index}: {share}"
        if self.case.output("memory_tokens") is None:
            return
        for found_tokens, wanted_tokens in zip(
            self.tokens, self.case.wanted("memory_tokens"), strict=True
        ):
            row = np.atleast_1d(wanted_tokens)
            assert found_tokens == [one for one in row.tolist() if one > 0]

    def _note(self, labels: np.ndarray) -> None:
        self.labels.append(labels)
        self.tokens.append([group.memory.tokens for group in self.video.groups])


@pytest.mark.compares("aot", "clip")
def test_a_clip_is_followed_alike(case: Case, built: dict[str, aot.Aot]) -> None:
    """Also where objects join, masks are corrected, labels are forced, and groups are made."""
    run = Run(case, network_of(case, built), Script.of(case))
    with torch.inference_mode():
        run.begin()
        for index in range(1, len(run.frames)):
            run.follow(index)
    run.finish()
