"""Proves that the result holds every picture at its time, and names what it does not hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av

from cleanplate.errors import MediaError
from cleanplate.media.codecs import EncoderChoice
from cleanplate.media.decode import find_video
from cleanplate.media.encode import TICK, written_color
from cleanplate.media.probe import probe_file
from cleanplate.media.stream_plan import Fate, PlannedStream
from cleanplate.types import StreamInfo, VideoInfo

_MILLISECOND = Fraction(1, 1000)


@dataclass(slots=True)
class AssembleReport:
    """What is in the result."""

    path: Path
    frames: int = 0
    first_time: Fraction = Fraction(0)
    last_time: Fraction = Fraction(0)
    shift: Fraction = Fraction(0)
    """Seconds by which all times moved: because of ``start``, or of a container's limits."""
    streams: list[PlannedStream] = field(default_factory=list)
    """What became of the streams beside the picture."""
    timecode: str | None = None
    """Of the first picture, where the source has one."""
    warnings: list[str] = field(default_factory=list)

    @property
    def copied(self) -> list[StreamInfo]:
        """The streams that are in the result as they were."""
        return [planned.stream for planned in self.streams if planned.fate is Fate.COPIED]

    @property
    def dropped(self) -> list[StreamInfo]:
        """The streams that are not in the result."""
        return [planned.stream for planned in self.streams if planned.fate is Fate.LEFT_OUT]


def verify_times(
    path: Path, pts: list[int], info: VideoInfo, choice: EncoderChoice, report: AssembleReport
) -> None:
    """Raise unless the file holds every picture at its time."""
    with av.open(str(path)) as container:
        stream = find_video(container, path)
        time_base = stream.time_base or TICK
        times = sorted(
            packet.pts * time_base
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None and not packet.is_discard
        )
    expected = [p * info.time_base + report.shift for p in pts]
    if len(times) != len(expected):
        raise MediaError(
            f"{report.path.name} would hold {len(times)} frames instead of {len(expected)}; "
            "it was not written. Try another container."
        )
    offset = Fraction(0)
    allowed = Fraction(0)
    if choice.container in ("matroska", "webm"):
        allowed = _MILLISECOND / 2
        offset = _shift_of(times, expected)
    worst = max(abs(a - offset - b) for a, b in zip(times, expected, strict=True))
    if worst > allowed:
        raise MediaError(
            f"{report.path.name} would hold frames {float(worst):.6f} s away from their times; "
            "it was not written. Try another container."
        )
    if offset:
        report.shift += offset
        report.warnings.append(
            f"All streams start {float(offset):.3f} s later: {report.path.suffix} holds no times "
            "before 0, which the source has."
        )
    report.frames = len(times)
    report.first_time, report.last_time = times[0], times[-1]


_UNSAID_CODES = (0, 2)
_UNSAID = {
    "sample_aspect_ratio": (Fraction(0),),
    "display_matrix": (None,),
    "primaries": _UNSAID_CODES,
    "transfer": _UNSAID_CODES,
    "chroma_location": ("unspecified",),
    "mastering_display": (None,),
    "content_light": (None,),
}


def compare_tags(
    path: Path, info: VideoInfo, choice: EncoderChoice, report: AssembleReport
) -> None:
    """Name what the source says and the result does not."""
    made = probe_file(path)
    lost = [
        name.replace("_", " ")
        for name, unsaid in _UNSAID.items()
        if getattr(info, name) not in unsaid and getattr(made, name) != getattr(info, name)
    ]
    color_range, matrix = written_color(info, choice.pixel_format)
    if matrix not in _UNSAID_CODES and made.matrix != matrix:
        lost.append("matrix")
    if color_range and made.full_range != (color_range == 2):
        lost.append("color range")
    if info.timecode and (made.timecode or "") != report.timecode:
        lost.append(f"timecode ({report.timecode or info.timecode})")
    if info.reel and made.reel != info.reel:
        lost.append(f"reel name ({info.reel})")
    if lost:
        report.warnings.append(
            f"{report.path.suffix} with {made.codec} does not carry the source's {', '.join(lost)}."
        )


def _shift_of(times: list[Fraction], expected: list[Fraction]) -> Fraction:
    """Whole milliseconds by which Matroska moved all streams to have none before 0."""
    apart = times[0] - expected[0]
    return Fraction(round(apart * 1000), 1000) if abs(apart) > _MILLISECOND / 2 else Fraction(0)
