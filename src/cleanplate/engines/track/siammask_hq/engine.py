"""Tracks anything from its box, with a fine outline: SiamMask's box prompts HQ-SAM.

Wang et al., "Fast Online Object Tracking and Segmentation", CVPR 2019; Ke et al., "Segment Anything
in High Quality", NeurIPS 2023. Each network is checked by the other; see ``detector``.
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

    from cleanplate.engines.track.shared.siammask.target import Target
    from cleanplate.engines.track.siammask_hq.detector import LastOutlines
    from cleanplate.types import Frame


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "track",
        "siammask_hq",
        "Tracks anything from its box, with a fine outline; searches for it when lost.",
        licence="MIT and Apache-2.0",
        needs=("torch", "PIL"),
        extra="networks",
        checkpoints=("siammask_davis", "siammask_vot", "siammask_vot_ld"),
        also=("sam_hq_vit_tiny", "sam_hq_vit_b", "sam_hq_vit_l", "sam_hq_vit_h"),
        order=40,
        choices=(
            Choice(
                "Anything, finely outlined",
                "Each object by itself, with a fine outline; searches for it when it is lost.",
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
        """Begin at ``frame``, whose ``mask`` ((H, W) uint8, value = object id) is the truth.

        Raises:
            MaskError: the mask is not of the frame's size.
        """
        check_mask(mask, frame.image)
        begin = partial(self._begin, {})
        targets = {n: begin(frame.image, mask, n) for n in objects_in(mask)}
        return SiamMaskTracking(begin, mask.shape, frame.shot, targets)

    def resume(self, state: dict[str, np.ndarray]) -> SiamMaskTracking:
        """Go on from what ``Tracking.state`` returned."""
        last_outlines: LastOutlines = {}
        targets = {
            n: self._restored(last_outlines, target_state, n)
            for n, target_state in states_of(state)
        }
        height, width = state["size"].tolist()
        begin = partial(self._begin, last_outlines)
        return SiamMaskTracking(begin, (height, width), int(state["shot"]), targets)

    def _begin(
        self, last_outlines: LastOutlines, image: np.ndarray, mask: np.ndarray, number: int
    ) -> Target:
        from cleanplate.engines.track.shared.siammask.target import Target
        from cleanplate.engines.track.siammask_hq.detector import HqDetector

        object_mask = mask == number
        plain = self._siammask.detector(image, object_mask)
        detector = HqDetector(plain, self._outliner, self.settings, number, last_outlines)
        detector.learn(object_mask)
        return Target(self._siammask.settings, detector)

    def _restored(
        self, last_outlines: LastOutlines, state: dict[str, np.ndarray], number: int
    ) -> Target:
        from cleanplate.engines.track.shared.siammask.target import Target
        from cleanplate.engines.track.siammask_hq.detector import HqDetector

        plain = self._siammask.restored_detector(state)
        detector = HqDetector(plain, self._outliner, self.settings, number, last_outlines)
        detector.restore(state)
        return Target.restore(self._siammask.settings, detector, state)
