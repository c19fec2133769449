"""The straight line: pictures in, pictures with the masked pixels filled out.

    picture + mask ──▶ regions ──▶ inpainter ──▶ patches ──▶ composite

Nothing here holds a clip, and nothing needs to know its end: pictures wait only as long as an
engine looks ahead or a new region looks back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from cleanplate.arrays.masks import bounding_box, inward_alpha, shifted
from cleanplate.errors import MediaError
from cleanplate.media.composite import Patch, composite
from cleanplate.pipeline.regions import FilledRegion, RegionSource
from cleanplate.protocols import Tell, TellsUnseen
from cleanplate.types import Box, Frame, MaskedFrame

if TYPE_CHECKING:
    from cleanplate.protocols import Inpainter


class CroppablePicture(Protocol):
    """A picture that a region can be cut out of: a decoded one, or an array in its clothes."""

    @property
    def index(self) -> int:
        """Position in presentation order, from 0."""
        ...

    @property
    def time(self) -> Fraction:
        """Presentation time in seconds."""
        ...

    def rgb(self, box: Box | None = None) -> np.ndarray:
        """The picture, or ``box`` of it: (h, w, 3) uint8 RGB."""
        ...


P = TypeVar("P", bound=CroppablePicture)


@dataclass(frozen=True, slots=True, eq=False)
class MaskedPicture(Generic[P]):
    """A picture of a clip or a stream with all that is known of it when it arrives."""

    picture: P
    mask: np.ndarray
    """(H, W) uint8, value = object id, 0 = background. The same array while nothing changes."""
    shot: int
    """Number of the shot, ascending."""


def fill(
    pictures: Iterable[MaskedPicture[P]],
    regions: RegionSource,
    inpainter: Inpainter,
    feather: int,
    start: int = 0,
    stop: int | None = None,
    compose: Callable[[P, Sequence[Patch]], P] = composite,  # type: ignore[assignment]
    tell: Tell | None = None,
) -> Generator[P]:
    """The pictures from frame ``start`` on, with the masked pixels filled.

    Args:
        pictures: in order, from ``first_needed(...)`` of the regions on where they are planned,
            from the first of the stream where they are found as pictures come.
        regions: where the engine works: ``PlannedRegions`` for a file, ``CausalRegions`` for a
            stream without an end.
        inpainter: the engine.
        feather: px over which a fill fades in, inwards from the mask's rim.
        start: first frame to give. Frames before it only show the engine what came earlier.
        stop: one past the last frame to give, which the pictures must reach; None: all of them.
        compose: writes patches into a picture.
        tell: told of the frames in which the engine, if it can say so, made something up.

    Raises:
        MediaError: the pictures ended before ``stop``.
    """
    window = _Window(pictures)
    fills: list[_Fill] = []
    try:
        for index in count(start) if stop is None else range(start, stop):
            if stop is None and not window.reaches(index):
                return
            current = window[index]
            for region in regions.opened(index, current.mask, current.shot):
                crops = _cropped(window, region, regions.first_shown(region, start))
                fills.append(_Fill(region, _inpainted(inpainter, crops, tell), feather))
            for ended in [fill for fill in fills if fill.has_ended(index)]:
                ended.close()
                fills.remove(ended)
            patches = [patch for fill in fills if (patch := fill.patch(index, current.mask))]
            yield compose(current.picture, patches) if patches else current.picture
            window.drop_before(index + 1 - regions.lookback)
    finally:
        for fill in fills:
            fill.close()


def _inpainted(
    inpainter: Inpainter, crops: Iterator[MaskedFrame], tell: Tell | None
) -> Iterator[Frame]:
    if tell is not None and isinstance(inpainter, TellsUnseen):
        return inpainter.inpaint_telling(crops, tell)
    return inpainter.inpaint(crops)


def _cropped(window: _Window[Any], region: FilledRegion, first: int) -> Iterator[MaskedFrame]:
    for index in count(first):
        if region.stop is not None and index >= region.stop:
            return
        masked = window[index]
        box = region.box(index)
        picture = masked.picture
        frame = Frame(index, picture.time, picture.rgb(box), masked.shot)
        yield MaskedFrame(frame, masked.mask[box.slices], (box.x0, box.y0))


class _Fill:
    """One region on its way through an engine."""

    def __init__(self, region: FilledRegion, frames: Iterator[Frame], feather: int) -> None:
        self.region = region
        self._frames, self._feather = frames, feather
        self._latest: tuple[np.ndarray | None, np.ndarray] | None = None

    def has_ended(self, index: int) -> bool:
        """Whether the region ends before frame ``index``."""
        return self.region.stop is not None and self.region.stop <= index

    def patch(self, index: int, mask: np.ndarray) -> Patch | None:
        """What this region paints into frame ``index``; None where it has no mask."""
        frame = next(frame for frame in self._frames if frame.index == index)
        box = self.region.box(index)
        alpha = self._alpha(mask[box.slices])
        tight = bounding_box((alpha > 0).view(np.uint8))
        if tight is None:
            return None
        inner = _even(tight, self.region)
        place = shifted(inner, box.x0, box.y0)
        return Patch(place, frame.image[inner.slices], alpha[inner.slices])

    def _alpha(self, mask: np.ndarray) -> np.ndarray:
        # A mask that stays is the same array in each frame: its weights are worked out once.
        if self._latest is None or self._latest[0] is not mask.base:
            inside = np.isin(mask, list(self.region.objects))
            self._latest = mask.base, inward_alpha(inside, self._feather)
        return self._latest[1]

    def close(self) -> None:
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()


def _even(box: Box, region: FilledRegion) -> Box:
    """``box`` with even edges inside the region, so that chroma samples stay whole."""
    return Box(
        box.x0 & ~1,
        box.y0 & ~1,
        min((box.x1 + 1) & ~1, region.width),
        min((box.y1 + 1) & ~1, region.height),
    )


class _Window(Generic[P]):
    """Pictures that came and are still wanted: read once, for all regions and the output."""

    def __init__(self, pictures: Iterable[MaskedPicture[P]]) -> None:
        self._source = iter(pictures)
        self._held: deque[MaskedPicture[P]] = deque()

    def reaches(self, index: int) -> bool:
        """Whether there is a picture ``index``; waits for it."""
        while not self._held or self._held[-1].picture.index < index:
            masked = next(self._source, None)
            if masked is None:
                return False
            self._held.append(masked)
        return True

    def __getitem__(self, index: int) -> MaskedPicture[P]:
        if not self.reaches(index):
            raise MediaError(
                f"The clip ended before frame {index}, which it gave when it was first read; "
                "was the file changed? Run the same command again."
            )
        return self._held[index - self._held[0].picture.index]

    def drop_before(self, index: int) -> None:
        while self._held and self._held[0].picture.index < index:
            self._held.popleft()
