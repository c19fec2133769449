"""``cleanplate demo``: make a sample clip, remove its logo, say how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleanplate.cli import work

Out = Annotated[str, typer.Option("-o", "--out", metavar="FOLDER/", help="Where to put it all.")]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(demo)


def demo(
    out: Out = "cleanplate-demo/", quiet: work.Quiet = False, debug: work.Debug = False
) -> None:
    """Make a sample clip, remove its logo, and show where the result is and how good."""
    from cleanplate.cli.show import Bars
    from cleanplate.evaluation.demo import run_demo

    with Bars(quiet) as bars:
        shown = run_demo(Path(out), bars)
    if not quiet:
        typer.echo(shown.text())
