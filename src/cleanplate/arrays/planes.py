"""Motions of a plane seen by a camera: homographies, their fit to points, and quadrilaterals.

A homography is a (3, 3) float64 array. Functions do not care whether points are given at pixel
centres or at pixel edges, as long as one call holds one kind.
"""

from __future__ import annotations

from enum import IntEnum

import cv2
import numpy as np

NEXT = np.array([1, 2, 3, 0])  # after each corner of a quadrilateral


class Motion(IntEnum):
    """Families of plane motion; the value is the number of free parameters."""

    SIMILARITY = 4
    AFFINE = 6
    HOMOGRAPHY = 8


def apply(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Move ``points`` ((n, 2)) by ``homography``; returns (n, 2) float64.

    A point that goes to infinity comes back as a very large, finite number.
    """
    points = np.asarray(points, np.float64)
    moved = points @ homography[:, :2].T + homography[:, 2]
    scale = moved[:, 2:]
    return moved[:, :2] / np.where(np.abs(scale) < 1e-12, 1e-12, scale)


def translation(x: float, y: float) -> np.ndarray:
    """The homography that moves by (x, y)."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The homography that carries quadrilateral ``source`` ((4, 2)) onto ``target``."""
    return cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))


def unit(homography: np.ndarray) -> np.ndarray:
    """``homography`` scaled so that its last entry is 1."""
    last = homography[2, 2]
    return homography / (last if abs(last) > 1e-12 else 1e-12)


def quad_of_mask(mask: np.ndarray) -> np.ndarray:
    """The rectangle around the pixels of ``mask`` ((H, W), not 0), corners at pixel edges.

    Axis-aligned when the mask fills its box about as well as it fills the rectangle of least
    area; else that rectangle, so that a tilted sign gets a tilted quadrilateral.

    Returns:
        (4, 2) float64 (x, y), clockwise, beginning with the corner nearest the top left.
    """
    ys, xs = np.nonzero(mask)
    x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    box = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
    outline = cv2.convexHull(np.stack([xs, ys], 1).astype(np.int32))[:, 0]
    rims = np.concatenate([outline + step for step in ((0, 0), (1, 0), (1, 1), (0, 1))])
    tilted = cv2.boxPoints(cv2.minAreaRect(rims.astype(np.float32))).astype(np.float64)
    if area(tilted) < 0.85 * area(box):
        return _from_top_left(tilted)
    return box


def _from_top_left(quad: np.ndarray) -> np.ndarray:
    """``quad`` turned clockwise on the screen (y down), first the corner nearest the top left."""
    if signed_area(quad) < 0:
        quad = quad[::-1]
    corner = quad.min(axis=0)
    return np.roll(quad, -int(np.argmin(np.abs(quad - corner).sum(axis=1))), axis=0)


def signed_area(quad: np.ndarray) -> float:
    """The area of a polygon, positive when its corners run clockwise on the screen."""
    x, y = quad[:, 0], quad[:, 1]
    turned = x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1]
    return 0.5 * float(turned)


def area(quad: np.ndarray) -> float:
    """The area of a polygon, not negative."""
    return abs(signed_area(quad))


def sides(quad: np.ndarray) -> tuple[float, float]:
    """The mean length of the first and third side, and of the second and fourth."""
    lengths = np.linalg.norm(quad[NEXT] - quad, axis=1)
    return float(lengths[0] + lengths[2]) / 2, float(lengths[1] + lengths[3]) / 2


def is_convex(quad: np.ndarray) -> bool:
    """Whether a quadrilateral is convex and runs clockwise on the screen: seen from the front."""
    if not np.isfinite(quad).all():
        return False
    edges = quad[NEXT] - quad
    following = edges[NEXT]
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    return bool(turns.min() > 0)


def quad_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union of two convex quadrilaterals, 0..1."""
    shared = float(
        cv2.intersectConvexConvex(first.astype(np.float32), second.astype(np.float32))[0]
    )
    union = area(first) + area(second) - shared
    return shared / union if union > 0 else 0.0


def fit(
    source: np.ndarray,
    target: np.ndarray,
    largest: Motion = Motion.HOMOGRAPHY,
    threshold: float = 1.5,
) -> tuple[np.ndarray, np.ndarray] | None:
    """The plane motion that carries ``source`` to ``target`` ((n, 2) each), outliers allowed.

    Each family up to ``largest`` is fitted robustly and the one with the least
    ``sum(min(r^2, threshold^2)) / (threshold/3)^2 + 2 k ln n`` is taken: residuals of a third of
    the threshold, and a price for the k parameters, so that few points never bend a plane that
    they cannot hold.

    Returns:
        the homography and (n,) bool, the points that agree with it; None when fewer than four do.
    """
    if len(source) < 4:
        return None
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    best, best_cost = None, np.inf
    for motion in Motion:
        price = 2 * motion * np.log(len(source))
        if motion > largest or price >= best_cost:
            break
        fitted = _fit_one(source, target, motion, threshold)
        if fitted is None:
            continue
        squares = ((apply(fitted, source) - target) ** 2).sum(axis=1)
        cost = float(np.minimum(squares, threshold**2).sum()) / (threshold / 3) ** 2
        if cost + price < best_cost:
            best, best_cost = (fitted, squares < threshold**2), cost + price
    return best if best is not None and best[1].sum() >= 4 else None


def _fit_one(
    source: np.ndarray, target: np.ndarray, motion: Motion, threshold: float
) -> np.ndarray | None:
    if motion is Motion.HOMOGRAPHY:
        fitted, _ = cv2.findHomography(source, target, cv2.USAC_MAGSAC, threshold, maxIters=500)
        return None if fitted is None else unit(fitted)
    estimate = cv2.estimateAffinePartial2D if motion is Motion.SIMILARITY else cv2.estimateAffine2D
    fitted, _ = estimate(source, target, ransacReprojThreshold=threshold, maxIters=500)
    return None if fitted is None else np.vstack([fitted, [0.0, 0.0, 1.0]])
