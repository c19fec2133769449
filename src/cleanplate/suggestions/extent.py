"""In which frames an overlay is really seen: finds know it to about a second."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from cleanplate.media.read import Clip
from cleanplate.types import Box, Suggestion

_REACH = 1.5  # seconds before and after a found end that are looked at
_SAMPLES = 9  # frames that tell what the overlay looks like
_STEEP = 12.0  # grey levels a px (Sobel, a quarter) of an edge that is the overlay's
_SEEN = 0.45  # part of its own strength from which on it is seen: other letters there reach 0.37
_OTHER = 0.5  # of an edge's strength, by which it changes where the overlay is gone
_PROOF = 0.1  # share of edges that change so, below which the frame outside shows the overlay, too
_FEWEST = 40  # px of edges that tell anything


def ends(clip: Clip, suggestion: Suggestion, count: int) -> tuple[int, int]:
    """The first frame that shows ``suggestion``, and one past the last; as found where unclear.

    Args:
        clip: the clip.
        suggestion: a proposal.
        count: frames of the clip.
    """
    rate = float(clip.info.average_rate or 25)
    reach, middle = round(_REACH * rate), (suggestion.start + suggestion.stop) // 2
    quarter = (suggestion.stop - suggestion.start) // 4
    wanted = np.linspace(
        suggestion.start + quarter, max(suggestion.stop - 1 - quarter, middle), _SAMPLES
    )
    samples = [
        edges
        for n in np.unique(wanted.astype(int))
        for _, edges in _edges(clip, suggestion.box, n, n + 1)
    ]
    look = np.median(np.stack(samples), axis=0)
    strong = np.hypot(look[..., 0], look[..., 1]) > _STEEP
    strong = _without(look, strong, _outside(clip, suggestion, reach, count))
    if np.count_nonzero(strong) < _FEWEST:
        return suggestion.start, suggestion.stop
    edges_wanted = look[strong]

    def is_seen(first: int, stop: int) -> list[tuple[int, bool]]:
        return [
            (index, float((edges[strong] * edges_wanted).sum() / (edges_wanted**2).sum()) > _SEEN)
            for index, edges in _edges(clip, suggestion.box, first, stop)
        ]

    before = is_seen(max(0, suggestion.start - reach), min(suggestion.start + reach, middle) + 1)
    after = is_seen(max(suggestion.stop - reach, middle), min(count, suggestion.stop + reach))
    start, last = _outmost(before[::-1]), _outmost(after)
    return (suggestion.start if start is None else start), (
        suggestion.stop if last is None else last + 1
    )


def _outside(clip: Clip, suggestion: Suggestion, reach: int, count: int) -> list[np.ndarray]:
    """Edges in the box of frames that hardly show the suggestion, before and after it."""
    around = (max(0, suggestion.start - reach), min(count, suggestion.stop + reach) - 1)
    return [
        edges
        for n in around
        if not suggestion.start <= n < suggestion.stop
        for _, edges in _edges(clip, suggestion.box, n, n + 1)
    ]


def _without(look: np.ndarray, strong: np.ndarray, outside: list[np.ndarray]) -> np.ndarray:
    """``strong`` less what is there without the overlay: a still background tells no end."""
    kept = strong.copy()
    for edges in outside:
        kept &= np.hypot(*np.moveaxis(edges - look, -1, 0)) > _OTHER * np.hypot(
            *np.moveaxis(look, -1, 0)
        )
    return (
        kept
        if np.count_nonzero(kept) >= max(_FEWEST, _PROOF * np.count_nonzero(strong))
        else strong
    )


def _outmost(seen: list[tuple[int, bool]]) -> int | None:
    """The last frame, going outwards, of the stretch that begins with the first one seen."""
    end = None
    for index, here in seen:
        if here:
            end = index
        elif end is not None:
            break
    return end


def _edges(clip: Clip, box: Box, first: int, stop: int) -> Iterator[tuple[int, np.ndarray]]:
    """(index, (h, w, 2) float32 gradient of the luma in ``box``) of frames [first, stop)."""
    for picture in clip.pictures(first, stop):
        luma = cv2.cvtColor(picture.rgb(box), cv2.COLOR_RGB2GRAY)
        across, down = (cv2.Sobel(luma, cv2.CV_32F, *way, scale=0.25) for way in ((1, 0), (0, 1)))
        yield picture.index, np.stack([across, down], axis=-1)
