"""Every setting of a job by name and type, so that an editor completes the arguments of the API.

The groups in ``settings.groups`` say what each means, its range and its default; a test holds the
two together.
"""

from __future__ import annotations

from typing import TypedDict


class ComputeSettings(TypedDict, total=False):
    """Where and how engines compute: the fields of ``EngineSettings`` that name no engine."""

    device: str
    precision: str
    seed: int
    memory: str | None


class JobSettings(ComputeSettings, total=False):
    """The fields of ``EngineSettings``, ``MaskSettings``, ``SpanSettings``, ``RegionSettings`` and
    ``EncoderSettings``."""

    static: bool
    segmenter: str
    tracker: str
    inpainter: str
    overlay: str
    grow: int | None
    feather: int | None
    also: str
    stream: int | None
    start: str | None
    end: str | None
    context: float
    least_context: int
    codec: str
    quality: int | None
    preset: str | None
    lossless: bool
    sound: str
