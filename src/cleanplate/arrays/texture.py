"""Texture for what was never seen: single pixels copied from the picture's own surroundings.

On a small copy, patches are copied greedily, structure first (Criminisi, Perez, Toyama, "Region
Filling and Object Removal by Exemplar-Based Image Inpainting", 2004). That gives for each pixel an
offset to where it comes from; the offsets are refined from size to size by trying those of the
neighbours (Barnes et al., "PatchMatch", 2009, the propagation step), and pixels are copied, never
averaged, so that the texture stays sharp.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays.flow import pixel_grid
from cleanplate.arrays.harmonic import NINE_POINT
from cleanplate.arrays.masks import bounding_box

_PATCH = 7  # px of the small copy
_HALF = _PATCH // 2
_SMALL_HOLE = 900  # px of hole in the small copy
_AROUND = 24  # px of the small copy, around the hole, to copy from
_FAR = 0.02  # cost of a px of distance, as a share of the patch's squared error
_ROUNDS = 3
_SEAM_SWEEPS = 30  # each widens the softening of seams; about 5 px in all
_SUM = np.ones((1, 3), np.float32)
_NEIGHBOURS = [(dx, dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]


def texture_fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """``picture`` (H, W, 3) uint8 with ``hole`` (bool) filled with texture from around it.

    Everything outside ``hole`` is taken as known. Returned as it is when the hole is empty or
    nothing around it is large enough to copy from.
    """
    box = bounding_box(hole)
    if box is None:
        return picture
    halvings = max(round(np.log2(max(np.count_nonzero(hole) / _SMALL_HOLE, 1)) / 2), 0)
    margin = _AROUND << halvings
    part = (
        slice(max(box.y0 - margin, 0), box.y1 + margin),
        slice(max(box.x0 - margin, 0), box.x1 + margin),
    )
    sizes = [(picture[part].astype(np.float32), hole[part])]
    for _ in range(halvings):
        sizes.append(_half(*sizes[-1]))
    offsets = _greedy(*sizes[-1])
    if offsets is None:
        return picture
    for image, inner in reversed(sizes):
        if inner.shape != offsets.shape[:2]:
            height, width = inner.shape
            offsets = cv2.resize(offsets, (width, height), interpolation=cv2.INTER_NEAREST) * 2
        offsets = _refined(image, inner, offsets)
    result = picture.copy()
    image, inner = sizes[0]
    textured = _without_seams(_copied(image, inner, offsets), inner, offsets)
    result[part][inner] = np.clip(np.rint(textured[inner]), 0, 255).astype(np.uint8)
    return result


def _half(image: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    size = (max(hole.shape[1] // 2, 1), max(hole.shape[0] // 2, 1))
    known = (~hole).astype(np.float32)
    share = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    sums = cv2.resize(image * known[..., None], size, interpolation=cv2.INTER_AREA)
    return sums / np.maximum(share, 1e-6)[..., None], share < 0.5


def _greedy(image: np.ndarray, hole: np.ndarray) -> np.ndarray | None:
    """Offsets (H, W, 2) float32, (dx, dy) to the source of each pixel of the hole."""
    square = np.ones((_PATCH, _PATCH), np.uint8)
    whole = cv2.erode((~hole).astype(np.uint8), square, borderValue=0)[_HALF:-_HALF, _HALF:-_HALF]
    if not whole.any():
        return None
    pad = ((_HALF, _HALF), (_HALF, _HALF))
    filled = np.pad(np.where(hole[..., None], 0, image), (*pad, (0, 0)), mode="edge")
    known = np.pad((~hole).astype(np.float32), pad)
    trust = known.copy()
    offsets = np.zeros((*hole.shape, 2), np.float32)
    places = pixel_grid(*whole.shape)
    while (known[_HALF:-_HALF, _HALF:-_HALF] == 0).any():
        y, x = _most_certain(filled, known, trust)
        window = (slice(y - _HALF, y + _HALF + 1), slice(x - _HALF, x + _HALF + 1))
        weight = np.repeat(known[window][..., None], 3, axis=2)
        costs = cv2.matchTemplate(image, filled[window], cv2.TM_SQDIFF, mask=weight)
        origin = np.array([x - 2 * _HALF, y - 2 * _HALF], np.float32)
        far = np.hypot(*np.moveaxis(places - origin, 2, 0))
        costs = np.where(whole > 0, costs * (1 + _FAR * far) + far, np.inf)
        top, left = np.unravel_index(int(np.argmin(costs)), costs.shape)
        source = image[top : top + _PATCH, left : left + _PATCH]
        new = known[window] == 0
        filled[window][new] = source[new]
        trust[window][new] = trust[window].mean() * 0.95
        ys, xs = np.nonzero(new)
        ys, xs = ys + y - 2 * _HALF, xs + x - 2 * _HALF
        inside = (ys >= 0) & (xs >= 0) & (ys < hole.shape[0]) & (xs < hole.shape[1])
        offsets[ys[inside], xs[inside]] = (left - origin[0], top - origin[1])
        known[window] = 1
    return offsets


def _most_certain(filled: np.ndarray, known: np.ndarray, trust: np.ndarray) -> tuple[int, int]:
    """(y, x) of the rim pixel of the hole whose patch is best known and most structured."""
    rim = (known == 0) & (cv2.dilate(known, np.ones((3, 3), np.uint8)) > 0)
    rim[:_HALF], rim[-_HALF:], rim[:, :_HALF], rim[:, -_HALF:] = False, False, False, False
    grey = filled.mean(axis=2)
    inner = cv2.erode(known, np.ones((3, 3), np.uint8))
    strength = (
        np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)) * inner
    )
    data = cv2.dilate(strength, np.ones((_PATCH, _PATCH), np.uint8))
    score = np.where(rim, cv2.blur(trust, (_PATCH, _PATCH)) * (20 + data), -1)
    y, x = np.unravel_index(int(np.argmax(score)), score.shape)
    return int(y), int(x)


def _copied(image: np.ndarray, hole: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    places = pixel_grid(*hole.shape) + offsets
    copied = cv2.remap(
        image, places[..., 0], places[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )
    return np.where(hole[..., None], copied, image)


def _without_seams(copied: np.ndarray, hole: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Let each pixel differ from its neighbours as its source does from its own.

    A few Jacobi sweeps of Poisson's equation (Perez et al., "Poisson Image Editing", 2003): enough
    to spread the step at a seam, too few to let an error wander. Pixels whose source touches the
    hole stay as they are: of those sources not all neighbours are known.
    """
    curve = cv2.filter2D(copied, -1, NINE_POINT) - copied
    places = pixel_grid(*hole.shape) + offsets
    x, y = places[..., 0], places[..., 1]
    source_curve = cv2.remap(curve, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    near = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8))
    mask = (hole & (cv2.remap(near, x, y, cv2.INTER_NEAREST) == 0)).astype(np.uint8)
    current = copied
    for _ in range(_SEAM_SWEEPS):
        current = cv2.copyTo(cv2.filter2D(current, -1, NINE_POINT) - source_curve, mask, current)
    return current


