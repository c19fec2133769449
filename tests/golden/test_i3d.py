"""I3D's features and the distance of their sets against what the published evaluation computes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from cleanplate.errors import WeightsError
from cleanplate.evaluation.vfid import Features, frechet_distance
from cleanplate.networks.i3d import I3D
from tests.golden.conftest import Case, Golden


def network_of(case: Case) -> I3D:
    made = I3D()
    weights = {name: torch.from_numpy(np.array(w)) for name, w in case.golden.weights().items()}
    made.load_state_dict(weights, strict=True)
    return made


def clips_of(case: Case) -> dict[str, Tensor]:
    """The clips that each ``feature_*`` of a case is the feature of."""
    return {
        name: torch.from_numpy(case.inputs.unit(case.golden.input(text))).permute(1, 0, 2, 3)[None]
        for name, text in case["inputs"].items()
        if case.output(f"feature_{name}")
    }


def check(case: Case, name: str, found: Tensor) -> None:
    """Hold ``found`` to an output, if the case lists it."""
    output = case.output(name)
    if output is None:
        return
    assert list(found.shape) == output["shape"], name
    stride = tuple(slice(None, None, step) for step in output["stride"])
    tolerance = output.get("tolerance") or case["tolerance"]
    np.testing.assert_allclose(
        found.numpy()[stride], case.wanted(name), tolerance["rel"], tolerance["abs"], err_msg=name
    )


@pytest.mark.compares("i3d", "features")
@torch.no_grad()
def test_every_layer_and_the_feature_agree_in_evaluation_mode(case: Case) -> None:
    network = network_of(case).eval()
    clips = clips_of(case)
    for name, clip in clips.items():
        check(case, f"feature_{name}", network(clip)[0])
    x = next(iter(clips.values()))
    for name, layer in network.named_children():
        if case.output(name):
            x = layer(x)
            check(case, name, x)


@pytest.mark.compares("i3d", "features of the clip")
@torch.no_grad()
def test_features_agree_with_each_clip_s_own_statistics(case: Case) -> None:
    network = network_of(case).train()
    for name, clip in clips_of(case).items():
        check(case, f"feature_{name}", network(clip)[0])
    bn: Any = network.Conv3d_1a_7x7.bn
    check(case, "running_mean_after", bn.running_mean)
    check(case, "running_var_after", bn.running_var)


def features_in(case: Case, text: str) -> np.ndarray:
    """A stack that the case words: ``0.9 * stack of inputs.real('f%d' % i, (48,)) ... + 0.05``."""
    call = re.search(r"(inputs\.\w+\('[^']*' % i, \([^)]*\)\))", text)
    last = re.search(r"i = 0\.\.(\d+)", text) or re.search(
        r"i = 0\.\.(\d+)", " ".join(case["inputs"].values())
    )
    assert call is not None
    assert last is not None
    stack = np.stack([case.golden.input(call[1], i=i) for i in range(int(last[1]) + 1)])
    times, plus = re.search(r"^([\d.]+) \*", text), re.search(r"\+ ([\d.]+)$", text)
    return stack.astype(float) * float(times[1] if times else 1) + float(plus[1] if plus else 0)


@pytest.mark.compares("i3d", "distance")
def test_the_frechet_distance_agrees(case: Case) -> None:
    real, fake = (features_in(case, case["inputs"][name]) for name in ("real", "fake"))
    compared = 0
    for name, wanted in case["values"].items():
        said = re.fullmatch(r"(?:all|first)_(\d+)(_rank_deficient)?(?:_by_eigenvalues)?", name)
        assert said is not None, f"no test knows what {name} is"
        count, tolerance = int(said[1]), "rel_rank_deficient" if said[2] else "rel"
        found = frechet_distance(real[:count], fake[:count])
        assert found == pytest.approx(wanted, rel=case["tolerance"][tolerance]), name
        compared += 1
    assert compared


def test_a_checkpoint_in_the_published_form_loads_and_anything_else_is_refused(
    golden: Callable[[str], Golden], tmp_path: Path
) -> None:
    weights = {
        name: torch.from_numpy(np.array(value)) for name, value in golden("i3d").weights().items()
    }
    torch.save(weights, tmp_path / "i3d.pt")
    images = [np.full((64, 64, 3), 10 * i, np.uint8) for i in range(10)]
    assert Features(tmp_path / "i3d.pt").of(images).shape == (1024,)
    del weights["Mixed_5c.b0.conv3d.weight"]
    torch.save(weights, tmp_path / "short.pt")
    (tmp_path / "text.pt").write_text("not a checkpoint")
    for name, sentence in (
        ("short.pt", r"Mixed_5c\.b0\.conv3d\.weight .* is missing"),
        ("text.pt", "cannot be read as a checkpoint"),
        ("none.pt", "There is no weights file"),
    ):
        with pytest.raises(WeightsError, match=sentence):
            Features(tmp_path / name)
