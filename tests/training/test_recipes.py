"""What is trained is what the engines load, and a step that would spoil it is not taken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils.data import default_collate
from typer.testing import CliRunner

from cleanplate.checkpoints import files, layouts, store
from cleanplate.cli.weights import commands
from cleanplate.errors import InputError
from cleanplate.networks.e2fgvi import e2fgvi as network_module
from cleanplate.networks.e2fgvi.spynet import SPyNet
from cleanplate.networks.vinet.vinet import vinet_256
from cleanplate.training import losses
from cleanplate.training.configuration import (
    Configuration,
    DataSettings,
    OptimiserSettings,
    VINetSettings,
)
from cleanplate.training.data import Samples
from cleanplate.training.e2fgvi import E2FGVIRecipe, Filled, true_flows
from cleanplate.training.processes import Processes
from cleanplate.training.record import Record, card_of
from cleanplate.training.vinet import VINetRecipe

CPU = torch.device("cpu")


def vinet(**settings: Any) -> Configuration:
    return Configuration(
        network="vinet_256",
        data=DataSettings(generated=1.0, width=16, height=16),
        optimiser=OptimiserSettings(learning_rate=1e-3, beta1=0.9, beta2=0.999),
        vinet=VINetSettings(**settings),
    )


def smooth(side: int = 16) -> dict[str, Any]:
    """A window of one smooth picture with a hole in the middle."""
    line = torch.linspace(-0.6, 0.6, side)
    down, across = line[:, None].expand(side, side), line.expand(side, side)
    frames = torch.stack([down, across, -down]).expand(1, 16, 3, side, side).clone()
    masks = torch.zeros(1, 16, 1, side, side)
    masks[..., 5:10, 5:10] = 1
    return {"frames": frames, "masks": masks, "flows": torch.zeros(1, 5, 2, side, side)}


def test_vinet_learns_one_clip_to_a_tenth_of_its_loss_and_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    rule = OptimiserSettings(learning_rate=2e-3, beta1=0.9, beta2=0.999)
    configuration = replace(vinet(recurrent=False), optimiser=rule)
    recipe = VINetRecipe(configuration, CPU, Processes(CPU))
    part = smooth()
    # The likeness is subtracted, so -1 is the least that there is.
    first = last = recipe.step([part]).figures["total"] + 1
    steps = 1
    while last > first / 10 and steps < 96:
        last = recipe.step([part]).figures["total"] + 1
        steps += 1
    assert last <= first / 10
    record = Record(replace(configuration, folder=str(tmp_path)))
    made = {"pictures": "textures made from the seed", "licence": "none is needed"}
    card = card_of(configuration, steps, {"total": last}, [made])
    record.write_weights(tmp_path / "vinet.pth", recipe.generator.state_dict(), card)
    monkeypatch.setenv("CLEANPLATE_WEIGHTS", str(tmp_path / "store"))
    imported = CliRunner().invoke(commands, ["import", str(tmp_path / "vinet.pth")])
    assert imported.exit_code == 0, imported.output
    kept = store.record("vinet_256")
    assert kept["licence"].startswith("your own; learned from textures made from the seed: none")
    state = files.read(store.path_of("vinet_256"))
    layouts.load_into(vinet_256(), state, "vinet_256", tmp_path / "vinet.pth")


def test_weights_that_began_with_published_ones_keep_their_licence(tmp_path: Path) -> None:
    configuration = vinet(recurrent=False)
    sources = [{"clip": "a.mp4", "licence": "CC0"}, {"clip": "b.mp4", "licence": "not stated"}]
    card = card_of(configuration, 1, {}, sources)
    assert store.own_licence(card) == "your own; learned from a.mp4: CC0; b.mp4: not stated"
    begun = card_of(replace(configuration, start_from="vinet.pth"), 1, {}, sources)
    assert store.own_licence(begun) == ""
    path = tmp_path / "weights.pth"
    Record(configuration).write_weights(path, {"a": torch.zeros(1)}, card)
    assert store.trained_card(path) is not None
    torch.save({"a": torch.ones(1)}, path)
    assert store.trained_card(path) is None, "another file under the name of a trained one"


@pytest.mark.parametrize(
    ("network", "width", "height", "multiples"),
    [("e2fgvi_hq", 64, 60, "108 and of 60"), ("vinet_512", 24, 32, "16 and of 16")],
)
def test_a_size_that_a_network_cannot_learn_at_is_said(
    network: str, width: int, height: int, multiples: str
) -> None:
    data = DataSettings(generated=1.0, width=width, height=height)
    configuration = Configuration(network=network, data=data)
    make = VINetRecipe if configuration.is_vinet else E2FGVIRecipe
    with pytest.raises(InputError, match=f"{network} learns at multiples of {multiples}"):
        make(configuration, CPU, Processes(CPU))


def test_vinet_learns_in_bfloat16_from_its_own_output() -> None:
    torch.manual_seed(0)
    configuration = replace(vinet(), precision="bfloat16")
    recipe = VINetRecipe(configuration, CPU, Processes(CPU))
    before = recipe.generator.get_parameter("convlstm.Gates.weight").detach().clone()
    outcome = recipe.step([smooth()])
    assert outcome.failed == ""
    after = recipe.generator.get_parameter("convlstm.Gates.weight")
    assert after.dtype == torch.float32
    assert not torch.equal(after, before)
    with pytest.raises(InputError, match="E2FGVI is not trained on a CPU"):
        E2FGVIRecipe(replace(configuration, network="e2fgvi"), CPU, Processes(CPU))


def test_the_causal_one_sees_no_later_frame() -> None:
    torch.manual_seed(0)
    recipe = VINetRecipe(vinet(causal=True), CPU, Processes(CPU))
    part = smooth()
    changed = part | {"frames": part["frames"].clone()}
    changed["frames"][:, 10:] += 0.3  # the last of the four that are filled is frame 9
    for before, after in zip(recipe.fill(part)[0], recipe.fill(changed)[0], strict=True):
        assert torch.equal(before, after)
    whole = VINetRecipe(vinet(), CPU, Processes(CPU))
    assert not torch.equal(whole.fill(part)[0], whole.fill(changed)[0])


@pytest.fixture(scope="module")
def shallow() -> Any:
    """E2FGVI-HQ's recipe with one block of eight, on the smallest pictures that it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_module, "BLOCKS", 1)
        torch.manual_seed(0)
        data = DataSettings(generated=1.0, width=108, height=60, local_frames=2, reference_frames=1)
        configuration = Configuration(network="e2fgvi_hq", data=data)
        recipe = E2FGVIRecipe(configuration, CPU, Processes(CPU))
        yield recipe, default_collate([Samples(configuration, [])[0]])


