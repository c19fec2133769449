"""Filling what no frame shows by linear prediction from what surrounds it (kriging).

How alike two pixels are at a distance, in each direction, is read off the surroundings, so that
stripes, edges and horizons go on into a hole instead of fading as in a smooth fill. Matheron,
"Principles of geostatistics", 1963, with a linear variogram of elliptic distance.

It is done at a small size, where a hole has some hundred pixels; what is added to the smooth fill
is the difference there. How far to trust it is told by trials: each sector of the surroundings is
predicted from all others, once in this manner and once smoothly (Dubrule, "Cross validation of
kriging in a unique neighborhood", 1983: all trials cost one inverse).
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays.harmonic import halve

_LEAST = 200  # px of a hole; a smooth fill is good enough for less
_HALVINGS = 2  # at least, unless told otherwise
_MOST = 1000  # px of a hole at the small size
_AROUND_SHARE = 0.8  # of that many px around it, at most
_REACH = 4.0  # small px around the hole that predict it
_LAGS = 6  # small px up to which likeness is measured
_FEW = 20  # pairs of pixels, or pixels, that tell nothing
_LONGEST = 7.0  # how many times longer than wide an ellipse of likeness may be
_NOISE = 0.05  # of the variogram at one small px
_RIM = 0.5  # small px from the rim on: there the smooth fill is right
_SECTORS = 4
_INVISIBLE = 1.0  # grey levels squared: a lesser error is as good as none
_SOFTENED = 0.3  # small px squared: keeps the logarithm finite


def kriged_fill(
    smooth: np.ndarray, hole: np.ndarray, least_halvings: int = _HALVINGS, most: int = _MOST
) -> np.ndarray:
    """``smooth`` with the directions of what surrounds ``hole`` carried on into it.

    Args:
        smooth: (H, W, C) float32, the hole filled smoothly; likeness is measured in all that is
            known of it, so it should end some 15 px around the hole.
        hole: (H, W) bool.
        least_halvings: how often the size is halved at least; less for what is halved already.
        most: pixels of the hole that are predicted, at the small size; its cube is the work.

    Returns:
        (H, W, C) float32, equal to ``smooth`` outside the hole, and also inside if the hole is
        small or too little is known around it.
    """
    if np.count_nonzero(hole) < _LEAST >> 2 * (_HALVINGS - least_halvings):
        return smooth
    known = (~hole).astype(np.float32)[..., None]
    values, start, halvings = smooth * known, smooth, 0
    while halvings < least_halvings or _too_many(known, most):
        values, known, start = _halved(values), _halved(known), _halved(start)
        halvings += 1
    unknown = _unknown(known)
    values = np.where(unknown[..., None], start, values / np.maximum(known, 1e-6))
    change = _predicted(values, unknown) - values
    for _ in range(halvings):
        change = cv2.resize(change, (change.shape[1] * 2, change.shape[0] * 2))
    height, width = hole.shape
    change = change.reshape(*change.shape[:2], -1)[:height, :width]
    depth = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3) / 2**halvings
    return smooth + change * np.clip(depth - _RIM, 0, 1)[..., None]


def _halved(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 blocks of (H, W, C) ``values``; beyond an odd border they go on."""
    height, width = values.shape[:2]
    return halve(np.pad(values, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def _unknown(known: np.ndarray) -> np.ndarray:
    """(h, w) bool, of the (h, w, 1) share of each small pixel that is known."""
    return known[..., 0] <= 0.5


def _around(hole: np.ndarray) -> np.ndarray:
    distance = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 3)
    return ~hole & (distance <= _REACH)


def _too_many(known: np.ndarray, most: int) -> bool:
    hole = _unknown(known)
    inside, around = np.count_nonzero(hole), np.count_nonzero(_around(hole))
    return bool(inside > most or around > _AROUND_SHARE * most)


def _predicted(values: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """``values`` (h, w, C), smooth in the ``hole``, with the mean of both manners there."""
    places = np.argwhere(_around(hole)).astype(float)
    unknown = np.argwhere(hole).astype(float)
    shape = _likeness(values.mean(axis=2), ~hole)
    if shape is None or len(places) < _FEW or not len(unknown):
        return values
    ys, xs = places.astype(int).T
    known = values[ys, xs].astype(float)
    angle = np.arctan2(*(places - unknown.mean(axis=0)).T)
    sectors = np.floor((angle / (2 * np.pi) + 0.5) * _SECTORS).astype(int) % _SECTORS
    if sectors.min() == sectors.max():
        return values
    _, smooth_error = _solved(_smooth_likeness(places), known, sectors)
    stretched = places @ shape
    weights, error = _solved(_linear_likeness(stretched, stretched), known, sectors)
    fill = _linear_likeness(unknown @ shape, stretched) @ weights[:-1] + weights[-1]
    share = smooth_error**2 / (smooth_error**2 + error**2)
    result = values.copy()
    result[hole] += np.float32(share) * (fill - values[hole])
    return result


def _likeness(grey: np.ndarray, known: np.ndarray) -> np.ndarray | None:
    """The (2, 2) matrix by which (y, x) is stretched so that likeness falls alike each way.

    Half the mean squared difference of pixels a lag apart is taken for the length of the stretched
    lag, which is fitted by least squares; near lags count most.
    """
    height, width = grey.shape
    rows, lengths = [], []
    for dy in range(_LAGS + 1):
        for dx in range(-_LAGS, _LAGS + 1):
            if (
                (dy == 0 and dx <= 0)
                or dy**2 + dx**2 > _LAGS**2
                or dy >= height
                or abs(dx) >= width
            ):
                continue
            near = slice(0, height - dy), slice(max(-dx, 0), width - max(dx, 0))
            far_end = slice(dy, height), slice(max(dx, 0), width + min(dx, 0))
            both = known[near] & known[far_end]
            if np.count_nonzero(both) >= _FEW:
                far = dy**2 + dx**2
                rows.append(np.array([dy * dy, 2 * dy * dx, dx * dx]) / far)
                half = ((grey[near] - grey[far_end])[both] ** 2).mean() / 2
                lengths.append(half**2 / far)
    if len(rows) < 3:
        return None
    a, b, c = np.linalg.lstsq(np.array(rows), np.array(lengths), rcond=None)[0]
    squares, axes = np.linalg.eigh(np.array([[a, b], [b, c]]))
    if squares[1] <= 0:
        return None
    squares = np.maximum(squares, squares[1] / _LONGEST**2)
    return axes * np.sqrt(squares / np.sqrt(squares.prod()))


def _linear_likeness(places: np.ndarray, others_places: np.ndarray) -> np.ndarray:
    """(N, M) for (N, 2) and (M, 2) places: it falls linearly with their distance."""
    return -np.sqrt(_squares(places, others_places))


def _smooth_likeness(places: np.ndarray) -> np.ndarray:
    """(N, N) for (N, 2) places: with Green's function of Laplace's equation the fill is smooth."""
    return -0.5 * np.log(_squares(places, places) + _SOFTENED)


def _squares(places: np.ndarray, others_places: np.ndarray) -> np.ndarray:
    square = (
        (places**2).sum(axis=1)[:, None]
        + (others_places**2).sum(axis=1)
        - 2 * places @ others_places.T
    )
    return np.maximum(square, 0)


def _solved(
    likeness: np.ndarray, known: np.ndarray, sectors: np.ndarray
) -> tuple[np.ndarray, float]:
    """The weights that reproduce N ``known`` (N, C) values, and a constant: (N + 1, C).

    Besides, the squared error with which a sector is predicted from all others: the geometric mean,
    so that a plain sector counts as much as a busy one.
    """
    count = len(known)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = likeness + _NOISE * np.eye(count)
    system[count, count] = 0
    inverse = np.linalg.inv(system)
    weights = inverse[:, :count] @ known
    errors = []
    for number in np.unique(sectors):
        inside = np.nonzero(sectors == number)[0]
        missed = np.linalg.solve(inverse[np.ix_(inside, inside)], weights[inside])
        errors.append(_INVISIBLE + (missed**2).mean())
    return weights, float(np.exp(np.log(errors).mean()))
