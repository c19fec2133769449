"""``cleanplate live``: remove what you point at while the picture plays."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import sys
import threading
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import parse_sets, with_settings
from cleanplate.cli.prompts import PromptCommand, prompts_of, with_bare
from cleanplate.errors import InputError, MissingDependencyError
from cleanplate.settings.groups import EngineSettings, MaskSettings, RegionSettings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cleanplate.live.control import Control
    from cleanplate.live.line import Line, LiveOrder

_JSON = "json"
_TABLE = "table"

Source = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A file, a folder of images, camera:0, a URL (rtsp, udp, srt, http) or - for a pipe.",
    ),
]
Sink = Annotated[
    str | None,
    typer.Argument(
        metavar="[SINK]",
        help="A file, a URL (udp, srt, rtmp, http) or - for a pipe; without it, the page.",
    ),
]


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How the picture comes, how it goes, and how late it may be."""

    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="A chain of engines: siammask-hqsam-vinet.",
        ),
    ] = None
    latency: Annotated[
        str, typer.Option("--latency", metavar="TIME", help="The longest that a frame may take.")
    ] = "200ms"
    every_frame: Annotated[
        bool,
        typer.Option(
            "--every-frame", help="Drop nothing: the source waits. For files and pipes that can."
        ),
    ] = False
    simulate: Annotated[
        bool,
        typer.Option(
            "--simulate",
            help="Play a file as if it came live, by a clock that leaves out idle time.",
        ),
    ] = False
    loops: Annotated[
        int,
        typer.Option("--loops", metavar="N", min=0, help="Play a file N times; 0 without end."),
    ] = 1
    frames: Annotated[
        int | None, typer.Option("--frames", metavar="N", min=1, help="Stop after N frames.")
    ] = None
    stats: Annotated[
        str | None,
        typer.Option(
            "--stats",
            metavar="[json]",
            help="At the end, print delays and the counts of frames, as a table or as JSON.",
        ),
    ] = None
    input_format: Annotated[
        str | None,
        typer.Option("--input-format", metavar="rawvideo", help="Of a pipe of bare samples."),
    ] = None
    input_size: Annotated[
        str | None, typer.Option("--input-size", metavar="WxH", help="Of a pipe of bare samples.")
    ] = None
    input_pixels: Annotated[
        str,
        typer.Option("--input-pixels", metavar="FORMAT", help="Of bare samples, as FFmpeg says."),
    ] = "yuv420p"
    input_rate: Annotated[
        str | None,
        typer.Option(
            "--input-rate", metavar="RATE", help="Frames a second, instead of the source's own."
        ),
    ] = None
    output_format: Annotated[
        str, typer.Option("--output-format", metavar="y4m|rawvideo", help="Of a pipe as sink.")
    ] = "y4m"
    no_sound: Annotated[bool, typer.Option("--no-sound", help="Leave the sound out.")] = False
    give_up: Annotated[
        float,
        typer.Option(
            "--give-up",
            metavar="SECONDS",
            min=0,
            help="How long a camera or stream that broke off is tried again.",
        ),
    ] = 30.0
    page: Annotated[bool, typer.Option("--page", help="Show the page beside a sink, too.")] = False
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where the page is served.")
    ] = "127.0.0.1"
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="And on which port.")
    ] = 7861
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Open no browser.")] = False
    control: Annotated[
        str | None,
        typer.Option(
            "--control",
            metavar="PATH",
            help="Take messages, a JSON object a line, on a Unix socket at PATH.",
        ),
    ] = None
    sets: work.Set = None
    overwrite: work.Overwrite = False
    quiet: work.Quiet = False
    debug: work.Debug = False