def test_a_step_of_e2fgvi_moves_every_weight_that_it_should(shallow: Any) -> None:
    recipe, part = shallow
    before = {n: p.detach().clone() for n, p in recipe.generator.named_parameters()}
    judged = [p.detach().clone() for p in recipe.judge.parameters()]
    outcome = recipe.step([part])
    assert outcome.failed == ""
    assert {"real", "fake", "flow", "hole", "valid", "adversarial", "total"} <= set(outcome.figures)
    still = [n for n, p in recipe.generator.named_parameters() if torch.equal(p, before[n])]
    assert all("pool_layers" in name or "conv_offset" in name for name in still), still
    pairs = zip(recipe.judge.parameters(), judged, strict=True)
    assert sum(not torch.equal(p, old) for p, old in pairs) >= len(judged) - 1


def test_a_flow_that_grew_too_long_is_not_learned_from(
    shallow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, part = shallow
    fill = recipe._fill

    def diverged(part: Any) -> Any:
        filled, *rest = fill(part)
        flows = tuple(flow * float("inf") for flow in filled.flows)
        return (Filled(filled.pictures, filled.composed, flows), *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(recipe, "_fill", diverged)
    before = [p.detach().clone() for p in recipe.generator.parameters()]
    outcome = recipe.step([part])
    assert "px was found between two frames" in outcome.failed
    assert all(
        torch.equal(*pair) for pair in zip(recipe.generator.parameters(), before, strict=True)
    )


def test_larger_weights_of_the_flow_network_end_in_a_loss_that_is_no_number() -> None:
    """Why the guard is there: each level doubles the flow that it is given and feeds it back."""
    torch.manual_seed(0)
    spynet, frames = SPyNet(), torch.rand(1, 3, 3, 128, 128) * 2 - 1
    known = true_flows(spynet, frames)
    lengths = []
    for factor in (1, 4, 16, 1000):
        grown = SPyNet()
        grown.load_state_dict(
            {n: v * (factor if "basic" in n else 1) for n, v in spynet.state_dict().items()}
            | dict(grown.named_buffers())
        )
        flows = true_flows(grown, frames)
        lengths.append(float(flows[0].abs().max()))
        loss = losses.flow_loss(flows, known)
    assert lengths[1] > 4**5 * lengths[0]  # of five layers a level, and then over six levels
    assert not torch.isfinite(loss)
