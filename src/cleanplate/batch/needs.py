"""What a step of work asks of a machine, from what its engine and its clip are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from cleanplate import registry
from cleanplate.batch.orders import ClipOrder
from cleanplate.runtime import picked_engine
from cleanplate.settings.amounts import parse_bytes
from cleanplate.settings.groups import AUTO, Settings

_PROGRAM = 300 << 20  # bytes of the program with its libraries, without torch
_TORCH = 900 << 20  # more with torch
_ENCODER = 60  # pictures that an encoder looks ahead and refers to
_PLANAR = 2  # bytes a pixel of a decoded picture, chroma included, 10 bits taken into account
_WORKED = 12  # bytes a pixel of a frame in an engine's window: RGB, flow, masks
_SHOT = 48  # frames counted for an engine that holds a whole shot; more are in small regions
_LARGE, _HUGE = 1.5e6, 5e6  # pixels of a picture from which on 2 and 4 CPUs are asked for


@dataclass(frozen=True, slots=True)
class Needs:
    """What Ray is asked for."""

    cpus: float = 1
    gpus: float = 0
    memory: int = _PROGRAM
    """Bytes of main memory."""
    keeps_engine: bool = False
    """Whether loading the engine takes so long that a worker keeps it for the next clip."""

    def within(self, cpus: float, memory: int) -> Needs:
        """The same, or as much of it as the largest machine has."""
        return replace(self, cpus=min(self.cpus, cpus), memory=min(self.memory, memory))


LOOKING = Needs()
"""To look at a clip before it is worked on. A whole CPU: with less, Ray would start more processes
than there are CPUs, and each takes a second to begin."""


def needs_of(order: ClipOrder, width: int, height: int, has_gpus: bool) -> Needs:
    """What a job of ``order`` needs for a clip of ``width`` x ``height`` px.

    Memory is the engine's budget where one is set (``memory``), else its window of whole pictures,
    what the encoder holds, and the program itself.

    Args:
        order: what is to be done.
        width, height: of the picture.
        has_gpus: whether any machine has a GPU; this process may not be allowed to see it.
    """
    settings = order.settings
    engine = registry.find("inpaint", settings.engines.inpainter)
    learned = any("torch" in each.about.needs for each in (engine, *_pointing(order, settings)))
    on_gpu = learned and has_gpus and settings.engines.device != "cpu"
    pixels = width * height
    window = getattr(engine, "window", None)
    frames = min(window, _SHOT) if isinstance(window, int) else _SHOT
    memory = _PROGRAM + pixels * (_PLANAR * _ENCODER + _WORKED * frames) + learned * _TORCH
    if settings.engines.memory is not None and learned:
        budget = parse_bytes(settings.engines.memory)
        memory = _PROGRAM + _TORCH + pixels * _PLANAR * _ENCODER + budget * (not on_gpu)
    cpus = 4 if pixels >= _HUGE else 2 if pixels >= _LARGE else 1
    return Needs(cpus, float(on_gpu), memory, keeps_engine=learned)


def _pointing(order: ClipOrder, settings: Settings) -> Iterator[Any]:
    """The engines that outline and track what is pointed at, as far as settings name them."""
    if order.words:
        picks = any(word.flag == "--point" for word in order.words)
        tracker = settings.engines.tracker_name
        if picks and settings.engines.tracker == AUTO and not settings.engines.static:
            tracker = picked_engine("track", settings) or tracker
        yield registry.find("track", tracker)
        segmenter = settings.engines.segmenter
        if segmenter == AUTO:
            segmenter = picks and picked_engine("segment", settings)
        if segmenter:
            yield registry.find("segment", segmenter)
