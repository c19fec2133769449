"""Features carried along the flow and a transformer paint what no frame shows, at 432x240.

Li et al., "Towards An End-to-End Framework for Flow-Guided Video Inpainting", CVPR 2022. The
published procedure; a region is scaled to the network's one size, so the fill of a larger one is
less sharp than its surroundings: e2fgvi_hq works at the region's own size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cleanplate.engines.inpaint.shared.e2fgvi import base
from cleanplate.protocols import About, Choice, Runtime

if TYPE_CHECKING:
    from cleanplate.engines.inpaint.shared.e2fgvi.pictures import Fitted
    from cleanplate.engines.inpaint.shared.e2fgvi.plan import Plan


class Engine(base.Learned):
    """See the module."""

    about: ClassVar[About] = About(
        "inpaint",
        "e2fgvi",
        "A network that paints what no frame shows, at 432x240.",
        licence="CC BY-NC 4.0 for the weights",
        commercial=False,
        needs=("torch",),
        extra="networks",
        checkpoints=("e2fgvi",),
        order=50,
        choices=(
            Choice(
                "Learned, small",
                "A network paints what no frame shows, at 432 by 240 pixels.",
            ),
        ),
        seconds_per_megapixel={"cpu": 78.0},
    )
    Settings: ClassVar[type[base.Settings]] = base.Settings

    def __init__(self, settings: base.Settings, runtime: Runtime) -> None:
        super().__init__(settings, runtime, "e2fgvi")

    def plan(self, width: int, height: int) -> Plan:
        rows, columns = self._network.size
        found = self._planned(columns, rows, tiled=False)
        return found.over(width, height)

    def _sight(self, width: int, height: int) -> Fitted:
        from cleanplate.engines.inpaint.shared.e2fgvi.pictures import Fitted

        return Fitted(width, height, self._network.size, self.settings.dilation)
