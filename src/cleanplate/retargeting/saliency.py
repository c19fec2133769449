"""What draws the eye where nobody points: what moves otherwise than the camera, or stands out.

Motion: the dense flow between two small pictures less the affine flow that most of it shares, the
camera's. What only looks like something decides where nothing moves: colours far from the mean of
their picture (Achanta et al., "Frequency-tuned Salient Region Detection", CVPR 2009), more in the
middle than at the sides.
"""

from __future__ import annotations

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
_SMOOTH = 4  # looks of which motion is the mean
_ATTENTION = 0.35  # of the picture's size: the spread of the look towards the middle


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
    before: tuple[Look, np.ndarray] | None = None
    recent = np.zeros(0)
    for look in looks:
        grey = cv2.cvtColor(look.image, cv2.COLOR_RGB2GRAY)
        moved = np.zeros(grey.shape, np.float32)
        if before is not None and before[0].shot == look.shot:
            moved = _off_camera(before[1], grey, look.seconds - before[0].seconds)
            recent = recent + (moved - recent) / _SMOOTH
        else:
            recent = moved
        before = look, grey
        rows = [*_movers(recent, look, scale), _window(look, scale, crop)]
        yield Foci.joined([_repeated(row, look, step) for row in rows])


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


def _movers(moving: np.ndarray, look: Look, scale: tuple[float, float]) -> Iterator[Row]:
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
        yield MOTION_KEY - rank, box, MOTION * float(masses[number]) / total


def _window(look: Look, scale: tuple[float, float], crop: tuple[float, float]) -> Row:
    """Where a crop would hold most of what stands out."""
    lab = cv2.cvtColor(look.image, cv2.COLOR_RGB2LAB).astype(np.float32)
    off = cv2.GaussianBlur(lab, (0, 0), 1.5) - lab.mean(axis=(0, 1))
    height, width = look.image.shape[:2]
    across, down = (
        np.exp(-(((np.arange(n) + 0.5) / n - 0.5) ** 2) / (2 * _ATTENTION**2))
        for n in (width, height)
    )
    seen = (off**2).sum(axis=2) * across * down[:, None]
    size = min(round(crop[0] / scale[0]), width), min(round(crop[1] / scale[1]), height)
    sums = cv2.boxFilter(
        seen.astype(np.float32), -1, size, anchor=(0, 0), normalize=False,
        borderType=cv2.BORDER_ISOLATED,
    )  # fmt: skip
    inside = sums[: height - size[1] + 1, : width - size[0] + 1]
    y, x = (int(place) for place in np.unravel_index(int(inside.argmax()), inside.shape))
    middle = ((x + size[0] / 2) * scale[0], (y + size[1] / 2) * scale[1])
    return LOOK_KEY, (middle[0], middle[1], middle[0], middle[1]), LOOK
