"""From a few patches that were pointed at to a probability for all: distances and a random walk.

Geodesic distances say what belongs with a click, colour likelihoods what looks like it, and a
random walker with a prior (Grady, 2005) makes both smooth where the picture has no edge. The
walker's matrix depends on the picture alone, so its inverse is made once.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from cleanplate.engines.segment.grabcut.superpixels import Superpixels

PRIOR = 0.3  # weight of the prior against the walk
SOFTNESS = 8.0  # Lab units at which a border between patches stops half of the walk
BANDWIDTH = 5.0  # Lab units, of the colour likelihood
LIGHTNESS = 0.6  # weight of L against a and b


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """What of the patches does not depend on the prompt."""

    patches: Superpixels
    neighbours: list[list[tuple[int, float]]]
    """For each patch the ones it touches and the cost of the step."""
    walk: np.ndarray
    """(n, n) float32: prior probabilities to smoothed ones."""
    alike: np.ndarray
    """(n, n) float32 0..1: how alike the colours of two patches are."""


def connect(patches: Superpixels) -> Graph:
    """Prepare the walk on ``patches``."""
    a, b = patches.pairs[:, 0], patches.pairs[:, 1]
    colour = np.linalg.norm(patches.colours[a] - patches.colours[b], axis=1)
    distance = np.linalg.norm(patches.centres[a] - patches.centres[b], axis=1)
    cost = 0.6 * colour + patches.edges + 0.03 * distance
    neighbours: list[list[tuple[int, float]]] = [[] for _ in range(patches.count)]
    for i, j, c in zip(a.tolist(), b.tolist(), cost.tolist(), strict=True):
        neighbours[i].append((j, c))
        neighbours[j].append((i, c))
    return Graph(patches, neighbours, _walk(patches, cost), _alike(patches))


def _walk(patches: Superpixels, cost: np.ndarray) -> np.ndarray:
    a, b = patches.pairs[:, 0], patches.pairs[:, 1]
    weight = patches.lengths * np.exp2(-cost / SOFTNESS)
    matrix = np.zeros((patches.count, patches.count), np.float32)
    matrix[a, b] = matrix[b, a] = -weight
    degree = -matrix.sum(axis=1) + 1e-4
    matrix[np.diag_indices_from(matrix)] = (1 + PRIOR) * degree
    return np.linalg.inv(matrix) * (PRIOR * degree)


def _alike(patches: Superpixels) -> np.ndarray:
    colours = patches.colours * np.float32([LIGHTNESS, 1, 1])  # type: ignore[arg-type]
    squares = (colours**2).sum(axis=1)
    apart = squares[:, None] + squares[None] - 2 * colours @ colours.T
    return np.exp(-np.maximum(apart, 0) / (2 * BANDWIDTH**2))


def distances(graph: Graph, sources: np.ndarray) -> np.ndarray:
    """(n,) float64: the cost of the cheapest way from any of the patches ``sources``; Dijkstra."""
    far = [np.inf] * graph.patches.count
    queue = [(0.0, int(s)) for s in sources]
    for _, source in queue:
        far[source] = 0.0
    heapq.heapify(queue)
    while queue:
        reached, patch = heapq.heappop(queue)
        if reached > far[patch]:
            continue
        for neighbour, cost in graph.neighbours[patch]:
            if reached + cost < far[neighbour]:
                far[neighbour] = reached + cost
                heapq.heappush(queue, (far[neighbour], neighbour))
    return np.asarray(far)


def spread(graph: Graph, prior: np.ndarray, fixed: np.ndarray, rounds: int = 2) -> np.ndarray:
    """Smooth probabilities from ``prior``.

    Args:
        graph: the picture.
        prior: (n, k) in 0..1, k guesses at once.
        fixed: (n,) 1 where the patch is the object for sure, 0 where it is not, NaN elsewhere.
        rounds: how often the colours are learnt from the result.

    Returns:
        (n, k) in 0..1.
    """
    known = ~np.isnan(fixed)
    # Single precision throughout: a mixed product makes a double of a matrix as large as its own.
    prior = np.where(known[:, None], np.nan_to_num(fixed)[:, None], prior).astype(np.float32)
    areas = graph.patches.areas[:, None].astype(np.float32)
    guess = graph.walk @ prior
    for _ in range(rounds):
        guess = np.where(known[:, None], prior, guess)
        object_likeness = graph.alike @ (guess * areas) / np.maximum((guess * areas).sum(axis=0), 1)
        background = (1 - guess) * areas
        background_likeness = graph.alike @ background / np.maximum(background.sum(axis=0), 1)
        likely = (object_likeness + 1e-6) / (object_likeness + background_likeness + 2e-6)
        for_it, against = prior * likely, (1 - prior) * (1 - likely)
        updated = for_it / np.maximum(for_it + against, 1e-9)
        updated = np.where(known[:, None], prior, updated)
        guess = graph.walk @ updated
    return guess
