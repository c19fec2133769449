"""The masks that are filled: what the tracks show, each object grown by what suits its outline."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from cleanplate.arrays.masks import grow
from cleanplate.media.mask_files import Masks, constant_masks
from cleanplate.settings.groups import MaskSettings
from cleanplate.tracks.view import View

_RIM = 2  # px that what does not move grows by where other masks are faded in
_ORIGIN = "the tracked masks"


def growths(view: View, masks: MaskSettings) -> dict[int, int]:
    """How much each object's mask grows before it is filled, in px, by its id.

    Masks and still boxes that the user gave do not grow; beside others, whose fill fades in at the
    rim, they do by that rim.

    Args:
        view: what is shown.
        masks: how outlines become masks.
    """
    height = view.size[0]
    wanted = {
        tracked.id: masks.grown_by(height, view.is_exact(tracked), view.is_print(tracked))
        for tracked in view.marks.objects
        if view.is_shown(tracked.id)
    }
    most = max(wanted.values(), default=0)
    return {number: max(pixels, min(_RIM, most)) for number, pixels in wanted.items()}


def spanned(view: View, count: int) -> Masks:
    """The masks of all ``count`` frames as they are shown, empty outside of the span."""
    empty = np.zeros(view.size, np.uint8)
    first, stop = view.marks.span

    def read(start: int) -> Iterator[np.ndarray]:
        yield from (empty for _ in range(start, min(first, count)))
        yield from view.masks(max(start, first), stop)
        yield from (empty for _ in range(max(start, stop), count))

    return Masks(_ORIGIN, read)


def grown_mask(mask: np.ndarray, growth: Mapping[int, int]) -> np.ndarray:
    """``mask`` ((H, W) uint8, value = object id) with each object grown.

    Args:
        mask: as it is shown.
        growth: px by object id, from ``growths``.
    """
    amounts = sorted(set(growth.values()))
    if len(amounts) == 1:
        return grow(mask, amounts[0])
    together = np.zeros_like(mask)
    for pixels in amounts:
        ids = [number for number, by in growth.items() if by == pixels]
        part = grow(np.where(np.isin(mask, ids), mask, 0).astype(np.uint8), pixels)
        together = np.where(together > 0, together, part)
    return np.where(mask > 0, mask, together)


def grown(view: View, growth: Mapping[int, int], count: int, still: bool) -> Masks:
    """The masks of all frames of the clip with each object grown.

    Args:
        view: what is shown.
        growth: px by object id, from ``growths``.
        count: frames of the clip.
        still: where one mask serves the whole span, it may stand for all frames of the clip.
    """
    key = hashlib.sha256(f"{sorted(growth.items())} {view.marks.span}".encode())
    for frame in range(*view.marks.span):
        key.update(view.key(frame).encode())
    if still and view.is_constant():
        mask = grown_mask(view.mask(view.marks.span[0]), growth)
        return replace(constant_masks(mask, count, _ORIGIN), key=key.hexdigest())
    shown = spanned(view, count)

    def read(start: int) -> Iterator[np.ndarray]:
        latest: tuple[np.ndarray | None, np.ndarray] = None, np.zeros(0)
        for mask in shown.read(start):
            if latest[0] is not mask:
                latest = mask, grown_mask(mask, growth)
            yield latest[1]

    return Masks(_ORIGIN, read, key=key.hexdigest())
