"""Letters in place of the boxes drawn around burned-in overlays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.masks import shifted, widened
from cleanplate.arrays.overlay import find_letters
from cleanplate.errors import InputError
from cleanplate.media.samples import sampled
from cleanplate.settings.groups import LETTERS, WHOLE_BOX
from cleanplate.types import Box

if TYPE_CHECKING:
    from cleanplate.media.read import Clip
    from cleanplate.media.survey import Span

_LEAST_AROUND = 16  # px of surroundings that tell whether the camera moves


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one box."""

    object_id: int
    mask: str
    """``letters`` or ``box``."""
    share: float
    """The part of the box that is removed, 0..1."""
    doubt: str
    """What speaks for the box; empty when nothing does."""

    @property
    def sentence(self) -> str:
        """As a person reads it."""
        if self.mask == LETTERS:
            return f"Object {self.object_id}: its letters, {self.share:.0%} of the box, are filled."
        return f"Object {self.object_id}: the whole box is filled, since {self.doubt}."


def lettered(
    clip: Clip, mask: np.ndarray, boxes: Mapping[int, Box], span: Span, how: str
) -> tuple[np.ndarray, list[Verdict]]:
    """``mask`` with each of ``boxes`` narrowed to its letters where these are clear.

    Letters that reach a little out of the box are taken whole.

    Args:
        clip: the clip.
        mask: (H, W) uint8, value = object id.
        boxes: by object id.
        span: the frames from which the overlay is to be removed.
        how: ``auto``, or ``letters`` to take them in spite of doubts.

    Raises:
        InputError: letters are demanded and none were found.
    """
    narrowed, verdicts = mask.copy(), []
    for object_id, box in boxes.items():
        reach = max(_LEAST_AROUND, box.height // 2)
        room = widened(box, reach, *mask.shape[::-1])
        frames = list(sampled(clip, span, room))
        letters = find_letters(frames, shifted(box, -room.x0, -room.y0), mask[room.slices] > 0)
        if how == LETTERS and not letters.mask.any():
            raise InputError(
                f"No letters were found in the box of object {object_id}; {letters.doubt}. Leave "
                "--overlay out to remove the whole box."
            )
        if letters.doubt and how != LETTERS:
            verdicts.append(Verdict(object_id, WHOLE_BOX, 1.0, letters.doubt))
            continue
        part = narrowed[box.slices]
        part[(part == object_id) & ~letters.mask] = 0
        around = narrowed[room.slices]
        around[letters.beyond & (around == 0)] = object_id
        verdicts.append(Verdict(object_id, LETTERS, letters.share, letters.doubt))
    return narrowed, verdicts
