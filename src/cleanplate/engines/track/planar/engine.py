"""Follows flat, textured things: logos, signs, captions on a surface, screens, number plates.

Each object is one homography from its first frame, carried by points from frame to frame and
anchored to stored views of the object itself, so that nothing drifts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.engines.track.planar.pictures import Picture
from cleanplate.engines.track.planar.plane import Plane, below
from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import TrackedMask

if TYPE_CHECKING:
    from cleanplate.types import Frame


@dataclass(frozen=True, slots=True)
class PlanarSettings:
    """How planes are followed."""

    keep_occluders: bool = setting(
        False, "Leave out of the mask the parts that something in front of the object hides."
    )

    def __post_init__(self) -> None:
        check(self)


class PlanarTracking:
    """The planes of one clip in one direction of time."""

    def __init__(
        self, settings: PlanarSettings, picture: Picture, shot: int, planes: list[Plane]
    ) -> None:
        self._settings, self._picture, self._shot, self._planes = settings, picture, shot, planes

    def step(self, frame: Frame) -> TrackedMask:
        height, width = frame.image.shape[:2]
        if (width, height) != self._picture.size:
            had_width, had_height = self._picture.size
            raise InputError(
                f"Frame {frame.index} is {width}x{height} and the ones before it were "
                f"{had_width}x{had_height}; give frames of one size."
            )
        picture = Picture(frame.image)
        cut = frame.shot != self._shot
        for plane in self._planes:
            plane.step(self._picture, picture, cut)
        self._picture, self._shot = picture, frame.shot
        return TrackedMask(self._draw(), tuple(plane.report() for plane in self._planes))

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        check_mask(mask, frame.image)
        self._picture, self._shot = Picture(frame.image), frame.shot
        replaced = set(objects_in(mask))
        kept = [plane for plane in self._planes if plane.object_id not in replaced]
        started = start_planes(self._picture, mask)
        self._planes = sorted(kept + started, key=lambda plane: plane.object_id)

    def state(self) -> dict[str, np.ndarray]:
        kept = {"grey": self._picture.grey, "shot": np.array(self._shot)}
        kept["objects"] = np.array([plane.object_id for plane in self._planes], np.int64)
        for plane in self._planes:
            for name, value in plane.state().items():
                kept[f"{plane.object_id}.{name}"] = value
        return kept

    def _draw(self) -> np.ndarray:
        width, height = self._picture.size
        canvas = np.zeros((height, width), np.uint8)
        # The smaller of two overlapping objects is drawn last.
        for plane in sorted(self._planes, key=lambda plane: -plane.drawn_area):
            plane.draw(canvas, self._settings.keep_occluders)
        return canvas


def start_planes(picture: Picture, mask: np.ndarray) -> list[Plane]:
    """One plane for each object of ``mask``."""
    return [Plane.start(number, picture, mask == number) for number in objects_in(mask)]


class Engine:
    """Planes by points, anchored to stored views; finds them again after they were hidden."""

    about = About(
        "track",
        "planar",
        "Follows flat, textured things that move, scale, rotate and tilt: logos, signs, plates.",
        order=10,
        choices=(
            Choice(
                "Flat things",
                "Logos, signs, captions, plates, screens: they may move, turn, tilt "
                "and come nearer.",
            ),
        ),
    )
    Settings = PlanarSettings

    def __init__(self, settings: PlanarSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime

    def start(self, frame: Frame, mask: np.ndarray) -> PlanarTracking:
        check_mask(mask, frame.image)
        picture = Picture(frame.image)
        return PlanarTracking(self.settings, picture, frame.shot, start_planes(picture, mask))

    def resume(self, state: dict[str, np.ndarray]) -> PlanarTracking:
        planes = [Plane.restore(int(n), below(state, f"{n}.")) for n in state["objects"]]
        return PlanarTracking(self.settings, Picture(state["grey"]), int(state["shot"]), planes)
