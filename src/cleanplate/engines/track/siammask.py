"""Follows anything from its box: quick, with a coarse outline, and nothing learnt after the start.

Wang et al., "Fast Online Object Tracking and Segmentation", CVPR 2019. Each object is followed by
itself, as published; where the published tracker would go on from whatever resembles the object
most, this one stops when it is not sure enough, and searches the picture until it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.errors import InputError
from cleanplate.protocols import About, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import TrackedMask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cleanplate.engines.track.shared.siammask.follower import Follower
    from cleanplate.engines.track.shared.siammask.quarry import Quarry
    from cleanplate.types import Frame


@dataclass(frozen=True, slots=True)
class Settings:
    variant: str = setting(
        "davis",
        "Which published weights, with their tuning: davis for outlines, vot and vot_ld for boxes.",
        choices=("davis", "vot", "vot_ld"),
    )
    shape: str = setting(
        "mask",
        "What is marked: the outline, the box, or the smallest rotated box around the outline.",
        choices=("mask", "box", "rotated box"),
    )
    refine: bool = setting(
        True, "Draw the outline finely; no is quicker, and all that weights without refinement can."
    )
    lost_below: float = setting(
        0.3, "Confidence under which an object counts as gone; 0 as published.", low=0, high=1
    )
    sure_above: float = setting(
        0.7, "Confidence from which an object counts as whole, or as found again.", low=0, high=1
    )
    weights: str = setting("", "A weights file; empty takes the one of cleanplate weights.")

    def __post_init__(self) -> None:
        check(self)
        if self.lost_below > self.sure_above:
            raise InputError(
                f"Setting lost_below is {self.lost_below}; it must be at most sure_above, "
                f"{self.sure_above}."
            )


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


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "track",
        "siammask",
        "Follows anything from its box, quickly, with a coarse outline; searches it when lost.",
        licence="MIT",
        needs=("torch",),
        extra="networks",
        checkpoints=("siammask_davis", "siammask_vot", "siammask_vot_ld"),
    )
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        import torch

        from cleanplate import checkpoints
        from cleanplate.networks.layers.winograd import quicken
        from cleanplate.networks.siammask import SiamMask

        self.settings = settings
        network = SiamMask(settings.refine).eval().requires_grad_(False)
        unused = "" if settings.refine else "refine_model."
        checkpoints.load(network, f"siammask_{settings.variant}", settings.weights, unused)
        self._network = network.fold().to(runtime.device, getattr(torch, runtime.precision))
        quicken(self._network)

    def start(self, frame: Frame, mask: np.ndarray) -> SiamMaskTracking:
        check_mask(mask, frame.image)
        quarries = {n: self._begin(frame.image, mask, n) for n in objects_in(mask)}
        return SiamMaskTracking(self._begin, mask.shape, frame.shot, quarries)

    def resume(self, state: dict[str, np.ndarray]) -> SiamMaskTracking:
        from cleanplate.engines.track.shared.siammask.quarry import Quarry

        quarries = {
            number: Quarry.restore(self.settings, self.restored_follower(own), own)
            for number, own in states_of(state)
        }
        height, width = state["size"].tolist()
        return SiamMaskTracking(self._begin, (height, width), int(state["shot"]), quarries)

    def follower(self, image: np.ndarray, mask: np.ndarray) -> Follower:
        """One that has learnt what is under ``mask`` (H, W) bool."""
        from cleanplate.engines.track.shared.siammask.follower import Follower
        from cleanplate.engines.track.shared.siammask.geometry import TUNINGS

        return Follower.start_on(self._network, TUNINGS[self.settings.variant], image, mask)

    def restored_follower(self, state: dict[str, np.ndarray]) -> Follower:
        """The one whose ``state`` this was."""
        from cleanplate.engines.track.shared.siammask.follower import Follower
        from cleanplate.engines.track.shared.siammask.geometry import TUNINGS

        return Follower.restore(self._network, TUNINGS[self.settings.variant], state)

    def _begin(self, image: np.ndarray, mask: np.ndarray, number: int) -> Quarry:
        from cleanplate.engines.track.shared.siammask.quarry import Quarry

        return Quarry(self.settings, self.follower(image, mask == number))
