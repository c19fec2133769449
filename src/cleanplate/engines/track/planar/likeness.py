"""How much a plane in a frame looks like its template, and where: local zero-mean correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.arrays import planes
from cleanplate.engines.track.planar import texture
from cleanplate.engines.track.planar.pictures import Picture
from cleanplate.engines.track.planar.templates import Template, corners, pixel_to_plane

LEAST_TEXTURE = 0.02  # of the area: less says nothing
LEAST_PLACES = 4  # of the halved template


@dataclass(slots=True, eq=False)
class Likeness:
    """How well a pose fits."""

    score: float
    """0..1 or a little below 0: 0.35 median + 0.35 median of the best half + 0.30 visible."""
    visible: float
    """0..1, share of the textured area in the picture that looks as stored."""
    middle: float
    """The median correlation."""
    clearest: float
    """The correlation that a tenth of the texture exceeds: near 1 for a thing that is half
    covered, not for a look-alike."""
    inside: float
    """0..1, share of the plane that lies in the picture."""
    correlation: np.ndarray
    """(h / 2, w / 2) float32 over the template; 1 where there is no texture to judge by."""


def compare(picture: Picture, pose: np.ndarray, template: Template, extent: np.ndarray) -> Likeness:
    """Judge ``pose``: the plane in ``picture`` against ``template``."""
    width, height = template.size
    quad = planes.apply(pose, corners(extent))
    mapping = pose @ pixel_to_plane(template.size, extent)
    step = float(np.sqrt(planes.area(quad) / (width * height)))
    patch, within = picture.rectify(mapping, template.size, step)
    inside = 1.0 if within is None else float(within.mean())
    blank = np.ones_like(template.texture.mean)
    if inside < 0.02 or not planes.is_convex(quad):
        return Likeness(0.0, 0.0, 0.0, 0.0, inside, blank)
    weight, stored = template.weight, template.texture
    if within is not None:
        weight = texture.weigh(within & template.inside)
        stored = texture.prepare(template.images[0], weight)
    textured = texture.textured(stored, weight)
    correlation = texture.correlate(stored, texture.prepare(patch, weight), weight)
    judged = np.sort(correlation[textured])
    if len(judged) < max(LEAST_PLACES, LEAST_TEXTURE * weight.known.sum()):
        return Likeness(0.0, 0.0, 0.0, 0.0, inside, blank)
    visible = float((judged > 0.5).mean())
    middle, best, clearest = (float(judged[int(f * len(judged))]) for f in (0.5, 0.75, 0.9))
    score = 0.35 * middle + 0.35 * best + 0.30 * visible
    correlation = np.where(textured, correlation, blank)
    return Likeness(score, visible, middle, clearest, inside, correlation)


def texture_share(template: Template) -> float:
    """0..1: how much of the template has texture to judge by, its very rim left out."""
    inner = template.inside.copy()
    rim = max(2, round(0.05 * min(inner.shape)))
    inner[:rim] = inner[-rim:] = inner[:, :rim] = inner[:, -rim:] = False
    weight = texture.weigh(inner)
    textured = texture.textured(texture.prepare(template.images[0], weight), weight)
    return float(textured.sum()) / max(float(weight.known.sum()), 1.0)
