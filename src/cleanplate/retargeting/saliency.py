"""What draws the eye where nobody points: what moves otherwise than the camera, or stands out.

Motion: the dense flow between two small pictures less the affine flow that most of it shares, the
camera's. What only looks like something counts less: detail, of colours that the rim of the picture
does not have (the rim is background: Wei et al., "Geodesic Saliency Using Background Priors", ECCV
2012, section 2), more in the middle than at the sides.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.flow import dense_flow, stiff_flow
from cleanplate.retargeting.foci import LOOK, LOOK_KEY, MOTION, MOTION_KEY, Foci

WIDTH = 160  # px of the small pictures
LOOKS = 10  # a second
_SLOW, _FAST = 0.02, 0.1  # widths a second off the camera's motion: nothing, and as much as can be
_CLEAR = 0.3  # of that way, from which on something moves
_JOIN = 7  # px: parts of one mover that lie so near are one
_LEAST = 0.0015  # of the picture: smaller movers are noise
_MOST = 3  # movers in a picture
_EVERYWHERE = 0.5  # of the picture in motion, from which on it says nothing
_LARGE = 0.01  # of the picture: from here on a mover counts in full
_MEMORY = 2.0  # s after which a mover that stands counts a third
_FORGOTTEN = 0.3  # weight from which on it does not count any more
_PLAIN = 0.3  # what a mover counts that is as plain as the background
_ATTENTION = 0.35  # of the picture's size: the spread of the look towards the middle
_RIM = 0.06  # of the picture's size: what is taken for background at the top and both sides
_BINS = 16  # of each colour's coordinate
_SMOOTH_COUNTS = 0.2  # what a place without detail counts, where the most detail is 1
_EDGE = 0.04  # of what stands out, that may lie beyond each end of its box


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """A small picture of one frame."""

    frame: int
    image: np.ndarray
    """(h, w, 3) uint8 RGB, ``WIDTH`` wide."""
    shot: int
    seconds: float


def saliency(
    looks: Iterable[Look], scale: tuple[float, float], crop: tuple[float, float], step: int
) -> Iterator[Foci]:
    """The foci of each look, standing for the ``step`` frames from it on.

    Args:
        looks: in order, evenly spread.
        scale: (x, y) of the clip's pixels to the small pictures'.
        crop: (width, height) in px of the clip.
        step: frames from one look to the next.
    """
    for look, moving in _steadied(_moved(looks)):
        seen = _conspicuous(look.image)
        rows = [*_movers(moving, seen, scale), _standing_out(seen, scale, crop)]
        yield Foci.joined([_repeated(row, look, step) for row in rows if row[2] > 0])


def _moved(looks: Iterable[Look]) -> Iterator[tuple[Look, np.ndarray]]:
    """Each look with how much has moved since the one before, (h, w) float32, 0 to 1."""
    before: tuple[Look, np.ndarray] | None = None
    for look in looks:
        grey = cv2.cvtColor(look.image, cv2.COLOR_RGB2GRAY)
        moved = np.zeros(grey.shape, np.float32)
        if before is not None and before[0].shot == look.shot:
            moved = _off_camera(before[1], grey, look.seconds - before[0].seconds)
        before = look, grey
        yield look, moved


def _steadied(moved: Iterable[tuple[Look, np.ndarray]]) -> Iterator[tuple[Look, np.ndarray]]:
    """The same with the mean of each and its two neighbours in the shot: nothing flickers."""
    held: deque[tuple[Look, np.ndarray]] = deque(maxlen=3)
    for entry in itertools.chain(moved, [None]):
        middle = held[-1] if held else None
        if middle is not None:
            near = [*held, *([entry] if entry is not None else [])][-3:]
            alike = [motion for look, motion in near if look.shot == middle[0].shot]
            yield middle[0], np.mean(alike, axis=0)
        if entry is not None:
            held.append(entry)


Row = tuple[int, tuple[float, float, float, float], float]


def _repeated(row: Row, look: Look, step: int) -> Foci:
    key, box, weight = row
    return Foci(
        np.arange(look.frame, look.frame + step),
        np.tile(np.array(box), (step, 1)),
        np.full(step, key),
        np.full(step, weight),
    )


def _off_camera(before: np.ndarray, after: np.ndarray, seconds: float) -> np.ndarray:
    """How much each pixel of ``after`` moves otherwise than most: (h, w) float32, 0 to 1."""
    flow = dense_flow(after, before)
    camera = stiff_flow(flow, np.ones(after.shape, bool))
    off = flow if camera is None else flow - camera
    speed = np.hypot(off[..., 0], off[..., 1]) / (WIDTH * max(seconds, 1e-3))
    # Where there is no texture a flow is only guessed.
    slopes = [cv2.Sobel(after, cv2.CV_32F, *way, scale=0.25) for way in ((1, 0), (0, 1))]
    textured = cv2.boxFilter(np.hypot(*slopes), -1, (9, 9)) > 2
    found = np.clip((speed - _SLOW) / (_FAST - _SLOW), 0, 1) * textured
    return found.astype(np.float32)


def _movers(moving: np.ndarray, seen: np.ndarray, scale: tuple[float, float]) -> Iterator[Row]:
    clear = (moving > _CLEAR).astype(np.uint8)
    share = float(clear.mean())
    if share > _EVERYWHERE:
        return
    clear = cv2.morphologyEx(clear, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    clear = cv2.morphologyEx(clear, cv2.MORPH_CLOSE, np.ones((_JOIN, _JOIN), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(clear)
    masses = np.bincount(labels.ravel(), moving.ravel(), count)
    masses[0] = 0
    total = float(masses.sum())
    for rank, number in enumerate(np.argsort(-masses)[:_MOST].tolist()):
        x, y, w, h, area = (int(value) for value in stats[number])
        if number == 0 or area < _LEAST * moving.size:
            continue
        box = (x * scale[0], y * scale[1], (x + w) * scale[0], (y + h) * scale[1])
        size = min(1.0, np.sqrt(area / (_LARGE * moving.size)))
        looks = min(1.0, _PLAIN + 1.5 * float(seen[labels == number].mean()))
        yield MOTION_KEY - rank, box, MOTION * size * looks * float(masses[number]) / total


def _standing_out(seen: np.ndarray, scale: tuple[float, float], crop: tuple[float, float]) -> Row:
    """The box of what stands out most, or its middle where that is larger than the crop."""
    _, clear = cv2.threshold((seen * 255).astype(np.uint8), 0, 1, cv2.THRESH_OTSU)
    clear = cv2.morphologyEx(clear, cv2.MORPH_CLOSE, np.ones((_JOIN, _JOIN), np.uint8))
    count, labels = cv2.connectedComponents(clear)
    masses = np.bincount(labels.ravel(), seen.ravel(), count)
    masses[0] = 0
    number = int(masses.argmax())
    if number == 0:
        return LOOK_KEY, (0.0, 0.0, crop[0], crop[1]), 0.0
    part = seen * (labels == number)
    ends = []
    for axis, length in ((0, crop[0] / scale[0]), (1, crop[1] / scale[1])):
        along = np.cumsum(part.sum(axis=axis)) / part.sum()
        low, middle, high = (int(np.searchsorted(along, q)) for q in (_EDGE, 0.5, 1 - _EDGE))
        if high + 1 - low > length:
            low, high = middle, middle - 1
        ends.append((low, high + 1))
    (x0, x1), (y0, y1) = ends
    return LOOK_KEY, (x0 * scale[0], y0 * scale[1], x1 * scale[0], y1 * scale[1]), LOOK


def _conspicuous(image: np.ndarray) -> np.ndarray:
    """(h, w) float32, 0 to 1: detail, of colours that the rim of the picture does not have."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2LAB)
    height, width = lab.shape[:2]
    rim = np.ones((height, width), np.uint8)
    across, down = max(1, round(_RIM * width)), max(1, round(_RIM * height))
    rim[down:, across : width - across] = 0  # what stands in a picture stands on its lower edge
    bins, limits = [_BINS] * 3, [0, 256] * 3
    whole, outer = (cv2.calcHist([lab], [0, 1, 2], mask, bins, limits) for mask in (None, rim))
    whole, outer = (_blurred(counts) / max(counts.sum(), 1) for counts in (whole, outer))
    places = (lab // (256 // _BINS)).reshape(-1, 3).T
    ratio = outer[tuple(places)] / np.maximum(whole[tuple(places)], 1e-6)
    inner = np.exp(-ratio).reshape(height, width).astype(np.float32)
    luma = lab[..., 0].astype(np.float32)
    detail = cv2.GaussianBlur(np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 2)), (0, 0), 3)
    detail /= max(float(detail.max()), 8.0)
    x, y = (
        np.exp(-(((np.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * _ATTENTION**2))
        for n in (width, height)
    )
    seen = (_SMOOTH_COUNTS + detail) * cv2.GaussianBlur(inner, (0, 0), 2) * x * y[:, None]
    return (seen / max(float(seen.max()), 1e-6)).astype(np.float32)


def _blurred(counts: np.ndarray) -> np.ndarray:
    """A histogram of three colours in which near colours count a little, too."""
    for axis in range(3):
        padded = np.pad(counts, [(1, 1) if a == axis else (0, 0) for a in range(3)], "edge")
        low, high = (np.take(padded, np.arange(_BINS) + k, axis) for k in (0, 2))
        counts = (low + 2 * counts + high) / 4
    return counts


def remembered(seen: Foci, shots: np.ndarray, rate: float) -> Foci:
    """``seen``, and the main mover where it stands still before it moves and after.

    Args:
        seen: of ``saliency``.
        shots: (N,) shot number of each frame of the clip.
        rate: frames a second.
    """
    rows = np.flatnonzero(seen.keys == MOTION_KEY)
    if len(rows) == 0:
        return seen
    moving = seen.frames[rows]
    resting = np.setdiff1d(np.unique(seen.frames), moving)
    after = np.clip(np.searchsorted(moving, resting), 0, len(moving) - 1)
    before = np.maximum(after - 1, 0)
    gaps = np.stack([np.abs(resting - moving[place]) for place in (before, after)])
    alike = np.stack([shots[resting] == shots[moving[place]] for place in (before, after)])
    gaps = np.where(alike, gaps, np.inf)
    nearest = np.where(gaps[0] <= gaps[1], before, after)
    weights = seen.weights[rows][nearest] * np.exp(-gaps.min(axis=0) / (_MEMORY * rate))
    kept = weights > _FORGOTTEN
    count = int(kept.sum())
    known = Foci(
        resting[kept], seen.boxes[rows][nearest[kept]], np.full(count, MOTION_KEY), weights[kept]
    )
    return Foci.joined([seen, known])
