"""One object followed by SiamMask and outlined by HQ-SAM: each is believed as far as the other.

HQ-SAM's outline is taken when HQ-SAM is sure of it, when it lies where SiamMask sees the object,
and when it has not shrunk at once. It then also is the object's place and size from which SiamMask
goes on. Otherwise SiamMask's own outline stays, with a confidence that says so; where neither is
sure, the object counts as gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.masks import deepest
from cleanplate.engines.track.shared.siammask.follower import Sighting
from cleanplate.engines.track.shared.siammask.geometry import Place, place_of, rotated_box
from cleanplate.engines.track.siammask_hq.outline import (
    Outline,
    Outliner,
    Point,
    span_of,
)

if TYPE_CHECKING:
    from cleanplate.engines.track.shared.siammask.quarry import Looker
    from cleanplate.engines.track.siammask_hq.settings import SiamMaskHqSettings


@dataclass(frozen=True, slots=True)
class Known:
    """What is remembered of an object's outline in the frame last seen."""

    area: float
    """In px; the next one is compared with it."""
    inside: Point
    """The place deepest inside it."""


Crowd = dict[int, Known]
"""The objects that were seen in the frame last seen, by id; shared by all of one clip."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged(Sighting):
    """A sighting whose score says how sure both networks are."""

    area: float
    """With which the next outline is compared."""


class HqFollower:
    """One object in one direction of time; what ``Follower`` is to ``Quarry``."""

    def __init__(
        self,
        follower: Looker,
        outliner: Outliner,
        settings: SiamMaskHqSettings,
        number: int,
        crowd: Crowd,
    ) -> None:
        """Args: ``number`` is the object's id, under which ``crowd`` knows it once it is seen."""
        self._follower, self._outliner, self._settings = follower, outliner, settings
        self._number, self._crowd = number, crowd

    @property
    def place(self) -> Place:
        return self._follower.place

    def learn(self, mask: np.ndarray) -> None:
        """Remember the outline ``mask`` (H, W) bool, which is not empty."""
        self._crowd[self._number] = Known(float(np.count_nonzero(mask)), deepest(mask))

    def look(
        self,
        image: np.ndarray,
        outline: bool = True,
        around: tuple[float, float] | None = None,
    ) -> Judged:
        """See ``Follower.look``. What is not accepted after it is forgotten."""
        known = self._crowd.pop(self._number, None)
        seen = self._follower.look(image, outline, around)
        # What is being searched must be seen surely to be worth HQ-SAM's time.
        worth = self._settings.sure_above if known is None else self._settings.lost_below
        if seen.score < worth:
            return _judged(seen, seen.score, _area(seen))
        inside = None if known is None else _moved(known.inside, self.place, seen.place)
        others = [other.inside for _, other in sorted(self._crowd.items())]
        found = self._outliner.outline(image, seen.place, inside, others)
        return self._weighed(seen, found, known)

    def accept(self, sighting: Sighting) -> None:
        """Go on from there."""
        self._follower.accept(sighting)
        area = sighting.area if isinstance(sighting, Judged) else _area(sighting)
        self._crowd[self._number] = Known(area, deepest(sighting.mask))

    def state(self) -> dict[str, np.ndarray]:
        known = self._crowd.get(self._number)
        values = [] if known is None else [known.area, *known.inside]
        return self._follower.state() | {"known": np.array(values, np.float64)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Remember what ``state`` returned; the follower given is restored already."""
        if len(state["known"]):
            area, x, y = state["known"].tolist()
            self._crowd[self._number] = Known(area, (x, y))

    def _weighed(self, seen: Sighting, found: Outline, known: Known | None) -> Judged:
        limits = self._settings
        trust = min(found.quality, found.stability) if found.area else 0.0
        clear = (
            found.area > 0
            and found.quality >= limits.least_quality
            and found.stability >= limits.least_stability
        )
        fell = known is not None and found.area * limits.fall < known.area
        if clear and not fell and _overlap(found, seen.place) >= limits.agreement:
            height, width = found.mask.shape
            place = place_of(found.mask)
            return Judged(
                place.clamped(width, height),
                min(seen.score, found.quality),
                found.mask,
                found.probability,
                rotated_box(found.mask, place),
                seen.cell,
                found.area,
            )
        if not clear and seen.score < limits.sure_above:
            confidence = seen.score * trust
        else:
            # One of them is sure: the object is there, and a person should look at its outline.
            between = (limits.sure_above - limits.lost_below) * trust / 2
            confidence = min(seen.score, limits.lost_below + between)
        return _judged(seen, confidence, self._next_area(seen, fell, known))

    def _next_area(self, seen: Sighting, fell: bool, known: Known | None) -> float:
        """After a doubtful frame; what really is so small is believed after some of them."""
        if known is None:
            return _area(seen)
        return known.area / self._settings.fall if fell else known.area


def _judged(seen: Sighting, confidence: float, area: float) -> Judged:
    """SiamMask's own outline; where it meets another's, the surer one has the pixel."""
    share = confidence / seen.score if seen.score else 0.0
    strength = np.where(seen.mask, seen.probability * np.float32(share), seen.probability)
    return Judged(seen.place, confidence, seen.mask, strength, seen.box, seen.cell, area)


def _area(sighting: Sighting) -> float:
    return float(np.count_nonzero(sighting.mask))


def _moved(point: Point, before: Place, now: Place) -> Point:
    """Where a point of an object is when its box has moved and grown."""
    return (
        now.x + (point[0] - before.x) * now.width / before.width,
        now.y + (point[1] - before.y) * now.height / before.height,
    )


def _overlap(found: Outline, place: Place) -> float:
    """IoU of the box around an outline that is not empty with the box at ``place``."""
    one, other = span_of(place_of(found.mask)), span_of(place)
    both = one.common(other).area
    return both / (one.area + other.area - both)
