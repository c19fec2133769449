"""Carries the real background along the optical flow from the frames in which it can be seen.

The flow is completed inside the hole from what surrounds it; chains of places lead along it, both
ways in time and in several strides, to where no hole covers the background; each chain's colour is
weighed by the error that the ring around the hole shows it to have; what no frame shows is filled
smoothly from the frame itself; and the fills are steadied along the flow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby
from typing import ClassVar

import numpy as np

from cleanplate.arrays.grain import with_grain
from cleanplate.engines.inpaint.flowfill.carry import SWEEPS, Carrier, Plan, frames_behind
from cleanplate.engines.inpaint.flowfill.plates import MotionModel
from cleanplate.engines.inpaint.flowfill.scaled import fitting, raised
from cleanplate.engines.inpaint.shared.inputs import same_sizes
from cleanplate.engines.inpaint.shared.lama import Lama
from cleanplate.engines.inpaint.shared.painting import Painter
from cleanplate.protocols import About, Choice, Runtime, Tell
from cleanplate.settings import check, setting
from cleanplate.types import Frame, MaskedFrame

_THREADS = 2
_SIMPLE = (MotionModel.FREE, MotionModel.STIFF)
_PLANS = {
    "fast": Plan(
        strides=(1, 10),
        rough_side=216,
        flow_side=448,
        models=_SIMPLE,
        precision="fine",
        directed=False,
    ),
    "standard": Plan(strides=(1, 10), rough_side=216, flow_side=448),
    "best": Plan(strides=(1, 4, 10), rough_side=216, flow_side=448),
}


SMOOTH, TEXTURE, LAMA = "smooth", "texture", "lama"


@dataclass(frozen=True)
class Settings:
    """How far the engine looks for background, and how much work goes into each frame."""

    quality: str = setting(
        "standard",
        "How much work goes into each frame.",
        choices=("fast", "standard", "best"),
    )
    window: int = setting(
        30,
        "How many frames each way are searched for background.",
        low=1,
        high=200,
        unit="frames",
    )
    causal: bool = setting(False, "Use past frames only, so that no frame waits for later ones.")

    unseen: str = setting(
        SMOOTH,
        "How to fill what no frame shows: smooth; texture, copied from the surroundings; lama, a "
        "learned guess made once and carried along.",
        choices=(SMOOTH, TEXTURE, LAMA),
    )
    lama_weights: str = setting(
        "", "Path of LaMa's weights; empty for those that cleanplate weights keeps."
    )
    scale: float = setting(
        1.0,
        "Work on pictures so much smaller and enlarge the fills: 0.5 is about twice as fast, and "
        "loses fine detail.",
        low=0.25,
        high=1.0,
    )
    grain: bool = setting(False, "Add the grain of the surrounding picture to the fill.")

    def __post_init__(self) -> None:
        check(self)


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "inpaint",
        "flowfill",
        "Brings back the real background, along the motion, from frames that show it.",
        live={"causal": "true"},
        order=10,
        choices=(
            Choice(
                "Real background",
                "Brings back what other frames show, sharp and steady. What no frame "
                "shows is filled smoothly.",
                fields={"quality": None, "unseen": None},
            ),
            Choice(
                "Real background, best",
                "More work on each frame, for difficult motion.",
                fields={"quality": "best", "unseen": None},
            ),
            Choice(
                "Real background, fast",
                "Less work on each frame, for a first look.",
                fields={"quality": "fast", "unseen": None},
            ),
            Choice(
                "Real background, texture elsewhere",
                "Where no frame shows what is behind, texture is copied from nearby. "
                "Good on walls, grass and water; not on faces.",
                fields={"quality": None, "unseen": TEXTURE},
            ),
            Choice(
                "Real background, LaMa elsewhere",
                "Where no frame shows what is behind, a network paints it once; the motion "
                "carries it along.",
                fields={"quality": None, "unseen": LAMA},
                checkpoint="lama",
            ),
        ),
        seconds_per_megapixel={"cpu": 1.6},
        time_shares={"quality": {"fast": 0.64, "best": 1.6}},
    )
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(
        self, settings: Settings, runtime: Runtime, painter: Painter | None = None
    ) -> None:
        """``painter`` stands in for LaMa."""
        self.settings = settings
        self._seed = runtime.seed
        self._painter = painter
        if painter is None and settings.unseen == LAMA:
            self._painter = Lama(settings.lama_weights, runtime)

    @property
    def _block(self) -> int:
        """Frames that are filled together, so that chains into the future are shared."""
        return 1 if self.settings.causal else max(self.settings.window // 2, 1)

    @property
    def lookahead(self) -> int | None:
        """The window, the frames filled together with this one, and those that steady it; 0 if
        causal."""
        if self.settings.causal:
            return 0
        return self.settings.window + self._block + SWEEPS - 1

    @property
    def lookback(self) -> int | None:
        """Background from the window; flow there from rough fills, which have a window, too."""
        recursive = self.settings.causal or self.settings.unseen != SMOOTH
        return None if recursive else 2 * self.settings.window + SWEEPS

    @property
    def window(self) -> int | None:
        """Frames that background may come from on both sides, and the frames filled together."""
        ahead = 0 if self.settings.causal else self.settings.window
        return frames_behind(self.settings.window) + ahead + self._block

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        """See ``Inpainter.inpaint``. Shots are filled one after the other, on two threads.

        Raises:
            MaskError: masks or images of differing sizes.
        """
        return self.inpaint_telling(frames, lambda frame, share: None)

    def inpaint_telling(self, frames: Iterable[MaskedFrame], tell: Tell) -> Iterator[Frame]:
        """See ``TellsUnseen.inpaint_telling``."""
        with ThreadPoolExecutor(_THREADS) as pool:
            for _, shot in groupby(same_sizes(frames), key=lambda masked: masked.frame.shot):
                yield from self._fill_shot(shot, pool, tell)

    def _fill_shot(
        self, shot: Iterable[MaskedFrame], pool: Executor, tell: Tell
    ) -> Iterator[Frame]:
        causal, reach = self.settings.causal, self.settings.window
        carrier = Carrier(
            *(_PLANS[self.settings.quality], reach, causal, pool),
            texture=self.settings.unseen == TEXTURE,
            painter=self._painter,
        )
        waiting: deque[MaskedFrame] = deque()
        for masked in shot:
            waiting.append(masked)
            scale = fitting(self.settings.scale, masked.mask.shape[:2])
            carrier.add(masked, scale)
            # Blocks end at the same frames wherever the stream begins: a job that is resumed in
            # the middle of a shot gives the same fill.
            if (masked.frame.index + 1) % self._block == 0 or carrier.waiting == self._block:
                ahead, steady = (0, 0) if causal else (reach, SWEEPS)
                pictures = carrier.finish(ahead, steady)
                yield from self._released(waiting, pictures, carrier, tell)
        yield from self._released(waiting, carrier.finish(0, 0), carrier, tell)

    def _released(
        self,
        waiting: deque[MaskedFrame],
        pictures: Iterable[np.ndarray],
        carrier: Carrier,
        tell: Tell,
    ) -> Iterator[Frame]:
        """The oldest of the ``waiting`` frames, with these ``pictures``."""
        for picture in pictures:
            frame, mask = waiting[0].frame, waiting.popleft().mask
            share = carrier.unseen.pop(min(carrier.unseen))
            if share > 0:
                tell(frame.index, share)
            if picture.shape != frame.image.shape:
                picture = raised(frame.image, picture, mask != 0)
            if picture is frame.image:
                yield frame
                continue
            if self.settings.grain:
                random = np.random.default_rng((self._seed, frame.index))
                picture = with_grain(picture, mask != 0, random)
            picture.flags.writeable = False
            yield replace(frame, image=picture)
