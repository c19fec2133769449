"""Stored views of a plane, in the plane's own coordinates.

A plane's coordinates are (x, y) within [-rx, rx] x [-ry, ry], the longer of rx and ry being 1.
A *pose* is the homography from there to pixel centres of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays import planes
from cleanplate.arrays.planes import Motion
from cleanplate.engines.track.planar import texture
from cleanplate.engines.track.planar.pictures import Features, Picture, find_features
from cleanplate.engines.track.planar.texture import Texture, Weight

LONG_SIDE = 192  # px, of a template at most
SHORT_SIDE = 64  # px, of a template at least, if twofold enlargement reaches it
STRIDES = (1, 2, 4)
BLUR = 0.5  # px, of both sides before they are compared
PIXELS = 7500  # compared at most in one layer
FEATURE_SIDE = 64  # px, short side of the view in which features are found
FEATURES = 500


@dataclass(slots=True, eq=False)
class Layer:
    """A template at one stride, prepared for alignment."""

    size: tuple[int, int]
    to_plane: np.ndarray
    """(3, 3): pixel centres to the plane's coordinates."""
    index: np.ndarray
    """(n,) positions of the compared pixels in the flattened template."""
    values: np.ndarray
    """(n,) float32 grey levels there."""
    designs: dict[Motion, np.ndarray]
    """(parameters + 2, n) float32: change of the values with each parameter of a motion, with the
    gain and with the offset of the light."""


@dataclass(slots=True, eq=False)
class Template:
    """One stored view. ``images`` hold all there is; the rest is made from them."""

    images: list[np.ndarray]
    """(h, w) float32 grey at each of STRIDES that is not too small."""
    inside: np.ndarray
    """(h, w) bool at stride 1: pixels that belong to the object."""
    side: float
    """px, square root of the plane's area in the frame that it was taken from."""
    features: Features
    """ORB points, in the plane's coordinates."""
    layers: list[Layer]
    weight: Weight
    """Of the pixels inside."""
    texture: Texture
    """Of the first image."""

    @property
    def size(self) -> tuple[int, int]:
        return self.images[0].shape[1], self.images[0].shape[0]


def pixel_to_plane(size: tuple[int, int], extent: np.ndarray) -> np.ndarray:
    """(3, 3): pixel centres of a patch of ``size`` that covers the plane, to the plane."""
    x, y = 2 * extent / size
    return np.array([[x, 0, 0.5 * x - extent[0]], [0, y, 0.5 * y - extent[1]], [0, 0, 1.0]])


def corners(extent: np.ndarray) -> np.ndarray:
    """(4, 2): the plane's corners, clockwise from the top left."""
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * extent


def take(picture: Picture, pose: np.ndarray, extent: np.ndarray, mask: np.ndarray) -> Template:
    """Store how the plane looks in ``picture`` at ``pose``.

    Args:
        picture: the frame.
        pose: (3, 3), the plane to pixel centres of the frame.
        extent: (2,), half width and half height of the plane.
        mask: (h, w) uint8 0 or 255 over the whole plane: what belongs to the object.
    """
    quad = planes.apply(pose, corners(extent))
    size = _size(np.array(planes.sides(quad)))
    side = float(np.sqrt(planes.area(quad)))
    images = []
    for stride in STRIDES:
        width, height = (round(s / stride) for s in size)
        if stride > 1 and min(width, height) < 10:
            break
        mapping = pose @ pixel_to_plane((width, height), extent)
        step = side / np.sqrt(width * height)
        images.append(picture.rectify(mapping, (width, height), step)[0])
    inside = cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR) > 127
    return build(images, inside, side, _features(picture, pose, extent), extent)


def build(
    images: list[np.ndarray],
    inside: np.ndarray,
    side: float,
    features: Features,
    extent: np.ndarray,
) -> Template:
    """A template from its stored arrays."""
    layers = [_layer(image, inside, extent) for image in images]
    weight = texture.weigh(inside)
    prepared = texture.prepare(images[0], weight)
    return Template(images, inside, side, features, layers, weight, prepared)


def surface_size(extent: np.ndarray) -> tuple[int, int]:
    """(width, height) in px of a drawing of the object's outline over the plane."""
    width, height = (max(4, round(float(side) * LONG_SIDE)) for side in extent)
    return width, height


def _size(sides: np.ndarray) -> tuple[int, int]:
    scale = min(2.0, max(1.0, SHORT_SIDE / max(float(sides.min()), 1e-6)))
    scale = min(scale, LONG_SIDE / max(float(sides.max()), 1e-6))
    width, height = (max(4, 2 * round(float(s) * scale / 2)) for s in sides)
    return width, height


def _features(picture: Picture, pose: np.ndarray, extent: np.ndarray) -> Features:
    quad = planes.apply(pose, corners(extent))
    scale = feature_scale(quad)
    width, height = (max(4, round(float(s) * scale)) for s in planes.sides(quad))
    mapping = pixel_to_plane((width, height), extent)
    view, _ = picture.rectify(pose @ mapping, (width, height), 1 / scale)
    found = find_features(view.astype(np.uint8), FEATURES)
    found.points = planes.apply(mapping, found.points).astype(np.float32)
    return found


def feature_scale(quad: np.ndarray) -> float:
    """At which the features of a plane seen at ``quad`` are found: large enough to describe,
    small enough to be quick."""
    return min(max(FEATURE_SIDE / max(min(planes.sides(quad)), 1e-6), 0.125), 2.0)


def _layer(image: np.ndarray, inside: np.ndarray, extent: np.ndarray) -> Layer:
    height, width = image.shape
    to_plane = pixel_to_plane((width, height), extent)
    smooth = cv2.GaussianBlur(image, (0, 0), BLUR)
    slope_y, slope_x = np.gradient(smooth)
    slope_x, slope_y = slope_x / to_plane[0, 0], slope_y / to_plane[1, 1]
    here = cv2.resize(inside.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    index = np.flatnonzero(here)
    row, column = np.divmod(index, width)
    if len(index) > PIXELS:  # every second one, like the white fields of a chessboard
        index, row, column = (part[(row + column) % 2 == 0] for part in (index, row, column))
    x, y = to_plane[0, 0] * column + to_plane[0, 2], to_plane[1, 1] * row + to_plane[1, 2]
    gx, gy = slope_x.ravel()[index], slope_y.ravel()[index]
    values = smooth.ravel()[index]
    light = [values, np.ones_like(values)]
    along = x * gx + y * gy
    affine = [x * gx, y * gx, gx, x * gy, y * gy, gy]
    rows = {
        Motion.SIMILARITY: [x * gx + y * gy, x * gy - y * gx, gx, gy],
        Motion.AFFINE: affine,
        Motion.HOMOGRAPHY: [*affine, -x * along, -y * along],
    }
    designs = {motion: np.array([*row, *light], np.float32) for motion, row in rows.items()}
    return Layer((width, height), to_plane, index, values, designs)
