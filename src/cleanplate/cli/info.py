"""``cleanplate info``: what is in a clip, and what of it will be kept."""

from __future__ import annotations

import dataclasses
import json as json_text
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import with_settings
from cleanplate.settings.encoder import EncoderSettings

if TYPE_CHECKING:
    from cleanplate.media.codecs import EncoderChoice
    from cleanplate.media.stream_plan import StreamPlan
    from cleanplate.types import VideoInfo

Out = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--out",
        metavar="OUT",
        help="The output in mind; by default, a file of the same kind.",
    ),
]

Stream = Annotated[
    int | None,
    typer.Option(metavar="N", help="Show this video stream, by its number in the file."),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(info)


@with_settings(EncoderSettings)
def info(
    clip: work.Clip,
    values: dict[str, Any],
    out: Out = None,
    stream: Stream = None,
    json: work.Json = False,
    debug: work.Debug = False,
) -> None:
    """Show what is in a clip, how the result would be written, and what would be kept."""
    from pathlib import Path

    from cleanplate.media.codecs import choose_encoder
    from cleanplate.media.read import open_clip
    from cleanplate.media.stream_plan import plan_streams

    with open_clip(clip, stream=stream) as opened:
        info = opened.info
    target = Path(out) if out else Path(clip).with_suffix(_usual_suffix(info, clip))
    settings = EncoderSettings(**values)
    choice = choose_encoder(info, target, settings)
    plan = plan_streams(Path(clip), info, target, choice, settings.sound)
    if json:
        both = {
            "clip": dataclasses.asdict(info),
            "output": dataclasses.asdict(choice),
            "streams": [dataclasses.asdict(planned) for planned in plan.streams],
        }
        print(json_text.dumps(both, indent=1, default=str))
        return
    for title, text in rows(info, choice, plan):
        typer.echo(f"{title:<14} {text}")


def _usual_suffix(info: VideoInfo, clip: str) -> str:
    from pathlib import Path

    suffix = Path(clip).suffix.lower()
    return suffix if suffix in (".mkv", ".mp4", ".mov", ".webm") else ".mkv"


def rows(info: VideoInfo, choice: EncoderChoice, plan: StreamPlan) -> list[tuple[str, str]]:
    """(title, text) lines for a person."""
    size = f"{info.width}x{info.height}"
    if info.rotation or info.mirrored:
        size += f" upright (stored {info.coded_width}x{info.coded_height}, kept so)"
    rate = "unsaid" if info.average_rate is None else f"{float(info.average_rate):.6g} a second"
    count = "unsaid" if info.frame_count is None else str(info.frame_count)
    lines = [
        ("file", f"{info.path} ({info.container})"),
        ("picture", f"{size}, {info.codec}, {info.pixel_format}, {info.bit_depth} bits"),
        ("frames", f"{count} by the header, {rate} ({info.average_rate}); times are kept exactly"),
        ("pixel aspect", f"{info.sample_aspect_ratio}, kept"),
        (
            "colour",
            f"primaries {info.primaries}, transfer {info.transfer}, matrix {info.matrix}, "
            f"{'full' if info.full_range else 'limited'} range, kept",
        ),
        ("fields", info.field_order),
    ]
    if info.mastering_display or info.content_light:
        lines.append(("HDR", f"{info.mastering_display} {info.content_light}, kept"))
    if info.timecode:
        reel = f", reel {info.reel}" if info.reel else ""
        lines.append(("timecode", f"{info.timecode}{reel}"))
    for stream in info.streams:
        words = [stream.codec, stream.language or "", stream.title or "", *stream.dispositions]
        text = " ".join(word for word in words if word)
        lines.append((stream.kind, f"{text}, {plan.fate(stream.index)}"))
    if info.chapters:
        lines.append(("chapters", f"{len(info.chapters)}, kept"))
    lines.append(("written as", choice.summary))
    lines.extend(("note", note) for note in (*choice.notes, *plan.notes))
    return lines
