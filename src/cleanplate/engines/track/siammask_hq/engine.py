"""Follows anything from its box, and outlines it finely: SiamMask's box prompts HQ-SAM.

Wang et al., "Fast Online Object Tracking and Segmentation", CVPR 2019; Ke et al., "Segment Anything
in High Quality", NeurIPS 2023. Each network is checked by the other; see ``follower``.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.engines.track.shared.siammask.settings import SiamMaskSettings
from cleanplate.engines.track.shared.siammask.tracking import SiamMaskTracking, states_of
from cleanplate.engines.track.siammask_hq.settings import SiamMaskHqSettings
from cleanplate.protocols import About, Choice, Runtime

if TYPE_CHECKING:
    import numpy as np

    from cleanplate.engines.track.shared.siammask.quarry import Quarry
    from cleanplate.engines.track.siammask_hq.follower import Crowd
    from cleanplate.types import Frame


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "track",
        "siammask_hq",
        "Follows anything from its box and outlines it finely; searches it when lost.",
        licence="MIT and Apache-2.0",
        needs=("torch", "PIL"),
        extra="networks",
        checkpoints=("siammask_davis", "siammask_vot", "siammask_vot_ld"),
        also=("sam_hq_vit_tiny", "sam_hq_vit_b", "sam_hq_vit_l", "sam_hq_vit_h"),
        order=40,
        choices=(
            Choice(
                "Anything, finely outlined",
                "One thing at a time with a fine outline; looks for it when it is lost.",
            ),
        ),
    )
    Settings: ClassVar[type[SiamMaskHqSettings]] = SiamMaskHqSettings

    def __init__(self, settings: SiamMaskHqSettings, runtime: Runtime) -> None:
        from cleanplate.engines.segment import sam_hq
        from cleanplate.engines.track import siammask
        from cleanplate.engines.track.siammask_hq.outline import Outliner

        self.settings = settings
        self._siammask = siammask.Engine(
            SiamMaskSettings(
                settings.variant,
                lost_below=settings.lost_below,
                sure_above=settings.sure_above,
                weights=settings.weights,
            ),
            runtime,
        )
        segmenter = sam_hq.Engine(
            sam_hq.Settings(model=settings.model, weights=settings.hq_weights), runtime
        )
        self._outliner = Outliner(segmenter, settings)

    def start(self, frame: Frame, mask: np.ndarray) -> SiamMaskTracking:
        check_mask(mask, frame.image)
        begin = partial(self._begin, {})
        quarries = {n: begin(frame.image, mask, n) for n in objects_in(mask)}
        return SiamMaskTracking(begin, mask.shape, frame.shot, quarries)

    def resume(self, state: dict[str, np.ndarray]) -> SiamMaskTracking:
        crowd: Crowd = {}
        quarries = {n: self._restored(crowd, own, n) for n, own in states_of(state)}
        height, width = state["size"].tolist()
        begin = partial(self._begin, crowd)
        return SiamMaskTracking(begin, (height, width), int(state["shot"]), quarries)

    def _begin(self, crowd: Crowd, image: np.ndarray, mask: np.ndarray, number: int) -> Quarry:
        from cleanplate.engines.track.shared.siammask.quarry import Quarry
        from cleanplate.engines.track.siammask_hq.follower import HqFollower

        own = mask == number
        plain = self._siammask.follower(image, own)
        follower = HqFollower(plain, self._outliner, self.settings, number, crowd)
        follower.learn(own)
        return Quarry(self._siammask.settings, follower)

    def _restored(self, crowd: Crowd, state: dict[str, np.ndarray], number: int) -> Quarry:
        from cleanplate.engines.track.shared.siammask.quarry import Quarry
        from cleanplate.engines.track.siammask_hq.follower import HqFollower

        plain = self._siammask.restored_follower(state)
        follower = HqFollower(plain, self._outliner, self.settings, number, crowd)
        follower.restore(state)
        return Quarry.restore(self._siammask.settings, follower, state)
