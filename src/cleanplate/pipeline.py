"""The straight line: pictures in, pictures with the masked pixels filled out.

    pictures + masks ──▶ regions ──▶ inpainter ──▶ patches ──▶ composite

Nothing here holds a clip: pictures wait only as long as an engine looks ahead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.arrays.masks import bounding_box, inward_alpha, shifted
from cleanplate.arrays.regions import Region
from cleanplate.errors import MediaError
from cleanplate.media.composite import Patch, composite
from cleanplate.types import Box, Frame, MaskedFrame

if TYPE_CHECKING:
    from cleanplate.media.picture import Picture
    from cleanplate.protocols import Inpainter


def fill(
    pictures: Iterable[tuple[Picture, np.ndarray]],
    shots: np.ndarray,
    regions: Sequence[Region],
    inpainter: Inpainter,
    feather: int,
    start: int,
    stop: int,
    compose: Callable[[Any, Sequence[Patch]], Any] = composite,
) -> Iterator[Any]:
    """The pictures from frame ``start`` up to ``stop``, with the masked pixels filled.

    Args:
        pictures: (picture, (H, W) uint8 mask) in order, from frame ``first_needed(...)`` on to the
            end of the last region at least.
        shots: (N,) shot number of each frame of the clip.
        regions: where the engine works, from ``arrays.regions.plan``.
        inpainter: the engine.
        feather: px over which a fill fades in, inwards from the mask's rim.
        start: first frame to give. Frames before it only show the engine what came earlier.
        stop: one past the last frame to give.
        compose: writes patches into a picture.
    """
    window = _Window(pictures)
    waiting = deque(region for region in regions if region.stop > start)
    working: list[_Fill] = []
    try:
        for index in range(start, stop):
            while waiting and waiting[0].start <= index:
                region = waiting.popleft()
                first = _entry(region, start, inpainter.lookback)
                frames = inpainter.inpaint(_cropped(window, region, shots, first))
                working.append(_Fill(region, frames, feather))
            picture, mask = window[index]
            patches = [patch for one in working if (patch := one.patch(index, mask)) is not None]
            yield compose(picture, patches) if patches else picture
            for one in [one for one in working if one.region.stop == index + 1]:
                one.close()
                working.remove(one)
            window.drop_before(index + 1)
    finally:
        for one in working:
            one.close()


def first_needed(regions: Iterable[Region], start: int, lookback: int | None) -> int:
    """The first frame that must be read so that frames from ``start`` on can be filled."""
    active = [r for r in regions if r.start < start < r.stop]
    return min([start, *(_entry(region, start, lookback) for region in active)])


def _entry(region: Region, start: int, lookback: int | None) -> int:
    if lookback is None or region.start >= start:
        return region.start
    return max(region.start, start - lookback)


def _cropped(
    window: _Window, region: Region, shots: np.ndarray, first: int
) -> Iterator[MaskedFrame]:
    for index in range(first, region.stop):
        picture, mask = window[index]
        box = region.box(index)
        frame = Frame(index, picture.time, picture.rgb(box), int(shots[index]))
        yield MaskedFrame(frame, mask[box.slices], (box.x0, box.y0))


class _Fill:
    """One region on its way through an engine."""

    def __init__(self, region: Region, frames: Iterator[Frame], feather: int) -> None:
        self.region = region
        self._frames, self._feather = frames, feather
        self._latest: tuple[np.ndarray | None, np.ndarray] | None = None

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
            own = np.isin(mask, list(self.region.objects))
            self._latest = mask.base, inward_alpha(own, self._feather)
        return self._latest[1]

    def close(self) -> None:
        close = getattr(self._frames, "close", None)
        if close is not None:
            close()


def _even(box: Box, region: Region) -> Box:
    """``box`` with even edges inside the region, so that chroma samples stay whole."""
    return Box(
        box.x0 & ~1,
        box.y0 & ~1,
        min((box.x1 + 1) & ~1, region.width),
        min((box.y1 + 1) & ~1, region.height),
    )


class _Window:
    """Pictures decoded and still wanted: read once, given to each region and to the output."""

    def __init__(self, pictures: Iterable[tuple[Picture, np.ndarray]]) -> None:
        self._source = iter(pictures)
        self._held: deque[tuple[Picture, np.ndarray]] = deque()

    def __getitem__(self, index: int) -> tuple[Picture, np.ndarray]:
        while not self._held or self._held[-1][0].index < index:
            item = next(self._source, None)
            if item is None:
                raise MediaError(
                    f"The clip ended before frame {index}, which it gave when it was first read; "
                    "was the file changed? Run the same command again."
                )
            self._held.append(item)
        return self._held[index - self._held[0][0].index]

    def drop_before(self, index: int) -> None:
        while self._held and self._held[0][0].index < index:
            self._held.popleft()
