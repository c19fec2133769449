"""Made-up clips that tell their frame numbers: nine black or white blocks along the upper edge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from cleanplate.media.new_clip import write_clip
from tests.scene import sign, texture

WIDTH, HEIGHT, RATE = 256, 160, Fraction(25)
BLOCK = 16  # px
BITS = 9  # of the frame's number, after one white and one black block


def code(image: np.ndarray, number: int) -> None:
    """Write ``number`` along the upper edge of ``image``."""
    for place, bit in enumerate([1, 0, *((number >> bit) & 1 for bit in range(BITS))]):
        image[:BLOCK, place * BLOCK : (place + 1) * BLOCK] = 255 * bit


def sign_at(index: int) -> tuple[int, int]:
    """Top left pixel of the sign in frame ``index``."""
    across = index if index < 140 else 280 - index  # to and fro
    return 40 + across, 70 + round(8 * np.sin(index / 9))


def frames(count: int, leaves: range | None = None) -> Iterator[np.ndarray]:
    """A sign crosses a background that moves; it is not there in the frames of ``leaves``."""
    wide = texture(WIDTH + 180, HEIGHT + 20, 3)
    painted = cv2.resize(sign(), (66, 42), interpolation=cv2.INTER_CUBIC)
    for index in range(count):
        x, y = 20 + round(index * 0.8), 10 + round(6 * np.sin(index / 17))
        image = wide[y : y + HEIGHT, x : x + WIDTH].copy()
        if leaves is None or index not in leaves:
            left, top = sign_at(index)
            right = min(WIDTH, left + 66)
            image[top : top + 42, left:right] = painted[:, : right - left]
        code(image, index)
        yield image


def tone(count: int) -> np.ndarray:
    seconds = np.arange(int(count / RATE * 48000)) / 48000
    return np.sin(2 * np.pi * 330 * seconds).astype(np.float32)[None] * 0.1


def coded_clip(path: Path, count: int, leaves: range | None = None) -> Path:
    """H.264 with B-frames and sound."""
    write_clip(path, frames(count, leaves), RATE, tone(count), crf=14)
    return path


def encoded_clip(path: Path, count: int, codec: str, pixels: str = "yuv420p") -> Path:
    """The same pictures in another codec, without sound."""
    _write(path, frames(count), codec, pixels)
    return path


def _write(path: Path, images: Iterable[np.ndarray], codec: str, pixels: str) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pixels
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
