"""One object that bends: its outline carried by the optical flow and drawn anew by local colours.

Each pixel weighs where the object should be, carried from the frame before along the flow; which
colours were the object's hereabouts in the frame before (Bai, Wang, Simons, Sapiro, "Video
SnapCut", SIGGRAPH 2009: classifiers that know only their surroundings); and which were the
object's in the prompted frame, against drift. Neighbours of like colour then persuade each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.flow import dense_flow, pixel_grid, round_trip
from cleanplate.arrays.masks import bounding_box, widened
from cleanplate.engines.track.flowtrack.palette import Palette
from cleanplate.types import Box, ObjectState, Visibility

DETAIL = 320  # px: longest side of the view that is worked on
_MAGNIFIED = 2.0  # at most: flow finds little in what is tiny
_MARGIN, _LEAST_MARGIN = 0.35, 24  # of the object's longer side, and px, around it
_ASTRAY = 2.0  # px, |dx| + |dy|, that the way there and back may miss
_UNCOVERED = 0.4  # what was just uncovered is background rather than object
_BLUR, _REACH, _HEREABOUTS = 0.03, 0.12, 0.12  # of the square root of the object's area
_FROM_PROMPT = 0.6  # weight of the prompted frame's colours
_ALIKE = 10.0  # CIELAB, 8 bits: colours that differ by less belong together
_ROUNDS = 6
_HALF_LIFE = 30  # frames in which confidence halves by itself
_GONE = 0.04  # of the object's largest area
_STRANGE = 0.4  # of how much the object's colours told it apart where it was prompted
_TELLING = 0.5  # log of odds: colours that told less cannot say that it is gone
_HIDDEN_FOR = 15  # frames after which a hidden object is lost


@dataclass(slots=True, eq=False)
class Bending:
    """An object in the frame last seen."""

    object_id: int
    place: Box
    """Where ``soft`` lies in the picture."""
    soft: np.ndarray
    """(h, w) uint8: 255 times the probability that a pixel is the object's; 0 elsewhere."""
    palette: Palette
    confidence: float = 1.0
    told_apart: float = 0.0
    """How much its colours told it apart from its surroundings in the prompted frame: log odds."""
    largest: int = 0
    """px: its largest area so far."""
    missing: int = 0
    """Frames since it was last seen."""

    @classmethod
    def begin(cls, object_id: int, image: np.ndarray, mask: np.ndarray) -> Bending:
        """The object ``mask`` ((H, W) bool, not empty) of ``image`` ((H, W, 3) uint8 RGB)."""
        place = bounding_box(mask)
        assert place is not None  # the caller found it
        soft = mask[place.slices].astype(np.uint8) * 255
        view = _view(place, mask.shape)
        lab, inside = _lab(image[view.slices]), mask[view.slices]
        palette = Palette.of(lab, inside)
        told_apart = float(palette.told(lab)[inside].mean())
        return cls(
            object_id, place, soft, palette, told_apart=told_apart, largest=int(inside.sum())
        )

    def step(self, before: np.ndarray, after: np.ndarray, cut: bool, detail: int = DETAIL) -> None:
        """From the picture ``before`` to ``after``, (H, W, 3) uint8 RGB.

        Args:
            before, after: the pictures.
            cut: whether a shot begins with ``after``.
            detail: px, the longest side of the view that is worked on.
        """
        if cut:
            self.lose()
        if self.missing:
            self.missing += 1
            return
        view = _view(self.place, before.shape)
        size = _working_size(view, detail)
        old = _resized(self._seen_in(view), size).astype(np.float32) / 255
        first, second = (_resized(image[view.slices], size) for image in (before, after))
        area = float(np.count_nonzero(self.soft > 127))
        probability, trusted, likeness = _redrawn(first, second, old, self.palette)
        self._take(_resized(probability * 255, (view.width, view.height)), view)
        new_area = float(np.count_nonzero(self.soft > 127))
        self.largest = max(self.largest, int(new_area))
        # What is left when it leaves is background that was taken for it.
        strange = likeness < _STRANGE * self.told_apart and self.told_apart > _TELLING
        if strange or new_area < max(1.0, _GONE * self.largest):
            self.soft, self.missing, self.confidence = np.zeros_like(self.soft), 1, 0.0
            return
        steady = min(new_area, area) / max(new_area, area)
        self.confidence *= 0.5 ** (1 / _HALF_LIFE) * (0.85 + 0.15 * trusted) * steady**0.3

    def lose(self) -> None:
        """Nothing is known of its place any more."""
        self.soft, self.confidence = np.zeros_like(self.soft), 0.0
        self.missing = _HIDDEN_FOR

    def report(self) -> ObjectState:
        """Its confidence and whether it is visible, hidden or lost, in the frame last seen."""
        if self.missing:
            hidden = self.missing <= _HIDDEN_FOR
            return ObjectState(
                self.object_id, 0.0, Visibility.HIDDEN if hidden else Visibility.LOST
            )
        return ObjectState(self.object_id, round(self.confidence, 4), Visibility.VISIBLE)

    def _seen_in(self, view: Box) -> np.ndarray:
        soft = np.zeros((view.height, view.width), np.uint8)
        y, x = self.place.y0 - view.y0, self.place.x0 - view.x0
        soft[y : y + self.place.height, x : x + self.place.width] = self.soft
        return soft

    def _take(self, soft: np.ndarray, view: Box) -> None:
        soft = np.clip(np.round(soft), 0, 255).astype(np.uint8)
        box = bounding_box(soft)
        if box is None:
            box = Box(0, 0, 1, 1)
        self.soft = soft[box.slices].copy()
        self.place = Box(*(box.x0 + view.x0, box.y0 + view.y0, box.x1 + view.x0, box.y1 + view.y0))

    def state(self) -> dict[str, np.ndarray]:
        """All that ``restore`` needs, as arrays."""
        place = self.place
        numbers = [place.x0, place.y0, place.x1, place.y1, self.largest, self.missing]
        return self.palette.state() | {
            "soft": self.soft,
            "numbers": np.array(numbers, np.int64),
            "confidence": np.array([self.confidence, self.told_apart]),
        }

    @classmethod
    def restore(cls, object_id: int, state: dict[str, np.ndarray]) -> Bending:
        """The object whose ``state`` this was."""
        x0, y0, x1, y1, largest, missing = (int(n) for n in state["numbers"])
        confidence, told_apart = (float(n) for n in state["confidence"])
        place, palette = Box(x0, y0, x1, y1), Palette.restore(state)
        return cls(
            *(object_id, place, state["soft"], palette),
            *(confidence, told_apart, largest, missing),
        )


