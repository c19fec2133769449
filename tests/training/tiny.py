"""A network of one layer, to train in milliseconds: what is tested with it is the loop."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cleanplate.training.configuration import Configuration, DataSettings, OptimiserSettings
from cleanplate.training.processes import Processes
from cleanplate.training.recipes import Outcome, Part, Rule, at_rest, mean_figures


def configuration(folder: Path, **changes: Any) -> Configuration:
    data = DataSettings(
        generated=1.0, width=32, height=32, local_frames=2, reference_frames=1, workers=0
    )
    plain = Configuration(
        folder=str(folder),
        steps=6,
        batch=4,
        save_every=2,
        log_every=1,
        data=data,
        optimiser=OptimiserSettings(learning_rate=0.01, milestones=(4,)),
    )
    return replace(plain, **changes)


class Tiny:
    """Paints holes by a convolution; ``broken_at`` makes a gradient that is no number."""

    broken_at: tuple[int, ...] = ()

    def __init__(self, configuration: Configuration, device: torch.device, processes: Processes):
        self.network = nn.Conv2d(4, 3, 3, padding=1)
        self.modules: dict[str, nn.Module] = {"generator": self.network}
        groups = [{"params": list(self.network.parameters())}]
        self.rules = {"generator": Rule(groups, configuration.optimiser, processes)}
        self.taken = 0

    def step(self, parts: list[Part]) -> Outcome:
        rule, figures = self.rules["generator"], []
        rule.begin()
        for part in parts:
            pictures, frames = self._paint(part)
            loss = (pictures - frames).abs().mean()
            if self.taken in self.broken_at:
                loss = loss / torch.zeros(())
            (loss / len(parts)).backward()
            figures.append({"total": loss.item()})
        self.taken += 1
        norm, is_finite = rule.take()
        failed = "" if is_finite else f"the gradients are {norm}"
        return Outcome(mean_figures(figures) | {"gradient": norm}, failed)

    def fill(self, part: Part) -> tuple[Tensor, Tensor, Tensor]:
        with at_rest(self.modules):
            pictures, frames = self._paint(part)
        masks = part["masks"].flatten(0, 1)
        return frames * (1 - masks) + masks * pictures, frames, masks

    def _paint(self, part: Part) -> tuple[Tensor, Tensor]:
        frames, masks = part["frames"].flatten(0, 1), part["masks"].flatten(0, 1)
        return self.network(torch.cat([frames * (1 - masks), masks], 1)), frames
