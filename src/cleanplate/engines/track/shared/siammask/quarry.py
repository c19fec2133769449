"""One object that may be hidden, lost, and found again.

The published tracker has no notion of absence: it goes on from the likest place, and with the
size that it has there. Here a place is taken only while its score says that it is the object; else
the last sure place and size stay, and the picture is searched, some places a frame, nearest first,
until one is sure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np

from cleanplate.engines.track.shared.siammask.follower import Sighting
from cleanplate.engines.track.shared.siammask.geometry import Place, search_side
from cleanplate.types import ObjectState, Visibility

if TYPE_CHECKING:
    from cleanplate.engines.track.shared.siammask.settings import SiamMaskSettings

_PATIENCE = 12  # frames for which a thing counts as hidden before it counts as lost
_LOOKS = 3  # places that are searched in a frame, the last one apart
_LOOKS_AFTER_CUT = 12  # in the first frame of a shot


class Looker(Protocol):
    """Looks for one object; see ``Follower``."""

    @property
    def place(self) -> Place: ...

    def look(
        self,
        image: np.ndarray,
        outline: bool = True,
        around: tuple[float, float] | None = None,
    ) -> Sighting: ...

    def accept(self, sighting: Sighting) -> None: ...

    def state(self) -> dict[str, np.ndarray]: ...


class Quarry:
    """One object in one direction of time."""

    def __init__(
        self, settings: SiamMaskSettings, follower: Looker, missed: int = 0, looked: int = 0
    ) -> None:
        """
        Args:
            settings: of the engine.
            follower: of the object.
            missed: frames since it was seen last.
            looked: places searched since then.
        """
        self._settings, self._follower = settings, follower
        self._missed, self._looked = missed, looked
        self._confidence = 1.0

    def step(self, image: np.ndarray, cut: bool) -> tuple[np.ndarray, np.ndarray]:
        """Follow into ``image`` (H, W, 3) uint8 RGB, the first of a shot when ``cut``.

        Returns:
            (H, W) bool, what it covers, nothing when it is hidden; (H, W) float32, how sure that
            is at each pixel.
        """
        sighting = self._sight(image, cut)
        self._confidence = sighting.score
        covered = self._covered(sighting, image.shape[:2])
        gone = sighting.score < self._needed(cut) or not covered.any()
        if gone:
            self._missed += 1
            nothing = np.zeros(image.shape[:2], bool)
            return nothing, nothing.astype(np.float32)
        self._follower.accept(sighting)
        self._missed = self._looked = 0
        if self._settings.shape == "mask":
            return covered, sighting.probability
        return covered, np.full(image.shape[:2], sighting.score, np.float32)

    def report(self, number: int, seen: bool) -> ObjectState:
        """What was made of the object in the frame last seen; ``seen``: a pixel of it was left."""
        return ObjectState(number, self._confidence, self._visibility(seen))

    def state(self) -> dict[str, np.ndarray]:
        return self._follower.state() | {"lost": np.array([self._missed, self._looked])}

    @classmethod
    def restore(
        cls, settings: SiamMaskSettings, follower: Looker, state: dict[str, np.ndarray]
    ) -> Quarry:
        """The one whose ``state`` this was; ``follower`` is restored already."""
        missed, looked = state["lost"].tolist()
        return cls(settings, follower, missed, looked)

    def _visibility(self, seen: bool) -> Visibility:
        if self._missed > _PATIENCE:
            return Visibility.LOST
        if self._missed or not seen:
            return Visibility.HIDDEN
        if self._confidence < self._settings.sure_above:
            return Visibility.PARTLY_HIDDEN
        return Visibility.VISIBLE

    def _needed(self, cut: bool) -> float:
        """The score that a place must have: more after the object was gone."""
        if self._settings.lost_below == 0:
            return 0
        searching = cut or self._missed > 0
        return self._settings.sure_above if searching else self._settings.lost_below

    def _sight(self, image: np.ndarray, cut: bool) -> Sighting:
        outline = self._settings.shape != "box"
        best = self._follower.look(image, outline)
        needed = self._needed(cut)
        if best.score >= needed or not (cut or self._missed):
            return best
        places = self._places(image)
        looks = min(_LOOKS_AFTER_CUT if cut else _LOOKS, len(places))
        for _ in range(looks):
            around = places[self._looked % len(places)]
            self._looked += 1
            other = self._follower.look(image, outline, around)
            best = max(best, other, key=lambda sighting: sighting.score)
            if best.score >= needed:
                break
        return best

    def _places(self, image: np.ndarray) -> list[tuple[float, float]]:
        """Middles of search regions that cover the picture, nearest to the last place first."""
        last = self._follower.place
        step = max(search_side(last) / 2, 16)
        height, width = image.shape[:2]
        columns, rows = (
            (np.arange(max(round(side / step), 1)) + 0.5) * (side / max(round(side / step), 1))
            for side in (width, height)
        )
        grid = [(float(x), float(y)) for y in rows for x in columns]
        return sorted(grid, key=lambda at: (at[0] - last.x) ** 2 + (at[1] - last.y) ** 2)

    def _covered(self, sighting: Sighting, size: tuple[int, ...]) -> np.ndarray:
        if self._settings.shape == "mask":
            return sighting.mask
        canvas = np.zeros(size, np.uint8)
        if self._settings.shape == "rotated box":
            cv2.fillConvexPoly(canvas, np.round(sighting.box).astype(np.int32), 1)
        else:
            x0, y0, x1, y1 = (round(max(float(v), 0)) for v in sighting.place.corners[[0, 2]].flat)
            canvas[y0:y1, x0:x1] = 1
        return canvas != 0
