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
    """There is nothing to set."""


class FixedTracking:
    """The mask of one clip, the same in every frame."""

    def __init__(self, mask: np.ndarray) -> None:
        self._mask = mask.copy()

    def step(self, frame: Frame) -> TrackedMask:
        check_mask(self._mask, frame.image)
        states = tuple(ObjectState(i, 1.0, Visibility.VISIBLE) for i in objects_in(self._mask))
        return TrackedMask(self._mask.copy(), states)

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        check_mask(mask, frame.image)
        check_mask(self._mask, frame.image)
        self._mask = replace_objects(self._mask, mask)

    def state(self) -> dict[str, np.ndarray]:
        return {"mask": self._mask.copy()}


class Engine:
    """Tracks nothing: the mask of the first frame holds for the whole clip."""

    about = About(
        "track",
        "fixed",
        "A burned-in overlay stays where it is, in every frame.",
        still=True,
    )
    Settings = FixedSettings

    def __init__(self, settings: FixedSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime

    def start(self, frame: Frame, mask: np.ndarray) -> FixedTracking:
        check_mask(mask, frame.image)
        return FixedTracking(mask)

    def resume(self, state: dict[str, np.ndarray]) -> FixedTracking:
        return FixedTracking(state["mask"])
