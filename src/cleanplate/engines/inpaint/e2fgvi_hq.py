"""Features carried along the flow and a transformer paint what no frame shows, at any size.

Li et al., "Towards An End-to-End Framework for Flow-Guided Video Inpainting", CVPR 2022, in the
authors' version for any size. The published procedure; a region too large for the memory that is
allowed is filled with fewer references, or in tiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from cleanplate.engines.inpaint.shared.e2fgvi import base
from cleanplate.protocols import About, Choice, Runtime

if TYPE_CHECKING:
    from cleanplate.engines.inpaint.shared.e2fgvi.pictures import AsItIs
    from cleanplate.engines.inpaint.shared.e2fgvi.plan import Plan


class Engine(base.Learned):
    """See the module."""

    about: ClassVar[About] = About(
        "inpaint",
        "e2fgvi_hq",
        "A network that paints what no frame shows, at the source's own size.",
        licence="CC BY-NC 4.0 for the weights",
        commercial=False,
        needs=("torch",),
        extra="networks",
        checkpoints=("e2fgvi_hq",),
        order=40,
        choices=(
            Choice(
                "Learned, full size",
                "A network paints what no frame shows, at the clip's own size.",
            ),
        ),
        seconds_per_megapixel={"cpu": 78.0},
    )
    Settings: ClassVar[type[base.Settings]] = base.Settings

    def __init__(self, settings: base.Settings, runtime: Runtime) -> None:
        super().__init__(settings, runtime, "e2fgvi_hq")

    def plan(self, width: int, height: int) -> Plan:
        return self._planned(width, height, tiled=True)

    def _sight(self, width: int, height: int) -> AsItIs:
        from cleanplate.engines.inpaint.shared.e2fgvi.pictures import AsItIs

        return AsItIs(self.settings.dilation)
