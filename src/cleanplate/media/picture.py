"""One decoded picture: its exact time, and its RGB as far as somebody asks for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.filter import Graph

from cleanplate.errors import InputError, MediaError
from cleanplate.media.colour import apply_matrix, effective_matrix, gray_scale, to_rgb
from cleanplate.media.layout import Layout, component_views, find_layout
from cleanplate.media.orientation import Orientation
from cleanplate.types import Box


class FrameCopier:
    """Copies decoded frames with all that FFmpeg hangs on them: fields, captions, timecodes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[int, int, str] | None = None
        self._graph: Graph | None = None

    def copy(self, frame: av.VideoFrame) -> av.VideoFrame:
        """A copy whose planes can be written without changing ``frame``."""
        key = (frame.width, frame.height, frame.format.name)
        with self._lock:
            if self._graph is None or key != self._key:
                self._graph, self._key = self._build(frame), key
            self._graph.vpush(frame)
            copied = self._graph.vpull()
        copied.time_base = frame.time_base
        return copied

    @staticmethod
    def _build(frame: av.VideoFrame) -> Graph:
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 1000),
        )
        graph.link_nodes(source, graph.add("copy"), graph.add("buffersink")).configure()
        return graph


@dataclass(frozen=True, slots=True)
class Palette:
    """How the samples of a clip become RGB; the same for all its pictures."""

    layout: Layout
    matrix: int
    full_range: bool
    orientation: Orientation
    copier: FrameCopier


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture. Sizes and boxes are those of the upright picture."""

    index: int
    """Position in presentation order, from 0."""
    time: Fraction
    """Presentation time in seconds, exact."""
    duration: Fraction | None
    """In seconds, as the file says; None where it does not."""
    frame: av.VideoFrame
    palette: Palette

    @property
    def width(self) -> int:
        """Of the upright picture, in px."""
        return self.frame.height if self.palette.orientation.transpose else self.frame.width

    @property
    def height(self) -> int:
        """Of the upright picture, in px."""
        return self.frame.width if self.palette.orientation.transpose else self.frame.height

    @property
    def nbytes(self) -> int:
        """Memory that the samples take."""
        return sum(plane.buffer_size for plane in self.frame.planes)

    def rgb(self, box: Box | None = None) -> np.ndarray:
        """The picture, or only ``box`` of it, as (h, w, 3) uint8 RGB, read-only.

        Raises:
            InputError: ``box`` is not inside the picture.
        """
        whole = Box(0, 0, self.width, self.height)
        box = whole if box is None else box
        check_inside(box, self.width, self.height)
        palette = self.palette
        stored = palette.orientation.stored_box(box, self.width, self.height)
        samples = component_views(self.frame, palette.layout)
        image = _region_rgb(samples, palette, stored, 8)
        image = np.ascontiguousarray(palette.orientation.upright(image))
        image.flags.writeable = False
        return image

    def for_png(self) -> np.ndarray:
        """The upright picture as OpenCV writes PNGs: BGR, BGRA or grey, uint8 or uint16."""
        layout = self.palette.layout
        depth = 8 if layout.bits == 8 else 16
        samples = component_views(self.frame, layout)
        image = _region_rgb(
            samples, self.palette, Box(0, 0, self.frame.width, self.frame.height), depth
        )
        image = image[..., :1] if layout.is_gray and not layout.has_alpha else image[..., ::-1]
        if layout.has_alpha:
            component = next(c for c in layout.components if c.role == "a")
            alpha = _rescale(_native(samples["a"]) >> component.shift, layout.bits, depth)
            image = np.dstack([image, alpha])
        return np.ascontiguousarray(self.palette.orientation.upright(image))

    def luma_small(self, width: int) -> np.ndarray:
        """A small grey picture, (h, ``width``) uint8, aspect kept; for looking at shots."""
        palette = self.palette
        samples = component_views(self.frame, palette.layout)
        role = "g" if palette.layout.is_rgb else "y"
        plane = samples[role]
        turned = palette.orientation.transpose
        height = max(1, round(width * self.height / self.width))
        size = (height, width) if turned else (width, height)
        step = max(1, min(plane.shape[1] // (2 * size[0]), plane.shape[0] // (2 * size[1])))
        plane = np.ascontiguousarray(plane[::step, ::step])
        small = cv2.resize(_native(plane), size, interpolation=cv2.INTER_AREA).astype(np.int32)
        shift = next(c.shift for c in palette.layout.components if c.role == role)
        full = palette.full_range or palette.layout.is_rgb
        scale, offset = gray_scale(palette.layout.bits, full)
        gray = np.clip((small >> shift) * np.float32(scale) + offset + 0.5, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(palette.orientation.upright(gray))


def check_inside(box: Box, width: int, height: int) -> None:
    """Raise InputError if ``box`` reaches out of a picture of ``width`` x ``height``."""
    if box.x0 < 0 or box.y0 < 0 or box.x1 > width or box.y1 > height:
        raise InputError(
            f"Box {box.x0},{box.y0},{box.x1},{box.y1} reaches out of the picture of "
            f"{width}x{height}; give a box inside it."
        )


def make_palette(
    frame: av.VideoFrame,
    orientation: Orientation,
    copier: FrameCopier,
) -> Palette:
    """How ``frame``, the first of a clip, and all like it become RGB."""
    layout = find_layout(frame.format.name)
    if layout is None:
        raise MediaError(
            f"Pixel format {frame.format.name} cannot be read; convert the clip first."
        )
    matrix = effective_matrix(int(frame.colorspace), frame.height)
    return Palette(layout, matrix, is_full_range(frame), orientation, copier)


def is_full_range(frame: av.VideoFrame) -> bool:
    """Whether black is 0: tagged so, RGB, a yuvj format, or grey that says nothing."""
    unsaid = int(frame.color_range) == 0
    name = frame.format.name
    return (
        int(frame.color_range) == 2
        or name.startswith(("yuvj", "rgb", "bgr", "gbr", "argb", "abgr", "0"))
        or (unsaid and name.startswith(("gray", "ya")))
    )


def _region_rgb(
    samples: dict[str, np.ndarray], palette: Palette, box: Box, depth: int
) -> np.ndarray:
    """``box`` of the stored picture as RGB of ``depth`` bits, 8 or 16."""
    layout = palette.layout
    regions = []
    for c in layout.color:
        x0, y0 = box.x0 >> c.x_shift, box.y0 >> c.y_shift
        x1, y1 = -(-box.x1 >> c.x_shift), -(-box.y1 >> c.y_shift)
        region = _native(samples[c.role][y0:y1, x0:x1])
        region = region >> c.shift if c.shift else region
        if c.x_shift or c.y_shift:
            region = _repeat(region, c.x_shift, c.y_shift)
            x, y = box.x0 - (x0 << c.x_shift), box.y0 - (y0 << c.y_shift)
            region = region[y : y + box.height, x : x + box.width]
        regions.append(region)
    if layout.is_rgb:
        return _rescale(cv2.merge(regions), layout.bits, depth)
    if layout.is_gray:
        scale, offset = gray_scale(layout.bits, palette.full_range)
        gray = _fit(regions[0] * np.float32(scale) + np.float32(offset), depth)
        return cv2.merge([gray, gray, gray])
    matrix = to_rgb(palette.matrix, layout.bits, palette.full_range)
    return apply_matrix(cv2.merge(regions), matrix, depth)


def fine_rgb(picture: Picture, box: Box) -> np.ndarray:
    """``box`` of the stored picture, not turned upright, as float32 RGB in 0..255, unrounded."""
    samples = component_views(picture.frame, picture.palette.layout)
    return _region_rgb(samples, picture.palette, box, 16).astype(np.float32) / np.float32(257)


def _rescale(values: np.ndarray, bits: int, depth: int) -> np.ndarray:
    """Full-range code values of ``bits`` as those of ``depth`` bits."""
    if bits == depth:
        return values
    return _fit(values * np.float32(255 / ((1 << bits) - 1)), depth)


def _fit(values: np.ndarray, depth: int) -> np.ndarray:
    """Values in 0..255 rounded to code values of ``depth`` bits, 8 or 16."""
    if depth == 8:
        return np.clip(values + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.clip(values * np.float32(257) + np.float32(0.5), 0, 65535).astype(np.uint16)


def _native(samples: np.ndarray) -> np.ndarray:
    """In this machine's byte order, rows contiguous: what OpenCV takes."""
    return np.ascontiguousarray(samples, samples.dtype.newbyteorder("="))


def _repeat(chroma: np.ndarray, x_shift: int, y_shift: int) -> np.ndarray:
    size = (chroma.shape[1] << x_shift, chroma.shape[0] << y_shift)
    return cv2.resize(chroma, size, interpolation=cv2.INTER_NEAREST)
