"""The sample clip: generated, so that the true background is known.

A camera pans, zooms and shakes over a photo; a sign with a logo drifts across, turning and tilting;
grain lies over all of it, and a chord sounds. The photo is "coffee" of scikit-image's samples, by
Rachel Michetti, dedicated to the public domain (CC0).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate.errors import MissingDependencyError
from cleanplate.media.new_clip import write_clip
from cleanplate.types import Box

WIDTH, HEIGHT, COUNT = 640, 360, 75
RATE = Fraction(30000, 1001)
_SIGN = (150, 84)  # px, before it tilts
_GRAIN = 2.0  # grey levels, one standard deviation
_SAMPLE_RATE = 48000


@dataclass(frozen=True, slots=True, eq=False)
class SampleFrame:
    """One frame with its truth."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB with the sign."""
    truth: np.ndarray
    """The same without it, under the same grain."""
    corners: np.ndarray
    """(4, 2) float32: the sign's corners."""


def sample_frames() -> Iterator[SampleFrame]:
    """All frames of the sample, the same on every machine with the same libraries.

    Raises:
        MissingDependencyError: scikit-image, which ships the photo, is not installed.
    """
    photo, sign = _photo(), _sign()
    for index in range(COUNT):
        generator = np.random.default_rng(index)
        view = cv2.warpPerspective(photo, _camera(index), (WIDTH, HEIGHT), flags=cv2.INTER_AREA)
        corners = _corners(index)
        pose = cv2.getPerspectiveTransform(_flat_corners(), corners)
        painted = cv2.warpPerspective(sign, pose, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        alpha = painted[..., 3:].astype(np.float32) / 255
        shown = view * (1 - alpha) + painted[..., :3] * alpha
        grain = generator.normal(0, _GRAIN, view.shape)
        yield SampleFrame(_levels(shown + grain), _levels(view + grain), corners)


def first_box() -> Box:
    """A box around the sign in the first frame, as a person would draw it."""
    corners = _corners(0)
    low, high = np.floor(corners.min(axis=0)) - 2, np.ceil(corners.max(axis=0)) + 2
    return Box(int(low[0]), int(low[1]), int(high[0]), int(high[1]))


def write_sample(path: Path) -> None:
    """Write the sample clip with its sound."""
    write_clip(path, (frame.image for frame in sample_frames()), RATE, _sound(), _SAMPLE_RATE)


def _photo() -> np.ndarray:
    if importlib.util.find_spec("skimage") is None:
        raise MissingDependencyError(
            "The sample is made from a photo that scikit-image ships, which is not installed; "
            "install it with: pip install 'cleanplate[demo]'."
        )
    from skimage import data

    return cv2.resize(data.coffee(), None, fx=1.9, fy=1.9, interpolation=cv2.INTER_CUBIC)


def _camera(index: int) -> np.ndarray:
    """Photo to view: a pan to the right with a slow zoom and a hand's shake."""
    part = index / (COUNT - 1)
    zoom = 1.0 + 0.08 * part
    shake = np.array([np.sin(index / 5), np.cos(index / 7)]) * 1.5
    x, y = np.array([60 + 300 * part, 130 + 50 * part]) + shake
    return np.array([[zoom, 0, -x * zoom], [0, zoom, -y * zoom], [0, 0, 1]])


def _flat_corners() -> np.ndarray:
    width, height = _SIGN
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def _corners(index: int) -> np.ndarray:
    """Where the sign is: it crosses the picture, turns, tilts and comes nearer."""
    part = index / (COUNT - 1)
    angle, scale = 0.12 * np.sin(2.4 * part), 0.9 + 0.2 * part
    flat = (_flat_corners() - np.array(_SIGN) / 2) * scale
    flat[:, 0] *= 1 - 0.1 * part
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    tilt = np.array([[0, -5], [0, 5], [0, -5], [0, 5]]) * part
    place = np.array([150 + 300 * part, 150 + 60 * np.sin(3 * part)])
    return (flat @ turn.T + tilt + place).astype(np.float32)


def _sign() -> np.ndarray:
    """(H, W, 4) uint8: a white sign with a made-up logo, round corners, and an edge."""
    width, height = _SIGN
    sign = np.zeros((height, width, 4), np.uint8)
    white, red, navy = (242, 240, 232, 255), (206, 46, 38, 255), (24, 34, 66, 255)
    sign[:] = white
    cv2.rectangle(sign, (0, 0), (width - 1, height - 1), navy, 3)
    cv2.circle(sign, (34, height // 2), 20, red, -1, cv2.LINE_AA)
    cv2.circle(sign, (34, height // 2), 9, white, -1, cv2.LINE_AA)
    font = cv2.FONT_HERSHEY_DUPLEX
    cv2.putText(sign, "ORBIT", (62, 42), font, 0.85, navy, 2, cv2.LINE_AA)
    cv2.putText(sign, "fine beans", (63, 64), font, 0.45, red, 1, cv2.LINE_AA)
    return sign


def _levels(image: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _sound() -> np.ndarray:
    seconds = np.arange(int(COUNT / RATE * _SAMPLE_RATE)) / _SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * pitch * seconds) for pitch in (220.0, 277.18, 329.63))
    fade = np.minimum(1, 4 * np.minimum(seconds, seconds[-1] - seconds))
    mono = (0.08 * chord * fade).astype(np.float32)
    return np.stack([mono, mono])
