"""What stays where it is while the picture behind it changes: logos, captions, watermarks.

The median over time of a picture's gradient keeps what every frame shares (Dekel, Rubinstein, Liu,
Freeman, "On the Effectiveness of Visible Watermarks", CVPR 2017, section 3.1). The median alone
also keeps background that moves little, so an edge must besides be found in nearly all frames that
show the overlay. Integrating the edges that are left tells the inside of a letter from what is
seen through it.

Gradients are of luma, in grey levels a px; frames are (H, W, 3) uint8 RGB of one size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.masks import grow, widened
from cleanplate.types import Box

MOST_FRAMES = 100  # enough to know what stays; more only cost memory

_SMOOTH = 0.7  # px of blur before the gradient, against noise
_EDGE = 2.5  # grey levels a px: weaker median edges are noise
_AGREEING, _STRONG_ENOUGH = (
    0.7,
    0.3,
)  # cosine, and part of the median's size, of an edge that agrees
_OFTEN = 0.8  # share of the frames in which an edge of an overlay agrees
_SHOWN = 0.5  # part of the usual strength from which on a frame shows the overlay
_MOTION_BLUR = 6.0  # px over which motion of the background is looked at
_LEAST_EDGES = 40  # pixels: fewer edges prove nothing
_LEAST_PIECE = 12  # pixels of a shape: less is a speck

# When letters may take the place of the box around them.
_FEW = 8  # frames: fewer prove nothing
_BUDGET = 64_000_000  # pixels of all frames together
_MOVING = 2.0  # grey levels that the picture behind must change by
_ELSEWHERE = 0.03  # share of stable edges around the box from which on the camera stands still
_PRESENT = 0.7  # share of the frames that must show the overlay
_REACH, _LEAST_REACH = 0.2, 4  # of the box's height and px: how far out letters may reach
_FULL = 0.8  # of the box: what covers more is the box


@dataclass(frozen=True, slots=True, eq=False)
class Stays:
    """What a number of frames have in common."""

    gradient: np.ndarray
    """(H, W, 2) float32: the median gradient, across and down."""
    agreement: np.ndarray
    """(H, W) float32 in 0..1: share of the frames showing the overlay whose gradient agrees."""
    motion: np.ndarray
    """(H, W) float32: how much the blurred luma changes, median absolute deviation in levels."""
    strength: np.ndarray
    """(N,) float32: how strongly each frame shows the edges; 1 is usual, 0 is not at all."""

    @property
    def size(self) -> np.ndarray:
        """(H, W) float32: how steep the median gradient is."""
        return np.hypot(self.gradient[..., 0], self.gradient[..., 1])

    @property
    def edges(self) -> np.ndarray:
        """(H, W) bool: edges that stay."""
        return (self.size > _EDGE) & (self.agreement > _OFTEN)

    @property
    def shown(self) -> np.ndarray:
        """(N,) bool: the frames that show what stays."""
        return self.strength > _SHOWN


def what_stays(frames: Iterable[np.ndarray]) -> Stays:
    """Compare frames, at most about ``MOST_FRAMES`` of them, spread widely; at least one.

    Holds eight bytes a pixel and frame.
    """
    gradients, blurred = [], []
    for frame in frames:
        luma = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        gradients.append(_gradient(luma))
        small = cv2.resize(luma, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        blurred.append(cv2.GaussianBlur(small, (0, 0), _MOTION_BLUR / 4))
    stack = np.stack(gradients)
    median = _median(stack)
    size = np.hypot(median[..., 0], median[..., 1])
    steep = size > _EDGE
    strength = _strength(stack, median, _often(stack, median, np.ones(len(stack), bool)) > 0.5)
    shown = strength > _SHOWN
    agreement = np.zeros(size.shape, np.float32)
    if shown.any():
        agreement[steep] = _often(stack, median, shown)[steep]
    return Stays(median, agreement, _motion(np.stack(blurred), size.shape), strength)


def _gradient(luma: np.ndarray) -> np.ndarray:
    """(H, W, 2) int16, in eighths of a grey level a px."""
    smooth = cv2.GaussianBlur(luma, (0, 0), _SMOOTH)
    return np.stack([cv2.Sobel(smooth, cv2.CV_16S, *way) for way in ((1, 0), (0, 1))], axis=-1)


def _median(stack: np.ndarray) -> np.ndarray:
    middle = len(stack) // 2
    rows = [np.partition(stack[:, y], middle, axis=0)[middle] for y in range(stack.shape[1])]
    return np.stack(rows).astype(np.float32) / 8


def _often(stack: np.ndarray, median: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The share of the ``chosen`` frames whose gradient agrees with the median, (H, W)."""
    size = np.maximum(np.hypot(median[..., 0], median[..., 1]), 1e-3)
    count = np.zeros(size.shape, np.float32)
    for gradient in stack[chosen]:
        along = (gradient[..., 0] * median[..., 0] + gradient[..., 1] * median[..., 1]) / (8 * size)
        steepness = np.hypot(gradient[..., 0], gradient[..., 1]) / np.float32(8)
        count += (along > _AGREEING * steepness) & (steepness > _STRONG_ENOUGH * size)
    return count / max(np.count_nonzero(chosen), 1)


