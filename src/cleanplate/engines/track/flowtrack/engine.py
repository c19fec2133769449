"""Follows what bends, people and animals, by optical flow and colours: for a second or two.

Without weights nothing knows what a person is: what is carried from frame to frame drifts sooner or
later, and what was hidden is not found again. Its confidence says so: it falls with the distance
from the prompted frame, so that the list of doubtful frames asks for the next prompt in time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.engines.track.flowtrack.bending import DETAIL, Bending
from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import TrackedMask

if TYPE_CHECKING:
    from cleanplate.types import Frame

_TAKEN = 25  # of 255: what is left of a pixel's claim to an object when another has a better one


@dataclass(frozen=True, slots=True)
class FlowtrackSettings:
    """How finely it looks."""

    detail: int = setting(
        DETAIL,
        "Longest side of the view that each object is worked on in; less is quicker and coarser.",
        low=64,
        high=1024,
        unit="px",
    )

    def __post_init__(self) -> None:
        check(self)


class FlowtrackTracking:
    """The objects of one clip in one direction of time."""

    def __init__(self, image: np.ndarray, shot: int, objects: list[Bending], detail: int) -> None:
        self._image, self._shot, self._objects = image, shot, objects
        self._detail = detail

    def step(self, frame: Frame) -> TrackedMask:
        """Follow every object into ``frame``, the next one; after a cut all of them are lost.

        Raises:
            InputError: the frame is not of the size of those before it.
        """
        height, width = frame.image.shape[:2]
        if frame.image.shape != self._image.shape:
            had_height, had_width = self._image.shape[:2]
            raise InputError(
                f"Frame {frame.index} is {width}x{height} and the ones before it were "
                f"{had_width}x{had_height}; give frames of one size."
            )
        cut = frame.shot != self._shot
        for tracked in self._objects:
            tracked.step(self._image, frame.image, cut, self._detail)
        self._image, self._shot = frame.image, frame.shot
        return TrackedMask(self._shared_out(), tuple(tracked.report() for tracked in self._objects))

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        """Begin the objects of ``mask``, (H, W) uint8, anew from ``frame``; the others go on.

        Raises:
            MaskError: the mask is not of the frame's size.
        """
        check_mask(mask, frame.image)
        self._image, self._shot = frame.image, frame.shot
        replaced = set(objects_in(mask))
        kept = [tracked for tracked in self._objects if tracked.object_id not in replaced]
        self._objects = sorted(
            kept + begun(frame.image, mask), key=lambda tracked: tracked.object_id
        )

    def _shared_out(self) -> np.ndarray:
        """The mask: each pixel is the object's that claims it most; others give it up."""
        owner = np.zeros(self._image.shape[:2], np.uint8)
        claim = np.full(owner.shape, 127, np.uint8)
        for tracked in self._objects:
            owners, best = owner[tracked.place.slices], claim[tracked.place.slices]
            better = tracked.soft > best
            owners[better], best[better] = tracked.object_id, tracked.soft[better]
        for tracked in self._objects:
            lost = (tracked.soft > 127) & (owner[tracked.place.slices] != tracked.object_id)
            tracked.soft[lost] = _TAKEN
        return owner

    def state(self) -> dict[str, np.ndarray]:
        """The last picture and what is known of each object."""
        arrays = {"image": self._image, "shot": np.array(self._shot)}
        arrays["objects"] = np.array([tracked.object_id for tracked in self._objects], np.int64)
        for tracked in self._objects:
            arrays |= {
                f"{tracked.object_id}.{name}": value for name, value in tracked.state().items()
            }
        return {name: np.array(value) for name, value in arrays.items()}


class Engine:
    """Tracks what bends for a second or two around each prompt."""

    about = About(
        "track",
        "flowtrack",
        "Tracks people, animals and cloth by motion and colour, for a second or two around each "
        "prompt.",
        order=20,
        choices=(
            Choice(
                "People and animals, briefly",
                "By motion and colour, for a second or two around each mark. Mark them "
                "again where asked.",
            ),
        ),
    )
    Settings = FlowtrackSettings

    def __init__(self, settings: FlowtrackSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime

    def start(self, frame: Frame, mask: np.ndarray) -> FlowtrackTracking:
        """Begin at ``frame``, whose ``mask`` ((H, W) uint8, value = object id) is the truth.

        Raises:
            MaskError: the mask is not of the frame's size.
        """
        check_mask(mask, frame.image)
        objects = begun(frame.image, mask)
        return FlowtrackTracking(frame.image, frame.shot, objects, self.settings.detail)

    def resume(self, state: dict[str, np.ndarray]) -> FlowtrackTracking:
        """Go on from what ``Tracking.state`` returned."""
        objects = []
        for object_id in map(int, state["objects"]):
            prefix = f"{object_id}."
            values = {
                name.removeprefix(prefix): array
                for name, array in state.items()
                if name.startswith(prefix)
            }
            objects.append(Bending.restore(object_id, values))
        return FlowtrackTracking(state["image"], int(state["shot"]), objects, self.settings.detail)


def begun(image: np.ndarray, mask: np.ndarray) -> list[Bending]:
    """Every object of ``mask``, in the order of ids."""
    return [Bending.begin(number, image, mask == number) for number in objects_in(mask)]
