"""In which order VINet sees a shot, and which frames stand beside which."""

from __future__ import annotations

from dataclasses import dataclass

STRIDE = 3
REACH = 2 * STRIDE  # frames to each side


@dataclass(frozen=True, slots=True)
class Order:
    """The steps of a shot: its first frames backwards, to warm the recurrence up, then the shot.

    The authors' demo takes 30 frames for that and looks 6 frames ahead. Its rule for the end of a
    clip, which is to mirror, serves at every frame when less may be known of what comes.
    """

    lookahead: int
    pre_roll: int

    def frame(self, step: int) -> int:
        """The frame that is the reference of ``step``, counted from the shot's first."""
        return self.pre_roll - 1 - step if step < self.pre_roll else step - self.pre_roll

    def steps(self, frames: int) -> int:
        """How many steps a shot of so many frames takes."""
        return self.pre_roll + frames

    def neighbours(self, step: int, steps: int) -> tuple[int, int, int, int]:
        """The frames that stand for t-6, t-3, t+3 and t+6 at ``step`` of ``steps``."""
        known = min(step + self.lookahead, steps - 1)
        wanted = (step - REACH, step - STRIDE, step + STRIDE, step + REACH)
        m2, m1, p1, p2 = (self.frame(self._mirrored(w, known)) for w in wanted)
        return m2, m1, p1, p2

    def _mirrored(self, step: int, known: int) -> int:
        step = known - abs(known - step)
        # To mirror at the beginning is to look ahead; without leave to do so the first one stays.
        first = abs(step) if self.lookahead >= REACH else max(step, 0)
        return min(first, known)