def _strength(stack: np.ndarray, median: np.ndarray, where: np.ndarray) -> np.ndarray:
    """How strongly each frame shows the median's edges (projection), 1 for the usual frame."""
    edges = median[where & (np.hypot(median[..., 0], median[..., 1]) > _EDGE)]
    if not len(edges):
        return np.zeros(len(stack), np.float32)
    steep = where & (np.hypot(median[..., 0], median[..., 1]) > _EDGE)
    total = float((edges**2).sum())
    raw = np.array([float((gradient[steep] * edges).sum()) / (8 * total) for gradient in stack])
    return (raw / max(float(np.median(raw)), 1e-6)).astype(np.float32)


def _motion(blurred: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    values = blurred.astype(np.float32)
    deviation = np.median(np.abs(values - np.median(values, axis=0)), axis=0)
    return cv2.resize(deviation, shape[::-1], interpolation=cv2.INTER_LINEAR)


def relief(stays: Stays) -> np.ndarray:
    """How much brighter the overlay makes each pixel: (H, W) float32, in grey levels, about.

    The edges that stay are integrated (Poisson's equation, 0 on the border).
    """
    kept = stays.gradient * cv2.GaussianBlur(stays.edges.astype(np.float32), (3, 3), 0)[..., None]
    across = np.diff(kept[..., 0], axis=1, prepend=0)
    down = np.diff(kept[..., 1], axis=0, prepend=0)
    return _integrated(across + down)


def _integrated(divergence: np.ndarray) -> np.ndarray:
    """The function of that Laplacian which is 0 on the border (sine transform by way of FFT)."""
    height, width = divergence.shape
    spectrum = _sines(_sines(divergence, 0), 1)
    ky = 2 * np.cos(np.pi * np.arange(1, height + 1) / (height + 1)) - 2
    kx = 2 * np.cos(np.pi * np.arange(1, width + 1) / (width + 1)) - 2
    spectrum /= ky[:, None] + kx[None]
    scale = 4 / ((height + 1) * (width + 1))
    return (_sines(_sines(spectrum, 0), 1) * scale).astype(np.float32)


def _sines(values: np.ndarray, axis: int) -> np.ndarray:
    """The discrete sine transform (DST-I) along ``axis``."""
    count = values.shape[axis]
    return -np.fft.rfft(_odd(values, axis), axis=axis).imag.take(range(1, count + 1), axis) / 2


def _odd(values: np.ndarray, axis: int) -> np.ndarray:
    zero = np.zeros_like(values.take([0], axis))
    return np.concatenate([zero, values, zero, -np.flip(values, axis)], axis)


def shapes(stays: Stays) -> np.ndarray:
    """The pixels that the overlay changes, as far as its edges tell: (H, W) bool.

    Strokes are filled, what is seen through a letter is not, specks are dropped.
    """
    edges = stays.edges.astype(np.uint8)
    if np.count_nonzero(edges) < _LEAST_EDGES:
        return np.zeros(edges.shape, bool)
    joined = np.asarray(cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)))
    raised = np.abs(relief(stays))
    level = 0.35 * float(np.percentile(raised[joined > 0], 75))
    solid = np.asarray(joined | _insides(joined, raised > level), np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    labels: np.ndarray = np.asarray(parts)
    seen = np.bincount(labels.ravel(), (raised > level).ravel(), count) > 0
    kept = np.asarray(seen & (stats[:, cv2.CC_STAT_AREA] >= _LEAST_PIECE))
    kept[0] = False
    return kept[labels]


def _insides(edges: np.ndarray, raised: np.ndarray) -> np.ndarray:
    """The areas closed in by ``edges`` that are mostly ``raised``, (H, W) uint8."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(1 - edges, connectivity=4)
    labels: np.ndarray = np.asarray(parts)
    height, width = edges.shape
    share = np.bincount(labels.ravel(), raised.ravel(), count) / stats[:, cv2.CC_STAT_AREA]
    inner = (stats[:, cv2.CC_STAT_LEFT] > 0) & (stats[:, cv2.CC_STAT_TOP] > 0)
    inner &= stats[:, cv2.CC_STAT_LEFT] + stats[:, cv2.CC_STAT_WIDTH] < width
    inner &= stats[:, cv2.CC_STAT_TOP] + stats[:, cv2.CC_STAT_HEIGHT] < height
    chosen = inner & (share > 0.5)
    chosen[labels[edges > 0][:1]] = False  # the edges themselves are numbered 0
    return chosen[labels].astype(np.uint8)


def letter_height(mask: np.ndarray) -> float:
    """The usual height of the pieces of ``mask`` ((H, W) bool), weighed by their area, in px."""
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return 0.0
    areas, heights = stats[1:, cv2.CC_STAT_AREA], stats[1:, cv2.CC_STAT_HEIGHT]
    order = np.argsort(heights)
    middle = np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)
    return float(heights[order][middle])


def grown(mask: np.ndarray) -> np.ndarray:
    """``mask`` ((H, W) bool) with all that video coding has smeared around it, (H, W) bool.

    By 4 % of the letters' height, at least 2 px, and 1 px more: chroma of half the resolution
    reaches 2 px further, of which the blurred edges have covered one.
    """
    pixels = max(2, round(0.04 * letter_height(mask))) + 1
    return grow(mask.view(np.uint8), pixels) > 0


def most_frames(width: int, height: int) -> int:
    """How many frames of that size can be compared at once, 1 to ``MOST_FRAMES``."""
    return max(1, min(MOST_FRAMES, _BUDGET // (width * height)))


@dataclass(frozen=True, slots=True, eq=False)
class Letters:
    """What may take the place of a box."""

    mask: np.ndarray
    """(h, w) bool, of the box's size: the overlay's shapes, grown, as far as they were found."""
    beyond: np.ndarray
    """(H, W) bool, of the frames' size: parts of the same shapes that reach out of the box."""
    doubt: str
    """Why the box itself should stay, as the end of a sentence; empty when nothing does."""

    @property
    def share(self) -> float:
        """The part of the box that the shapes cover, 0..1."""
        return float(self.mask.mean())


def find_letters(frames: Sequence[np.ndarray], box: Box, elsewhere: np.ndarray) -> Letters:
    """The shapes of the overlay inside ``box``.

    Args:
        frames: the box with some surroundings, spread over the time in which it is to be removed.
        box: in pixels of ``frames``.
        elsewhere: (H, W) bool: surroundings that say nothing, since another overlay is there.
    """
    stays = what_stays(frames)
    shape_mask = shapes(stays)
    grown_mask = grown(shape_mask)
    mask = grown_mask[box.slices]
    around = ~elsewhere
    around[box.slices] = False
    between = ~mask if not mask.all() else np.ones_like(mask)
    moving = float(np.median(stays.motion[box.slices][between]))
    present = float(stays.shown.mean())
    if len(frames) < _FEW:
        doubt = f"letters are told from background by at least {_FEW} frames, not {len(frames)}"
    elif not mask.any():
        doubt = "nothing in it was found to stay while the rest moves"
    elif present < _PRESENT:
        doubt = f"what stays is there in {present:.0%} of the frames only"
    elif moving < _MOVING:
        doubt = "between the letters nothing moves"
    elif around.any() and shape_mask[around].mean() > _ELSEWHERE:
        doubt = "the camera hardly moves"
    elif mask.mean() > _FULL:
        doubt = f"letters would cover {mask.mean():.0%} of it"
    elif _another(frames, stays.shown, box, mask):
        doubt = "something else stays in it when the letters are gone"
    else:
        doubt = ""
    return Letters(mask, _beyond(grown_mask, box) & ~elsewhere, doubt)


def _beyond(whole: np.ndarray, box: Box) -> np.ndarray:
    """Where shapes of ``whole`` (bool) that lie in ``box`` reach out of it: a box is drawn by hand,
    and the soft shadow of its letters is overlooked."""
    reach = max(_LEAST_REACH, round(_REACH * box.height))
    near = widened(box, reach, *whole.shape[::-1])
    part = np.zeros_like(whole)
    part[near.slices] = whole[near.slices]
    _, labels = cv2.connectedComponents(part.view(np.uint8), connectivity=8)
    out = np.isin(labels, np.unique(labels[box.slices])) & part
    out[box.slices] = False
    return out


def _another(frames: Sequence[np.ndarray], shown: np.ndarray, box: Box, mask: np.ndarray) -> bool:
    """Whether the frames without the overlay share another one in the same box."""
    without = [frame for frame, is_shown in zip(frames, shown, strict=True) if not is_shown]
    if len(without) < _FEW:
        return False
    return bool(shapes(what_stays(without))[box.slices][~mask].mean() > _ELSEWHERE)
