"""Damage of known place laid over clean frames: what old film and bad tapes show, from a seed.

Film shows *dirt* (irregular blotches and curved fibres, dark or bright, in one frame each) and
*scratches* (upright lines that wander, in many frames on end); tape shows *drop-outs* (streaks
along a part of a line) and *tape lines* (whole lines of noise), both in one frame each. How often,
how large and how strong each is follows Kokaram, "Motion Picture Restoration", Springer 1998, ch. 1
and 6, by eye: no real film was measured. All random numbers are NumPy's PCG64; sizes are those at
a height of 480 px, in proportion to it elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

DIRT, SCRATCH, DROPOUT = 1, 2, 3
"""Values in the masks of true damage; a tape line is a drop-out."""
VISIBLE = 8
"""Grey levels by which luma must change for a pixel to be damaged: less is not seen as damage."""
_SHIFT = 4  # OpenCV draws in sixteenths of a pixel
_DARK = 0.6  # share of blotches that are dark: dirt on a print; on a negative it is bright


@dataclass(frozen=True, slots=True)
class Amounts:
    """How much damage there is."""

    blotches: float = 5.0
    """In a frame, on average."""
    fibres: float = 0.5
    """In a frame, on average."""
    scratches: float = 1 / 30
    """Begun in a frame, on average; one lasts 15 to 60 frames."""
    streaks: float = 0.3
    """Drop-outs in a frame, on average."""
    tape_lines: float = 0.05
    """In a frame, on average."""
    standing_lines: float = 0.0
    """Lines of tape that stay: begun in a frame, on average; one lasts 10 to 40 frames."""
    lasting_streaks: float = 0.0
    """Drop-outs over 2 to 4 frames: begun in a frame, on average."""


@dataclass(frozen=True, slots=True, eq=False)
class Damaged:
    """A frame with damage."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    mask: np.ndarray
    """(H, W) uint8: ``DIRT``, ``SCRATCH`` or ``DROPOUT`` where it changed ``VISIBLE`` or more."""


@dataclass(slots=True)
class _Scratch:
    """An upright line on its way through the frames."""

    x: float
    drift: float
    top: int
    bottom: int
    width: float
    contrast: float
    phase: float
    frames: int


@dataclass(slots=True)
class _Row:
    """Rows of tape that stay lost; their noise is new in each frame."""

    y: int
    high: int
    x: int
    long: int
    level: float
    frames: int


def damaged(
    images: Iterable[np.ndarray], seed: int = 0, amounts: Amounts | None = None
) -> Iterator[Damaged]:
    """``images``, (H, W, 3) uint8 RGB of one size, with damage; same seed, same damage.

    Args:
        images: the clean frames.
        seed: of all random numbers.
        amounts: how much of each kind; by default what is easily seen in every frame.
    """
    random = np.random.Generator(np.random.PCG64(seed))
    amounts = amounts or Amounts()
    scratches: list[_Scratch] = []
    lost: list[_Row] = []
    for image in images:
        height, width = image.shape[:2]
        result, mask = image.astype(np.float32), np.zeros(image.shape[:2], np.uint8)
        for _ in range(random.poisson(amounts.scratches)):
            scratches.append(_new_scratch(random, height, width))
        for scratch in scratches:
            _move(scratch, random)
            _mark(result, mask, image, _scratched(result, scratch), SCRATCH)
        scratches = [scratch for scratch in scratches if scratch.frames > 0]
        for _ in range(random.poisson(amounts.blotches)):
            _mark(
                result, mask, image, _covered(result, _blotch(random, height, width), random), DIRT
            )
        for _ in range(random.poisson(amounts.fibres)):
            _mark(
                result, mask, image, _covered(result, _fibre(random, height, width), random), DIRT
            )
        for _ in range(random.poisson(amounts.streaks)):
            _mark(result, mask, image, _streaked(result, random, whole=False), DROPOUT)
        for _ in range(random.poisson(amounts.tape_lines)):
            _mark(result, mask, image, _streaked(result, random, whole=True), DROPOUT)
        for mean, share in ((amounts.standing_lines, 1.0), (amounts.lasting_streaks, 0.5)):
            lost += [_new_row(random, height, width, share) for _ in _drawn(random, mean)]
        for row in lost:
            _mark(result, mask, image, _without(result, row, random), DROPOUT)
        lost = [row for row in lost if row.frames > 0]
        yield Damaged(np.clip(np.rint(result), 0, 255).astype(np.uint8), mask)


def _mark(
    result: np.ndarray, mask: np.ndarray, clean: np.ndarray, changed: np.ndarray, kind: int
) -> None:
    """Take ``changed`` into ``result``; the mask says where it can be seen."""
    here = np.abs(changed - result).max(axis=2) > 0
    result[here] = changed[here]
    seen = np.clip(np.rint(result), 0, 255).astype(np.uint8)
    luma = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.int16) for image in (seen, clean)]
    visible = np.abs(luma[0] - luma[1]) >= VISIBLE
    mask[here & visible] = kind
    mask[~visible] = 0


def _unit(height: int) -> float:
    """What a pixel at a height of 480 px is here."""
    return height / 480


