"""How much a plane in a frame looks like its template, and where.

Local zero-mean correlation with the share of camera noise taken out of the variances, so that a
faint emblem in noise still counts as seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.engines.track._anchor import inside_picture
from cleanplate.engines.track._pictures import Picture
from cleanplate.engines.track._templates import Template, corners, pixel_to_plane
from cleanplate.ops import planes

BLUR = 1.2  # px, of both sides
LEAST_TEXTURE = 0.02  # of the area: less says nothing
NOISE_KERNEL = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


@dataclass(slots=True, eq=False)
class Likeness:
    """How well a pose fits."""

    score: float
    """0..1 or a little below 0: 0.35 median + 0.35 median of the best half + 0.30 visible."""
    visible: float
    """0..1, share of the textured area in the picture that looks as stored."""
    middle: float
    """The median correlation."""
    inside: float
    """0..1, share of the plane that lies in the picture."""
    correlation: np.ndarray
    """(h, w) float32 over the template; 1 where there is no texture to judge by."""


def compare(picture: Picture, pose: np.ndarray, template: Template, extent: np.ndarray) -> Likeness:
    """Judge ``pose``: the plane in ``picture`` against ``template``."""
    width, height = template.size
    quad = planes.apply(pose, corners(extent))
    mapping = pose @ pixel_to_plane(template.size, extent)
    within = inside_picture(mapping, template.size, picture).reshape(height, width)
    inside = float(within.mean())
    blank = np.ones((height, width), np.float32)
    if inside < 0.02 or not planes.is_convex(quad):
        return Likeness(0.0, 0.0, 0.0, inside, blank)
    step = float(np.sqrt(planes.area(quad) / (width * height)))
    patch = picture.rectify(mapping, template.size, step)
    weight = (within & template.inside).astype(np.float32)
    correlation, texture = _correlate(template.images[0], patch, weight)
    judged = correlation[texture]
    if len(judged) < max(16, LEAST_TEXTURE * weight.sum()):
        return Likeness(0.0, 0.0, 0.0, inside, blank)
    visible, middle = float((judged > 0.5).mean()), float(np.median(judged))
    best = float(np.median(judged[judged >= middle]))
    score = 0.35 * middle + 0.35 * best + 0.30 * visible
    return Likeness(score, visible, middle, inside, np.where(texture, correlation, blank))


def texture_share(template: Template) -> float:
    """0..1: how much of the template has texture to judge by, its very rim left out."""
    stored, weight = template.images[0], template.inside.astype(np.float32)
    rim = max(2, round(0.05 * min(stored.shape)))
    weight[:rim] = weight[-rim:] = weight[:, :rim] = weight[:, -rim:] = 0
    _, texture = _correlate(stored, stored, weight)
    return float(texture.sum()) / max(float(weight.sum()), 1.0)


def _correlate(
    stored: np.ndarray, seen: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Local correlation of two patches, and where the stored one has texture to judge by."""
    window = max(5, min(stored.shape) // 3) | 1
    one, other = (cv2.GaussianBlur(p, (0, 0), BLUR) for p in (stored, seen))
    share = np.maximum(_mean(weight, window), 1e-6)
    # Sums of squares of values near 0 lose no digits in float32.
    one, other = one - float(one.mean()), other - float(other.mean())
    mean_one, mean_other = (_mean(weight * p, window) / share for p in (one, other))
    variance_one = _mean(weight * one * one, window) / share - mean_one**2
    variance_other = _mean(weight * other * other, window) / share - mean_other**2
    together = _mean(weight * one * other, window) / share - mean_one * mean_other
    variance_one = _less_noise(variance_one, stored)
    variance_other = _less_noise(variance_other, seen)
    correlation = together / np.sqrt(np.maximum(variance_one * variance_other, 1e-3))
    known = weight > 0
    most = float(variance_one[known].max()) if known.any() else 0.0
    texture = known & (variance_one > max(3.0, 0.03 * most))
    return np.clip(correlation, -1, 1), texture


def _mean(values: np.ndarray, window: int) -> np.ndarray:
    return cv2.boxFilter(values, cv2.CV_32F, (window, window), borderType=cv2.BORDER_REPLICATE)


def _less_noise(variance: np.ndarray, patch: np.ndarray) -> np.ndarray:
    """Take out what white noise of the patch's strength leaves after the blur, but not all."""
    strength = 1.4826 * float(np.median(np.abs(cv2.filter2D(patch, -1, NOISE_KERNEL)))) / 6
    noise = 0.9 * strength**2 / (4 * np.pi * BLUR**2)
    return np.maximum(variance - noise, 0.35 * np.maximum(variance, 0))
