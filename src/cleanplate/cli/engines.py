"""``cleanplate engines``: what there is, and whether it can run here."""

from __future__ import annotations

import dataclasses
import json as json_text
from typing import Annotated, Any

import typer

from cleanplate.cli import work

Settings = Annotated[bool, typer.Option("--settings", help="List the settings of each engine.")]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(engines)


def engines(settings: Settings = False, json: work.Json = False, debug: work.Debug = False) -> None:
    """List the engines: licence, requirements, and whether each can run here."""
    from cleanplate import registry

    rows = [
        _row(registry.find(task, name)) for task in registry.TASKS for name in registry.names(task)
    ]
    if json:
        print(json_text.dumps(rows, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("task", "engine", "runs here", "licence", "what it is for"):
        table.add_column(title, overflow="fold")
    for row in rows:
        licence = row["licence"] if row["commercial"] else f"{row['licence']}; not commercial"
        table.add_row(row["task"], row["name"], _here(row), licence, row["summary"])
    console = Console(highlight=False)
    console.print(table)
    if settings:
        for row in rows:
            for setting in row["settings"]:
                console.print(
                    f"--set {row['name']}.{setting['name']}={setting['default']}  {setting['help']}"
                )


def _here(row: dict[str, Any]) -> str:
    """Whether it runs here, or what it lacks."""
    from cleanplate.checkpoints import store
    from cleanplate.checkpoints.catalogue import unknown

    if row["fault"]:
        return "no"  # its summary says why
    if row["missing"]:
        return f"no: pip install 'cleanplate[{row['extra']}]'"
    groups = (row["checkpoints"], row["also"])
    strange = "".join(unknown(names) for names in groups)
    if strange:
        return f"no: {strange}"
    return "needs weights" if store.lacking(*groups) else "yes"


def _row(engine: Any) -> dict[str, Any]:
    from cleanplate import registry

    about = dataclasses.asdict(engine.about)
    fields = [
        {"name": field.name, "default": field.default, "help": field.metadata["help"]}
        for field in dataclasses.fields(engine.Settings)
    ]
    return about | {"missing": registry.missing(engine.about), "settings": fields}
