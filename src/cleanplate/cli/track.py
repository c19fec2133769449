"""``cleanplate track``: follow what is pointed at and write its masks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import with_settings
from cleanplate.cli.prompts import PromptCommand, numbered_prompts, with_bare
from cleanplate.cli.show import print_doubts
from cleanplate.settings.groups import EngineSettings, MaskSettings, SpanSettings

TABLE = "-"  # where ``--report`` stands for a table on stdout
Report = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="[FILE.json]",
        help="Print a table of the frames to look at, worst first; with FILE.json write what was "
        "done, frame by frame.",
    ),
]


@dataclass(frozen=True, slots=True)
class TrackOptions(work.JobOptions):
    """Those of every job, but that the report may be a table."""

    report: Report = None


class TrackCommand(PromptCommand):
    """A command whose ``--report`` may stand without a value."""

    def parse_args(self, ctx, args: list[str]) -> list[str]:
        """Let ``--report`` stand without a value."""
        args = with_bare(
            args, "--report", TABLE, lambda after: after is None or after.startswith("-")
        )
        return super().parse_args(ctx, args)


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(cls=TrackCommand)(track)


@with_settings(EngineSettings, MaskSettings, SpanSettings)
def track(
    ctx: typer.Context,
    clip: work.Clip,
    out: work.Out,
    pointing: work.PromptOptions,
    options: TrackOptions,
    values: dict[str, Any],
) -> None:
    """Track what you point at and write its masks: FILE.mkv, or FOLDER/ of PNGs.

    T is a frame (@120) or a time (@4.5s, @0:04.5); without it, the first frame. The masks are as
    tight as they were found: add --grow PX for masks that are to be filled.
    """
    from cleanplate import api

    prompts = numbered_prompts(ctx, clip, values)

    def run(progress: Any) -> Any:
        return api.track(
            clip,
            out,
            *prompts,
            overwrite=options.overwrite,
            progress=progress,
            engine_settings=options.engine_settings,
            **values,
        )

    as_table = options.report == TABLE
    done = work.show(run, replace(options, report=None) if as_table else options, clip, out)
    if as_table and not options.json:
        print_doubts(done.doubtful(), {})
