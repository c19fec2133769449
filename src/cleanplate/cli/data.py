"""``cleanplate data``: datasets to learn from and to test with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cleanplate.cli import work
from cleanplate.cli.show import Bars
from cleanplate.errors import InputError, MissingDependencyError

group = typer.Typer(no_args_is_help=True, help="Make and check a dataset; docs/training.md.")


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(group, name="data")


@group.command()
def prepare(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="CLIPS...", help="Videos, folders of images, folders of either."),
    ],
    out: Annotated[str, typer.Option("-o", "--out", metavar="ROOT/", help="Where it goes.")],
    test_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the clips that is kept for tests.")
    ] = 0.1,
    masks: Annotated[
        str, typer.Option(help="Of test clips without masks: stationary or moving.")
    ] = "stationary",
    height: Annotated[
        int, typer.Option(metavar="PX", min=0, help="Make larger frames this high; 0 keeps them.")
    ] = 0,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Of the masks.")] = 0,
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Make a dataset in the E2FGVI project's layout. Clips that are there are kept."""
    _needed()
    from cleanplate.training import preparation

    if masks not in ("stationary", "moving"):
        raise InputError(f"--masks is {masks}; it must be stationary or moving.")
    wanted = preparation.Preparation(
        [Path(source) for source in sources],
        Path(out),
        test_share,
        "moving" if masks == "moving" else "stationary",
        height,
        seed=seed,
    )
    with Bars(quiet) as bars:
        prepared = preparation.prepare(wanted, bars)
        bars.note(prepared.text())
    if not prepared.train and not prepared.test:
        raise InputError("None of the clips can be used; what is wrong with each is said above.")


@group.command()
def check(
    root: Annotated[str, typer.Argument(metavar="ROOT", help="A dataset in that layout.")],
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Read every frame of a dataset and say what is broken; exits with 1 when something is."""
    _needed()
    from cleanplate.training import preparation

    with Bars(quiet) as bars:
        prepared = preparation.check(Path(root), bars)
        bars.note(prepared.text())
    if prepared.broken:
        raise typer.Exit(1)


def _needed() -> None:
    try:
        import torch  # noqa: F401
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "Datasets need torch, which is not installed; install it with: "
            "pip install 'cleanplate[train]'."
        ) from error
