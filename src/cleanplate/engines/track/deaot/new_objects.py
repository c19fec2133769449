"""Which proposals of a segmenter are objects that are not tracked yet, and their ids.

The procedure of Cheng et al., "Segment and Track Anything", 2023, without its slips: ids go on from
the highest one ever given, and are written into a map of their own.
"""

from __future__ import annotations

import numpy as np

from cleanplate.types import MAX_OBJECT_ID


def new_objects(
    tracked: np.ndarray, proposals: np.ndarray, highest: int, share: float, area: int
) -> np.ndarray:
    """Those of ``proposals`` that lie on tracked background.

    Args:
        tracked: (H, W) uint8, the objects that are tracked, value = id.
        proposals: (H, W) uint8, the things in the picture, numbered by the segmenter.
        highest: the highest id that was ever given, so that no object takes over another's.
        share: how much of a thing must lie on background, 0..1.
        area: px of it that must, at least.

    Returns:
        (H, W) uint8: each new object under an id of its own, from ``highest + 1`` on in the order
        of the proposals, on background alone. Ids end at 255: what comes after is left out.
    """
    free = np.where(tracked == 0, proposals, 0)
    whole = np.bincount(proposals.ravel(), minlength=256)
    left = np.bincount(free.ravel(), minlength=256)
    left[0] = 0
    chosen = np.flatnonzero((left > 0) & (left >= area) & (left >= share * whole))
    chosen = chosen[: max(MAX_OBJECT_ID - highest, 0)]
    ids = np.zeros(256, np.uint8)
    ids[chosen] = highest + 1 + np.arange(len(chosen))
    return ids[free]
