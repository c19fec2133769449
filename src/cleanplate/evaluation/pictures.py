"""Small pictures of a frame for a page: what went in, the mask, the fill, the truth, the error."""

from __future__ import annotations

import base64

import cv2
import numpy as np

TITLES = ("input", "mask", "fill", "truth", "error x4")
_WIDTH = 300
_GAIN = 4


def thumbnails(truth: np.ndarray, result: np.ndarray, mask: np.ndarray) -> list[str]:
    """JPEG data URLs in the order of ``TITLES``; images (H, W, 3) uint8 RGB, mask (H, W)."""
    hole = mask > 0
    masked = truth.copy()
    masked[hole] = (255, 0, 160)
    error = np.abs(result.astype(np.int16) - truth) * _GAIN
    shown = (masked, np.dstack([hole * 255] * 3), result, truth, np.clip(error, 0, 255))
    return [data_url(image.astype(np.uint8)) for image in shown]


def data_url(image: np.ndarray) -> str:
    """An RGB image as a JPEG in a data URL, at most 300 px wide."""
    width = min(_WIDTH, image.shape[1])
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    small = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])[1]
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()
