"""Shows an engine that can learn an overlay the whole clip, before it fills the first frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.overlay import most_frames
from cleanplate.media.samples import spread
from cleanplate.protocols import Inpainter, LearnsOverlay
from cleanplate.types import Box, Frame, MaskedFrame

if TYPE_CHECKING:
    from cleanplate.arrays.regions import Region
    from cleanplate.media.read import Clip
    from cleanplate.media.survey import Span


def studied(
    inpainter: Inpainter, clip: Clip, mask: np.ndarray, regions: Iterable[Region], span: Span
) -> Inpainter:
    """``inpainter``, knowing what overlay it finds in each of ``regions`` if it can learn one.

    Regions end with their shot; an overlay is the same in all of them and is told best by what
    differs behind it.

    Args:
        inpainter: any engine; those that can learn are ``LearnsOverlay``.
        clip: the clip.
        mask: (H, W) uint8, the one mask of the clip.
        regions: that the engine will be given.
        span: the frames to learn from.
    """
    boxes: dict[Box, None] = {region.box(region.start): None for region in regions}
    for box in boxes:
        if not isinstance(inpainter, LearnsOverlay):
            break
        most = most_frames(box.width, box.height)
        part, origin = mask[box.slices], (box.x0, box.y0)
        samples = [
            MaskedFrame(Frame(picture.index, picture.time, picture.rgb(box)), part, origin)
            for picture in spread(clip, span, most)
        ]
        inpainter = inpainter.knowing(samples)
    return inpainter
