"""``cleanplate batch``: many clips, on this machine or a cluster."""

from __future__ import annotations

import json as json_text
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import with_settings
from cleanplate.cli.prompts import PromptCommand, words_of
from cleanplate.errors import MissingDependencyError
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.settings.groups import EngineSettings, MaskSettings, RegionSettings, SpanSettings

Jobs = Annotated[
    str,
    typer.Argument(
        metavar="JOBS",
        help="A folder of clips, a glob, a .jsonl or .csv of orders, or a project's folder.",
    ),
]
Out = Annotated[
    str,
    typer.Option("-o", "--out", metavar="OUT", help="Folder of the results: a path, s3://, gs://."),
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT", help="A Ray cluster; unset: this machine."),
]
Cpus = Annotated[
    int | None, typer.Option("--cpus", metavar="N", help="CPUs of this machine to use.", min=1)
]


@dataclass(frozen=True, slots=True)
class BatchOptions(work.OutputOptions):
    """How a batch is carried out."""

    sets: work.Set = None
    address: Address = None
    cpus: Cpus = None
    chunk: Annotated[
        int,
        typer.Option(
            metavar="N",
            help="Frames that one worker fills of a longer clip.",
            min=250,
        ),
    ] = 1000
    retries: Annotated[
        int, typer.Option(metavar="N", help="Tries after the first when a machine fails.", min=0)
    ] = 3
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going/--stop-at-first",
            help="Go on with the others when a clip fails, or stop at the first that does.",
        ),
    ] = True
    price: Annotated[
        float | None,
        typer.Option(metavar="X", help="Price of the whole cluster for an hour.", min=0),
    ] = None
    scratch: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Where workers keep what they work on; unset: /tmp."),
    ] = None
    scratch_limit: Annotated[
        str | None,
        typer.Option("--scratch-limit", metavar="SIZE", help="The most that may lie there: 200GB."),
    ] = None


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(cls=PromptCommand)(batch)


@with_settings(EngineSettings, MaskSettings, SpanSettings, RegionSettings, EncoderSettings)
def batch(
    ctx: typer.Context,
    jobs: Jobs,
    out: Out,
    pointing: work.PromptOptions,
    options: BatchOptions,
    values: dict[str, Any],
    suggest: Annotated[
        bool, typer.Option("--suggest", help="Remove what cleanplate suggest finds.")
    ] = False,
) -> None:
    """Remove from many clips: run it again, and it goes on where it was.

    Prompts and settings are for all clips; a line of a list may say it otherwise. See
    docs/batch.md.
    """
    check_ray("cleanplate batch")
    from cleanplate.batch.cluster import Cluster
    from cleanplate.batch.orders import orders_from
    from cleanplate.batch.run import Rules, batch_of, run
    from cleanplate.cli.options import parse_sets
    from cleanplate.cli.show_batch import BatchBars
    from cleanplate.settings.amounts import parse_bytes

    limit = None if options.scratch_limit is None else parse_bytes(options.scratch_limit)
    orders = orders_from(
        jobs,
        words=words_of(ctx),
        suggest=suggest,
        values=values,
        engine_settings=parse_sets(options.sets),
    )
    placed = batch_of(
        *(out, options.scratch),
        scratch_limit=limit,
        chunk=options.chunk,
        overwrite=options.overwrite,
    )
    orders.checked()  # before Ray starts, which takes seconds
    rules = Rules(options.retries, not options.keep_going, options.price)
    with BatchBars(options.quiet or options.json, options.price) as bars:
        cluster = Cluster(options.address, options.cpus)
        try:
            bars.cluster(cluster.machines, cluster.cpus, cluster.gpus, cluster.dashboard)
            summary = run(orders, placed, cluster, rules, bars)
        finally:
            cluster.close()
    if options.json:
        print(json_text.dumps(summary.totals(), indent=1))
    else:
        bars.conclude(summary, out)
    if not summary.is_complete:
        raise typer.Exit(1)


def check_ray(command: str) -> None:
    """Raise MissingDependencyError when Ray is not installed."""
    from importlib.util import find_spec

    if find_spec("ray") is None or find_spec("fsspec") is None:
        raise MissingDependencyError(
            f"{command} needs Ray, which is not installed; install it with: "
            "pip install 'cleanplate[batch]'."
        )