class LiveCommand(PromptCommand):
    """A command whose ``--stats`` may stand without a value."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        """Let ``--stats`` stand without a value."""
        args = with_bare(args, "--stats", _TABLE, lambda after: after != _JSON)
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(cls=LiveCommand)(live)


@with_settings(EngineSettings, MaskSettings, RegionSettings)
def live(
    ctx: typer.Context,
    source: Source,
    pointing: work.PromptOptions,
    options: LiveOptions,
    values: dict[str, Any],
    sink: Sink = None,
) -> None:
    """Remove what you point at while the picture plays, within a stated delay.

    Old frames are dropped and never queued; --stats says how many. Ctrl-C ends it, and a file that
    was being written is whole.
    """
    import cv2

    from cleanplate.live.control import Control, listening
    from cleanplate.live.line import Line

    # Each stage has a thread: OpenCV's own would only get into one another's way.
    cv2.setNumThreads(1)
    if options.stats not in (None, _JSON, _TABLE):
        raise InputError(f"--stats {options.stats} is unknown; give --stats or --stats json.")
    line = Line(_order(ctx, source, sink, options, values))
    signal.signal(signal.SIGINT, lambda *_: line.stop())
    signal.signal(signal.SIGTERM, lambda *_: line.stop())
    control = Control(line)
    with contextlib.ExitStack() as stack:
        if options.control is not None:
            stack.enter_context(listening(control, Path(options.control)))
        if options.page or (sink is None and not options.simulate):
            address = stack.enter_context(_page(line, control, options))
            print(f"The picture is at {address}", file=sys.stderr)
        summary = line.run()
    out = sys.stderr if sink == "-" else sys.stdout
    if not options.quiet:
        for note in summary["notes"]:
            print(note, file=sys.stderr)
    if options.stats == _JSON:
        print(json.dumps(summary), file=out)
    elif options.stats:
        from cleanplate.live.stats import table

        print(table(summary), file=out)
    if threading.active_count() > 1:
        # A thread in the middle of an outline, or of a read that never ends, would be cut off in
        # the middle of a computation and take the process down with an ugly message.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


def _page(line: Line, control: Control, options: LiveOptions) -> AbstractContextManager[str]:
    """The page, whose server is an extra."""
    from cleanplate.live.screen import Screen

    try:
        from cleanplate.live.server import serving
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"The page needs {error.name}; install it with: pip install 'cleanplate[app]', or "
            "give a sink."
        ) from error
    screen = Screen(control)
    line.watchers.append(screen.watch)
    return serving(control, screen, options.host, options.port, not options.no_browser)


def _order(
    ctx: typer.Context,
    source: str,
    sink: str | None,
    options: LiveOptions,
    values: dict[str, Any],
) -> LiveOrder:
    from cleanplate.files.publish import check_target
    from cleanplate.live.line import LiveOrder
    from cleanplate.live.presets import chosen
    from cleanplate.media.addresses import RawPictures, sink_address, source_address
    from cleanplate.media.live_sink import open_sink
    from cleanplate.media.live_source import LiveSource
    from cleanplate.runtime import check_engine_fields
    from cleanplate.settings.groups import settings_from

    named = {name for name in values if _is_named(ctx, name)}
    settings = settings_from(*chosen(options.preset, values, named, parse_sets(options.sets)))
    check_engine_fields(settings)
    rate = None if options.input_rate is None else _rate(options.input_rate)
    raw = None
    if options.input_format is not None:
        if options.input_format != "rawvideo":
            raise InputError(
                f"--input-format {options.input_format} is unknown; give rawvideo, or nothing for "
                "what says itself what it is."
            )
        raw = RawPictures(_size(options.input_size), options.input_pixels, rate or Fraction(25))
    address = source_address(source, raw)
    if options.simulate and address.plays_by_itself:
        raise InputError(
            f"--simulate plays a file or a folder as if it came live; {source} does come live."
        )
    if options.simulate and options.every_frame:
        raise InputError("--simulate drops what is late and --every-frame does not; give one.")
    target = None if sink is None else sink_address(sink, options.output_format)
    if target is not None and target.kind == "file":
        check_target(Path(target.url), options.overwrite, Path(address.url))
    player = LiveSource(
        address,
        None if raw else rate,
        options.loops,
        options.give_up,
        with_sound=target is not None and not options.no_sound,
    )

    def make_sink(playing: LiveSource) -> Any:
        assert target is not None
        return open_sink(target, playing.frame_rate, playing.sound_stream)

    return LiveOrder(
        player,
        None if target is None else make_sink,
        prompts_of(ctx),
        settings,
        None if options.every_frame else _seconds(options.latency),
        options.simulate,
        target is not None and target.kind == "stream",
        options.frames,
    )


def _is_named(ctx: typer.Context, option: str) -> bool:
    """Whether an option was typed, and not left at its default."""
    source = ctx.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s)", text.strip())
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else 0.0
    if not 0.01 <= seconds <= 60:
        raise InputError(f"--latency {text} is no delay; give 10ms to 60s, such as 200ms.")
    return seconds


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise InputError(f"--input-rate {text} is no rate; give 25 or 30000/1001.")
    return rate


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None or "0" in (match[1], match[2]):
        raise InputError(f"--input-size {text} is not of the form WxH, such as 1280x720.")
    return int(match[1]), int(match[2])
