"""Follows anything from its box: quick, with a coarse outline, and nothing learnt after the start.

Wang et al., "Fast Online Object Tracking and Segmentation", CVPR 2019. Each object is followed by
itself, as published; where the published tracker would go on from whatever resembles the object
most, this one stops when it is not sure enough, and searches the picture until it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.engines.track.shared.siammask.settings import SiamMaskSettings
from cleanplate.engines.track.shared.siammask.tracking import SiamMaskTracking, states_of
from cleanplate.protocols import About, Choice, Runtime

if TYPE_CHECKING:
    import numpy as np

    from cleanplate.engines.track.shared.siammask.follower import Follower
    from cleanplate.engines.track.shared.siammask.quarry import Quarry
    from cleanplate.types import Frame


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
        order=50,
        choices=(
            Choice(
                "Anything, quickly",
                "One thing at a time with a coarse outline.",
            ),
        ),
    )
    Settings: ClassVar[type[SiamMaskSettings]] = SiamMaskSettings

    def __init__(self, settings: SiamMaskSettings, runtime: Runtime) -> None:
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
