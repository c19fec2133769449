"""Which field of an interlaced picture comes first: the binding does not tell, a filter does."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph


def first_field(frame: av.VideoFrame) -> str | None:
    """``top first`` or ``bottom first``; None where the picture is flat and cannot tell.

    FFmpeg's ``fieldorder`` leaves a picture alone whose first field is the wanted one, and moves
    any other by a line.
    """
    plain = _through(frame, None)
    top_kept, bottom_kept = (
        np.array_equal(_through(frame, order), plain) for order in ("tff", "bff")
    )
    if top_kept == bottom_kept:
        return None
    return "top first" if top_kept else "bottom first"


def _through(frame: av.VideoFrame, order: str | None) -> np.ndarray:
    graph = Graph()
    links = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 1000),
        ),
        graph.add("format", "gray"),
    ]
    if order is not None:
        links.append(graph.add("fieldorder", f"order={order}"))
    graph.link_nodes(*links, graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull().to_ndarray(format="gray")


class FieldMarker:
    """Marks frames as interlaced with one field first: what encoders go by, and copies may lose."""

    def __init__(self, order: str) -> None:
        """
        Args:
            order: ``top first`` or ``bottom first``.
        """
        self._mode = "tff" if order == "top first" else "bff"
        self._graph: Graph | None = None

    def mark(self, frame: av.VideoFrame) -> av.VideoFrame:
        """``frame``, or one that shares its samples, marked."""
        if self._graph is None:
            self._graph = Graph()
            source = self._graph.add_buffer(
                width=frame.width,
                height=frame.height,
                format=frame.format,
                time_base=frame.time_base or Fraction(1, 1000),
            )
            marker = self._graph.add("setfield", f"mode={self._mode}")
            self._graph.link_nodes(source, marker, self._graph.add("buffersink")).configure()
        self._graph.vpush(frame)
        return self._graph.vpull()
