"""Finding a plane anywhere in a frame: after it was hidden, out of the picture, or after a cut."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays import planes
from cleanplate.arrays.planes import Motion
from cleanplate.engines.track.planar.pictures import Picture
from cleanplate.engines.track.planar.templates import (
    Template,
    corners,
    feature_scale,
    pixel_to_plane,
)

RATIO = 0.82  # of the distances to the nearest and the second nearest description (Lowe, 2004)
THRESHOLD = 4.0  # px
LEAST_INLIERS = 8
SCALES = (0.8, 0.9, 1.0, 1.1, 1.25)
PEAKS = 3
SWEEP_SIZE = 480  # px, long side at most of the picture that the template is swept over
SWEPT_SIDE = 36  # px, short side there of the plane
STRETCH = 2.0  # most change of the side ratio that is believed of a thing found again

LEAST_ANGLE = 0.35  # least sine of a corner's angle


@dataclass(slots=True, eq=False)
class Found:
    """A place where the plane may be."""

    pose: np.ndarray
    inliers: int
    """Features that agree; 0 for a place found by sweeping the template."""


def by_features(
    picture: Picture,
    templates: list[Template],
    pose: np.ndarray,
    extent: np.ndarray,
    largest: Motion,
) -> list[Found]:
    """The places that matches of each template's features agree on, most matches first.

    ``pose`` is the last one known: it tells how large the plane is.
    """
    here = picture.features(feature_scale(planes.apply(pose, corners(extent))))
    places = []
    for template in templates:
        stored = template.features
        if min(len(stored.points), len(here.points)) < LEAST_INLIERS:
            continue
        pairs = cv2.BFMatcher(cv2.NORM_HAMMING).knnMatch(stored.descriptors, here.descriptors, k=2)
        good = [p[0] for p in pairs if len(p) == 2 and p[0].distance < RATIO * p[1].distance]
        if len(good) < LEAST_INLIERS:
            continue
        source = stored.points[[m.queryIdx for m in good]]
        target = here.points[[m.trainIdx for m in good]]
        fitted = planes.fit(source, target, largest, THRESHOLD)
        if fitted is None or fitted[1].sum() < LEAST_INLIERS:
            continue
        if is_plausible(fitted[0], extent):
            places.append(Found(fitted[0], int(fitted[1].sum())))
    return sorted(places, key=lambda place: -place.inliers)


def by_sweep(
    picture: Picture, template: Template, pose: np.ndarray, extent: np.ndarray
) -> list[Found]:
    """The places that look most like ``template`` as it last stood (``pose``), at five scales.

    For thin letters and emblems, which hold too few features.
    """
    quad = planes.apply(pose, corners(extent))
    side = max(min(planes.sides(quad)), 1e-6)
    scale = min(1.0, SWEEP_SIZE / max(picture.size), SWEPT_SIDE / side)
    small = picture.scaled(scale)
    peaks: list[tuple[float, np.ndarray]] = []
    for factor in SCALES:
        resized = np.diag([scale * factor, scale * factor, 1.0])
        place = planes.apply(resized @ pose, corners(extent))
        low = np.floor(place.min(axis=0))
        width, height = (int(s) for s in np.ceil(place.max(axis=0)) - low)
        if min(width, height) < 5 or width >= small.shape[1] or height >= small.shape[0]:
            continue
        view = planes.translation(-low[0], -low[1]) @ resized @ pose
        look = _render(template, view, extent, (width, height))
        # Half of a thing that comes in from the side can be found too.
        rim_x, rim_y = width // 2, height // 2
        wide = cv2.copyMakeBorder(small, rim_y, rim_y, rim_x, rim_x, cv2.BORDER_REPLICATE)
        similar = cv2.matchTemplate(wide, look, cv2.TM_CCOEFF_NORMED)
        for _ in range(PEAKS):
            _, height_of_peak, _, (x, y) = cv2.minMaxLoc(similar)
            to_small = planes.translation(x - rim_x, y - rim_y)
            to_frame = np.diag([1 / scale, 1 / scale, 1.0]) @ to_small
            peaks.append((height_of_peak, planes.unit(to_frame @ view)))
            cv2.rectangle(
                similar,
                (x - width // 3, y - height // 3),
                (x + width // 3, y + height // 3),
                -1.0,
                -1,
            )
    peaks.sort(key=lambda peak: -peak[0])
    apart = 0.3 * np.sqrt(planes.area(quad))
    places: list[Found] = []
    for _, found in peaks:
        centre = planes.apply(found, np.zeros((1, 2)))
        others = [planes.apply(p.pose, np.zeros((1, 2))) for p in places]
        if all(np.linalg.norm(centre - other) > apart for other in others):
            places.append(Found(found, 0))
        if len(places) == PEAKS:
            break
    return places


def is_plausible(pose: np.ndarray, extent: np.ndarray, stretch: float = STRETCH) -> bool:
    """Whether the plane is seen from the front, with about its own side ratio, not folded up."""
    quad = planes.apply(pose, corners(extent))
    if not planes.is_convex(quad):
        return False
    width, height = planes.sides(quad)
    change = (width / height) / (extent[0] / extent[1])
    edges = quad[planes.NEXT] - quad
    lengths = np.linalg.norm(edges, axis=1)
    opposite = lengths / lengths[planes.NEXT[planes.NEXT]]
    following = edges[planes.NEXT]
    turns = edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0]
    upright = turns / (lengths * lengths[planes.NEXT])
    return bool(
        1 / stretch < change < stretch and opposite.max() < stretch and upright.min() > LEAST_ANGLE
    )


def _render(
    template: Template, view: np.ndarray, extent: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """The template as it would be seen at ``view``, its mean around it."""
    image = template.images[0]
    mapping = view @ pixel_to_plane(template.size, extent)
    shrink = np.sqrt(size[0] * size[1] / image.size)
    if shrink < 1:  # else fine texture aliases
        image = cv2.GaussianBlur(image, (0, 0), 0.5 / shrink)
    look = cv2.warpPerspective(
        image,
        mapping,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=float(image.mean()),
    )
    return np.clip(look, 0, 255).astype(np.uint8)
