"""Many objects of one clip, each followed by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.errors import InputError
from cleanplate.types import Frame, TrackedMask

if TYPE_CHECKING:
    from cleanplate.engines.track.shared.siammask.quarry import Quarry


class SiamMaskTracking:
    """The objects of one clip in one direction of time."""

    def __init__(
        self,
        begin: Callable[[np.ndarray, np.ndarray, int], Quarry],
        size: tuple[int, int],
        shot: int,
        quarries: dict[int, Quarry],
    ) -> None:
        """Args: ``begin`` learns the object of an id from an image and a mask; ``size`` (H, W)."""
        self._begin, self._size, self._shot, self._quarries = begin, size, shot, quarries

    def step(self, frame: Frame) -> TrackedMask:
        height, width = frame.image.shape[:2]
        if (height, width) != self._size:
            raise InputError(
                f"Frame {frame.index} is {width}x{height} and the ones before it were "
                f"{self._size[1]}x{self._size[0]}; give frames of one size."
            )
        cut, self._shot = frame.shot != self._shot, frame.shot
        mask = np.zeros(self._size, np.uint8)
        strongest = np.zeros(self._size, np.float32)
        for number, quarry in self._quarries.items():
            covered, strength = quarry.step(frame.image, cut)
            # Where two objects meet, the pixel is the one's that is surer of it.
            won = covered & (strength > strongest)
            mask[won], strongest[won] = number, strength[won]
        seen = set(objects_in(mask))
        states = tuple(q.report(number, number in seen) for number, q in self._quarries.items())
        return TrackedMask(mask, states)

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        check_mask(mask, frame.image)
        self._shot = frame.shot
        newer = {n: self._begin(frame.image, mask, n) for n in objects_in(mask)}
        self._quarries = dict(sorted((self._quarries | newer).items()))

    def state(self) -> dict[str, np.ndarray]:
        kept = {"size": np.array(self._size), "shot": np.array(self._shot)}
        kept["objects"] = np.array(list(self._quarries), np.int64)
        for number, quarry in self._quarries.items():
            for name, value in quarry.state().items():
                kept[f"{number}.{name}"] = value
        return kept


def states_of(state: dict[str, np.ndarray]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """The id of each object in ``SiamMaskTracking.state``, and what its ``Quarry`` gave to it."""
    for number in state["objects"].tolist():
        start = f"{number}."
        yield number, {n.removeprefix(start): v for n, v in state.items() if n.startswith(start)}
