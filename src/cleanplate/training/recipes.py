"""What a step of training is: which networks, which optimisers, which losses in which order."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import MultiStepLR

from cleanplate.training.configuration import Configuration, OptimiserSettings
from cleanplate.training.processes import Processes

Part = Mapping[str, Any]
"""A part of a batch: what ``data.Samples`` gives, stacked."""


@dataclass(slots=True)
class Outcome:
    """Of one step."""

    figures: dict[str, float]
    """Losses by name, the norm of all gradients as ``gradient``."""
    failed: str = ""
    """Why nothing was changed, as a clause; empty where the step was taken."""


class Recipe(Protocol):
    """How a network is trained."""

    modules: dict[str, nn.Module]
    """All that learns, by name. ``generator`` is what is trained for use, by its published keys."""
    rules: dict[str, Rule]
    """How each of them learns."""

    def step(self, parts: list[Part]) -> Outcome:
        """Learn from one batch, in parts."""
        ...

    def fill(self, part: Part) -> tuple[Tensor, Tensor, Tensor]:
        """Filled frames, true ones, (n, 3, H, W) in -1..1, and holes (n, 1, H, W); no gradients."""
        ...


class Rule:
    """Adam with its schedule, and what keeps a step that is not finite from being taken."""

    def __init__(
        self,
        groups: list[dict[str, Any]],
        settings: OptimiserSettings,
        processes: Processes,
    ) -> None:
        betas = (float(settings.beta1), float(settings.beta2))
        self.optimiser: Optimizer = Adam(groups, settings.learning_rate, betas)
        self.schedule = MultiStepLR(self.optimiser, list(settings.milestones), settings.gamma)
        self._clip, self._processes = settings.clip, processes
        self.parameters = [p for group in self.optimiser.param_groups for p in group["params"]]

    def begin(self) -> None:
        """Forget the gradients."""
        self.optimiser.zero_grad(set_to_none=True)

    def take(self) -> tuple[float, bool]:
        """The norm of all gradients, and whether they were finite, so that the step was taken."""
        self._processes.average_gradients(self.parameters)
        most = self._clip or math.inf
        norm = float(nn.utils.clip_grad_norm_(self.parameters, most))
        if math.isfinite(norm):
            self.optimiser.step()
        return norm, math.isfinite(norm)

    def state(self) -> dict[str, Any]:
        """All that the next step depends on."""
        return {"optimiser": self.optimiser.state_dict(), "schedule": self.schedule.state_dict()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from ``state``."""
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])


def known(pictures: Tensor, truths: Tensor, unknown: Tensor) -> Tensor:
    """``pictures``, and the truth where ``unknown`` is 1: from there nothing is to be learned.

    Args:
        pictures, truths: (..., 3, H, W).
        unknown: (..., 1, H, W).
    """
    return torch.where(unknown > 0, truths, pictures)


@contextlib.contextmanager
def at_rest(modules: Mapping[str, nn.Module]) -> Iterator[None]:
    """Without gradients, as in use; back to training afterwards."""
    for module in modules.values():
        module.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in modules.values():
            module.train()


def reduced(configuration: Configuration, device: torch.device) -> torch.autocast:
    """Networks compute in bfloat16 inside of it where the configuration says so."""
    is_reduced = configuration.precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=is_reduced)


def mean_figures(figures: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each figure over the parts of a batch; none of none."""
    if not figures:
        return {}
    return {name: sum(part[name] for part in figures) / len(figures) for name in figures[0]}
