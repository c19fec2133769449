"""The letters in a box, not the box: a print on cloth, a wall or a bottle that is to stay.

Less is filled than the box, and what is true lies between the letters. The surface that carries
them is taken for a smooth course of colours, fitted to the rim of the box and to what in the box is
like it. Letters are what has one other colour there, or differs from the surface at all. Where
neither ends at the box as letters do, the box itself is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box, grow, widened
from cleanplate.arrays.overlay import letter_height
from cleanplate.arrays.prompts import check_image, check_prompt, clip_box, draw_strokes
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Box, Candidates, Point, Prompt

RIM = (
    0.12  # of the area's shorter side, inwards and outwards: there the surface is looked for first
)
ROUNDS = 6  # of fitting the surface
LEAST_CONTRAST = 8.0  # grey levels: less is no letter
EDGE = 0.7  # of Otsu's threshold: what video has smeared belongs to the letters
SPECK = 0.0005  # of the box: less is a speck
INK = 12.0  # Lab: pixels that near to the letters' usual colour have it
KINDS = 6  # of colours among which that of the letters is sought
COVER = 0.35  # from this opacity on a pixel belongs to a letter
HULL = 0.8  # of the box: letters that cover more are one shape with it


@dataclass(frozen=True, slots=True)
class LettersSettings:
    """How letters are outlined."""

    margin: int | None = setting(
        None,
        "How far the letters grow; by default 4 % of their height and 1 for chroma, at least 3.",
        low=0,
        high=100,
        unit="px",
    )

    def __post_init__(self) -> None:
        check(self)


class Engine:
    """Outlines what differs from the surface that carries it."""

    about = About(
        "segment",
        "letters",
        "Outlines the letters or marks in a box, for prints on a surface that is to stay.",
        order=20,
        choices=(
            Choice(
                "The letters in a box",
                "A print on cloth, a wall or a bottle; what lies between the letters is kept.",
            ),
        ),
    )
    Settings = LettersSettings

    def __init__(self, settings: LettersSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime

    def encode(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) float32 CIE Lab, L in 0..100."""
        check_image(image)
        return cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)

    def decode(self, encoded: np.ndarray, prompt: Prompt) -> Candidates:
        """The letters inside the prompt's box, mask or strokes, and that area itself.

        The surer of the two comes first: the area where nothing stands out in it. A positive
        point on the surface says that this is the letter and the rest is not; a negative one drops
        the piece under it.

        Raises:
            InputError: a prompt without box, mask and strokes, or outside the picture.
        """
        size = encoded.shape[:2]
        check_prompt(prompt, size)
        area = _area(prompt, size)
        room = _room(area)
        lab, area_of_room = encoded[room.slices], area[room.slices]
        surface = _surface(lab, area_of_room)
        letter_mask, sureness = _of_one_colour(lab, surface, area_of_room)
        standing_out, surer = _stands_out(np.linalg.norm(lab - surface, axis=2), area_of_room)
        if surer > sureness:
            letter_mask, sureness = standing_out, surer
        letter_mask = _corrected(letter_mask, area_of_room, prompt.points, room)
        letters = np.zeros(size, bool)
        if letter_mask.any():
            pixels = self.settings.margin
            if pixels is None:
                pixels = max(2, round(0.04 * letter_height(letter_mask))) + 1
            letters[room.slices] = (grow(letter_mask.view(np.uint8), pixels) > 0) & area_of_room
        if not letters.any():
            return Candidates(area[None], np.array([0.5], np.float32))
        if letters.sum() > HULL * area.sum():
            letters = _hull(letters) & area
        masks = [(sureness, letters), (1 - sureness, area)]
        masks.sort(key=lambda pair: -pair[0])
        confidences = np.array([sureness for sureness, _ in masks], np.float32)
        return Candidates(np.stack([mask for _, mask in masks]), confidences)


