"""``cleanplate train``: the inpainting networks, from a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleanplate.cli import work
from cleanplate.cli.show import Bars
from cleanplate.errors import CancelledError, MissingDependencyError


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("train")(train)


def train(
    config: Annotated[
        str, typer.Argument(metavar="CONFIG", help="A .toml, or E2FGVI's .json; docs/training.md.")
    ],
    steps: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop after N steps in all.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take one step, print seconds and memory, keep none.")
    ] = False,
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Train E2FGVI, E2FGVI-HQ or VINet. Goes on where an earlier run in its folder was stopped."""
    try:
        from cleanplate.training.configuration import load
        from cleanplate.training.train import train as run
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "PIL"):
            raise
        raise MissingDependencyError(
            f"Training needs {error.name}, which is not installed; install it with: "
            "pip install 'cleanplate[train]'."
        ) from error
    configuration, ignored = load(Path(config))
    with Bars(quiet) as bars:
        for sentence in ignored:
            bars.note(sentence)
        done = run(configuration, bars, steps, dry_run)
        seconds, memory = done.figures.get("seconds", 0.0), done.figures.get("memory", 0.0)
        if dry_run:
            bars.note(f"One step took {seconds:.1f} s and {memory:.0f} MB; nothing was kept.")
        elif done.weights:
            bars.note(f"{done.weights}: step {done.step} of {configuration.steps}.")
        else:
            bars.note(f"All {done.step} steps were taken before.")
    if done.is_stopped:
        raise CancelledError(f"stopped after step {done.step}")
