"""Frame by frame from six frames to each side and from its own previous frame.

Kim, Woo, Lee and Kweon, "Deep Video Inpainting", CVPR 2019. By default the authors' own offline
procedure: the region becomes a square of 512, holes grow a little, the first 30 frames are run
backwards to warm the recurrence up, and each frame sees six frames of the future. With
``lookahead`` 0 it is causal: each frame is treated as the procedure treats the last one of a clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from cleanplate.engines.inpaint.shared.inputs import same_sizes
from cleanplate.engines.inpaint.vinet.order import REACH, Order
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Frame, MaskedFrame

if TYPE_CHECKING:
    from cleanplate.engines.inpaint.vinet.pictures import Scale

# Bytes for each pixel of the network's picture, and for the weights and torch: the peaks that
# bench/vinet.py measures in float32, rounded up.
_BYTES = {"512": (2200, 350 << 20), "256": (8000, 350 << 20)}


@dataclass(frozen=True)
class Settings:
    """Which weights, at which size, and how far into the future the network sees."""

    topology: str = setting(
        "512", "Which published weights: 512, or 256 for small frames.", choices=("512", "256")
    )
    size: int = setting(
        512,
        "Side of the square that a region is resized to, a multiple of 16; 0 keeps its own size.",
        low=0,
        high=2048,
        unit="px",
    )
    lookahead: int = setting(
        REACH,
        "Future frames that a frame may use; with fewer than 6 there is no pre-roll.",
        low=0,
        high=REACH,
        unit="frames",
    )
    pre_roll: int = setting(
        30,
        "Frames at the start of each shot that are first run backwards as a warm-up.",
        low=0,
        high=120,
        unit="frames",
    )
    grow: bool = setting(True, "Widen the network's holes by a few pixels.")
    remember: bool = setting(
        False, "Carry the long-term memory from frame to frame; the published demo does not."
    )
    weights: str = setting(
        "", "Path of a weights file; empty for the one that cleanplate weights keeps."
    )

    def __post_init__(self) -> None:
        check(self)
        if self.size % 16:
            below = self.size // 16 * 16
            raise InputError(
                f"Setting size is {self.size}; it must be a multiple of 16, such as {below} or "
                f"{below + 16}."
            )


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "inpaint",
        "vinet",
        "A recurrent network that paints each frame from its neighbours and its previous output.",
        licence="none stated for the weights: all rights reserved",
        commercial=False,
        needs=("torch",),
        extra="networks",
        checkpoints=("vinet_512", "vinet_256"),
        live={"lookahead": "0", "pre_roll": "0"},
        order=60,
        choices=(
            Choice(
                "Learned, frame by frame",
                "A network paints each frame from its neighbours and its previous output.",
            ),
        ),
        seconds_per_megapixel={"cpu": 11.9},
    )
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        import torch

        from cleanplate import checkpoints
        from cleanplate.networks.vinet.vinet import VINet

        self.settings, self._memory = settings, runtime.memory
        network = VINet(double_size=settings.topology == "512").eval().requires_grad_(False)
        checkpoints.load(network, f"vinet_{settings.topology}", settings.weights)
        self._network = network.to(runtime.device, getattr(torch, runtime.precision))
        self._network.channels_last()

    @property
    def _order(self) -> Order:
        ahead = self.settings.lookahead
        return Order(ahead, self.settings.pre_roll if ahead == REACH else 0)

    @property
    def lookahead(self) -> int | None:
        """The setting of that name, or the frames of the pre-roll if they are more."""
        return max(self._order.lookahead, self._order.pre_roll - 1)

    @property
    def lookback(self) -> int | None:
        """All of the shot: what is painted stays in the recurrence."""
        return None

    @property
    def window(self) -> int | None:
        """Six frames before, the frame and those ahead; or the frames of the pre-roll if they are
        more."""
        return max(REACH + 1 + self._order.lookahead, self._order.pre_roll)

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        """See ``Inpainter.inpaint``.

        Raises:
            InputError: the memory that is allowed is too little for pictures of this size.
            MaskError: masks or images of differing sizes.
        """
        for _, shot in groupby(same_sizes(frames), key=lambda masked: masked.frame.shot):
            yield from self._fill_shot(shot)

    def _fill_shot(self, shot: Iterator[MaskedFrame]) -> Iterator[Frame]:
        from cleanplate.engines.inpaint.vinet.pictures import Scale
        from cleanplate.engines.inpaint.vinet.shot import run

        first = next(shot)
        height, width = first.mask.shape
        size = self.settings.size
        scale = Scale.of(height, width, size, self._network.multiple, self.settings.grow)
        self._check_memory(scale)
        frames = _chained(first, shot)
        del first
        for masked, image, rehearsal in run(
            frames, self._order, scale, self._network, self.settings.remember
        ):
            if rehearsal:
                continue
            if image is None:
                yield masked.frame
                continue
            filled = np.where(masked.mask[..., None] != 0, scale.restore(image), masked.frame.image)
            filled.flags.writeable = False
            yield replace(masked.frame, image=filled)

    def _check_memory(self, scale: Scale) -> None:
        """Raise InputError when a picture of this size needs more than the user allows."""
        if self._memory is None:
            return
        each, base = _BYTES[self.settings.topology]
        needed = base + each * scale.rows * scale.columns
        if needed > self._memory:
            side = int((max(self._memory - base, 0) / each) ** 0.5) // 16 * 16
            way_out = f"set size to at most {side}" if side >= 64 else "allow more memory"
            raise InputError(
                f"VINet takes {needed / 2**30:.1f} GiB at {scale.columns}x{scale.rows}, but "
                f"{self._memory / 2**30:.1f} GiB are allowed; {way_out}."
            )


def _chained(first: MaskedFrame, rest: Iterator[MaskedFrame]) -> Iterator[MaskedFrame]:
    yield first
    del first
    yield from rest
