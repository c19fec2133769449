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
from cleanplate.engines.track.shared.siammask.detector import Detection
from cleanplate.engines.track.shared.siammask.geometry import Place, place_of, rotated_box
from cleanplate.engines.track.siammask_hq.outline import (
    Outline,
    Outliner,
    Point,
    span_of,
)

if TYPE_CHECKING:
    from cleanplate.engines.track.shared.siammask.target import ObjectDetector
    from cleanplate.engines.track.siammask_hq.settings import SiamMaskHqSettings


@dataclass(frozen=True, slots=True)
class LastOutline:
    """What is remembered of an object's outline in the frame last seen."""

    area: float
    """In px; the next one is compared with it."""
    inside: Point
    """The place deepest inside it."""


LastOutlines = dict[int, LastOutline]
"""The objects that were seen in the frame last seen, by id; shared by all of one clip."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckedDetection(Detection):
    """A detection whose score says how sure both networks are."""

    area: float
    """With which the next outline is compared."""


class HqDetector:
    """One object in one direction of time; what ``Detector`` is to ``Target``."""

    def __init__(
        self,
        detector: ObjectDetector,
        outliner: Outliner,
        settings: SiamMaskHqSettings,
        number: int,
        last_outlines: LastOutlines,
    ) -> None:
        """Args: ``number`` is the object's id, under which ``last_outlines`` knows it once it is
        seen."""
        self._detector, self._outliner, self._settings = detector, outliner, settings
        self._number, self._last_outlines = number, last_outlines

    @property
    def place(self) -> Place:
        """The upright box that was accepted last."""
        return self._detector.place

    def learn(self, mask: np.ndarray) -> None:
        """Remember the outline ``mask`` (H, W) bool, which is not empty."""
        self._last_outlines[self._number] = LastOutline(
            float(np.count_nonzero(mask)), deepest(mask)
        )

    def detect(
        self,
        image: np.ndarray,
        outline: bool = True,
        around: tuple[float, float] | None = None,
    ) -> CheckedDetection:
        """See ``Detector.detect``. What is not accepted after it is forgotten."""
        last = self._last_outlines.pop(self._number, None)
        detection = self._detector.detect(image, outline, around)
        # What is being searched must be seen surely to be worth HQ-SAM's time.
        worth = self._settings.sure_above if last is None else self._settings.lost_below
        if detection.score < worth:
            return _judged(detection, detection.score, _area(detection))
        inside = None if last is None else _moved(last.inside, self.place, detection.place)
        inside_others = [
            last_of_other.inside for _, last_of_other in sorted(self._last_outlines.items())
        ]
        outlined = self._outliner.outline(image, detection.place, inside, inside_others)
        return self._weighed(detection, outlined, last)

    def accept(self, detection: Detection) -> None:
        """Go on from there."""
        self._detector.accept(detection)
        area = detection.area if isinstance(detection, CheckedDetection) else _area(detection)
        self._last_outlines[self._number] = LastOutline(area, deepest(detection.mask))

    def state(self) -> dict[str, np.ndarray]:
        """All that ``restore`` needs, SiamMask's state included."""
        last = self._last_outlines.get(self._number)
        values = [] if last is None else [last.area, *last.inside]
        return self._detector.state() | {"known": np.array(values, np.float64)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Remember what ``state`` returned; the detector given is restored already."""
        if len(state["known"]):
            area, x, y = state["known"].tolist()
            self._last_outlines[self._number] = LastOutline(area, (x, y))

    def _weighed(
        self, detection: Detection, outline: Outline, last: LastOutline | None
    ) -> CheckedDetection:
        limits = self._settings
        trust = min(outline.quality, outline.stability) if outline.area else 0.0
        clear = (
            outline.area > 0
            and outline.quality >= limits.least_quality
            and outline.stability >= limits.least_stability
        )
        fell = last is not None and outline.area * limits.fall < last.area
        if clear and not fell and _overlap(outline, detection.place) >= limits.agreement:
            height, width = outline.mask.shape
            place = place_of(outline.mask)
            return CheckedDetection(
                place.clamped(width, height),
                min(detection.score, outline.quality),
                outline.mask,
                outline.probability,
                rotated_box(outline.mask, place),
                detection.cell,
                outline.area,
            )
        if not clear and detection.score < limits.sure_above:
            confidence = detection.score * trust
        else:
            # One of them is sure: the object is there, and a person should look at its outline.
            between = (limits.sure_above - limits.lost_below) * trust / 2
            confidence = min(detection.score, limits.lost_below + between)
        return _judged(detection, confidence, self._next_area(detection, fell, last))

    def _next_area(self, detection: Detection, fell: bool, last: LastOutline | None) -> float:
        """After a doubtful frame; what really is so small is believed after some of them."""
        if last is None:
            return _area(detection)
        return last.area / self._settings.fall if fell else last.area


def _judged(detection: Detection, confidence: float, area: float) -> CheckedDetection:
    """SiamMask's own outline; where it meets another's, the surer one has the pixel."""
    share = confidence / detection.score if detection.score else 0.0
    strength = np.where(
        detection.mask, detection.probability * np.float32(share), detection.probability
    )
    return CheckedDetection(
        detection.place, confidence, detection.mask, strength, detection.box, detection.cell, area
    )


def _area(detection: Detection) -> float:
    return float(np.count_nonzero(detection.mask))


def _moved(point: Point, before: Place, after: Place) -> Point:
    """Where a point of an object is when its box has moved and grown."""
    return (
        after.x + (point[0] - before.x) * after.width / before.width,
        after.y + (point[1] - before.y) * after.height / before.height,
    )


def _overlap(outline: Outline, place: Place) -> float:
    """IoU of the box around an outline that is not empty with the box at ``place``."""
    outline_span, place_span = span_of(place_of(outline.mask)), span_of(place)
    shared = outline_span.common(place_span).area
    return shared / (outline_span.area + place_span.area - shared)
