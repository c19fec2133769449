"""A few pictures of a clip, spread evenly: what stays and what moves is told from them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.overlay import most_frames
from cleanplate.media.survey import Span
from cleanplate.types import Box

if TYPE_CHECKING:
    from cleanplate.media.picture import Picture
    from cleanplate.media.read import Clip

_SEEK = 60  # frames: samples further apart are sought, nearer ones are read through


def sampled(clip: Clip, span: Span, room: Box) -> Iterator[np.ndarray]:
    """``room`` of some frames spread evenly over ``span``: (h, w, 3) uint8 RGB."""
    for picture in spread(clip, span, most_frames(room.width, room.height)):
        yield picture.rgb(room)


def spread(clip: Clip, span: Span, most: int) -> Iterator[Picture]:
    """At most ``most`` pictures, evenly over ``span``."""
    count = min(most, span.stop - span.start)
    wanted = np.linspace(span.start, span.stop - 1, count).round().astype(int).tolist()
    if wanted[-1] - wanted[0] > _SEEK * len(wanted):
        for index in wanted:
            yield from clip.pictures(index, index + 1)
        return
    chosen = set(wanted)
    for picture in clip.pictures(wanted[0], wanted[-1] + 1):
        if picture.index in chosen:
            yield picture
