from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from cleanplate.errors import WeightsError
from cleanplate.evaluation.vfid import Features, frechet_distance
from cleanplate.networks.i3d import I3D


@pytest.fixture(scope="module")
def i3d(golden: Callable[[str], Any]) -> Any:
    return golden("i3d")


@pytest.fixture
def network(i3d: Any) -> I3D:
    made = I3D()
    weights = {name: torch.from_numpy(np.array(value)) for name, value in i3d.weights().items()}
    made.load_state_dict(weights, strict=True)
    return made


def clip_tensor(i3d: Any, frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(i3d.inputs.unit(frames)).permute(1, 0, 2, 3)[None]


def frames_of(i3d: Any, case: dict[str, Any]) -> dict[str, np.ndarray]:
    """The frames that each ``feature_*`` of a case is the feature of."""
    return {
        name: i3d.input(expression)
        for name, expression in case["inputs"].items()
        if f"feature_{name}" in case["outputs"]
    }


def cases(i3d: Any, official: bool) -> list[dict[str, Any]]:
    return [
        case
        for case in i3d.manifest["cases"].values()
        if "feature_a" in case.get("outputs", {})
        and ("running_mean_after" in case["outputs"]) == official
    ]


def test_every_layer_and_the_feature_agree_in_evaluation_mode(i3d: Any, network: I3D) -> None:
    network.eval()
    for case in cases(i3d, official=False):
        with torch.no_grad():
            frames = frames_of(i3d, case)
            for name, images in frames.items():
                feature = network(clip_tensor(i3d, images))[0].numpy()
                i3d.check(case, f"feature_{name}", feature)
            x = clip_tensor(i3d, next(iter(frames.values())))
            checked = 0
            for name, layer in network.named_children():
                if name in case["outputs"]:
                    x = layer(x)
                    i3d.check(case, name, x.numpy())
                    checked += 1
        assert checked > 10


def test_features_agree_with_each_clip_s_own_statistics(i3d: Any, network: I3D) -> None:
    network.train()
    for case in cases(i3d, official=True):
        with torch.no_grad():
            for name, images in frames_of(i3d, case).items():
                feature = network(clip_tensor(i3d, images))[0].numpy()
                i3d.check(case, f"feature_{name}", feature)
        bn = network.Conv3d_1a_7x7.bn
        i3d.check(case, "running_mean_after", bn.running_mean.numpy())
        i3d.check(case, "running_var_after", bn.running_var.numpy())


def test_the_frechet_distance_agrees(i3d: Any) -> None:
    case = i3d.manifest["cases"]["frechet"]
    real = np.stack([i3d.inputs.real(f"feat_r{i}", (48,)) for i in range(96)]).astype(float)
    fake = np.stack([i3d.inputs.real(f"feat_f{i}", (48,)) for i in range(96)]) * 0.9 + 0.05
    values = case["values"]
    assert frechet_distance(real, fake) == pytest.approx(values["all_96"], rel=1e-6)
    assert frechet_distance(real[:20], fake[:20]) == pytest.approx(
        values["first_20_by_eigenvalues"], rel=1e-6
    )


def test_a_checkpoint_in_the_published_form_loads_and_anything_else_is_refused(
    i3d: Any, tmp_path: Any
) -> None:
    weights = {name: torch.from_numpy(np.array(value)) for name, value in i3d.weights().items()}
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
