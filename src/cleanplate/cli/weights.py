"""``cleanplate weights``: list, fetch, import, export and remove checkpoints."""

from __future__ import annotations

import dataclasses
import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cleanplate.cli import work
from cleanplate.errors import InputError

if TYPE_CHECKING:
    from cleanplate.checkpoints import Checkpoint

Name = Annotated[str, typer.Argument(help="Name of a checkpoint, as cleanplate weights lists it.")]
Yes = Annotated[bool, typer.Option("--yes", help="Agree to the licence without being asked.")]

commands = typer.Typer(
    help="Weights of the learned engines: list, fetch, import, export, remove.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="weights")


@commands.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_all()


@commands.command("list")
def list_all(json: work.Json = False, debug: work.Debug = False) -> None:
    """List all checkpoints: licence, whether each is here, and where to get it."""
    from cleanplate.checkpoints import all_checkpoints, store
    from cleanplate.checkpoints.catalogue import faults

    if json:
        rows = [
            dataclasses.asdict(checkpoint)
            | {"here": store.is_here(checkpoint.name), "path": str(store.path_of(checkpoint.name))}
            | {"added": store.record(checkpoint.name)}
            for checkpoint in all_checkpoints()
        ]
        print(json_text.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("checkpoint", "here", "licence", "commercial use", "how to get it"):
        table.add_column(title)
    for checkpoint in all_checkpoints():
        path = store.path_of(checkpoint.name)
        table.add_row(
            checkpoint.name,
            f"{path.stat().st_size / 1e6:.0f} MB" if path.is_file() else "no",
            store.record(checkpoint.name).get("licence", checkpoint.licence),
            "yes" if checkpoint.commercial else "no",
            "fetch" if checkpoint.url else "browser, then import",
        )
    console = Console(highlight=False)
    console.print(table)
    for checkpoint in all_checkpoints():
        if not checkpoint.url and not store.is_here(checkpoint.name):
            console.print(
                f"{checkpoint.name}: {checkpoint.file}, linked from {checkpoint.page}",
                soft_wrap=True,
            )
    for fault in faults():
        console.print(fault, soft_wrap=True)
    console.print(
        f"They are kept in {store.folder()} (set {store.PLACE} for another place).", soft_wrap=True
    )


@commands.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            help="Name of a checkpoint, as cleanplate weights lists it; without one, those that "
            "most people gain from.",
            show_default=False,
        ),
    ] = "",
    yes: Yes = False,
    url: Annotated[
        str, typer.Option("--url", help="Fetch from this https address, such as a mirror.")
    ] = "",
    debug: work.Debug = False,
) -> None:
    """Download weights, verified; a broken download resumes where it stopped."""
    from cleanplate.checkpoints import find, store

    if not name:
        if url:
            raise InputError(f"Name the checkpoint that {url} holds, before --url.")
        _fetch_recommended(yes)
        return
    checkpoint = find(name)
    if store.is_here(name):
        print(f"{name} is here already: {store.path_of(name)}")
        return
    if not checkpoint.url and not url:
        raise InputError(store.how_to_get(checkpoint))
    _agree(checkpoint, yes)
    _download(checkpoint, url)


def _fetch_recommended(yes: bool) -> None:
    """Offer what most people gain from, all of it with one answer."""
    from rich.console import Console
    from rich.table import Table

    from cleanplate.checkpoints import find, store
    from cleanplate.checkpoints.catalogue import RECOMMENDED

    lacking = [find(name) for name in RECOMMENDED if not store.is_here(name)]
    if not lacking:
        print(f"All that is recommended is here: {', '.join(RECOMMENDED)}.")
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("checkpoint", "what for", "size", "commercial use", "licence"):
        table.add_column(title, overflow="fold")
    for checkpoint in lacking:
        size = "not stated" if checkpoint.size is None else f"{checkpoint.size / 1e6:.0f} MB"
        use = "yes" if checkpoint.commercial else "no"
        table.add_row(checkpoint.name, RECOMMENDED[checkpoint.name], size, use, checkpoint.licence)
    Console(highlight=False).print(table)
    if not yes:
        if not sys.stdin.isatty():
            raise InputError("Nothing was fetched: add --yes to get these and agree to the terms.")
        if not typer.confirm("Get them, and agree to their licences?"):
            raise InputError("Nothing was done: the answer was no.")
    for checkpoint in lacking:
        store.agree(checkpoint)
        _download(checkpoint)


def _download(checkpoint: Checkpoint, url: str = "") -> None:
    from rich import progress as shown

    from cleanplate.checkpoints import fetch as fetching

    name = checkpoint.name
    columns = (
        *(shown.TextColumn(name), shown.BarColumn(), shown.DownloadColumn()),
        *(shown.TransferSpeedColumn(), shown.TimeRemainingColumn()),
    )
    with shown.Progress(*columns, transient=True) as bar:
        task = bar.add_task(name, total=checkpoint.size)
        path = fetching.fetch(
            checkpoint,
            url=url,
            progress=lambda here, total: bar.update(task, completed=here, total=total),
        )
    if path.stem != name:
        print(f"By its keys, what came is not {name} but {path.stem}, and is kept as that.")
    print(f"{path.stem} is here: {path}")


@commands.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="A weights file, whatever its name.")],
    name: Annotated[
        str, typer.Option("--name", help="Which checkpoint it is, if its keys do not tell.")
    ] = "",
    yes: Yes = False,
    debug: work.Debug = False,
) -> None:
    """Import a file that you downloaded or trained: it is recognised, checked and copied."""
    from cleanplate.checkpoints import store

    card = store.trained_card(file)
    checkpoint = store.identify(file, name or (card["network"] if card else ""))
    licence = store.own_licence(card)
    if not licence:
        _agree(checkpoint, yes)
    path = store.add(file, checkpoint, source=file.name, licence=licence)
    print(f"{file} is {checkpoint.name}: copied to {path}")


@commands.command()
def export(
    name: Name,
    target: Annotated[Path, typer.Argument(help="File to write, ending in .safetensors.")],
    overwrite: work.Overwrite = False,
    debug: work.Debug = False,
) -> None:
    """Write a checkpoint as .safetensors, which other programs read without running code."""
    from cleanplate.checkpoints import find, store

    store.export(find(name).name, target, overwrite)
    print(f"{name} is written to {target}")


@commands.command()
def remove(name: Name, debug: work.Debug = False) -> None:
    """Delete a checkpoint from this machine."""
    from cleanplate.checkpoints import find, store

    size = store.remove(find(name).name)
    print(f"{name} is removed: {size / 1e6:.0f} MB freed.")


def _agree(checkpoint: Checkpoint, yes: bool) -> None:
    """Show the licence; go on when it was agreed to, now or before."""
    from cleanplate.checkpoints import store

    if store.licence_key(checkpoint) in store.agreed():
        return
    use = "allows" if checkpoint.commercial else "does NOT allow"
    print(
        f"{checkpoint.name}: licence of the weights: {checkpoint.licence}; it {use} commercial "
        f"use. Terms: {checkpoint.page}"
    )
    if not yes:
        if not sys.stdin.isatty():
            raise InputError("The licence must be agreed to; add --yes if you do.")
        if not typer.confirm("Do you agree?"):
            raise InputError("Nothing was done: the licence was not agreed to.")
    store.agree(checkpoint)
