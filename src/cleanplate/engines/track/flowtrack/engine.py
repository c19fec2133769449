"""Follows what bends, people and animals, by optical flow and colours: for a second or two.

Without weights nothing knows what a person is: what is carried from frame to frame drifts sooner or
later, and what was hidden is not found again. Its confidence says so: it falls with the distance
from the prompted frame, so that the list of doubtful frames asks for the next prompt in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.engines.track.flowtrack.bending import Bending
from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.types import TrackedMask

if TYPE_CHECKING:
    from cleanplate.types import Frame

_TAKEN = 25  # of 255: what is left of a pixel's claim to an object when another has a better one


@dataclass(frozen=True, slots=True)
class FlowtrackSettings:
    """There is nothing to set."""


class FlowtrackTracking:
    """The objects of one clip in one direction of time."""

    def __init__(self, image: np.ndarray, shot: int, objects: list[Bending]) -> None:
        self._image, self._shot, self._objects = image, shot, objects

    def step(self, frame: Frame) -> TrackedMask:
        height, width = frame.image.shape[:2]
        if frame.image.shape != self._image.shape:
            had_height, had_width = self._image.shape[:2]
            raise InputError(
                f"Frame {frame.index} is {width}x{height} and the ones before it were "
                f"{had_width}x{had_height}; give frames of one size."
            )
        cut = frame.shot != self._shot
        for one in self._objects:
            one.step(self._image, frame.image, cut)
        self._image, self._shot = frame.image, frame.shot
        return TrackedMask(self._shared_out(), tuple(one.report() for one in self._objects))

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        check_mask(mask, frame.image)
        self._image, self._shot = frame.image, frame.shot
        replaced = set(objects_in(mask))
        kept = [one for one in self._objects if one.object_id not in replaced]
        self._objects = sorted(kept + begun(frame.image, mask), key=lambda one: one.object_id)

    def _shared_out(self) -> np.ndarray:
        """The mask: each pixel is the object's that claims it most; others give it up."""
        owner = np.zeros(self._image.shape[:2], np.uint8)
        claim = np.full(owner.shape, 127, np.uint8)
        for one in self._objects:
            here, best = owner[one.place.slices], claim[one.place.slices]
            better = one.soft > best
            here[better], best[better] = one.object_id, one.soft[better]
        for one in self._objects:
            lost = (one.soft > 127) & (owner[one.place.slices] != one.object_id)
            one.soft[lost] = _TAKEN
        return owner

    def state(self) -> dict[str, np.ndarray]:
        kept = {"image": self._image, "shot": np.array(self._shot)}
        kept["objects"] = np.array([one.object_id for one in self._objects], np.int64)
        for one in self._objects:
            kept |= {f"{one.object_id}.{name}": value for name, value in one.state().items()}
        return {name: np.array(value) for name, value in kept.items()}


class Engine:
    """Tracks what bends for a second or two around each prompt."""

    about = About(
        "track",
        "flowtrack",
        "People, animals, cloth: followed by motion and colour for a second or two around each "
        "prompt.",
        order=20,
        choices=(
            Choice(
                "What bends, for a moment",
                "People and animals, by motion and colour, for a second or two around "
                "each mark: mark them again when asked.",
            ),
        ),
    )
    Settings = FlowtrackSettings

    def __init__(self, settings: FlowtrackSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime

    def start(self, frame: Frame, mask: np.ndarray) -> FlowtrackTracking:
        check_mask(mask, frame.image)
        return FlowtrackTracking(frame.image, frame.shot, begun(frame.image, mask))

    def resume(self, state: dict[str, np.ndarray]) -> FlowtrackTracking:
        objects = []
        for object_id in map(int, state["objects"]):
            prefix = f"{object_id}."
            own = {
                name.removeprefix(prefix): value
                for name, value in state.items()
                if name.startswith(prefix)
            }
            objects.append(Bending.restore(object_id, own))
        return FlowtrackTracking(state["image"], int(state["shot"]), objects)


def begun(image: np.ndarray, mask: np.ndarray) -> list[Bending]:
    """Every object of ``mask``, in the order of ids."""
    return [Bending.begin(number, image, mask == number) for number in objects_in(mask)]
