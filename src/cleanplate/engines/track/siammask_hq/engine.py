"""Follows anything from its box, and outlines it finely: SiamMask's box prompts HQ-SAM.

Wang et al., "Fast Online Object Tracking and Segmentation", CVPR 2019; Ke et al., "Segment Anything
in High Quality", NeurIPS 2023. Each network is checked by the other; see ``_siammask_hq_follower``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.engines.track.siammask import SiamMaskTracking, states_of
from cleanplate.errors import InputError
from cleanplate.protocols import About, Runtime
from cleanplate.settings import check, setting

if TYPE_CHECKING:
    import numpy as np

    from cleanplate.engines.track.shared.siammask.quarry import Quarry
    from cleanplate.engines.track.siammask_hq.follower import Crowd
    from cleanplate.types import Frame


@dataclass(frozen=True, slots=True)
class Settings:
    variant: str = setting(
        "davis",
        "Which published SiamMask finds the box, with its tuning.",
        choices=("davis", "vot", "vot_ld"),
    )
    model: str = setting(
        "vit_tiny",
        "Size of HQ-SAM, which outlines: vit_tiny, vit_b, vit_l, vit_h.",
        choices=("vit_tiny", "vit_b", "vit_l", "vit_h"),
    )
    lost_below: float = setting(
        0.3, "Confidence under which an object counts as gone; 0: it never does.", low=0, high=1
    )
    sure_above: float = setting(
        0.7, "Confidence from which an object counts as whole, or as found again.", low=0, high=1
    )
    least_quality: float = setting(
        0.7, "HQ-SAM's estimate of an outline from which it is believed.", low=0, high=1
    )
    least_stability: float = setting(
        0.7, "Stability of an outline from which it is believed.", low=0, high=1
    )
    agreement: float = setting(
        0.5, "Overlap (IoU) of an outline's box with SiamMask's from which it is believed.", low=0
    )
    fall: float = setting(
        3.0, "An outline whose area falls by more than this factor at once is doubted.", low=1
    )
    grow_times: int = setting(
        3, "A box whose edge the outline reaches grows at most so often a frame.", low=0, high=10
    )
    grow_by: float = setting(0.25, "Share of its extent by which a box grows.", low=0.05, high=1)
    weights: str = setting(
        "", "SiamMask's weights file; empty takes the one of cleanplate weights."
    )
    hq_weights: str = setting(
        "", "HQ-SAM's weights file; empty takes the one of cleanplate weights."
    )

    def __post_init__(self) -> None:
        check(self)
        if self.lost_below >= self.sure_above:
            raise InputError(
                f"Setting lost_below is {self.lost_below}; it must be below sure_above, "
                f"{self.sure_above}."
            )


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
    )
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        from cleanplate.engines.segment import sam_hq
        from cleanplate.engines.track import siammask
        from cleanplate.engines.track.siammask_hq.outline import Outliner

        self.settings = settings
        self._siammask = siammask.Engine(
            siammask.Settings(
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
