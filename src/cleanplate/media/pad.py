"""A clip whose pictures have room around them, black, to be filled; in their own samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Self

from av.filter import Graph

from cleanplate.errors import MediaError
from cleanplate.media.picture import Picture
from cleanplate.media.read import Clip
from cleanplate.media.video import BACKWARD_BUDGET
from cleanplate.types import Box


@dataclass(frozen=True, slots=True)
class Room:
    """A larger picture, and where the old one lies in it; of the upright picture, in px."""

    width: int
    height: int
    left: int
    top: int


class PaddedClip:
    """``clip`` with each picture inside a larger one."""

    def __init__(self, clip: Clip, room: Room) -> None:
        """
        Args:
            clip: the clip; it is neither opened nor closed here.
            room: the larger picture; its place for the old one begins at whole samples.
        """
        self._clip, self._room = clip, room
        self.warnings = clip.warnings
        turned = clip.info.rotation in (90, 270)
        self.info = dataclasses.replace(
            clip.info,
            width=room.width,
            height=room.height,
            coded_width=room.height if turned else room.width,
            coded_height=room.width if turned else room.height,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def pictures(self, start: int = 0, stop: int | None = None) -> Iterator[Picture]:
        """See ``Clip``."""
        return self._padded(self._clip.pictures(start, stop))

    def pictures_backward(
        self, start: int, stop: int = 0, budget: int = BACKWARD_BUDGET
    ) -> Iterator[Picture]:
        """See ``Clip``."""
        return self._padded(self._clip.pictures_backward(start, stop, budget))

    def _padded(self, pictures: Iterator[Picture]) -> Iterator[Picture]:
        graph: Graph | None = None
        for picture in pictures:
            graph = graph or self._graph(picture)
            graph.vpush(picture.frame)
            frame = graph.vpull()
            if frame.format.name != picture.frame.format.name:
                raise MediaError(
                    f"Pictures of {picture.frame.format.name} cannot be extended; convert the clip "
                    "first."
                )
            frame.time_base = picture.frame.time_base
            yield dataclasses.replace(picture, frame=frame)

    def _graph(self, picture: Picture) -> Graph:
        room, frame = self._room, picture.frame
        inside = Box(room.left, room.top, room.left + picture.width, room.top + picture.height)
        stored = picture.palette.orientation.stored_box(inside, room.width, room.height)
        graph = Graph()
        source = graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base or Fraction(1, 1000),
        )
        size = (self.info.coded_width, self.info.coded_height)
        pad = graph.add("pad", f"w={size[0]}:h={size[1]}:x={stored.x0}:y={stored.y0}:color=black")
        graph.link_nodes(source, pad, graph.add("buffersink")).configure()
        return graph
