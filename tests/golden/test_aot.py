"""AOT and DeAOT compute what the authors' code computes, from features to label maps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.engines.track._aot_video import GROUP, Limits, Video
from cleanplate.engines.track.deaot import MODELS
from cleanplate.networks import aot
from cleanplate.networks.aot_attention import as_map
from tests.golden.conftest import Golden

WITH_OUTPUTS = (
    "deaot_t",
    "aot_t",
    pytest.param("r50_deaotl", marks=pytest.mark.slow),
    pytest.param("swinb_deaotl", marks=pytest.mark.slow),
)
UNBOUNDED = 1000  # frames: as published, every sampled frame is kept
EARLY = 1e-3  # by which logits may differ before the first label does


class Case:
    """One golden network."""

    def __init__(self, golden: Golden, name: str) -> None:
        self.golden, self.inputs = golden, golden.inputs
        self.network = getattr(aot, name)()
        weights = {key: torch.from_numpy(value) for key, value in golden.weights().items()}
        computed = golden.manifest["weights"].get("computed", {}).get("tensors", {})
        own = self.network.state_dict()
        weights |= {key: own[key] for key in computed}
        self.network.load_state_dict(weights, strict=True)
        self.network.eval()

    def output(self, case: str, name: str) -> dict[str, Any] | None:
        return self.golden.manifest["cases"][case]["outputs"].get(f"{case}/{name}")

    def check(self, case: str, name: str, found: Any, tolerance: dict[str, float]) -> None:
        """Hold ``found`` to an output, if the manifest lists it."""
        output = self.output(case, name)
        if output is None:
            return
        found = found.detach().numpy() if isinstance(found, Tensor) else np.asarray(found)
        assert list(found.shape) == output["shape"], name
        wanted = self.golden.array(f"{case}/{name}")
        if "step" in output:
            found = found.ravel()[:: output["step"]]
        np.testing.assert_allclose(
            found, wanted.reshape(found.shape), tolerance["rtol"], tolerance["atol"], err_msg=name
        )


@pytest.fixture(scope="module")
def case(request: pytest.FixtureRequest, golden: Callable[[str], Golden]) -> Case:
    return Case(golden(request.param), request.param)


@pytest.mark.parametrize("name", MODELS)
def test_keys_and_shapes_are_the_published_ones(name: str, golden: Callable[..., Golden]) -> None:
    weights = golden(name).manifest["weights"]
    wanted = weights["tensors"] | weights.get("computed", {}).get("tensors", {})
    found = {key: list(t.shape) for key, t in getattr(aot, name)().state_dict().items()}
    assert found == wanted


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_every_stage_of_the_network_agrees(case: Case) -> None:
    network, inputs = case.network, case.inputs
    height, width = (one - (not network.variant.align_corners) for one in inputs.EXACT)
    tolerance = case.golden.manifest["cases"]["network"]["tolerance"]
    count = inputs.COUNT

    def check(name: str, found: Any) -> None:
        case.check("network", name, found, tolerance)

    def layers(prefix: str, kind: str, kept: list[Any], shape: Callable[[Tensor], Tensor]) -> None:
        for index, (key, value) in enumerate(kept):
            check(f"{prefix}_{kind}{index}_k", shape(key))
            parts = value.split(value.shape[-1] // 2, dim=-1) if network.variant.gated else [value]
            for name, part in zip(("v", "id_v"), parts, strict=False):
                check(f"{prefix}_{kind}{index}_{name}", shape(part))

    video = Video(network, Limits(1, UNBOUNDED, UNBOUNDED, 10_000), "cpu")
    frames = [inputs.frame(t, height, width) for t in (0, 1)]
    labels = [torch.from_numpy(inputs.labels(t, height, width))[None] for t in (0, 1)]
    with torch.inference_mode():
        image = torch.from_numpy(video.prepared(frames[0]))
        check("input", image)
        maps = network.encode(image)
        for name, one in zip(("4x", "8x", "16x", "proj"), maps, strict=True):
            check(f"enc_{name}", one)
        size = (maps[3].shape[2], maps[3].shape[3])
        places, identity = network.places(maps), network.identity(labels[0])
        check("pos_emb", as_map(places, size))
        check("id_emb", as_map(identity, size))
        outputs, views = network.propagate(maps, places, None, identity)
        for index, one in enumerate(outputs):
            check(f"ref_lstt{index}", one.transpose(0, 1))
        kept = network.remembered(views, identity)
        layers("ref", "long", kept, lambda one: one.transpose(0, 1))
        check("ref_logits", network.decode(maps, outputs)[:, : count + 1])
        maps = network.encode(torch.from_numpy(video.prepared(frames[1])))
        memory = list(zip(kept, kept, strict=True))
        outputs, views = network.propagate(maps, places, memory)
        for index, one in enumerate(outputs):
            check(f"cur_lstt{index}", one.transpose(0, 1))
        logits = network.decode(maps, outputs)
        check("cur_logits_all", logits)
        check("cur_logits", logits[:, : count + 1])
        kept = network.remembered(views, network.identity(labels[1]))
        layers("cur", "short", kept, lambda one: as_map(one, size))


# --- whole clips -------------------------------------------------------------------------------


class Run:
    """A clip run as a golden case says, held to it frame by frame."""

    def __init__(self, case: Case, name: str, count: int) -> None:
        self.case, self.name = case, name
        manifest = case.golden.manifest["cases"][name]
        self.tolerance = manifest["tolerance"]
        self.video = Video(case.network, Limits(2, UNBOUNDED, UNBOUNDED), "cpu")
        self.labels: list[np.ndarray] = []
        self.tokens: list[list[int]] = []
        self.wanted = case.golden.array(f"{name}/labels")
        self.frames = [case.inputs.frame(t, count=count) for t in range(len(self.wanted))]

    def begin(self, labels: np.ndarray, count: int) -> None:
        self.video.see(self.frames[0])
        self.case.check(self.name, "input0", self.video.prepared(self.frames[0]), EXACT)
        self.video.confirm(labels, count)
        self._note(labels)

    def follow(self, index: int) -> np.ndarray:
        """Predict frame ``index``, check its logits, return its labels."""
        self.video.see(self.frames[index])
        self.video.match()
        for number, group in enumerate(self.video.groups):
            own = min(GROUP, self.video.count - number * GROUP)
            self.check(f"logits_t{index}_e{number}", group.logits[None, : own + 1])
        return self.decided(f"full_t{index}")

    def decided(self, name: str) -> np.ndarray:
        joined = self.video.joined()
        self.check(name, joined[None])
        return joined.argmax(dim=0).numpy().astype(np.uint8)

    def go_on(self, labels: np.ndarray, shown: np.ndarray | None = None) -> None:
        self.video.pass_on(labels)
        self._note(labels if shown is None else shown)

    def check(self, name: str, found: Tensor) -> None:
        """Tightly while every label agrees; loosely once one at a tie has gone its own way."""
        done = len(self.labels)
        same = all((a == b).all() for a, b in zip(self.labels, self.wanted[:done], strict=True))
        atol = min(self.tolerance["atol"], EARLY) if same else self.tolerance["atol"]
        self.case.check(self.name, name, found, self.tolerance | {"atol": atol})

    def finish(self) -> None:
        for index, (found, wanted) in enumerate(zip(self.labels, self.wanted, strict=True)):
            share = (found != wanted).mean()
            assert share <= self.tolerance["labels_share"], f"{self.name} frame {index}: {share}"
        tokens = self.case.golden.array(f"{self.name}/memory_tokens")
        assert len(tokens) == len(self.tokens)
        for found_tokens, wanted_tokens in zip(self.tokens, tokens, strict=True):
            row = np.atleast_1d(wanted_tokens)
            assert found_tokens == [one for one in row.tolist() if one > 0]

    def _note(self, labels: np.ndarray) -> None:
        self.labels.append(labels)
        self.tokens.append([group.memory.tokens for group in self.video.groups])


EXACT = {"rtol": 1e-4, "atol": 1e-4}


def has(case: Case, name: str) -> None:
    if name not in case.golden.manifest["cases"]:
        pytest.skip(f"these goldens hold no case {name}")


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
@pytest.mark.parametrize("name", ["video", "forced"])
def test_a_clip_is_followed_alike(case: Case, name: str) -> None:
    has(case, name)
    run = Run(case, name, case.inputs.COUNT)
    with torch.inference_mode():
        run.begin(case.inputs.labels(0), case.inputs.COUNT)
        for index in range(1, len(run.frames)):
            found = run.follow(index)
            run.go_on(case.inputs.labels(index) if name == "forced" else found, found)
    run.finish()


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_an_object_may_join_later(case: Case) -> None:
    has(case, "added")
    inputs, count = case.inputs, case.inputs.COUNT
    run = Run(case, "added", count + 1)
    with torch.inference_mode():
        first = inputs.labels(0, count=count + 1)
        run.begin(np.where(first > count, 0, first), count)
        for index in range(1, len(run.frames)):
            found = run.follow(index)
            if run.case.output("added", f"full_after_t{index}"):
                truth = inputs.labels(index, count=count + 1)
                found = np.where(truth > count, truth, found)
                run.video.confirm(found, count + 1)
                run.decided(f"full_after_t{index}")
            run.go_on(found)
    run.finish()


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_a_mask_may_be_corrected_on_the_way(case: Case) -> None:
    has(case, "corrected")
    inputs, count = case.inputs, case.inputs.COUNT
    run = Run(case, "corrected", count)
    with torch.inference_mode():
        run.begin(inputs.labels(0), count)
        for index in range(1, len(run.frames)):
            found = run.follow(index)
            if run.case.output("corrected", f"full_after_t{index}"):
                truth = inputs.labels(index)
                found = np.where(truth == 2, truth, found)
                run.video.confirm(found, count)
                run.decided(f"full_after_t{index}")
            run.go_on(found)
    run.finish()


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_more_than_ten_objects_share_one_encoder(case: Case) -> None:
    has(case, "many")
    count = case.inputs.MANY
    run = Run(case, "many", count)
    with torch.inference_mode():
        run.begin(case.inputs.labels(0, count=count), count)
        for index in range(1, len(run.frames)):
            run.go_on(run.follow(index))
    run.finish()


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_a_group_may_be_made_on_the_way(case: Case) -> None:
    has(case, "grow")
    inputs, count = case.inputs, case.inputs.MANY
    run = Run(case, "grow", count)
    with torch.inference_mode():
        first = inputs.labels(0, count=count)
        run.begin(np.where(first > count - 3, 0, first), count - 3)
        for index in range(1, len(run.frames)):
            found = run.follow(index)
            if run.case.output("grow", f"full_after_t{index}"):
                truth = inputs.labels(index, count=count)
                found = np.where(truth > count - 3, truth, found)
                run.video.confirm(found, count)
                run.decided(f"full_after_t{index}")
            run.go_on(found)
    run.finish()
