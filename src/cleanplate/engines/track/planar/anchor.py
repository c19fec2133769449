"""Alignment of a plane with a stored template: what keeps a track from drifting.

Inverse compositional Lucas-Kanade (Baker and Matthews, 2004) with a gain and an offset of the
light, and weights that let go of what does not fit: an occluder, a reflection.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.arrays import planes
from cleanplate.arrays.planes import Motion
from cleanplate.engines.track.planar.pictures import Picture
from cleanplate.engines.track.planar.templates import BLUR, Layer, Template, corners

ITERATIONS = 6
SAMPLE = 1000  # pixels from which a spread is told
STILL = 0.1  # px of the layer, a step of the corners that ends the search
Light = tuple[float, float]  # gain and offset


def approach(
    picture: Picture, pose: np.ndarray, template: Template, extent: np.ndarray
) -> np.ndarray:
    """``pose`` moved by a similarity, from coarse to fine but for the finest layer."""
    for layer in reversed(template.layers[1:]):
        pose = refine(picture, pose, layer, extent, Motion.SIMILARITY)
    return pose


def refine(
    picture: Picture, pose: np.ndarray, layer: Layer, extent: np.ndarray, motion: Motion
) -> np.ndarray:
    """``pose`` moved by a ``motion`` so that the plane in ``picture`` looks like ``layer``; as it
    was, where that runs away."""
    before = planes.apply(pose, corners(extent))
    moved = _align(picture, pose, layer, extent, motion)
    after = planes.apply(moved, corners(extent))
    area = planes.area(before)
    reach = 0.25 * np.sqrt(area) + 6
    if not planes.is_convex(after) or np.abs(after - before).max() > reach:
        return pose
    growth = planes.area(after) / max(area, 1e-6)
    return moved if 0.05 < growth < 20 else pose


def _align(
    picture: Picture, pose: np.ndarray, layer: Layer, extent: np.ndarray, motion: Motion
) -> np.ndarray:
    # The parameters are solved for times the gain: then the design never changes.
    design = layer.designs[motion]
    if len(layer.index) < 2 * motion:
        return pose
    rim = corners(extent)
    quad = planes.apply(pose, rim)
    step = float(np.sqrt(planes.area(quad) / (layer.size[0] * layer.size[1])))
    light = None
    for _ in range(ITERATIONS):
        values, within = _sample(picture, pose, layer, step)
        if within is not None and within.sum() < 2 * motion:
            return pose
        gain, offset = light or _light(values, layer.values, within)
        residual = np.abs(values - (gain * layer.values + offset))
        # Some residuals tell the spread as well as all of them.
        some = (residual if within is None else residual[within])[:: 1 + len(residual) // SAMPLE]
        spread = 1.4826 * float(np.partition(some, len(some) // 2)[len(some) // 2]) + 1
        weights = (1 + (residual / (2 * spread)) ** 2) ** -2
        change = _solve(design, weights if within is None else within * weights, values)
        light = max(float(change[-2]), 0.05), float(change[-1])
        warp = _warp(change[:-2] / light[0], motion)
        if abs(np.linalg.det(warp)) < 1e-6:
            return pose
        pose = planes.unit(pose @ np.linalg.inv(warp))
        moved = planes.apply(pose, rim)
        if np.abs(moved - quad).max() < STILL * step:
            break
        quad = moved
    return pose


def _sample(
    picture: Picture, pose: np.ndarray, layer: Layer, step: float
) -> tuple[np.ndarray, np.ndarray | None]:
    """The picture at the layer's pixels, and whether each lies in the picture: None if all do."""
    patch, within = picture.rectify(pose @ layer.to_plane, layer.size, step)
    values = cv2.GaussianBlur(patch, (0, 0), BLUR).ravel()[layer.index]
    return values, None if within is None else within.ravel()[layer.index]


def _light(values: np.ndarray, expected: np.ndarray, within: np.ndarray | None) -> Light:
    """A first guess of the gain and the offset, from spreads alone: nothing is aligned yet."""
    some = slice(None, None, 1 + len(values) // SAMPLE)
    if within is not None:
        values, expected = values[within], expected[within]
    values, expected = values[some], expected[some]
    gain = float(np.clip(values.std() / max(float(expected.std()), 1e-3), 0.2, 5))
    return gain, float(values.mean() - gain * expected.mean())


def _warp(change: np.ndarray, motion: Motion) -> np.ndarray:
    if motion is Motion.SIMILARITY:
        grow, turn, x, y = change
        return np.array([[1 + grow, -turn, x], [turn, 1 + grow, y], [0, 0, 1.0]])
    full = np.zeros(9)
    full[: len(change)] = change
    return np.eye(3) + full.reshape(3, 3)


def _solve(design: np.ndarray, weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    weighted = design * weights
    normal = (weighted @ design.T).astype(np.float64)
    # A trace of the diagonal keeps the system solvable where the template is flat.
    normal.ravel()[:: len(normal) + 1] *= 1 + 1e-6
    normal.ravel()[:: len(normal) + 1] += 1e-6
    return np.linalg.solve(normal, (weighted @ values).astype(np.float64))
