"""What SAM 2 remembers of one object, and which of it a frame looks at.

Ravi et al., "SAM 2", 2024, section 4 and the published procedure. The published code keeps every
output for ever; a frame only ever looks at confirmed ones and at the nearest fifteen others, so
``Limits.reach`` lets the rest go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

NEIGHBOURS = 6
"""Frames looked at beside confirmed ones."""
POINTERS = 16
"""Most frames whose pointers are looked at, the present one among them."""
CONFIRMED = NEIGHBOURS
"""The row of the codes of time that confirmed frames have."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """One object in one frame."""

    low: Tensor
    """(s, s) logits."""
    quality: float
    """Predicted IoU."""
    presence: float
    """Logit: above 0 the object is there."""
    pointer: Tensor
    """(256,)."""
    memory: Tensor
    """(64, g, g) bfloat16."""
    trusted: bool = True
    """Whether later frames may look at it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is kept and looked at; the defaults are the published procedure."""

    looked_at: int | None = None
    """Most confirmed frames that one frame looks at, 2 at least; None: all."""
    stride: int = 1
    """Neighbours further than one frame are so many frames apart."""
    frames: int = POINTERS
    """Frames of the clip, as far as they are fewer than 16."""
    kept: int | None = None
    """Most confirmed frames kept: the first and the newest; None: all."""
    forget: bool = True
    """Let outputs go that no later frame can look at."""

    @property
    def reach(self) -> int:
        """Frames back to which one looks."""
        return max(POINTERS - 1, 2 + (NEIGHBOURS - 1) * self.stride)


@dataclass(frozen=True, slots=True)
class Looked:
    """What a frame looks at."""

    memories: list[tuple[int, Output, int]] = field(default_factory=list)
    """Frame, output, row of the codes of time."""
    pointers: list[tuple[int, Output]] = field(default_factory=list)
    """Distance in frames, output."""


@dataclass(slots=True)
class Remembered:
    """The outputs of one object, by frame."""

    limits: Limits
    confirmed: dict[int, Output] = field(default_factory=dict)
    """From prompts."""
    followed: dict[int, Output] = field(default_factory=dict)

    def confirm(self, frame: int, output: Output) -> None:
        """Keep what a prompt gave."""
        self.confirmed[frame] = output
        self.followed.pop(frame, None)
        kept = self.limits.kept
        if kept is not None and len(self.confirmed) > kept:
            del self.confirmed[list(self.confirmed)[1]]

    def follow(self, frame: int, output: Output) -> None:
        """Keep what was found in ``frame``, and let go what lies too far from it."""
        self.followed[frame] = output
        if self.limits.forget:
            reach = self.limits.reach
            trusted = [t for t, past in self.followed.items() if past.trusted][-NEIGHBOURS:]
            self.followed = {
                t: past
                for t, past in self.followed.items()
                if abs(frame - t) <= reach or t in trusted
            }

    def output(self, frame: int) -> Output | None:
        """What was said of a frame, as a person confirmed it or else as it was gone through."""
        return self.confirmed.get(frame, self.followed.get(frame))

    def seen_from(self, frame: int, backward: bool) -> Looked:
        """What ``frame`` looks at: confirmed frames of any time, and those just gone through."""
        near, rest = self._nearest(frame)
        sign = -1 if backward else 1
        memories = [(t, output, CONFIRMED) for t, output in near.items()]
        for distance in range(NEIGHBOURS, 0, -1):
            past = self._neighbour(frame, distance, sign)
            output = self.followed.get(past) or rest.get(past)
            if output is not None and output.trusted:
                memories.append((past, output, distance - 1))
        pointers = [((frame - t) * sign, o) for t, o in near.items() if (frame - t) * sign >= 0]
        for distance in range(1, min(self.limits.frames, POINTERS)):
            past = frame - sign * distance
            output = self.followed.get(past) or rest.get(past)
            if output is not None and output.trusted:
                pointers.append((distance, output))
        return Looked(memories, pointers)

    def _neighbour(self, frame: int, distance: int, sign: int) -> int:
        """The frame that stands for ``distance``."""
        if distance == 1:
            return frame - sign
        stride = self.limits.stride
        first = sign * ((sign * frame - 2) // stride * stride)
        return first - sign * (distance - 2) * stride

    def _nearest(self, frame: int) -> tuple[dict[int, Output], dict[int, Output]]:
        """Confirmed frames that ``frame`` looks at, and the others."""
        most, every = self.limits.looked_at, self.confirmed
        if most is None or len(every) <= most:
            return dict(every), {}
        before = max((t for t in every if t < frame), default=None)
        after = min((t for t in every if t >= frame), default=None)
        chosen = [t for t in (before, after) if t is not None]
        others = sorted((t for t in every if t not in chosen), key=lambda t: abs(t - frame))
        chosen += others[: most - len(chosen)]
        return {t: every[t] for t in chosen}, {t: o for t, o in every.items() if t not in chosen}
