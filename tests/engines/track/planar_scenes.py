"""Made scenes: a flat thing that moves before a photo, and the truth of where it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import cv2
import numpy as np
from skimage import data

from cleanplate.arrays import planes
from cleanplate.types import Frame

WIDTH, HEIGHT = 854, 480
SKIN = (205, 150, 120)


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """Pictures, and where the thing is in each."""

    images: list[np.ndarray]
    quads: list[np.ndarray]
    """(4, 2) corners at pixel edges, clockwise."""
    shares: list[float]
    """0..1, how much of the thing can be seen."""

    def frames(self) -> Iterator[Frame]:
        for number, image in enumerate(self.images):
            yield Frame(number, Fraction(number, 25), image)

    def start_mask(self) -> np.ndarray:
        return fill(self.quads[0])

    def reversed(self) -> Scene:
        return Scene(self.images[::-1], self.quads[::-1], self.shares[::-1])


def fill(quad: np.ndarray, value: int = 1) -> np.ndarray:
    """(HEIGHT, WIDTH) uint8: ``value`` within ``quad``."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    return cv2.fillConvexPoly(mask, np.round((quad - 0.5) * 16).astype(np.int32), value, shift=4)


def _write(picture: np.ndarray, text: str, at: tuple[int, int], font: int, size: float, **pen):
    cv2.putText(picture, text, at, font, size, pen["colour"], pen["width"], cv2.LINE_AA)


def texture(name: str) -> np.ndarray:
    """(h, w, 3) uint8: what is on the thing."""
    if name == "photo":
        return cv2.resize(data.coffee()[60:340, 150:550], (240, 150), interpolation=cv2.INTER_AREA)
    if name == "sign":
        picture = np.full((150, 240, 3), (30, 70, 150), np.uint8)
        cv2.rectangle(picture, (6, 6), (233, 143), (240, 240, 240), 4)
        _write(picture, "CAFE", (22, 92), 2, 2.2, colour=(250, 240, 90), width=6)
        _write(picture, "open 7-19", (40, 130), 0, 0.9, colour=(255, 255, 255), width=2)
    elif name == "script":
        picture = np.full((100, 260, 3), (205, 200, 190), np.uint8)
        _write(picture, "Marina", (12, 66), 7, 2, colour=(40, 40, 60), width=2)
    elif name == "plate":
        picture = np.full((60, 260, 3), (235, 220, 80), np.uint8)
        _write(picture, "KX58 ZTE", (8, 46), 2, 1.6, colour=(20, 20, 20), width=4)
    elif name == "emblem":
        picture = np.full((150, 150, 3), (120, 122, 125), np.uint8)
        cv2.circle(picture, (75, 75), 62, (135, 137, 142), 6, cv2.LINE_AA)
        _write(picture, "M", (48, 98), 4, 2, colour=(140, 141, 146), width=5)
    else:
        picture = np.full((100, 160, 3), (210, 205, 60), np.uint8)  # plain
    return picture


def pose(kind: str, u: float, size: tuple[int, int], scale: float) -> np.ndarray:
    """(4, 2): the thing's corners at ``u`` in 0..1 of the scene."""
    x, y = 430 + 60 * np.sin(2 * np.pi * u), 240 + 25 * np.sin(4 * np.pi * u)
    scale, angle, tilt = scale * (1 + 0.25 * np.sin(np.pi * u)), 0.12 * np.sin(2 * np.pi * u), 0.0
    if kind == "fast":  # up to 53 px a frame
        x, y = 430 + 250 * np.sin(4 * np.pi * u), 240 + 60 * np.sin(6 * np.pi * u)
    elif kind == "tilt":
        tilt, angle = 0.9 * np.sin(np.pi * u), 0.4 * np.sin(np.pi * u)
    elif kind == "exit":
        x = 430 + 700 * np.clip(1.6 * np.sin(np.pi * u) - 0.3, 0, 1)
    width, height = size
    quad = np.array([[-width, -height], [width, -height], [width, height], [-width, height]])
    quad = quad * scale / 2
    depth = 1 + tilt * quad[:, :1] / (width * scale)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (quad * [np.cos(0.8 * tilt), 1] / depth) @ turn + [x, y]


@cache
def _background() -> np.ndarray:
    return cv2.resize(data.rocket(), (1300, 870), interpolation=cv2.INTER_CUBIC)


def _hand(x: float) -> np.ndarray:
    """(HEIGHT, WIDTH) float32 0..1: a hand with four fingers at ``x``, its arm from below."""
    cover = np.zeros((HEIGHT, WIDTH), np.float32)
    cx, cy = int(x), 240
    cv2.ellipse(cover, (cx, cy + 60), (60, 75), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    for finger in range(4):
        knuckle, tip = (cx - 40 + 27 * finger, cy + 20), (cx - 52 + 36 * finger, cy - 95)
        cv2.line(cover, knuckle, tip, 1.0, 20, cv2.LINE_AA)
    cv2.line(cover, (cx, cy + 100), (cx + 30, HEIGHT + 200), 1.0, 90, cv2.LINE_AA)
    return np.clip(cover, 0, 1)


def scene(kind: str, name: str, count: int = 60, scale: float = 0.8, seed: int = 0) -> Scene:
    """``count`` frames of the thing ``name`` under the condition ``kind``.

    Kinds: plain, noise (sigma 9 and JPEG 60), fast, tilt, fade (down to 0.45 of the light), hand
    (a hand crosses), exit (leaves the picture whole and comes back).
    """
    generator = np.random.default_rng(seed)
    picture = texture(name)
    height, width = picture.shape[:2]
    outline = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    images, quads, shares = [], [], []
    for u in np.linspace(0, 1, count):
        quad = pose(kind, u, (width, height), scale)
        pan = np.array([[1, 0, -200 - 80 * u], [0, 1, -150 - 40 * np.sin(3 * u)]])
        image = cv2.warpAffine(_background(), pan, (WIDTH, HEIGHT)).astype(np.float32)
        place = planes.between(outline - 0.5, quad - 0.5)
        cover = cv2.warpPerspective(np.ones((height, width), np.float32), place, (WIDTH, HEIGHT))
        thing = cv2.warpPerspective(
            picture, place, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE
        )
        image += (thing - image) * cover[..., None]
        if kind == "hand":
            hand = _hand(-150 + 1150 * u)
            image += (np.array(SKIN) - image) * hand[..., None]
            cover = cover * (1 - hand)
        light = 1 - 0.55 * np.sin(np.pi * u) if kind == "fade" else 1.0
        image = image * light + generator.normal(0, 9 if kind == "noise" else 2, image.shape)
        image = np.clip(image, 0, 255).astype(np.uint8)
        if kind == "noise":
            _, packed = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 60])
            image = cv2.imdecode(packed, cv2.IMREAD_COLOR)
        images.append(image)
        quads.append(quad)
        shares.append(float(cover.sum()) / planes.area(quad))
    return Scene(images, quads, shares)
