"""Which inpainters can work live, and how one of them is led at less than full work."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.masks import bounding_box, widened
from cleanplate.errors import InputError
from cleanplate.live.effort import Level
from cleanplate.protocols import Hurries, Inpainter
from cleanplate.runtime import engine_fields, make_engine
from cleanplate.settings.groups import Settings
from cleanplate.types import Frame, MaskedFrame

_COARSE = 4  # times smaller, at which a hole is blurred over
_AROUND = 16  # px around a hole that blurring looks at


def live_inpainter(settings: Settings) -> Inpainter:
    """The engine that ``settings`` name, made so that no frame waits for later ones.

    Raises:
        InputError: it cannot work so; the message names those that can.
        WeightsError: its weights are not here.
    """
    name = settings.engines.inpainter
    live_fields = _live_fields(name)
    if live_fields is None:
        raise _not_causal(name, "frames that come later")
    fields = {**live_fields, **engine_fields("inpaint", name, settings)}
    causal = replace(settings, engine_fields={**settings.engine_fields, name: fields})
    engine: Inpainter = make_engine("inpaint", name, causal)[0]
    if engine.lookahead == 0:
        return engine
    needs = "the whole shot" if engine.lookahead is None else f"{engine.lookahead} later frames"
    raise _not_causal(name, needs)


def _not_causal(name: str, needs: str) -> InputError:
    return InputError(
        f"The inpainter {name} needs {needs}, and a live picture has none; those that work live "
        f"are {', '.join(causal_names())}."
    )


def causal_names() -> list[str]:
    """The inpainters that say that they work without later frames."""
    return [name for name in registry.names("inpaint") if _live_fields(name) is not None]


def _live_fields(name: str) -> Mapping[str, str] | None:
    about = registry.find("inpaint", name).about
    return None if about.fault else about.live


class Hurried:
    """An inpainter whose frames get the work that there is time for; see ``Level``."""

    lookahead = 0

    def __init__(self, engine: Inpainter) -> None:
        self._engine = engine
        self.lookback, self.window = engine.lookback, engine.window
        self.levels: deque[tuple[int, Level]] = deque(maxlen=64)
        """(index, level) of the latest frames; the caller adds each before it asks for it."""

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        """See ``Inpainter.inpaint``."""
        waiting: deque[MaskedFrame] = deque()
        if isinstance(self._engine, Hurries):
            filled = self._engine.inpaint_hurried(_drawn(waiting), lambda i: int(self._level(i)))
        else:
            filled = iter(self._engine.inpaint(_drawn(waiting)))
        try:
            for masked in frames:
                if self._level(masked.frame.index) is Level.BLURRED:
                    yield blurred(masked)
                    continue
                waiting.append(masked)
                yield next(filled)
        finally:
            close = getattr(filled, "close", None)
            if close is not None:
                close()

    def _level(self, index: int) -> Level:
        return next((level for number, level in self.levels if number == index), Level.FULL)


def _drawn(waiting: deque[MaskedFrame]) -> Iterator[MaskedFrame]:
    while waiting:
        yield waiting.popleft()


def blurred(masked: MaskedFrame) -> Frame:
    """The frame with its hole covered by a coarse smooth fill: the least that hides it."""
    frame, hole = masked.frame, masked.mask != 0
    box = bounding_box(hole)
    if box is None:
        return frame
    height, width = hole.shape
    part = widened(box, _AROUND, width, height).slices
    size = (
        max(1, (part[1].stop - part[1].start) // _COARSE),
        max(1, (part[0].stop - part[0].start) // _COARSE),
    )
    inside = cv2.resize(hole[part].astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    known = np.where(hole[part][..., None], 0, frame.image[part]).astype(np.uint8)
    small = cv2.resize(known, size, interpolation=cv2.INTER_AREA)
    smooth = harmonic_fill(small, inside, empty=128.0)
    smooth = cv2.resize(smooth, (part[1].stop - part[1].start, part[0].stop - part[0].start))
    image = frame.image.copy()
    image[part][hole[part]] = np.clip(np.rint(smooth[hole[part]]), 0, 255).astype(np.uint8)
    image.flags.writeable = False
    return replace(frame, image=image)
