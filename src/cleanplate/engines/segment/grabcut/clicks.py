"""From clicks and strokes to outlines: a walk over the patches at several scales.

A click does not say how large the thing is, a button or the coat. So each scale makes a guess of
its own, and the caller offers them all.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from cleanplate.engines.segment.grabcut import outline, walker
from cleanplate.engines.segment.grabcut.encoding import Encoded

SCALES = (6.0, 11.0, 20.0, 40.0)  # cost of the way from a click that still belongs to it
REACH = 1.6  # of the scale
DISC_CLICKS = 3  # with more, GrabCut from discs, which knows no places, wanders off
DISC_DOUBT = 0.02  # of its confidence is lost with each click after the first
DISC = 0.12  # of the picture's short side: a first guess of a thing's size
ALIKE = 0.98  # IoU of two guesses above which the second is not gone on with
BAND = 0.06  # of the square root of the area: how far GrabCut may move an outline

Held = np.ndarray  # (h, w) float32: 1 the object, 0 not the object, NaN open


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """One outline."""

    mask: np.ndarray
    """(h, w) bool."""
    doubt: float = 0.0
    """To be taken from its confidence."""


def guesses(encoded: Encoded, events: list[Held], held: Held) -> list[Guess]:
    """Outlines that agree with all that was pointed at: one a scale, and one grown from discs.

    Args:
        encoded: the picture.
        events: what each stroke or click holds, in the order in which they were given.
        held: all together, and what a box leaves out.

    Returns:
        guesses, some of whose masks may be empty.
    """
    fixed = _fixed(encoded, events)
    ours = walker.distances(encoded.graph, np.flatnonzero(fixed == 1))
    theirs = walker.distances(encoded.graph, np.flatnonzero(fixed == 0))
    priors = np.stack([_prior(ours, theirs, scale) for scale in SCALES], axis=1)
    likely = walker.spread(encoded.graph, priors, fixed)
    rough: list[np.ndarray] = []
    for part in likely.T:
        mask = with_clicks(part[encoded.labels] > 0.5, held)
        if not any(_alike(mask, other) for other in rough):  # two scales that mean one thing
            rough.append(mask)
    # GrabCut is most of the time and lets go of the interpreter: a guess a core.
    work = [partial(_finish, encoded, mask, held) for mask in rough]
    if len(events) <= DISC_CLICKS:
        work.append(partial(_from_discs, encoded, held))
    with ThreadPoolExecutor(min(len(work), os.cpu_count() or 1)) as pool:
        masks = list(pool.map(lambda call: call(), work))
    doubts = [0.0] * len(rough) + [DISC_DOUBT * (len(events) - 1)]
    return [Guess(mask, doubt) for mask, doubt in zip(masks, doubts, strict=False)]


def _alike(first: np.ndarray, second: np.ndarray) -> bool:
    return (first & second).sum() >= ALIKE * (first | second).sum()


def correct(encoded: Encoded, mask: np.ndarray, events: list[Held], held: Held) -> np.ndarray:
    """``mask`` ((h, w) bool), mended around the clicks and strokes."""
    patches = encoded.graph.patches
    prior = np.bincount(patches.labels.ravel(), mask.ravel(), patches.count) / patches.areas
    for event in events:
        value = float(np.nanmax(event))
        touched = np.flatnonzero(patch_values(encoded, event) == value)
        near = _nearness(walker.distances(encoded.graph, touched), SCALES[1])
        prior = prior + near * (value - prior)
    likely = walker.spread(encoded.graph, prior[:, None], _fixed(encoded, events), rounds=0)
    return _finish(encoded, likely[:, 0][encoded.labels] > 0.5, held, mask)


def _fixed(encoded: Encoded, events: list[Held]) -> np.ndarray:
    fixed = np.full(encoded.graph.patches.count, np.nan)
    for event in events:
        values = patch_values(encoded, event)
        fixed = np.where(np.isnan(values), fixed, values)
    return fixed


def patch_values(encoded: Encoded, held: Held) -> np.ndarray:
    """(n,) what one event holds of each patch: 1, 0, or NaN.

    A patch is held when a quarter of it is; of a click, which is smaller, the patch that has
    the largest part, so that a click beside a border holds nothing on the other side.
    """
    patches = encoded.graph.patches
    fixed = np.full(patches.count, np.nan)
    for value in (1.0, 0.0):
        covered = np.bincount(patches.labels.ravel(), held.ravel() == value, patches.count)
        if covered.any():
            enough = np.minimum(0.25 * patches.areas, covered.max())
            fixed[covered >= enough] = value
    return fixed


def _nearness(distance: np.ndarray, scale: float) -> np.ndarray:
    return np.exp(-((distance / (REACH * scale)) ** 2))


def _prior(ours: np.ndarray, theirs: np.ndarray, scale: float) -> np.ndarray:
    ahead = np.clip((ours - np.minimum(theirs, 1e6)) / (0.3 * scale), -30, 30)
    against = 1 / (1 + np.exp(ahead))
    return _nearness(ours, scale) * against


def _finish(
    encoded: Encoded, mask: np.ndarray, held: Held, kept: np.ndarray | None = None
) -> np.ndarray:
    mask = with_clicks(mask, held, kept)
    width = max(2.0, BAND * np.sqrt(mask.sum()))
    mask = outline.cut_band(encoded.view.image, mask, width, held)
    return outline.fill_holes(with_clicks(mask, held, kept), held)


def _from_discs(encoded: Encoded, held: Held) -> np.ndarray:
    image = encoded.view.image
    radius = DISC * min(held.shape)
    discs = cv2.dilate((held == 1).astype(np.uint8), outline.disc(radius))
    trimap = np.where(discs > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[held == 1], trimap[held == 0] = cv2.GC_FGD, cv2.GC_BGD
    # The whole picture is cut at half the size, which is four times as quick.
    height, width = (max(1, side // 2) for side in held.shape)
    half = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(trimap, (width, height), interpolation=cv2.INTER_NEAREST)
    coarse_mask = outline.run(half, coarse, 3).astype(np.float32)
    mask = cv2.resize(coarse_mask, held.shape[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    mask = with_clicks(mask, held)
    mask = with_clicks(outline.cut_band(image, mask, 3, held, 1), held)
    return outline.fill_holes(mask, held)


def with_clicks(mask: np.ndarray, held: Held, kept: np.ndarray | None = None) -> np.ndarray:
    """All that ``held`` says, and the parts of ``mask`` that touch it or, if given, ``kept``."""
    mask = (mask | (held == 1)) & ~(held == 0)
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    meant = (held == 1) if kept is None else (held == 1) | kept
    numbers = np.unique(parts[meant & mask])
    return np.isin(parts, numbers[numbers > 0])
