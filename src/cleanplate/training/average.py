"""A running mean of weights: it fills more calmly than the weights of any one step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from torch import Tensor, nn


class Average:
    """The exponential mean of a network's weights and buffers."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        """
        Args:
            network: whose weights are followed, from what they are now.
            decay: 0..1, of the mean with each step; 0 keeps the weights themselves.
        """
        self._network, self._decay = network, decay
        self._mean = {name: value.clone() for name, value in self._current().items() if decay}

    def _current(self) -> dict[str, Tensor]:
        return {name: value.detach() for name, value in self._network.state_dict().items()}

    def follow(self, step: int) -> None:
        """Take the weights after ``step`` into the mean; early on it forgets faster."""
        decay = min(self._decay, (1 + step) / (10 + step))
        current = self._current()
        for name, mean in self._mean.items():
            if mean.is_floating_point():
                mean.lerp_(current[name], 1 - decay)
            else:
                mean.copy_(current[name])

    def state(self) -> dict[str, Tensor]:
        """The mean, or the weights themselves, by the network's keys: what is kept for use."""
        return self._mean or self._current()

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Go on from ``state``."""
        for name, mean in self._mean.items():
            mean.copy_(state[name])

    @contextlib.contextmanager
    def in_use(self) -> Iterator[None]:
        """The network has the mean for its weights inside of it."""
        kept = {name: value.clone() for name, value in self._current().items()}
        try:
            self._network.load_state_dict(self.state())
            yield
        finally:
            self._network.load_state_dict(kept)