def _refined(image: np.ndarray, hole: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Each pixel takes the neighbour's offset under which its surroundings fit best."""
    height, width = hole.shape
    grid, outside = pixel_grid(height, width), hole.astype(np.uint8)
    for reach in [2 ** (_ROUNDS - 1 - n) for n in range(_ROUNDS)]:
        current = _copied(image, hole, offsets)
        best = np.full((height, width), np.inf, np.float32)
        chosen = offsets
        for dx, dy in _NEIGHBOURS:
            shift = np.array([[1, 0, dx * reach], [0, 1, dy * reach]], np.float32)
            tried = cv2.warpAffine(offsets, shift, (width, height), flags=cv2.INTER_NEAREST)
            places = grid + tried
            x, y = places[..., 0], places[..., 1]
            source = cv2.remap(image, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            lost = cv2.remap(outside, x, y, cv2.INTER_NEAREST, borderValue=1)  # pyright: ignore
            cost = cv2.blur(cv2.transform((source - current) ** 2, _SUM), (_PATCH, _PATCH))
            cost = np.where((lost > 0) | ((tried == 0).all(axis=2)), np.inf, cost)
            better = cost < best
            best = np.where(better, cost, best).astype(np.float32)
            chosen = np.where(better[..., None], tried, chosen)
        offsets = chosen
    return offsets
