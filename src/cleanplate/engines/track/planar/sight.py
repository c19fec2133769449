"""What a tracker believes of one object: visible, partly hidden, hidden, lost.

| state | when | mask |
|---|---|---|
| visible | more than 0.75 of the texture looks as stored | whole |
| partly hidden | the score holds and 0.12 to 0.75 looks as stored | whole |
| hidden | nothing fits, where it should be is in the picture, for at most 15 frames | empty |
| lost | hidden for longer, or outside of the picture | empty |
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.engines.track.planar.likeness import Likeness
from cleanplate.types import Visibility

POOR = 0.45  # score below which it may be better to look elsewhere
DOUBTFUL = 0.72  # letters that took their neighbours' places score up to this: look now and then
SURE = 0.80  # score that a look-alike hardly reaches
CLEAR = 0.92  # correlation that the clearest part of a half covered thing reaches
DOUBTS = 5  # frames in a row in which a thing may look unlike itself: blur passes
PATIENCE = 15  # frames hidden before an object is given up where it was
EAGER = 10  # frames in which a missing object is searched without a pause
PAUSE = 2  # frames from one search to the next after that
LONG_PAUSE = 8  # frames from one search to the next while what is seen is doubtful


def convinces(likeness: Likeness) -> bool:
    """Whether a look-alike would hardly look so."""
    return likeness.score >= SURE or likeness.clearest >= CLEAR


@dataclass(slots=True, eq=False)
class Sight:
    """The state of one object, moved by ``judge`` once a frame."""

    visibility: Visibility = Visibility.VISIBLE
    confidence: float = 1.0
    visible: float = 1.0
    """0..1, share of the object that looked as stored when it was last seen."""
    missing: int = 0
    """Frames since it was last seen."""
    poor: int = 0
    """Frames in a row in which it was seen, but doubtfully."""
    doubts: int = 0
    """Frames in a row in which no part of it looked right."""
    candidate: np.ndarray | None = None
    """A pose (3, 3) that looked right once after the object was lost; believed if it holds."""

    @property
    def sees(self) -> bool:
        return self.visibility in (Visibility.VISIBLE, Visibility.PARTLY_HIDDEN)

    def forget(self) -> None:
        """A cut: whatever was known of the place holds no longer."""
        self.visibility, self.missing, self.candidate = Visibility.LOST, 0, None

    def leave(self) -> None:
        """The object's place is outside of the picture."""
        self.visibility = Visibility.LOST

    def wants_search(self, score: float) -> bool:
        """Whether the whole picture is worth searching, at ``score`` for the best guess so far."""
        if self.sees:
            if self.doubts:
                return score < SURE and self.doubts % PAUSE == 0
            return score < DOUBTFUL and self.poor % (PAUSE if score < POOR else LONG_PAUSE) == 0
        return score < DOUBTFUL and (self.missing < EAGER or self.missing % PAUSE == 0)

    def judge(self, likeness: Likeness, inliers: int, pose: np.ndarray) -> None:
        """Take the frame's best guess into account."""
        accepted = self._accepts(likeness, inliers, pose)
        inside = likeness.inside
        if accepted and likeness.visible >= 0.12 and inside > 0.05:
            share = likeness.visible * inside
            whole = share > 0.75
            self.visibility = Visibility.VISIBLE if whole else Visibility.PARTLY_HIDDEN
            self.confidence, self.visible, self.missing = likeness.score, likeness.visible, 0
            self.poor = self.poor + 1 if likeness.score < DOUBTFUL else 0
            self.doubts = 0 if convinces(likeness) else self.doubts + 1
            self.candidate = None
            return
        self.missing += 1
        self.confidence = min(max(likeness.score, 0.0), 0.3)
        if self.visibility is not Visibility.LOST:
            hidden = self.missing <= PATIENCE
            self.visibility = Visibility.HIDDEN if hidden else Visibility.LOST

    def _accepts(self, likeness: Likeness, inliers: int, pose: np.ndarray) -> bool:
        score, visible = likeness.score, likeness.visible
        if self.sees:
            return score >= 0.30 and (convinces(likeness) or self.doubts < DOUBTS)
        if not convinces(likeness):
            return False
        if self.visibility is Visibility.HIDDEN:
            return score > 0.5 or (score > 0.35 and inliers >= 12)
        if score > 0.75 and visible > 0.85:
            return True
        # Lost for long, a look-alike is more likely than the thing itself: it must hold twice.
        right = score > 0.6 and visible > 0.75
        held = right and self.candidate is not None
        self.candidate = pose if right else None
        return held

    def state(self) -> dict[str, np.ndarray]:
        candidate = np.zeros((0, 3)) if self.candidate is None else self.candidate
        return {
            "visibility": np.array(list(Visibility).index(self.visibility)),
            "numbers": np.array(
                [self.confidence, self.visible, self.missing, self.poor, self.doubts]
            ),
            "candidate": candidate,
        }

    @classmethod
    def restore(cls, state: dict[str, np.ndarray]) -> Sight:
        confidence, visible, missing, poor, doubts = (float(n) for n in state["numbers"])
        candidate = state["candidate"] if len(state["candidate"]) else None
        visibility = list(Visibility)[int(state["visibility"])]
        return cls(visibility, confidence, visible, int(missing), int(poor), int(doubts), candidate)
