"""Training by several processes (``torchrun``): each computes its part of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterable

import torch
from torch import Tensor, distributed, nn


class Processes:
    """This process among those of a run; one alone where ``torchrun`` did not start it."""

    def __init__(self, device: torch.device) -> None:
        self.count, self.rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
        self._device = device
        if self.count > 1:
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")

    @property
    def is_first(self) -> bool:
        """Whether this one writes what is kept."""
        return self.rank == 0

    def mean(self, value: Tensor) -> Tensor:
        """The mean of all processes' ``value``."""
        if self.count == 1:
            return value
        total = value.detach().clone()
        distributed.all_reduce(total)
        return total / self.count

    def any(self, here: bool) -> bool:
        """Whether it is so in one of the processes, so that all go the same way."""
        if self.count == 1:
            return here
        said = torch.tensor(float(here), device=self._device)
        distributed.all_reduce(said)
        return bool(said > 0)

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Give all processes the mean of their gradients."""
        if self.count == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        together /= self.count
        for gradient, mean in zip(
            gradients, together.split([g.numel() for g in gradients]), strict=True
        ):
            gradient.copy_(mean.view_as(gradient))

    def close(self) -> None:
        """Leave the others."""
        if self.count > 1:
            distributed.destroy_process_group()
