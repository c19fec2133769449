"""What a step of work asks of a machine, from what its engine and its clip are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cleanplate import registry
from cleanplate.runtime import resolve
from cleanplate.settings.amounts import parse_bytes

if TYPE_CHECKING:
    from cleanplate.settings.groups import Settings

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


LOOKING = COPYING = Needs()
"""To look at a clip before it is worked on, and to join pieces. A whole CPU: with less, Ray would
start more processes than there are CPUs, and each takes a second to begin."""


def needs_of(settings: Settings, width: int, height: int) -> Needs:
    """What a job with these settings needs for a clip of ``width`` x ``height`` px.

    Memory is the engine's budget where one is set (``memory``), else its window of whole pictures,
    what the encoder holds, and the program itself.
    """
    engine = registry.find("inpaint", settings.engines.inpainter)
    learned = "torch" in engine.about.needs
    pixels = width * height
    device = resolve(engine, settings.engines).device if learned else "cpu"
    window = getattr(engine, "window", None)
    frames = min(window, _SHOT) if isinstance(window, int) else _SHOT
    memory = _PROGRAM + pixels * (_PLANAR * _ENCODER + _WORKED * frames) + learned * _TORCH
    if settings.engines.memory is not None and learned:
        budget = parse_bytes(settings.engines.memory)
        memory = _PROGRAM + _TORCH + pixels * _PLANAR * _ENCODER + budget * (device == "cpu")
    cpus = 4 if pixels >= _HUGE else 2 if pixels >= _LARGE else 1
    return Needs(cpus, float(device.startswith("cuda")), memory, keeps_engine=learned)
