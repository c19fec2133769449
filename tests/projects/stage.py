"""A clip for projects: a panning background, a sign that stays in the picture, one that leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from cleanplate.media.new_clip import write_clip
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.types import Box, Prompt
from tests.scene import HEIGHT, RATE, WIDTH, sign, sign_box, texture

COUNT = 60
LEAVES = 38  # the first frame in which nothing of the other sign is left


def other() -> np.ndarray:
    """(24, 36, 3) uint8: a dark sign."""
    picture = np.full((24, 36, 3), 30, np.uint8)
    cv2.rectangle(picture, (0, 0), (35, 23), (230, 200, 40), 2)
    cv2.putText(picture, "xy", (6, 16), cv2.FONT_HERSHEY_DUPLEX, 0.5, (90, 250, 120), 1)
    return picture


def other_box(index: int) -> Box:
    """Where the other sign is: it goes out of the picture on the right, and does not come back."""
    x = 80 + 3 * index
    return Box(x, 92, x + 36, 116)


def frames() -> Iterator[np.ndarray]:
    wide, one, two = texture(WIDTH + 120, HEIGHT + 20, 3), sign(), other()
    for index in range(COUNT):
        x, y = 60 + round(50 * np.sin(index / 30)), 10 + round(6 * np.sin(index / 17))
        image = wide[y : y + HEIGHT, x : x + WIDTH].copy()
        image[sign_box(index).slices] = one
        box = other_box(index)
        part = image[box.slices]
        part[:] = two[:, : part.shape[1]]
        yield image


def write_stage(path: Path) -> Path:
    write_clip(path, frames(), RATE, None, crf=12)
    return path


def prompt(box: Box) -> Prompt:
    return Prompt(box=box)


def all_masks(project: Project) -> np.ndarray:
    """(N, H, W) uint8."""
    return np.stack(list(project.masks()))


def files(project: Project) -> bytes:
    return (project.path / "project.json").read_bytes()


class Stop(Progress):
    """Cancels tracking after some frames."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.done = 0

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        self.done = done

    def advance(self) -> None:
        from cleanplate.errors import CancelledError

        self.left -= 1
        if self.left <= 0:
            raise CancelledError("stopped by the test")
