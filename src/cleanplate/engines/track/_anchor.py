"""Alignment of a plane with a stored template: what keeps a track from drifting.

Inverse compositional Lucas-Kanade (Baker and Matthews, 2004) with a gain and an offset of the
light, and weights that let go of what does not fit: an occluder, a reflection.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.engines.track._pictures import Picture
from cleanplate.engines.track._templates import BLUR, Layer, Template, corners
from cleanplate.ops import planes
from cleanplate.ops.planes import Motion

ITERATIONS = 12
SAMPLE = 3000  # residuals from which their spread is told
STILL = 0.02  # px, a step of the corners that ends the search


def refine(
    picture: Picture,
    pose: np.ndarray,
    template: Template,
    extent: np.ndarray,
    largest: Motion,
) -> dict[Motion, np.ndarray]:
    """``pose`` moved so that the plane in ``picture`` looks like ``template``.

    Coarse to fine with a similarity, then with freer motions up to ``largest`` at the finest
    layer. A stage that runs away is undone.

    Returns:
        the pose reached with each motion.
    """
    for layer in reversed(template.layers):
        pose = _stage(picture, pose, layer, extent, Motion.SIMILARITY)
    poses = {Motion.SIMILARITY: pose}
    for motion in (Motion.AFFINE, Motion.HOMOGRAPHY):
        if motion <= largest:
            pose = _stage(picture, pose, template.layers[0], extent, motion)
            poses[motion] = pose
    return poses


def _stage(
    picture: Picture, pose: np.ndarray, layer: Layer, extent: np.ndarray, motion: Motion
) -> np.ndarray:
    before = planes.apply(pose, corners(extent))
    moved = _align(picture, pose, layer, extent, motion)
    after = planes.apply(moved, corners(extent))
    reach = 0.25 * np.sqrt(planes.area(before)) + 6
    if not planes.is_convex(after) or np.linalg.norm(after - before, axis=1).max() > reach:
        return pose
    growth = planes.area(after) / max(planes.area(before), 1e-6)
    return moved if 0.05 < growth < 20 else pose


def _align(
    picture: Picture, pose: np.ndarray, layer: Layer, extent: np.ndarray, motion: Motion
) -> np.ndarray:
    if len(layer.index) < 2 * motion:
        return pose
    # The parameters are solved for times the gain: then the design never changes.
    ones = np.ones_like(layer.values)
    design = np.column_stack([_basis(layer.basis, motion), layer.values, ones])
    rim = corners(extent)
    quad = planes.apply(pose, rim)
    step = float(np.sqrt(planes.area(quad) / (layer.size[0] * layer.size[1])))
    light = None
    for _ in range(ITERATIONS):
        values, within = _sample(picture, pose, layer, step)
        if within.sum() < 2 * motion:
            return pose
        gain, offset = light or _light(values[within], layer.values[within])
        residual = values - (gain * layer.values + offset)
        # A few thousand residuals tell the spread as well as all of them.
        some = np.abs(residual[within][:: 1 + len(residual) // SAMPLE])
        spread = 1.4826 * float(np.median(some)) + 1
        weights = within / (1 + (residual / (2 * spread)) ** 2) ** 2
        change = _solve(design, weights.astype(np.float32), values)
        light = max(float(change[-2]), 0.05), float(change[-1])
        warp = _warp(change[:-2] / light[0], motion)
        if abs(np.linalg.det(warp)) < 1e-6:
            return pose
        pose = planes.unit(pose @ np.linalg.inv(warp))
        moved = planes.apply(pose, rim)
        if np.abs(moved - quad).max() < STILL:
            break
        quad = moved
    return pose


def _sample(
    picture: Picture, pose: np.ndarray, layer: Layer, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """The picture at the layer's pixels, and whether each lies in the picture."""
    mapping = pose @ layer.to_plane
    patch = cv2.GaussianBlur(picture.rectify(mapping, layer.size, step), (0, 0), BLUR)
    return patch.ravel()[layer.index], inside_picture(mapping, layer.size, picture)[layer.index]


def inside_picture(mapping: np.ndarray, size: tuple[int, int], picture: Picture) -> np.ndarray:
    """(w * h,) bool: which pixels of a patch of ``size`` lie in ``picture``."""
    width, height = size
    ends = np.array([[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]])
    if _within(planes.apply(mapping, ends), picture).all():
        return np.ones(width * height, bool)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    return _within(planes.apply(mapping, np.stack([x.ravel(), y.ravel()], 1)), picture)


def _within(points: np.ndarray, picture: Picture) -> np.ndarray:
    width, height = picture.size
    x, y = points[:, 0], points[:, 1]
    return (x >= 0) & (y >= 0) & (x <= width - 1) & (y <= height - 1)


def _light(values: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """A first guess of the gain and the offset, from spreads alone: nothing is aligned yet."""
    gain = float(np.clip(values.std() / max(float(expected.std()), 1e-3), 0.2, 5))
    return gain, float(np.median(values) - gain * np.median(expected))


def _basis(basis: np.ndarray, motion: Motion) -> np.ndarray:
    if motion is Motion.SIMILARITY:
        turn, grow = basis[:, 3] - basis[:, 1], basis[:, 0] + basis[:, 4]
        return np.stack([grow, turn, basis[:, 2], basis[:, 5]], axis=1)
    return basis[:, : int(motion)]


def _warp(change: np.ndarray, motion: Motion) -> np.ndarray:
    if motion is Motion.SIMILARITY:
        grow, turn, x, y = change
        return np.array([[1 + grow, -turn, x], [turn, 1 + grow, y], [0, 0, 1.0]])
    full = np.zeros(9)
    full[: len(change)] = change
    return np.eye(3) + full.reshape(3, 3)


def _solve(design: np.ndarray, weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    weighted = design * weights[:, None]
    normal = (weighted.T @ design).astype(np.float64)
    # A trace of the diagonal keeps the system solvable where the template is flat.
    normal[np.diag_indices_from(normal)] += 1e-6 * np.diag(normal) + 1e-6
    return np.linalg.solve(normal, (weighted.T @ values).astype(np.float64))
