"""What every inpaint engine demands of the frames it is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cleanplate.errors import MaskError
from cleanplate.types import MaskedFrame


def same_sizes(frames: Iterable[MaskedFrame]) -> Iterator[MaskedFrame]:
    """The frames, checked one by one.

    Raises:
        MaskError: a mask is not of its image's size, or an image not of the first one's.
    """
    first = None
    for masked in frames:
        size, mask_size = masked.frame.image.shape[:2], masked.mask.shape
        if mask_size != size:
            raise MaskError(
                f"The mask of frame {masked.frame.index} is {_text(mask_size)} but its image is "
                f"{_text(size)}; give masks of the image's size."
            )
        first = first or size
        if size != first:
            raise MaskError(
                f"Frame {masked.frame.index} is {_text(size)} but the first one was "
                f"{_text(first)}; give images of one size to one call."
            )
        yield masked


def _text(size: tuple[int, ...]) -> str:
    return "x".join(str(side) for side in reversed(size))
