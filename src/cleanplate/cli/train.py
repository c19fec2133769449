"""``cleanplate train``: the inpainting networks, from a configuration or on one clip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleanplate.cli import work
from cleanplate.cli.show import Bars
from cleanplate.errors import CancelledError, InputError, MissingDependencyError

_FINE = "On one clip"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("train")(train)


def train(
    config: Annotated[
        str | None,
        typer.Argument(metavar="CONFIG", help="A .toml, or E2FGVI's .json; docs/training.md."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Stop after N steps in all.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Take one step, print seconds and memory, keep none.")
    ] = False,
    finetune: Annotated[
        str | None,
        typer.Option(
            "--finetune",
            metavar="NETWORK",
            help="Learn from a clip of yours: e2fgvi, e2fgvi_hq, vinet_256 or vinet_512.",
            rich_help_panel=_FINE,
        ),
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(
            "--on",
            metavar="CLIP",
            help="The clip, or a project, which then uses what was learned.",
            rich_help_panel=_FINE,
        ),
    ] = None,
    masks: Annotated[
        str | None,
        typer.Option(
            "--masks",
            metavar="PATH",
            help="What will be removed from it: nothing is learned from there.",
            rich_help_panel=_FINE,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--out",
            metavar="FOLDER/",
            help="Where the run and its weights go.",
            rich_help_panel=_FINE,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            metavar="M", min=0.01, help="Learn for M minutes at most.", rich_help_panel=_FINE
        ),
    ] = None,
    side: Annotated[
        int,
        typer.Option(
            metavar="PX",
            min=0,
            max=1024,
            help="Long side of what is learned from; 0: the network's own.",
            rich_help_panel=_FINE,
        ),
    ] = 0,
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Train E2FGVI, E2FGVI-HQ or VINet. Goes on where an earlier run in its folder was stopped.

    With --finetune, learn from one clip outside of what will be removed from it; a test hole is
    filled before and after, and weights that fill it no better are not used.
    """
    _check_way(config, finetune, on, dry_run, any((masks, out, minutes, side)))
    try:
        if finetune is not None and on is not None:
            _finetune(finetune, on, masks, out, steps, minutes, side, quiet)
        else:
            _train(Path(str(config)), steps, dry_run, quiet)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "PIL"):
            raise
        raise MissingDependencyError(
            f"Training needs {error.name}, which is not installed; install it with: "
            "pip install 'cleanplate[train]'."
        ) from error


def _check_way(
    config: str | None, finetune: str | None, on: str | None, dry_run: bool, has_more: bool
) -> None:
    if (finetune is None) != (on is None):
        raise InputError("--finetune NETWORK and --on CLIP go together; give both.")
    if (config is None) == (finetune is None):
        raise InputError("Give a CONFIG, or --finetune NETWORK --on CLIP; one of the two.")
    if finetune is None and has_more:
        raise InputError("--masks, --out, --minutes and --side are for --finetune; leave them out.")
    if finetune is not None and dry_run:
        raise InputError("--dry-run is for a CONFIG; give --steps 1 for a short fine-tuning.")


def _train(config: Path, steps: int | None, dry_run: bool, quiet: bool) -> None:
    from cleanplate.training.configuration import load
    from cleanplate.training.train import train as run

    configuration, ignored = load(config)
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


def _finetune(
    network: str,
    on: str,
    masks: str | None,
    out: str | None,
    steps: int | None,
    minutes: float | None,
    side: int,
    quiet: bool,
) -> None:
    from cleanplate.projects.folder import Folder
    from cleanplate.projects.project import Project
    from cleanplate.training.finetuning import STEPS, FineTuning, finetune, project_masks, use_in

    project = Project.open(on) if Folder(Path(on)).is_project() else None
    if project is None and out is None:
        raise InputError("Give -o FOLDER/, where the run and its weights go.")
    if project is not None and masks is not None:
        raise InputError("A project has its own masks; leave --masks out.")
    wanted = FineTuning(
        network,
        Path(on) if project is None else project.source,
        (Path(masks) if masks else None) if project is None else project_masks(project),
        Path(out) if out else Path(on) / "training" / network,
        steps or STEPS,
        minutes,
        side,
    )
    with Bars(quiet) as bars:
        comparison = finetune(wanted, bars)
        bars.note(comparison.text())
        if comparison.is_better and project is not None:
            use_in(project, comparison)
            bars.note(f"The project is filled by {comparison.engine} with them from now on.")
        elif comparison.is_better:
            sets = " ".join(
                f"--set {comparison.engine}.{name}={value}"
                for name, value in comparison.fields.items()
            )
            bars.note(f"Use them with: --inpainter {comparison.engine} {sets}")
    if comparison.is_stopped:
        raise CancelledError(f"stopped after step {comparison.steps}")
