"""How E2FGVI and E2FGVI-HQ are trained. Li et al., CVPR 2022, section 4.1, and its project.

The generator fills local and reference frames; its flow network learns the flow of the frames
without holes; a temporal patch discriminator (Chang et al., ICCV 2019), which learns first in each
step, says how real the filled clip looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.checkpoints import files
from cleanplate.errors import InputError, WeightsError
from cleanplate.networks.e2fgvi.discriminator import Discriminator
from cleanplate.networks.e2fgvi.e2fgvi import E2FGVI
from cleanplate.networks.e2fgvi.propagation import CHANNELS
from cleanplate.networks.e2fgvi.spynet import SPyNet
from cleanplate.training import losses
from cleanplate.training.configuration import DIS, Configuration, LossSettings, check_size
from cleanplate.training.processes import Processes
from cleanplate.training.recipes import Outcome, Part, Rule, at_rest, known, mean_figures, reduced

_SPREAD = 0.02  # standard deviation of the first weights
_DIVERGED = 1e4  # px: no flow between neighbouring frames is as long


@dataclass(slots=True)
class Filled:
    """What the generator makes of a batch."""

    pictures: Tensor
    """(B, T, 3, H, W), as they come."""
    composed: Tensor
    """(B, T, 3, H, W), with the frames' own pixels outside of the holes."""
    flows: tuple[Tensor, Tensor]
    """(B, L - 1, 2, H/4, W/4) each, forward and backward."""


def fill(network: nn.Module, frames: Tensor, masks: Tensor, local: int) -> Filled:
    """Fill ``frames`` (B, T, 3, H, W) in -1..1 under ``masks`` (B, T, 1, H, W), 1 in the hole."""
    pictures, flows = network(frames * (1 - masks), local)
    pictures = pictures.view_as(frames)
    return Filled(pictures, frames * (1 - masks) + masks * pictures, flows)


