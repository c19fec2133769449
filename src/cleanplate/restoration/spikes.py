"""What is in one frame and in neither of its neighbours: pixels that leap up or down and back.

``sdia`` and ``rod`` are the field's two classical detectors, kept as baselines; ``leap`` is what
``blotches`` builds upon. All compare a frame with its neighbours as they would look from it: moved
along the flow, and made as light as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.flow import dense_flow, pixel_grid

FLOW_SIDE = 448  # px: the longest side of the pictures that flow is found on
_LIGHT = 12  # light is compared in squares of this part of the shorter side
_BLACK = 8.0  # grey levels: below, a ratio says nothing
_EVEN = 24  # px of the small picture in which it is made evenly light
_SAMPLES = 4  # px from one to the next, where noise is measured
_BOX = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """A frame, and its neighbours as they would look from it."""

    grey: np.ndarray
    """(H, W) float32, grey levels."""
    before: np.ndarray
    """(H, W) float32: the frame before."""
    after: np.ndarray
    """(H, W) float32: the frame after."""
    relit: np.ndarray
    """(h, w) float32, of any size: how much lighter or darker it is than they are, as the larger
    log of the ratio."""
    noise: float
    """Standard deviation of what differs between them everywhere, in grey levels."""


def shrunk(grey: np.ndarray) -> np.ndarray:
    """``grey`` (H, W) uint8 so small that flow is quickly found, without specks and evenly lit."""
    height, width = grey.shape
    scale = min(1.0, FLOW_SIDE / max(height, width))
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    small = cv2.medianBlur(small, 3).astype(np.float32) + _BLACK
    even = small / cv2.GaussianBlur(small, (0, 0), _EVEN) * 128
    return np.clip(even, 0, 255).astype(np.uint8)


def moved(neighbour: np.ndarray, flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``neighbour`` (H, W) uint8 seen along ``flow``, as float32, and where it shows something.

    Args:
        neighbour: the other frame.
        flow: (h, w, 2) float32 of ``shrunk`` pictures, from the frame to its neighbour.
    """
    height, width = neighbour.shape
    scale = np.array([width / flow.shape[1], height / flow.shape[0]], np.float32)
    places = cv2.resize(flow, (width, height)) * scale + pixel_grid(height, width)
    seen = cv2.remap(
        neighbour.astype(np.float32),
        *(places[..., 0], places[..., 1]),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    inside = (places >= 0).all(axis=2) & (places <= (width - 1, height - 1)).all(axis=2)
    return seen, np.asarray(inside)


def view_of(grey: np.ndarray, neighbours: list[tuple[np.ndarray, np.ndarray]]) -> View:
    """The frame ``grey`` beside two ``neighbours``: each a frame and the flow to it.

    What one neighbour does not show is taken from the other.
    """
    frame = grey.astype(np.float32)
    (before, shown), (after, shown_after) = (moved(other, flow) for other, flow in neighbours)
    gains = [_gain(frame, seen) for seen in (before, after)]
    before, after = (
        np.clip((seen + _BLACK) * cv2.resize(gain, frame.shape[::-1]) - _BLACK, 0, 255)
        for seen, gain in zip((before, after), gains, strict=True)
    )
    relit = np.abs(np.log(gains)).max(axis=0)
    before, after = np.where(shown, before, after), np.where(shown_after, after, before)
    some = (slice(None, None, _SAMPLES),) * 2
    apart = np.abs(frame[some] - (before[some] + after[some]) / 2)
    return View(frame, before, after, relit, 1.4826 * float(np.median(apart)))


def _gain(frame: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """By what ``seen`` is multiplied to be as light as ``frame``, (h, w) float32, smooth.

    Flicker, fades and flashes are no damage.
    """
    height, width = frame.shape
    side = max(min(height, width) // _LIGHT, 1)
    size = (max(width // side, 1), max(height // side, 1))
    means = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in (frame, seen)]
    return cv2.medianBlur((means[0] + _BLACK) / (means[1] + _BLACK), 3)


def leap(view: View) -> np.ndarray:
    """By how many grey levels, (H, W) float32, a pixel leaves what its neighbours show near it.

    Positive above the brightest, negative below the darkest of the 3x3 pixels around its place in
    either neighbour; 0 within. As ROD, but with the diagonal neighbours and a sign.
    """
    high = cv2.dilate(np.maximum(view.before, view.after), _BOX)
    low = cv2.erode(np.minimum(view.before, view.after), _BOX)
    return np.maximum(view.grey - high, 0) - np.maximum(low - view.grey, 0)


def sided(view: View) -> np.ndarray:
    """By how many grey levels, (H, W) float32, a pixel leaves what its place shows in both
    neighbours; signed as in ``leap``."""
    high, low = np.maximum(view.before, view.after), np.minimum(view.before, view.after)
    return np.maximum(view.grey - high, 0) - np.maximum(low - view.grey, 0)


def sdia(view: View, threshold: float) -> np.ndarray:
    """Spike detection index a: both differences exceed ``threshold`` grey levels; (H, W) bool.

    Kokaram et al., "Detection of Missing Data in Image Sequences", IEEE Trans. Image Processing
    4(11), 1995, section IV.
    """
    differences = np.abs(view.grey - view.before), np.abs(view.grey - view.after)
    return np.minimum(*differences) > threshold


def rod(view: View, thresholds: tuple[float, float, float]) -> np.ndarray:
    """Rank order difference detector; (H, W) bool.

    Nadenau and Mitra, "Blotch and Scratch Detection in Image Sequences based on Rank Ordered
    Differences", 1997: six reference pixels, of each neighbour the one at the place and those above
    and below it, are sorted; the pixel's distances from them, outwards from the median, must exceed
    one of the three ``thresholds``, in grey levels and ascending.
    """
    stack = np.stack(
        [np.roll(seen, rows, axis=0) for seen in (view.before, view.after) for rows in (-1, 0, 1)]
    )
    ranked = np.sort(stack, axis=0)
    is_above = view.grey > (ranked[2] + ranked[3]) / 2
    found = np.zeros(view.grey.shape, bool)
    for i, threshold in enumerate(thresholds):
        distance = np.where(is_above, view.grey - ranked[5 - i], ranked[i] - view.grey)
        found |= distance > threshold
    return found


def flow_between(small: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Flow from one ``shrunk`` picture to another, (h, w, 2) float32."""
    return dense_flow(small, other)
