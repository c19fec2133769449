"""The plate remembers what was seen, where it was seen, in the light of now, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import cv2
import numpy as np
import pytest

from cleanplate.engines.inpaint.plate.engine import Engine, Settings
from cleanplate.engines.inpaint.plate.memory import ROOM, Memory
from cleanplate.protocols import Runtime
from cleanplate.types import Box, Frame, MaskedFrame
from tests.scene import texture

WIDTH, HEIGHT = 160, 112
HOLE = Box(60, 40, 100, 72)
AWAY = Box(4, 4, 24, 20)
WIDE = texture(WIDTH + 200, HEIGHT + 40)

Truth = Callable[[int], np.ndarray]


def still(_: int) -> np.ndarray:
    return WIDE[10 : 10 + HEIGHT, 30 : 30 + WIDTH]


def swaying(n: int) -> np.ndarray:
    x = 100 + round(70 * np.sin(n / 15))
    return WIDE[10 : 10 + HEIGHT, x : x + WIDTH]


def frames(
    count: int,
    truth: Truth = still,
    hidden_from: int = 12,
    shot: Callable[[int], int] = lambda _: 0,
) -> Iterator[tuple[MaskedFrame, np.ndarray]]:
    """(frame, truth): something red that is followed covers the hole from ``hidden_from`` on."""
    for n in range(count):
        image = np.ascontiguousarray(truth(n))
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        shown = image.copy()
        place = HOLE if n >= hidden_from else AWAY
        mask[place.slices] = 1
        shown[place.slices] = (255, 0, 0)
        yield MaskedFrame(Frame(n, Fraction(n, 25), shown, shot(n)), mask), image


def psnrs(given: list[tuple[MaskedFrame, np.ndarray]]) -> list[float]:
    """In dB, of each frame's hole; infinite without one."""
    engine = Engine(Settings(), Runtime())
    values = []
    filled = engine.inpaint(masked for masked, _ in given)
    for frame, (masked, truth) in zip(filled, given, strict=True):
        hole = masked.mask != 0
        if not hole.any():
            values.append(np.inf)
            continue
        missed = frame.image[hole].astype(float) - truth[hole]
        values.append(10 * np.log10(255**2 / max(float(np.mean(missed**2)), 1e-3)))
    return values


def test_what_was_seen_ten_seconds_ago_still_fills_the_hole() -> None:
    assert min(psnrs(list(frames(12 + 260)))[12:]) > 35


def test_what_was_seen_is_found_again_when_the_camera_comes_back() -> None:
    values = psnrs(list(frames(150, swaying, hidden_from=0)))
    first, later = np.mean(values[5:15]), np.mean(values[110:])
    assert later > 28
    assert later > first + 4


def test_light_that_changes_is_followed() -> None:
    def dimmed(n: int) -> np.ndarray:
        factor = 1.0 if n < 20 else 0.6
        return np.clip(still(n) * factor, 0, 255).astype(np.uint8)

    assert min(psnrs(list(frames(60, dimmed)))[21:]) > 32


def test_a_cut_drops_what_was_remembered() -> None:
    other = texture(WIDTH, HEIGHT, 8)
    given = list(frames(40, lambda n: still(n) if n < 20 else other, shot=lambda n: int(n >= 20)))
    late = [pair for pair in given if pair[0].frame.shot == 1]
    filled = list(Engine(Settings(), Runtime()).inpaint(masked for masked, _ in given))
    alone = list(Engine(Settings(), Runtime()).inpaint(masked for masked, _ in late))
    for one, other_one in zip(filled[20:], alone, strict=True):
        assert np.array_equal(one.image, other_one.image)


def test_what_passes_in_front_of_the_background_is_not_frozen_into_it() -> None:
    def passed(n: int) -> np.ndarray:
        image = still(n).copy()
        x = -30 + 8 * (n - 20)
        if -30 < x < WIDTH:
            image[44:68, max(x, 0) : max(x + 30, 0)] = (0, 255, 0)
        return image

    given = list(frames(70, passed, hidden_from=50))
    values = psnrs(given)
    assert min(values[50:]) > 32


def test_what_was_seen_before_it_came_is_kept_when_it_is_pointed_at_late() -> None:
    given = []
    for masked, truth in frames(60, hidden_from=25):
        late = masked.frame.index >= 30
        image = masked.frame.image.copy()
        image[AWAY.slices] = truth[AWAY.slices]  # it comes from outside
        frame = Frame(masked.frame.index, masked.frame.time, image)
        given.append((MaskedFrame(frame, masked.mask if late else masked.mask * 0), truth))
    values = psnrs(given)
    assert min(values[30:]) > 34


def test_what_is_pointed_at_only_now_is_not_taken_for_background() -> None:
    given = []
    for masked, truth in frames(40, hidden_from=0):
        mask = masked.mask if masked.frame.index >= 20 else np.zeros_like(masked.mask)
        given.append((MaskedFrame(masked.frame, mask), truth))
    engine = Engine(Settings(), Runtime())
    for frame, (masked, _) in zip(engine.inpaint(m for m, _ in given), given, strict=True):
        if masked.mask.any():
            red = np.abs(frame.image[HOLE.slices].astype(int) - (255, 0, 0)).mean()
            assert red > 60


def test_the_plate_has_its_stated_size_however_far_the_camera_goes() -> None:
    memory = Memory((HEIGHT, WIDTH))
    image = np.ascontiguousarray(still(0))
    nothing = np.zeros((HEIGHT, WIDTH), bool)
    pose = memory.first_pose
    for n in range(60):
        change = memory.recentred(pose)
        pose = pose if change is None else change @ pose
        memory.write(image, nothing, pose, Box(0, 0, WIDTH, HEIGHT), n)
        step = cv2.getRotationMatrix2D((0, 0), 2, 1.01)
        step[:, 2] += (9, 4)
        pose = pose @ np.vstack([step, [0, 0, 1]])
    held = sum(a.nbytes for a in (memory.colours, memory.sure, memory.seen, memory.born))
    assert held == pytest.approx(ROOM**2 * 12 * WIDTH * HEIGHT, rel=0.01)