def true_flows(spynet: SPyNet, frames: Tensor) -> tuple[Tensor, Tensor]:
    """The flows of whole local ``frames`` (B, L, 3, H, W), as ``Filled.flows``, by a frozen one."""
    batch, count = frames.shape[:2]
    quarter = [side // 4 for side in frames.shape[-2:]]
    small = functional.interpolate(
        (frames.flatten(0, 1) + 1) / 2, quarter, mode="bilinear", align_corners=True
    ).unflatten(0, (batch, count))
    first, second = small[:, :-1].flatten(0, 1), small[:, 1:].flatten(0, 1)
    with torch.no_grad():
        forward, backward = (
            spynet(*pair).unflatten(0, (batch, count - 1))
            for pair in ((first, second), (second, first))
        )
    return forward, backward


def discriminator_terms(judge: nn.Module, frames: Tensor, composed: Tensor) -> dict[str, Tensor]:
    """What it is trained by: ``real``, ``fake`` and their mean, ``discriminator``."""
    real = losses.real_loss(judge(frames))
    fake = losses.fake_loss(judge(composed.detach()))
    return {"real": real, "fake": fake, "discriminator": (real + fake) / 2}


def generator_terms(
    filled: Filled,
    frames: Tensor,
    masks: Tensor,
    truths: tuple[Tensor, Tensor],
    share: Tensor | float,
    weights: LossSettings,
    judge: nn.Module | None,
) -> dict[str, Tensor]:
    """What the generator is trained by, each term weighed, and their sum, ``total``.

    Args:
        filled: of ``frames`` (B, T, 3, H, W) under ``masks`` (B, T, 1, H, W).
        truths: flows as ``filled.flows``.
        share: the mean of the masks over the whole batch.
        weights: of the terms.
        judge: the discriminator; None: the adversarial term is left out.
    """
    pictures = filled.pictures
    terms = {
        "flow": weights.flow * losses.flow_loss(filled.flows, truths),
        "hole": weights.hole * losses.masked_loss(pictures, frames, masks, share),
        "valid": weights.valid * losses.masked_loss(pictures, frames, 1 - masks, 1 - share),
    }
    if judge is not None:
        opinion = losses.adversarial_loss(judge(filled.composed))
        terms["adversarial"] = weights.adversarial * opinion
    terms["total"] = torch.stack(list(terms.values())).sum()
    return terms


def initialise(network: E2FGVI) -> None:
    """First weights as published: all of them near zero but for the deformable convolutions', those
    that begin without an offset, and the flow network's, which has its own file."""
    for name, module in network.named_modules():
        if name.startswith("update_spynet"):
            continue
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.normal_(module.weight, std=_SPREAD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for name, parameter in network.named_parameters():
        if name.endswith("conv_offset.6.weight"):
            nn.init.zeros_(parameter)


class E2FGVIRecipe:
    """See the module."""

    def __init__(
        self, configuration: Configuration, device: torch.device, processes: Processes
    ) -> None:
        if configuration.precision == "bfloat16" and device.type == "cpu":
            raise InputError(
                "precision is bfloat16, in which E2FGVI is not trained on a CPU; use float32 there."
            )
        check_size(configuration)
        data, self._weights = configuration.data, configuration.losses
        self._configuration, self._device, self._processes = configuration, device, processes
        network = E2FGVI(configuration.network == "e2fgvi_hq")
        if not network.high_quality and (data.height, data.width) != network.size:
            # The variant for one size, made for another one.
            network.sc.bias = nn.Parameter(torch.zeros(CHANNELS, data.height // 4, data.width // 4))
        initialise(network)
        if configuration.start_flow_from:
            load_spynet(network.update_spynet, Path(configuration.start_flow_from))
        self.generator: E2FGVI = network.to(device).train()
        self.modules: dict[str, nn.Module] = {"generator": self.generator}
        settings = configuration.optimiser
        names = {name for name, _ in network.update_spynet.named_parameters(prefix="update_spynet")}
        by_name = dict(network.named_parameters())
        groups: list[dict[str, Any]] = [
            {"params": [p for name, p in by_name.items() if name not in names]},
            {
                "params": [p for name, p in by_name.items() if name in names],
                "lr": settings.learning_rate * settings.flow_factor,
            },
        ]
        self.rules: dict[str, Rule] = {"generator": Rule(groups, settings, processes)}
        self.judge: Discriminator | None = None
        if self._weights.adversarial > 0:
            self.judge = Discriminator().to(device).train()
            self.modules["discriminator"] = self.judge
            judged = [{"params": list(self.judge.parameters())}]
            self.rules["discriminator"] = Rule(judged, settings, processes)
        self._spynet: SPyNet | None = None
        if self._weights.flow_target != DIS:
            spynet = SPyNet()
            load_spynet(spynet, Path(self._weights.flow_target))
            self._spynet = spynet.to(device).eval().requires_grad_(False)

    def step(self, parts: list[Part]) -> Outcome:
        """Learn from one batch, in parts."""
        whole = torch.stack([part["masks"].mean() for part in parts]).mean().to(self._device)
        share = self._processes.mean(whole).clamp(1e-6, 1 - 1e-6)
        judged: list[dict[str, float]] = []
        figures: list[dict[str, float]] = []
        # A whole batch is filled once for both; parts of one are filled anew, so that only one of
        # them is in memory.
        kept = self._fill(parts[0]) if len(parts) == 1 else None
        if self.judge is not None:
            rule = self.rules["discriminator"]
            rule.begin()
            for part in parts:
                with torch.no_grad():
                    filled, frames, _, _ = kept or self._fill(part)
                terms = discriminator_terms(self.judge, frames, filled.composed)
                (terms["discriminator"] / len(parts)).backward()
                judged.append({name: float(term.detach()) for name, term in terms.items()})
            norm, is_finite = rule.take()
            if not is_finite:
                return Outcome(mean_figures(judged), f"the discriminator's gradients are {norm}")
        rule = self.rules["generator"]
        rule.begin()
        for part in parts:
            filled, frames, masks, truths = kept or self._fill(part)
            longest = max(float(flow.detach().abs().max()) for flow in filled.flows)
            if self._processes.any(not longest < _DIVERGED):
                why = f"a flow of {longest:.0f} px was found between two frames"
                return Outcome(mean_figures(judged), why)
            terms = generator_terms(filled, frames, masks, truths, share, self._weights, self.judge)
            (terms["total"] / len(parts)).backward()
            figures.append({name: float(term.detach()) for name, term in terms.items()})
        norm, is_finite = rule.take()
        means = mean_figures(judged) | mean_figures(figures) | {"gradient": norm}
        return Outcome(means, "" if is_finite else f"the generator's gradients are {norm}")

    def fill(self, part: Part) -> tuple[Tensor, Tensor, Tensor]:
        """Filled frames, true ones, (n, 3, H, W) in -1..1, and holes (n, 1, H, W); no gradients."""
        with at_rest({"generator": self.generator}):
            filled, frames, masks, _ = self._fill(part)
        masks = masks * (1 - part["unknown"].to(masks)) if "unknown" in part else masks
        return filled.composed.flatten(0, 1), frames.flatten(0, 1), masks.flatten(0, 1)

    def _fill(self, part: Part) -> tuple[Filled, Tensor, Tensor, tuple[Tensor, Tensor]]:
        frames, masks = part["frames"].to(self._device), part["masks"].to(self._device)
        local = self._configuration.data.local_frames
        if self._spynet is None:
            forward, backward = part["flows"].to(self._device).chunk(2, dim=1)
            truths = forward, backward
        else:
            truths = true_flows(self._spynet, frames[:, :local])
        with reduced(self._configuration, self._device):
            filled = fill(self.generator, frames, masks, local)
        if "unknown" in part:
            unknown = part["unknown"].to(self._device)
            filled = Filled(
                known(filled.pictures, frames, unknown),
                known(filled.composed, frames, unknown),
                filled.flows,
            )
        return filled, frames, masks, truths


def load_spynet(spynet: SPyNet, path: Path) -> None:
    """Load the published file of SPyNet, which lacks the two constants.

    Raises:
        WeightsError: it is not that file.
    """
    state = files.read(path)
    constants = {name: value for name, value in spynet.named_buffers() if name not in state}
    try:
        spynet.load_state_dict({**state, **constants}, strict=True)
    except RuntimeError as error:
        raise WeightsError(
            f"{path} does not hold SPyNet's weights; give mmediting's spynet_20210409-c6c1bd09.pth."
        ) from error