def _view(place: Box, shape: tuple[int, ...]) -> Box:
    margin = max(_LEAST_MARGIN, round(_MARGIN * max(place.width, place.height)))
    return widened(place, margin, shape[1], shape[0])


def _working_size(view: Box, detail: int) -> tuple[int, int]:
    """(width, height) of the view as it is worked on."""
    factor = min(_MAGNIFIED, detail / max(view.width, view.height))
    return max(1, round(view.width * factor)), max(1, round(view.height * factor))


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    smaller = size[0] < image.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=how)


def _lab(image: np.ndarray) -> np.ndarray:
    """CIELAB in 0..255, (h, w, 3) float32."""
    return cv2.cvtColor(image, cv2.COLOR_RGB2LAB).astype(np.float32)


def _redrawn(
    before: np.ndarray, after: np.ndarray, old: np.ndarray, palette: Palette
) -> tuple[np.ndarray, float, float]:
    """The object's probability in ``after``, (h, w) float32, and how it was come by: the share of
    it that the flow is sure of, and how much its colours are those of the prompt, log odds.

    Args:
        before, after: (h, w, 3) uint8 RGB.
        old: (h, w) float32 in 0..1, its probability in ``before``.
        palette: the object's.
    """
    grey_before, grey_after = (cv2.cvtColor(p, cv2.COLOR_RGB2GRAY) for p in (before, after))
    back = dense_flow(grey_after, grey_before)
    astray = round_trip(back, dense_flow(grey_before, grey_after))
    sure = np.exp(-((astray / _ASTRAY) ** 2))
    places = back + pixel_grid(*old.shape)
    carried = cv2.remap(
        *(old, places[..., 0], places[..., 1], cv2.INTER_LINEAR), borderMode=cv2.BORDER_REPLICATE
    )
    trusted = float((sure * carried).sum() / max(carried.sum(), 1e-6))
    carried = sure * carried + (1 - sure) * np.minimum(carried, _UNCOVERED)
    side = float(np.sqrt(max(old.sum(), 1.0)))
    here = int(np.clip(_HEREABOUTS * side, 4, 40))
    expected = cv2.GaussianBlur(carried, (0, 0), max(1.0, _BLUR * side))
    lab = _lab(after)
    local, from_prompt = palette.shares(_lab(before), old, lab, places, here), palette.told(lab)
    evidence = _log_odds(expected, 0.02) + _log_odds(local, 0.05) + _FROM_PROMPT * from_prompt
    probability = _persuaded(evidence, lab)
    within = cv2.GaussianBlur(carried, (0, 0), max(2.0, _REACH * side) / 2)
    probability[within <= 0.02] = 0
    probability = _without_specks(probability, carried, side * side)
    inside = probability > 0.5
    colours = float(from_prompt[inside].mean()) if inside.any() else 0.0
    return probability, trusted, colours


def _log_odds(probability: np.ndarray, least: float) -> np.ndarray:
    bounded = np.clip(probability, least, 1 - least)
    return np.log(bounded / (1 - bounded))


def _persuaded(evidence: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """The probability that evidence gives when neighbours of like colour agree: mean field."""
    height, width = evidence.shape
    steps = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx]

    def neighbour(array: np.ndarray, dy: int, dx: int) -> np.ndarray:
        wide = cv2.copyMakeBorder(array, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        return wide[1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]

    ties = []
    for dy, dx in steps:
        apart = ((lab - neighbour(lab, dy, dx)) ** 2).sum(axis=2)
        ties.append(np.exp(-apart / (2 * _ALIKE**2)) / np.hypot(dy, dx))
    opinion = np.tanh(evidence / 2)  # 2p - 1
    for _ in range(_ROUNDS):
        heard = sum(tie * neighbour(opinion, *step) for tie, step in zip(ties, steps, strict=True))
        opinion = np.tanh((evidence + heard / 2) / 2)
    return ((opinion + 1) / 2).astype(np.float32)


def _without_specks(probability: np.ndarray, carried: np.ndarray, area: float) -> np.ndarray:
    """Drop pieces that nothing carried here supports, and close pinholes."""
    count, pieces, stats, _ = cv2.connectedComponentsWithStats((probability > 0.5).view(np.uint8))
    support = np.bincount(pieces.ravel(), carried.ravel(), count)
    sizes = stats[:, cv2.CC_STAT_AREA]
    weak = (support < 0.25 * sizes) | (sizes < 0.02 * area)
    weak[0] = False
    probability[weak[np.asarray(pieces, np.intp)]] = 0
    _, holes, stats, _ = cv2.connectedComponentsWithStats((probability <= 0.5).view(np.uint8))
    small = stats[:, cv2.CC_STAT_AREA] < 0.01 * area
    small[0] = False
    probability[small[np.asarray(holes, np.intp)]] = 1
    return probability
