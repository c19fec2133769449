"""How VINet is trained. Kim et al., CVPR 2019, section 3.4 and 4.1.

First without feedback: one frame from five of a window. Then four frames in a row, each with the
output before it and a memory, and losses that hold its flow and its flicker. The causal one sees
two earlier frames in the place of the later ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cleanplate.networks.vinet.layers import State
from cleanplate.networks.vinet.vinet import VINet
from cleanplate.training import losses
from cleanplate.training.configuration import Configuration, LossSettings, check_size
from cleanplate.training.data import OUTPUTS, REFERENCE
from cleanplate.training.processes import Processes
from cleanplate.training.recipes import (
    Outcome,
    Part,
    Rule,
    at_rest,
    known,
    mean_figures,
    reduced,
)

_HOLE, _FLOW = 5.0, 10.0  # published weights, times the configuration's
_STREAMS = (0, 3, REFERENCE, 9, 12)
_CAUSAL = (0, 3, REFERENCE, 3, 0)
_FADED = 0.5  # of the mask that goes with the output before, in the 512 topology


def terms_of(
    pictures: list[Tensor],
    truths: list[Tensor],
    holes: list[Tensor],
    applied: list[Tensor | None],
    flows: dict[tuple[int, int], Tensor],
) -> dict[str, list[Tensor]]:
    """Every term of the losses, unweighed, a value for each step that has it.

    Args:
        pictures: (B, 3, H, W), the output of each step.
        truths, holes: (B, 3, H, W) and (B, 1, H, W) of each.
        applied: (B, 2, H, W) px, the flow that carried the output before; None in a first step.
        flows: true ones, (B, 2, H, W) px, by (later step, earlier step).
    """
    names = ("l1", "ssim", "hole_l1", "st", "lt", "flow_epe_l1", "flow_warp_gt", "flow_warp_out")
    terms: dict[str, list[Tensor]] = {name: [] for name in names}
    for t, (picture, truth, hole) in enumerate(zip(pictures, truths, holes, strict=True)):
        terms["l1"].append((picture - truth).abs().mean())
        terms["ssim"].append(losses.ssim(picture, truth))
        terms["hole_l1"].append((picture * hole - truth * hole).abs().mean())
        moved = applied[t]
        if moved is not None:
            known = flows[t, t - 1]
            pairs = (truths[t - 1], truth), (pictures[t - 1], picture)
            parts = losses.applied_flow_losses(moved, known, *pairs)
            for name, part in zip(names[5:], parts, strict=True):
                terms[name].append(part)
            terms["st"].append(losses.warping_loss(picture, truth, truths[t - 1], known))
        if t >= 2:
            terms["lt"].append(losses.warping_loss(picture, truth, truths[0], flows[t, 0]))
    return terms


def weighed(terms: dict[str, list[Tensor]], weights: LossSettings) -> dict[str, Tensor]:
    """The losses as they are summed: each of its terms over all steps, as the paper has it."""
    sums = {name: torch.stack(values).sum() for name, values in terms.items() if values}
    zero = torch.zeros_like(sums["l1"])
    flow = sum((sums[name] for name in sums if name.startswith("flow")), zero)
    weighed = {
        "reconstruction": sums["l1"] - sums["ssim"],
        "hole": weights.hole * _HOLE * sums["hole_l1"],
        "short": weights.short * sums.get("st", zero),
        "long": weights.long * sums.get("lt", zero),
        "flow": weights.flow * _FLOW * flow,
    }
    return weighed | {"total": torch.stack(list(weighed.values())).sum()}


class VINetRecipe:
    """See the module."""

    def __init__(
        self, configuration: Configuration, device: torch.device, processes: Processes
    ) -> None:
        check_size(configuration)
        self._configuration, self._device = configuration, device
        self.generator: VINet = VINet(configuration.network == "vinet_512").to(device).train()
        self.modules: dict[str, nn.Module] = {"generator": self.generator}
        groups = [{"params": list(self.generator.parameters())}]
        self.rules = {"generator": Rule(groups, configuration.optimiser, processes)}

    def step(self, parts: list[Part]) -> Outcome:
        """Learn from one batch, in parts."""
        rule = self.rules["generator"]
        rule.begin()
        figures = []
        for part in parts:
            terms = weighed(terms_of(*self._run(part)), self._configuration.losses)
            (terms["total"] / len(parts)).backward()
            figures.append({name: float(term.detach()) for name, term in terms.items()})
        norm, is_finite = rule.take()
        failed = "" if is_finite else f"the gradients are {norm}"
        return Outcome(mean_figures(figures) | {"gradient": norm}, failed)

    def fill(self, part: Part) -> tuple[Tensor, Tensor, Tensor]:
        """Filled frames, true ones, (n, 3, H, W) in -1..1, and holes (n, 1, H, W); no gradients."""
        with at_rest(self.modules):
            pictures, truths, holes, _, _ = self._run(part)
        truth, hole = torch.cat(truths), torch.cat(holes)
        if "unknown" in part:
            places = range(REFERENCE, REFERENCE + len(holes))
            hole = hole * (1 - torch.cat([part["unknown"][:, n] for n in places]).to(hole))
        return truth * (1 - hole) + hole * torch.cat(pictures), truth, hole

    def _run(
        self, part: Part
    ) -> tuple[
        list[Tensor],
        list[Tensor],
        list[Tensor],
        list[Tensor | None],
        dict[tuple[int, int], Tensor],
    ]:
        """What ``terms_of`` takes, of one part of a batch."""
        frames, masks = part["frames"].to(self._device), part["masks"].to(self._device)
        settings = self._configuration.vinet
        streams = _CAUSAL if settings.causal else _STREAMS
        pictures: list[Tensor] = []
        applied: list[Tensor | None] = []
        state: State | None = None
        previous: Tensor | None = None
        count = OUTPUTS if settings.recurrent else 1
        for t in range(count):
            window = [t + place for place in streams]
            seen = (frames * (1 - masks))[:, window].transpose(1, 2)
            hole = masks[:, t + REFERENCE]
            before = seen[:, :, 2] if previous is None else previous
            faded = hole if not pictures else masks[:, t + REFERENCE - 1] * self._fade
            feedback = torch.cat([before, torch.ones_like(hole).to(before), faded.to(before)], 1)
            with reduced(self._configuration, self._device):
                step = self.generator(
                    seen, masks[:, window].transpose(1, 2), feedback, state, not pictures
                )
            state = State(*(value.detach() for value in step.state))
            picture = step.image.float()
            if "unknown" in part:
                unknown = part["unknown"][:, t + REFERENCE].to(self._device)
                picture = known(picture, frames[:, t + REFERENCE], unknown)
            pictures.append(picture)
            previous = step.image.detach()
            applied.append(step.flow)
        places = [REFERENCE + t for t in range(count)]
        truths, holes = [frames[:, n] for n in places], [masks[:, n] for n in places]
        true_flows = part["flows"].to(self._device)
        pairs = ((1, 0), (2, 1), (3, 2), (2, 0), (3, 0))
        flows = {pair: true_flows[:, n] for n, pair in enumerate(pairs)} if count > 1 else {}
        return pictures, truths, holes, applied, flows

    @property
    def _fade(self) -> float:
        return _FADED if self.generator.double_size else 0.0
