"""Masks as run lengths, and as COCO writes them: column by column, beginning with background."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def run_lengths(mask: np.ndarray) -> list[int]:
    """The lengths of the runs of an (H, W) bool mask, column by column.

    The first run is background; it is 0 when the first pixel is set.
    """
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate([[0], ends, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def mask_of(runs: Sequence[int], height: int, width: int) -> np.ndarray:
    """The (H, W) bool mask that ``run_lengths`` took apart."""
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def coco_text(runs: Sequence[int]) -> str:
    """Run lengths as the ``counts`` of a compressed COCO mask.

    From the fourth on each is the difference to the one before the last; every number is written
    in groups of five bits, low ones first, the sixth saying that more follow.
    """
    letters = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        more = True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(chr((bits | 32 if more else bits) + 48))
    return "".join(letters)
