"""Cuts a part out of pictures, in their own samples, and scales it where another size is wanted.

Where the part begins at whole samples they are copied bit for bit; where it lies between them, as
it does while it moves slowly, they are interpolated, so that nothing moves in steps.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.filter import Graph

from cleanplate.errors import InputError
from cleanplate.media.layout import Component, component_views
from cleanplate.media.picture import Picture
from cleanplate.types import VideoInfo

_TAPS = 3  # samples on each side that an interpolated one is made of
_NOTHING = 1 / 64  # of a sample: less is rounded away


@dataclass(frozen=True, slots=True)
class CropSize:
    """What is cut out of each picture, and the size that it is given; of the upright picture."""

    width: int
    """In px of the source."""
    height: int
    out_width: int
    """In px of the result."""
    out_height: int

    @property
    def is_scaled(self) -> bool:
        """Whether the result has another size than the part."""
        return (self.width, self.height) != (self.out_width, self.out_height)


class Cropper:
    """Cuts parts of one size out of the pictures of one clip."""

    def __init__(self, size: CropSize) -> None:
        self.size = size
        self._key: tuple[int, int, str] | None = None
        self._empty: Graph | None = None
        self._scale: Graph | None = None

    def crop(self, picture: Picture, x: float, y: float) -> Picture:
        """The part of ``picture`` whose top left corner is at (x, y) px of the upright picture.

        Raises:
            InputError: the part reaches out of the picture.
        """
        size = self.size
        if not (
            0 <= x <= picture.width - size.width + _NOTHING
            and 0 <= y <= picture.height - size.height + _NOTHING
        ):
            raise InputError(
                f"A crop of {size.width}x{size.height} at {x:g},{y:g} reaches out of the picture "
                f"of {picture.width}x{picture.height}; give one inside it."
            )
        turned = picture.palette.orientation
        x = picture.width - size.width - x if turned.flip_x else x
        y = picture.height - size.height - y if turned.flip_y else y
        if turned.transpose:
            x, y = y, x
        frame = self._blank(picture)
        source = component_views(picture.frame, picture.palette.layout)
        target = component_views(frame, picture.palette.layout)
        for component in picture.palette.layout.components:
            role = component.role
            _copy(source[role], target[role], component, picture.palette.layout.bits, (x, y))
        if self._scale is not None:
            self._scale.vpush(frame)
            scaled = self._scale.vpull()
            scaled.time_base = frame.time_base
            frame = scaled
        return dataclasses.replace(picture, frame=frame)

    def _blank(self, picture: Picture) -> av.VideoFrame:
        """A frame of the part's size with all that FFmpeg hangs on the picture's."""
        frame = picture.frame
        key = (frame.width, frame.height, frame.format.name)
        if self._empty is None or key != self._key:
            self._key = key
            self._build(picture)
        assert self._empty is not None
        self._empty.vpush(frame)
        made = self._empty.vpull()
        made.time_base = frame.time_base
        return made

    def _build(self, picture: Picture) -> None:
        size, turned = self.size, picture.palette.orientation.transpose
        part = (size.height, size.width) if turned else (size.width, size.height)
        out = (size.out_height, size.out_width) if turned else (size.out_width, size.out_height)
        frame = picture.frame
        crop = ("crop", f"w={part[0]}:h={part[1]}:x=0:y=0:exact=1")
        self._empty = _graph(frame, (frame.width, frame.height), crop, ("copy", None))
        if size.is_scaled:
            how = "lanczos+accurate_rnd+full_chroma_int+full_chroma_inp"
            scale = ("scale", f"w={out[0]}:h={out[1]}:flags={how}:interl=-1")
            same = ("format", f"pix_fmts={frame.format.name}")
            self._scale = _graph(frame, part, scale, same)


def _graph(frame: av.VideoFrame, size: tuple[int, int], *filters: tuple[str, str | None]) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=size[0],
        height=size[1],
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 1000),
    )
    made = [graph.add(name, arguments) for name, arguments in filters]
    graph.link_nodes(source, *made, graph.add("buffersink")).configure()
    return graph


def _copy(
    source: np.ndarray,
    target: np.ndarray,
    component: Component,
    bits: int,
    corner: tuple[float, float],
) -> None:
    """Fill ``target`` with the samples of ``source`` that begin at ``corner``, in px."""
    height, width = target.shape
    (x, x_part), (y, y_part) = (
        _split(place / (1 << shift))
        for place, shift in zip(corner, (component.x_shift, component.y_shift), strict=True)
    )
    if not (x_part or y_part):
        target[...] = source[y : y + height, x : x + width]
        return
    above, below = (_TAPS - 1, _TAPS) if y_part else (0, 0)
    before, behind = (_TAPS - 1, _TAPS) if x_part else (0, 0)
    y0, y1 = max(y - above, 0), min(y + height + below, source.shape[0])
    x0, x1 = max(x - before, 0), min(x + width + behind, source.shape[1])
    around = source[y0:y1, x0:x1]
    around = around >> component.shift if component.shift else around
    top, left = y0 - y + above, x0 - x + before
    bottom, right = y + height + below - y1, x + width + behind - x1
    native = np.ascontiguousarray(around, around.dtype.newbyteorder("="))
    if top or bottom or left or right:
        native = cv2.copyMakeBorder(native, top, bottom, left, right, cv2.BORDER_REPLICATE)
    mixed = cv2.sepFilter2D(native, cv2.CV_32F, _kernel(x_part), _kernel(y_part))
    inner = mixed[above : above + height, before : before + width]
    values = np.clip(np.rint(inner), 0, (1 << bits) - 1).astype(target.dtype)
    target[...] = values << component.shift if component.shift else values


def _split(place: float) -> tuple[int, float]:
    """The whole sample at or before ``place``, and how far behind it that is, 0 to 1."""
    whole = int(np.floor(place + _NOTHING))
    part = place - whole
    return whole, part if part > _NOTHING else 0.0


def _kernel(part: float) -> np.ndarray:
    """Lanczos's kernel of 3 lobes for a place ``part`` behind a sample (OpenCV correlates)."""
    if part == 0:
        return np.ones(1, np.float32)
    offsets = np.arange(-_TAPS, _TAPS + 1) - part
    weights = np.sinc(offsets) * np.sinc(offsets / _TAPS) * (np.abs(offsets) < _TAPS)
    return (weights / weights.sum()).astype(np.float32)


def reshaped(info: VideoInfo, size: CropSize) -> VideoInfo:
    """``info`` of a clip of which the part of ``size`` is cut out of each picture."""
    turned = info.rotation in (90, 270)
    part = Fraction(size.out_width * size.out_height, info.width * info.height)
    unsaid = info.sample_aspect_ratio == 0
    square = info.sample_aspect_ratio if unsaid or not size.is_scaled else Fraction(1)
    return dataclasses.replace(
        info,
        width=size.out_width,
        height=size.out_height,
        coded_width=size.out_height if turned else size.out_width,
        coded_height=size.out_width if turned else size.out_height,
        sample_aspect_ratio=square,
        # Bits for each pixel say how fine the source is; those of what is cut away are not spent.
        bit_rate=None if info.bit_rate is None else round(info.bit_rate * part),
    )
