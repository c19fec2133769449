"""What a retargeting job did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from cleanplate.jobs.report import Report
from cleanplate.retargeting.plan import LostStretch


class Placed(TypedDict):
    """Where an object was put: its pixel (x, y) went to scale * (x, y) + (dx, dy), in px."""

    frame: int
    object: int
    scale: float
    dx: float
    dy: float


@dataclass(slots=True)
class RetargetReport(Report):
    """A job's report, and where the crop went."""

    crop: dict[str, int] = field(default_factory=dict[str, int])
    """``width`` and ``height`` of what is cut out, in px of the source, and ``out_width`` and
    ``out_height`` of the result."""
    lost: list[LostStretch] = field(default_factory=list[LostStretch])
    """Stretches in which some of an object or a caption is outside of the crop."""
    boxes: list[list[float]] = field(default_factory=list[list[float]])
    """For each frame the crop, x0, y0, x1, y1 in px of the source."""
    placements: list[Placed] = field(default_factory=list[Placed])
    """Where each object was put back in each frame, when a clip was recomposed."""
