"""Where each sample of a pixel format lies: numpy views of a decoded frame, one a component.

The views write through, so a fill goes into the decoder's own planes and no other sample is
touched. Formats that have no such view (palettes, bits, floats, Bayer) are named with the
format that holds the same values and has one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import av
import numpy as np
from av.video.plane import VideoPlane

# Packed formats, as the order of their samples in memory; "." is padding, "s" the depth 16.
_PACKED = {
    "rgb24": "rgb",
    "bgr24": "bgr",
    "rgba": "rgba",
    "bgra": "bgra",
    "argb": "argb",
    "abgr": "abgr",
    "rgb0": "rgb.",
    "bgr0": "bgr.",
    "0rgb": ".rgb",
    "0bgr": ".bgr",
    "rgb48": "rgb",
    "bgr48": "bgr",
    "rgba64": "rgba",
    "bgra64": "bgra",
    "ya8": "ya",
    "ya16": "ya",
    "yuyv422": "yuyv",
    "yvyu422": "yvyu",
    "uyvy422": "uyvy",
}
_SEMI_PLANAR = {"nv12": "uv", "nv21": "vu", "nv16": "uv", "nv24": "uv", "nv42": "vu"}
_SHIFTED = {"p010": 6, "p012": 4, "p016": 0, "p210": 6, "p212": 4, "p216": 0, "p410": 6, "p416": 0}


@dataclass(frozen=True, slots=True)
class Component:
    """One of the pictures of which a pixel format is made: y, u, v, r, g, b or a."""

    role: str
    plane: int
    offset: int
    """Of its first sample in a row, in samples."""
    step: int
    """From one sample to the next, in samples."""
    shift: int
    """Unused low bits of a sample."""
    x_shift: int
    """log2 of how many pixels wide a sample is."""
    y_shift: int


@dataclass(frozen=True, slots=True)
class Layout:
    """A pixel format whose components can be viewed."""

    name: str
    bits: int
    dtype: str
    components: tuple[Component, ...]

    @property
    def color(self) -> tuple[Component, ...]:
        """What a fill changes: y u v, r g b, or y alone."""
        return tuple(c for c in self.components if c.role != "a")

    @property
    def is_rgb(self) -> bool:
        """Whether samples are red, green and blue."""
        return self.components[0].role in "rgb"

    @property
    def is_gray(self) -> bool:
        """Whether there is no colour."""
        return len(self.color) == 1

    @property
    def has_alpha(self) -> bool:
        """Whether there is an alpha component."""
        return any(c.role == "a" for c in self.components)

    @property
    def x_shift(self) -> int:
        """By how many bits chroma is narrower than luma."""
        return max(c.x_shift for c in self.components)

    @property
    def y_shift(self) -> int:
        """By how many bits chroma is lower than luma."""
        return max(c.y_shift for c in self.components)


@cache
def find_layout(name: str) -> Layout | None:
    """The layout of the pixel format ``name``; None where it has no view."""
    video_format = av.VideoFormat(name, 16, 16)
    bits = video_format.components[0].bits
    if video_format.has_palette or video_format.is_bit_stream or video_format.is_bayer:
        return None
    if not 8 <= bits <= 16 or any(c.bits != bits for c in video_format.components):
        return None
    base = name.removesuffix("le").removesuffix("be")
    endian = ">" if video_format.is_big_endian else "<"
    dtype = "u1" if bits == 8 else f"{endian}u2"
    components = _components(base, video_format)
    return None if components is None else Layout(name, bits, dtype, components)


def _components(base: str, video_format: av.VideoFormat) -> tuple[Component, ...] | None:
    if base in _PACKED:
        return _packed(_PACKED[base])
    roles = _roles(video_format)
    planes = [c.plane for c in video_format.components]
    shift = _SHIFTED.get(base, 0)
    order = _SEMI_PLANAR.get(base, "uv" if base in _SHIFTED else "")
    if not order and (len(set(planes)) != len(planes) or not base.startswith(_PLANAR)):
        return None
    made = []
    for role, component in zip(roles, video_format.components, strict=True):
        interleaved = bool(order) and role in "uv"
        made.append(
            Component(
                role=role,
                plane=component.plane,
                offset=order.index(role) if interleaved else 0,
                step=2 if interleaved else 1,
                shift=shift,
                x_shift=(16 // component.width).bit_length() - 1,
                y_shift=(16 // component.height).bit_length() - 1,
            )
        )
    return tuple(made)


_PLANAR = ("yuv", "gbr", "gray")  # float, most-significant-bit and XYZ variants are told by depth


def _packed(order: str) -> tuple[Component, ...]:
    wide = len(order) == 4 and order.count("y") == 2
    components = []
    for role in dict.fromkeys(order.replace(".", "")):
        step = 2 if wide and role == "y" else len(order)
        x_shift = 1 if wide and role in "uv" else 0
        components.append(Component(role, 0, order.index(role), step, 0, x_shift, 0))
    return tuple(sorted(components, key=lambda c: "yuvrgba".index(c.role)))


def _roles(video_format: av.VideoFormat) -> str:
    count = len(video_format.components)
    if count <= 2:
        return "ya"[:count]
    return ("rgba" if video_format.is_rgb else "yuva")[:count]


def viewable_format(name: str) -> str:
    """A pixel format with a layout that holds every value of ``name``: itself where it can."""
    if find_layout(name) is not None:
        return name
    video_format = av.VideoFormat(name, 16, 16)
    deep = max(c.bits for c in video_format.components) > 8
    alpha = video_format.has_palette or any(c.is_alpha for c in video_format.components)
    if len(video_format.components) == 1 and not (
        video_format.has_palette or video_format.is_bayer
    ):
        return "gray16le" if deep else "gray"
    if deep:
        return "gbrap16le" if alpha else "gbrp16le"
    return "rgba" if alpha else "rgb24"


def component_views(frame: av.VideoFrame, layout: Layout) -> dict[str, np.ndarray]:
    """The samples of ``frame`` by role, (H, W) each at its own size, sharing its memory."""
    planes = [_plane_samples(plane, layout.dtype) for plane in frame.planes]
    views = {}
    for c in layout.components:
        width = -(-frame.width >> c.x_shift)
        height = -(-frame.height >> c.y_shift)
        views[c.role] = planes[c.plane][:height, c.offset :: c.step][:, :width]
    return views


def _plane_samples(plane: VideoPlane, dtype: str) -> np.ndarray:
    samples = np.frombuffer(cast(Any, plane), dtype)
    row = plane.line_size // np.dtype(dtype).itemsize
    return samples[: samples.size // row * row].reshape(-1, row)
