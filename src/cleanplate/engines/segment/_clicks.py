"""From clicks and strokes to outlines: a walk over the patches at several scales.

A click does not say how large the thing is, a button or the coat. So each scale makes a guess of
its own, and the caller offers them all.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.engines.segment import _outline, _walker
from cleanplate.engines.segment._look import Encoded

SCALES = (8.0, 18.0, 40.0, 80.0)  # cost of the way from a click that still belongs to it
REACH = 1.6  # of the scale
DISC = 0.12  # of the picture's short side: a first guess of a thing's size
BAND = 0.06  # of the square root of the area: how far GrabCut may move an outline


def guesses(encoded: Encoded, held: np.ndarray) -> list[np.ndarray]:
    """Outlines that agree with ``held``, one a scale and one that GrabCut grows from discs.

    Args:
        encoded: the picture.
        held: (h, w) float32: 1 the object, 0 not the object, NaN open; some of it 1.

    Returns:
        (h, w) bool masks; some may be empty.
    """
    fixed = patch_values(encoded, held)
    priors = np.stack([_prior(encoded, fixed, scale) for scale in SCALES], axis=1)
    likely = _walker.spread(encoded.graph, priors, fixed)
    masks = [_finish(encoded, likely[:, i], held) for i in range(len(SCALES))]
    return [*masks, _from_discs(encoded, held)]


def correct(encoded: Encoded, mask: np.ndarray, held: np.ndarray) -> np.ndarray:
    """``mask`` ((h, w) bool), mended where ``held`` says otherwise."""
    fixed = patch_values(encoded, held)
    patches = encoded.graph.patches
    prior = np.bincount(patches.labels.ravel(), mask.ravel(), patches.count) / patches.areas
    for value in (1.0, 0.0):
        sources = np.flatnonzero(fixed == value)
        if len(sources):
            near = _nearness(_walker.distances(encoded.graph, sources), SCALES[1])
            prior = prior + near * (value - prior)
    likely = _walker.spread(encoded.graph, prior[:, None], fixed, rounds=0)
    return _finish(encoded, likely[:, 0], held)


def patch_values(encoded: Encoded, held: np.ndarray) -> np.ndarray:
    """(n,) what ``held`` says of each patch: 1, 0, or NaN where it says nothing or both."""
    labels = encoded.labels.ravel()
    count = encoded.graph.patches.count
    ours = np.bincount(labels, held.ravel() == 1, count)
    others = np.bincount(labels, held.ravel() == 0, count)
    fixed = np.full(count, np.nan)
    fixed[ours > others] = 1
    fixed[others > ours] = 0
    return fixed


def _nearness(distance: np.ndarray, scale: float) -> np.ndarray:
    return np.exp(-((distance / (REACH * scale)) ** 2))


def _prior(encoded: Encoded, fixed: np.ndarray, scale: float) -> np.ndarray:
    ours = _walker.distances(encoded.graph, np.flatnonzero(fixed == 1))
    prior = _nearness(ours, scale)
    others = np.flatnonzero(fixed == 0)
    if len(others):
        theirs = _walker.distances(encoded.graph, others)
        prior = prior / (1 + np.exp(np.clip((ours - theirs) / (0.3 * scale), -30, 30)))
    return prior


def _finish(encoded: Encoded, likely: np.ndarray, held: np.ndarray) -> np.ndarray:
    mask = likely[encoded.labels] > 0.5
    mask = with_clicks(mask, held)
    width = max(2.0, BAND * np.sqrt(mask.sum()))
    mask = _outline.cut_band(encoded.view.image, mask, width, held)
    return with_clicks(mask, held)


def _from_discs(encoded: Encoded, held: np.ndarray) -> np.ndarray:
    radius = DISC * min(held.shape)
    discs = cv2.dilate((held == 1).astype(np.uint8), _outline.disc(radius))
    trimap = np.where(discs > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[held == 1], trimap[held == 0] = cv2.GC_FGD, cv2.GC_BGD
    return with_clicks(_outline.run(encoded.view.image, trimap, 3), held)


def with_clicks(mask: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The parts of ``mask`` that hold a positive click, with all that ``held`` says."""
    mask = (mask | (held == 1)) & ~(held == 0)
    _, parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    wanted = np.unique(parts[(held == 1) & mask])
    return np.isin(parts, wanted[wanted > 0])
