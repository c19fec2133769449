"""A mask that stays where it is: burned-in logos, channel bugs, captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.engines.track.shared.masks import check_mask, objects_in, replace_objects
from cleanplate.protocols import About, Runtime
from cleanplate.types import ObjectState, TrackedMask, Visibility

if TYPE_CHECKING:
    from cleanplate.types import Frame


@dataclass(frozen=True, slots=True)
class FixedSettings:
    """This engine has no settings."""


class FixedTracking:
    """The mask of one clip, the same in every frame."""

    def __init__(self, mask: np.ndarray) -> None:
        self._mask = mask.copy()

    def step(self, frame: Frame) -> TrackedMask:
        """The mask as it is, every object fully visible with a confidence of 1.

        Raises:
            MaskError: the frame is not of the mask's size.
        """
        check_mask(self._mask, frame.image)
        states = tuple(ObjectState(i, 1.0, Visibility.VISIBLE) for i in objects_in(self._mask))
        return TrackedMask(self._mask.copy(), states)

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        """Replace or add the objects of ``mask``, (H, W) uint8, from here on.

        Raises:
            MaskError: the mask is not of the frame's size.
        """
        check_mask(mask, frame.image)
        check_mask(self._mask, frame.image)
        self._mask = replace_objects(self._mask, mask)

    def state(self) -> dict[str, np.ndarray]:
        """The mask, which is all there is."""
        return {"mask": self._mask.copy()}


class Engine:
    """Tracks nothing: the mask of the first frame holds for the whole clip."""

    about = About(
        "track",
        "fixed",
        "For burned-in overlays: the mask stays where it is in every frame.",
        still=True,
    )
    Settings = FixedSettings

    def __init__(self, settings: FixedSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime

    def start(self, frame: Frame, mask: np.ndarray) -> FixedTracking:
        """Take ``mask``, (H, W) uint8, value = object id, for every frame.

        Raises:
            MaskError: it is not of the frame's size.
        """
        check_mask(mask, frame.image)
        return FixedTracking(mask)

    def resume(self, state: dict[str, np.ndarray]) -> FixedTracking:
        """Go on from what ``Tracking.state`` returned."""
        return FixedTracking(state["mask"])