def _area(prompt: Prompt, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: where letters are looked for."""
    area = draw_strokes([brush for brush in prompt.brushes if brush.positive], size)
    if prompt.mask is not None:
        area |= prompt.mask != 0
    if prompt.box is not None:
        area[clip_box(prompt.box, size).slices] = True
    if not area.any():
        raise InputError(
            "The segmenter letters was given points alone; draw a box around the letters, or "
            "choose grabcut for clicks."
        )
    return area


def _rim(area: np.ndarray) -> int:
    box = bounding_box(area)
    assert box is not None  # _area() made sure of it
    return max(2, round(RIM * min(box.width, box.height)))


def _room(area: np.ndarray) -> Box:
    """The box of ``area`` with its rim, inside the picture."""
    box = bounding_box(area)
    assert box is not None  # _area() made sure of it
    return widened(box, _rim(area), *area.shape[::-1])


def _surface(lab: np.ndarray, area: np.ndarray) -> np.ndarray:
    """(h, w, 3) float32: the colours of what carries the letters, also under them.

    A quadratic course of colours, first through the rim of ``area``, then through all that is near
    it (weights 1 / (1 + (r / 2s)^2)^2, s the spread of the residuals r).
    """
    height, width = area.shape
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    colours = lab.reshape(-1, 3)
    inner = cv2.erode(area.view(np.uint8), np.ones((2 * _rim(area) + 1,) * 2, np.uint8))
    near = (inner == 0).ravel()
    known = near if near.any() else np.ones(near.shape, bool)
    course = np.zeros((6, 3), np.float32)
    course[0] = np.median(colours[known], axis=0)
    for _ in range(ROUNDS):
        residual = np.linalg.norm(colours - terms @ course, axis=1)
        spread = 1.4826 * float(np.median(residual[known])) + 1
        weight = 1 / (1 + (residual / (2 * spread)) ** 2) ** 2
        weight[~known] = 0
        # A little of the identity: a strip of one row tells nothing of the course across it.
        normal = (terms * weight[:, None]).T @ terms + 1e-3 * np.eye(6, dtype=np.float32)
        course = np.linalg.solve(normal, (terms * weight[:, None]).T @ colours)
        known = np.ones(near.shape, bool)
    return (terms @ course).reshape(height, width, 3).astype(np.float32)


def _stands_out(contrast: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, float]:
    """(h, w) bool: what differs from the surface in ``area``, and how sure that is, 0..1."""
    levels = np.clip(contrast * 2, 0, 255).astype(np.uint8)
    among = levels[area]
    threshold, _ = cv2.threshold(among, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    high, low = among[among > threshold], among[among <= threshold]
    if not len(high) or not len(low) or np.median(high) < 2 * LEAST_CONTRAST:
        return np.zeros_like(area), 0.0
    likely = levels > max(EDGE * threshold, LEAST_CONTRAST)
    inside = likely & area
    _, parts, stats, _ = cv2.connectedComponentsWithStats(inside.view(np.uint8), connectivity=8)
    kept = np.asarray(stats[:, cv2.CC_STAT_AREA] >= max(4, SPECK * area.sum()))
    kept[0] = False
    labels: np.ndarray = np.asarray(parts)
    return kept[labels], _framed(likely, area)


def _of_one_colour(
    lab: np.ndarray, surface: np.ndarray, area: np.ndarray
) -> tuple[np.ndarray, float]:
    """(h, w) bool: the letters if they have one colour, and how sure that is, 0..1.

    Of the colours that there are, that of letters is found in the area, all along it, and not
    around it: that is how a box is drawn.
    """
    best, sureness = np.zeros_like(area), 0.0
    for ink in _colours(lab[area]):
        likely, inked = _inked(lab, surface, ink)
        inside = likely & area
        if not inside.any():
            continue
        pure = (inked & inside).sum() / inside.sum()
        sure = _framed(likely, area) * min(1.0, 2 * float(pure))
        if sure > sureness:
            best, sureness = inside, sure
    return best, sureness


def _framed(likely: np.ndarray, area: np.ndarray) -> float:
    """0..1: how well ``area`` frames what is ``likely``: it goes on all along it, not outside."""
    inside = likely & area
    share = inside.sum() / area.sum()
    if not 0.02 < share < HULL:
        return 0.0
    outside = float(likely[~area].mean()) if not area.all() else 0.0
    box, whole = bounding_box(inside), bounding_box(area)
    assert box is not None
    assert whole is not None
    spread = min(1.0, 2.5 * box.width * box.height / (whole.width * whole.height))
    return float(spread * max(0.0, 1 - 1.5 * outside / share))


def _colours(colours: np.ndarray) -> list[np.ndarray]:
    """The commonest of ``colours`` ((n, 3) Lab), by k-means from fixed seeds and mean shift."""
    few = colours[:: max(1, len(colours) // 4000)].astype(np.float32)
    rule = (cv2.TERM_CRITERIA_COUNT, 10, 0.0)
    cv2.setRNGSeed(0)
    kinds, labels = min(KINDS, len(few)), np.zeros(len(few), np.int32)
    _, _, centres = cv2.kmeans(few, kinds, labels, rule, 1, cv2.KMEANS_PP_CENTERS)
    modes: list[np.ndarray] = []
    for centre in centres:
        for _ in range(5):
            near = np.linalg.norm(few - centre, axis=1) < INK
            centre = few[near].mean(axis=0) if near.any() else centre
        if all(np.linalg.norm(centre - mode) > INK / 2 for mode in modes):
            modes.append(centre)
    return modes


def _inked(lab: np.ndarray, surface: np.ndarray, ink: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(h, w) bool twice: letters of colour ``ink`` on ``surface``, and where they have it in full.

    A pixel of a letter's edge lies between surface and letter: what counts is how far along that
    way it is (its opacity), and that it is not off the way.
    """
    way, offset = ink - surface, lab - surface
    length = np.maximum((way * way).sum(axis=2), LEAST_CONTRAST**2)
    opacity = (offset * way).sum(axis=2) / length
    aside = np.linalg.norm(offset - opacity[..., None] * way, axis=2)
    likely = (opacity > COVER) & (aside < COVER * np.sqrt(length))
    _, parts = cv2.connectedComponents(likely.view(np.uint8), connectivity=8)
    inked = (np.linalg.norm(lab - ink, axis=2) < INK) & likely
    kept = np.bincount(parts.ravel(), inked.ravel(), parts.max() + 1) >= 4
    kept[0] = False
    return kept[parts], inked


def _corrected(
    letters: np.ndarray, area: np.ndarray, points: tuple[Point, ...], room: Box
) -> np.ndarray:
    """``letters`` as the clicks in ``room`` want it."""
    for point in points:
        x, y = int(point.x) - room.x0, int(point.y) - room.y0
        if not (0 <= x < letters.shape[1] and 0 <= y < letters.shape[0]):
            continue
        if point.positive and area[y, x] and not letters[y, x]:
            letters = area & ~letters
        elif not point.positive and letters[y, x]:
            _, parts = cv2.connectedComponents(letters.view(np.uint8), connectivity=8)
            letters = letters & (parts != parts[y, x])
    return letters


def _hull(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: the convex hull of ``mask``."""
    hull = cv2.convexHull(cv2.findNonZero(mask.view(np.uint8)))
    filled = cv2.fillConvexPoly(np.zeros(mask.shape, np.uint8), hull, 1)
    return filled > 0
