"""Many objects of one clip, each followed by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.errors import InputError
from cleanplate.types import Frame, TrackedMask

if TYPE_CHECKING:
    from cleanplate.engines.track.shared.siammask.target import Target


class SiamMaskTracking:
    """The objects of one clip in one direction of time."""

    def __init__(
        self,
        begin: Callable[[np.ndarray, np.ndarray, int], Target],
        size: tuple[int, int],
        shot: int,
        targets: dict[int, Target],
    ) -> None:
        """Args: ``begin`` learns the object of an id from an image and a mask; ``size`` (H, W)."""
        self._begin, self._size, self._shot, self._targets = begin, size, shot, targets

    def step(self, frame: Frame) -> TrackedMask:
        """Follow each object into ``frame``; where two meet, the surer one has the pixel.

        Raises:
            InputError: the frame is not of the size of those before it.
        """
        height, width = frame.image.shape[:2]
        if (height, width) != self._size:
            raise InputError(
                f"Frame {frame.index} is {width}x{height} and the ones before it were "
                f"{self._size[1]}x{self._size[0]}; give frames of one size."
            )
        cut, self._shot = frame.shot != self._shot, frame.shot
        mask = np.zeros(self._size, np.uint8)
        strongest = np.zeros(self._size, np.float32)
        for number, target in self._targets.items():
            covered, strength = target.step(frame.image, cut)
            # Where two objects meet, the pixel is the one's that is surer of it.
            won = covered & (strength > strongest)
            mask[won], strongest[won] = number, strength[won]
        seen = set(objects_in(mask))
        states = tuple(
            target.report(number, number in seen) for number, target in self._targets.items()
        )
        return TrackedMask(mask, states)

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        """Learn the objects of ``mask``, (H, W) uint8, anew from ``frame``; the others go on.

        Raises:
            MaskError: the mask is not of the frame's size.
        """
        check_mask(mask, frame.image)
        self._shot = frame.shot
        newer = {n: self._begin(frame.image, mask, n) for n in objects_in(mask)}
        self._targets = dict(sorted((self._targets | newer).items()))

    def state(self) -> dict[str, np.ndarray]:
        """What is known of each object; see ``states_of``."""
        arrays = {"size": np.array(self._size), "shot": np.array(self._shot)}
        arrays["objects"] = np.array(list(self._targets), np.int64)
        for number, target in self._targets.items():
            for name, value in target.state().items():
                arrays[f"{number}.{name}"] = value
        return arrays


def states_of(state: dict[str, np.ndarray]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """The id of each object in ``SiamMaskTracking.state``, and what its ``Target`` gave to it."""
    for number in state["objects"].tolist():
        start = f"{number}."
        yield number, {n.removeprefix(start): v for n, v in state.items() if n.startswith(start)}
