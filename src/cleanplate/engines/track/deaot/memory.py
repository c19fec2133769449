"""What DeAOT remembers of a clip: confirmed frames for good, sampled ones in a ring.

The published code keeps every sampled frame, so that memory and time grow with the clip. Here the
frames that a person confirmed stay, and of the others the newest few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cleanplate.networks.aot.aot import Memory
    from cleanplate.networks.aot.layers import KeyValue


@dataclass(slots=True)
class Remembered:
    """The memory of one group of objects."""

    ring: int
    """Most sampled frames that are kept."""
    confirmed_limit: int
    """Most confirmed frames: the first and the newest stay."""
    confirmed: list[list[KeyValue]] = field(default_factory=list)
    """For each confirmed frame what each layer keeps of it."""
    sampled: list[list[KeyValue]] = field(default_factory=list)
    short: list[KeyValue] | None = None
    """The frame before."""
    since: int = 0
    """Frames since one joined the long-term memory."""
    _joined: list[KeyValue] | None = None

    def confirm(self, frame: list[KeyValue]) -> None:
        """A frame that a person vouched for."""
        self.confirmed.append(frame)
        if len(self.confirmed) > self.confirmed_limit:
            del self.confirmed[1]
        self.short, self.since, self._joined = frame, 0, None

    def pass_on(self, frame: list[KeyValue], sample: bool) -> None:
        """The frame just decoded; ``sample``: it also joins the long-term memory."""
        self.short = frame
        if sample:
            self.sampled = [*self.sampled, frame][-self.ring :] if self.ring else []
            self.since, self._joined = 0, None

    def reading(self) -> Memory:
        """For each layer what it reads: all of the long-term memory, and the frame before."""
        assert self.short is not None, "a group begins with a confirmed frame"
        if self._joined is None:
            self._joined = _concatenated([*self.confirmed, *self.sampled])
        return list(zip(self._joined, self.short, strict=True))

    @property
    def tokens(self) -> int:
        """Of the long-term memory."""
        return sum(frame[0].key.shape[1] for frame in (*self.confirmed, *self.sampled))


def _concatenated(frames: Sequence[list[KeyValue]]) -> list[KeyValue]:
    import torch

    if len(frames) == 1:
        return frames[0]
    return [
        type(layers[0])(
            torch.cat([one.key for one in layers], dim=1),
            torch.cat([one.value for one in layers], dim=1),
        )
        for layers in zip(*frames, strict=True)
    ]
