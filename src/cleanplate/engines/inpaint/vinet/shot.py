"""One shot on its way through VINet: what it remembers, and what it need not compute again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from cleanplate.engines.inpaint.vinet.order import REACH, Order
from cleanplate.engines.inpaint.vinet.pictures import Scale, moved, tensors
from cleanplate.networks.vinet.layers import Features, State
from cleanplate.networks.vinet.vinet import VINet
from cleanplate.types import MaskedFrame

_AGED = 0.5  # the mask channel of a previous output, where the 512 weights know one


class Filled(NamedTuple):
    """One step."""

    masked: MaskedFrame
    image: Tensor | None
    """(1, 3, rows, columns), as the network gives it; None where nothing was to be filled."""
    rehearsal: bool
    """A step of the pre-roll."""


def run(
    frames: Iterable[MaskedFrame], order: Order, scale: Scale, network: VINet, remember: bool
) -> Iterator[Filled]:
    """Every step of one shot.

    Args:
        frames: of the shot, drawn as far ahead as ``order`` needs.
        order: of the steps. A shot shorter than the pre-roll is rehearsed as far as it goes.
        scale: between pictures and the network's.
        network: evaluated, nothing in it changes.
        remember: carry the ConvLSTM's state, which the authors' demo does not.
    """
    source = _Source(frames)
    if order.pre_roll and not (source.known(0) and source.held[0].mask.any()):
        # A clear first frame leaves no trace of what was rehearsed before it.
        order = Order(order.lookahead, 0)
    order = Order(order.lookahead, min(order.pre_roll, source.known(order.pre_roll - 1)))
    memory = _Memory(network, scale, remember)
    step = 0
    while source.known(order.frame(step)) > order.frame(step):
        masked = source.held[order.frame(step)]
        furthest = max(step, order.pre_roll - 1) + order.lookahead
        steps = order.steps(source.known(order.frame(furthest)))
        image = None
        if masked.mask.any():
            image = memory.step(masked, source.numbered(order.neighbours(step, steps)))
        else:
            memory.skip(masked)
        yield Filled(masked, image, step < order.pre_roll)
        del masked
        step += 1
        memory.forget_but({order.frame(n) for n in _around(step, steps)})
        if step >= order.pre_roll:
            source.drop_before(order.frame(step) - REACH)


def _around(step: int, steps: int) -> range:
    return range(max(step - REACH, 0), min(step + REACH, steps))


class _Source:
    """The frames of a shot by their number in it, drawn when asked for."""

    def __init__(self, frames: Iterable[MaskedFrame]) -> None:
        self._frames = iter(frames)
        self.held: dict[int, MaskedFrame] = {}
        self._count = 0

    def known(self, number: int) -> int:
        """How many frames there are, counted as far as frame ``number``."""
        while self._count <= number and (masked := next(self._frames, None)) is not None:
            self.held[self._count] = masked
            self._count += 1
        return self._count

    def numbered(self, numbers: Iterable[int]) -> list[tuple[int, MaskedFrame]]:
        return [(n, self.held[n]) for n in numbers]

    def drop_before(self, number: int) -> None:
        for old in [n for n in self.held if n < number]:
            del self.held[old]


class _Memory:
    """The previous image, the ConvLSTM's state, and the features of the frames around."""

    def __init__(self, network: VINet, scale: Scale, remember: bool) -> None:
        self._network, self._scale, self._remember = network, scale, remember
        self._like = next(network.parameters())
        self._features: dict[int, Features] = {}
        self._previous: tuple[Tensor, Tensor] | MaskedFrame | None = None
        self._origin = (0, 0)
        self._state: State | None = None

    @torch.inference_mode()
    def step(self, masked: MaskedFrame, neighbours: list[tuple[int, MaskedFrame]]) -> Tensor:
        """The raw image of ``masked``, from itself, the numbered ``neighbours`` and the past."""
        before, self._origin = self._origin, masked.origin
        if before != self._origin:
            # A region that moved shows other things at the same place: nothing fits any more but
            # the previous image, which moves along.
            self._features.clear()
            self._state = None
        own = self._input(masked)
        reference = self._network.encoder1(own)
        previous, feedback = self._feedback(own, self._scale.shift(before, self._origin))
        sources = [self._source(number, one) for number, one in neighbours]
        sources.append(self._network.encoder2(feedback))
        result = self._network.step(reference, sources, previous, self._state)
        self._previous = result.image, own[:, 4:]
        self._state = result.state if self._remember else None
        return result.image

    def skip(self, masked: MaskedFrame) -> None:
        """Nothing is to be filled: the frame itself is the best previous image."""
        self._previous, self._state = masked, None

    def forget_but(self, numbers: set[int]) -> None:
        """Keep the features of the frames with these numbers alone."""
        self._features = {n: self._features[n] for n in self._features.keys() & numbers}

    def _feedback(self, own: Tensor, shift: tuple[int, int]) -> tuple[Tensor | None, Tensor]:
        """The previous image, and the input that is made of it."""
        if self._previous is None:
            return None, own
        if isinstance(self._previous, MaskedFrame):
            feedback = self._input(self._previous)
            return feedback[:, :3], feedback
        image, mask = self._previous
        image = moved(image, shift, own[:, :3])
        mask = moved(mask, shift, own[:, 4:]) * (_AGED if self._network.double_size else 0)
        return image, torch.cat([image, torch.ones_like(mask), mask], 1)

    def _input(self, masked: MaskedFrame) -> Tensor:
        return tensors(*self._scale.picture(masked, self._origin), self._like)

    def _source(self, number: int, masked: MaskedFrame) -> Features:
        if number not in self._features:
            features = self._network.encoder2(self._input(masked))
            # Only the previous image is warped at full resolution.
            self._features[number] = features._replace(s1=features.s1.new_empty(0))
        return self._features[number]