def _blotch(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Coverage (H, W) float32 in 0..1 of an irregular blob of 1.5 to 10 px radius."""
    radius = _unit(height) * float(np.exp(random.uniform(np.log(1.5), np.log(10))))
    angles = 2 * np.pi * np.arange(24) / 24
    radii = np.ones(24)
    for wave in range(2, 6):
        radii += 0.8 * random.random() / wave * np.cos(wave * angles + 2 * np.pi * random.random())
    flat = random.uniform(0.5, 1.0)
    corners = np.stack([np.cos(angles) * radii, np.sin(angles) * radii * flat], axis=1) * radius
    turn = 2 * np.pi * random.random()
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    place = random.random(2) * (width, height)
    coverage = np.zeros((height, width), np.float32)
    fixed = np.rint((corners @ rotation.T + place) * (1 << _SHIFT)).astype(np.int32)
    cv2.fillPoly(coverage, [fixed], 1.0, cv2.LINE_8, _SHIFT)
    return cv2.GaussianBlur(coverage, (0, 0), 0.6 * max(_unit(height), 0.7))


def _fibre(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Coverage of a curved hair, 20 to 60 px long and 1 to 2 px thick."""
    length = _unit(height) * random.uniform(20, 60)
    turn, bend = 2 * np.pi * random.random(), random.uniform(-2.5, 2.5)
    directions = turn + np.linspace(0, bend, 16)
    steps = np.stack([np.cos(directions), np.sin(directions)], axis=1) * length / 16
    points = np.cumsum(steps, axis=0) + random.random(2) * (width, height)
    coverage = np.zeros((height, width), np.float32)
    thickness = max(1, round(_unit(height) * random.uniform(1, 2)))
    fixed = np.rint(points * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(coverage, [fixed], False, 1.0, thickness, cv2.LINE_8, _SHIFT)
    return cv2.GaussianBlur(coverage, (0, 0), 0.5 * max(_unit(height), 0.7))


def _covered(picture: np.ndarray, coverage: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """``picture`` under something dark or bright, hardly coloured, nearly opaque."""
    dark = random.random() < _DARK
    level = random.uniform(5, 50) if dark else random.uniform(205, 250)
    colour = level + random.normal(0, 4, 3)
    alpha = (coverage * random.uniform(0.7, 1.0))[..., None]
    return picture * (1 - alpha) + alpha * colour.astype(np.float32)


def _new_scratch(random: np.random.Generator, height: int, width: int) -> _Scratch:
    whole = random.random() < 0.5
    length = height if whole else round(height * random.uniform(0.35, 0.8))
    top = random.integers(0, height - length + 1)
    return _Scratch(
        x=random.uniform(0.03, 0.97) * width,
        drift=_unit(height) * random.normal(0, 0.3),
        top=int(top),
        bottom=int(top) + length,
        width=_unit(height) * random.uniform(0.5, 1.3),
        contrast=float(random.choice([-1, 1]) * random.uniform(25, 70)),
        phase=2 * np.pi * random.random(),
        frames=int(random.integers(15, 61)),
    )


def _move(scratch: _Scratch, random: np.random.Generator) -> None:
    """One frame on: the line drifts, and weaves as film does in a gate."""
    scratch.x += scratch.drift + random.normal(0, 0.3)
    scratch.frames -= 1


def _scratched(picture: np.ndarray, scratch: _Scratch) -> np.ndarray:
    """``picture`` with the line: a Gaussian across, stronger and weaker along it."""
    height, width = picture.shape[:2]
    across = np.exp(-(((np.arange(width) - scratch.x) / scratch.width) ** 2) / 2)
    across[across < 0.02] = 0
    rows = np.arange(height)
    along = 0.8 + 0.2 * np.sin(rows / height * 9 + scratch.phase)
    along[(rows < scratch.top) | (rows >= scratch.bottom)] = 0
    line = np.outer(along, across).astype(np.float32) * scratch.contrast
    return np.clip(picture + line[..., None], 0, 255)


def _drawn(random: np.random.Generator, mean: float) -> range:
    """As many as a Poisson process brings; nothing is drawn of what never comes."""
    return range(random.poisson(mean) if mean else 0)


def _new_row(random: np.random.Generator, height: int, width: int, share: float) -> _Row:
    long = width if share == 1 else round(width * random.uniform(0.3, share))
    high = max(1, round(_unit(height) * random.integers(1, 4)))
    return _Row(
        y=int(random.integers(0, height - high + 1)),
        high=high,
        x=int(random.integers(0, width - long + 1)),
        long=long,
        level=float(random.choice([20.0, 230.0])),
        frames=int(random.integers(10, 41) if share == 1 else random.integers(2, 5)),
    )


def _without(picture: np.ndarray, row: _Row, random: np.random.Generator) -> np.ndarray:
    changed = picture.copy()
    noise = np.clip(random.normal(row.level, 20, (row.high, row.long, 1)), 0, 255)
    changed[row.y : row.y + row.high, row.x : row.x + row.long] = noise
    row.frames -= 1
    return changed


def _streaked(picture: np.ndarray, random: np.random.Generator, *, whole: bool) -> np.ndarray:
    """``picture`` with 1 to 3 rows of noise: all along, or for a tenth to a half of the width."""
    height, width = picture.shape[:2]
    high = max(1, round(_unit(height) * random.integers(1, 4)))
    long = width if whole else round(width * random.uniform(0.1, 0.5))
    y, x = random.integers(0, height - high + 1), random.integers(0, width - long + 1)
    level = random.choice([20.0, 230.0])
    noise = random.normal(level, 20, (high, long, 1)).astype(np.float32)
    alpha = np.ones(long, np.float32)
    if not whole:
        alpha[-(long // 2) :] = np.linspace(
            1, 0, long // 2
        )  # a drop-out fades as the level returns
    changed = picture.copy()
    part = changed[y : y + high, x : x + long]
    changed[y : y + high, x : x + long] = (
        part + (np.clip(noise, 0, 255) - part) * alpha[None, :, None]
    )
    return changed
