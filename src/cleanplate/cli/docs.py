"""Writes docs/cli.md from the commands: ``python -m cleanplate.cli.docs [--check]``."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from cleanplate import registry
from cleanplate.cli import app

TARGET = Path("docs/cli.md")

_HEAD = """\
# The command line

Written by `scripts/write-cli-docs` from the commands themselves; do not edit.

Exit codes: 0 done, 1 something went wrong, 2 what was typed does not fit, 130 stopped with Ctrl-C.
An error is one sentence on stderr; `--debug` shows where it arose. A job that was stopped, or whose
machine went down, goes on when the same command is run again.

A moment T in a clip is a frame (`@120`) or a time from the first frame (`@4.5s`, `@0:04.5`).
Coordinates are pixels of the upright picture, x to the right, y down; a box's ends are exclusive.
"""


def text() -> str:
    """The whole page."""
    parts = [_HEAD]
    group: Any = typer.main.get_command(app)
    for name, command in _all_commands(group):
        parts.append(_command(name, command))
    parts.append("## Settings of engines\n\nGiven as `--set ENGINE.FIELD=VALUE`.\n")
    for task in registry.TASKS:
        parts.extend(_engine(registry.find(task, name)) for name in registry.names(task))
    return "\n".join(parts)


def _all_commands(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _all_commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _command(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = " ".join(argument.metavar or argument.name.upper() for argument in arguments)
    lines = [f"## cleanplate {name} {words}".rstrip(), "", command.help.strip(), ""]
    lines += ["| option | meaning | default |", "|---|---|---|"]
    for option in command.params:
        if option.param_type_name == "option" and option.name != "help":
            lines.append(_row(option))
    return "\n".join(lines) + "\n"


def _row(option: Any) -> str:
    flag = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.metavar and not option.is_flag:
        flag += f" `{option.metavar}`"
    default = option.default
    shown = "" if default in (None, False) or option.required else f"`{default}`"
    help_text = (option.help or "").replace("|", "\\|")
    return f"| {flag} | {help_text} | {'required' if option.required else shown} |"


def _engine(engine: Any) -> str:
    fields = dataclasses.fields(engine.Settings)
    about = engine.about
    lines = [f"### {about.name} ({about.task})", "", about.summary, ""]
    if fields:
        lines += ["| field | meaning | default |", "|---|---|---|"]
        lines += [
            f"| `{about.name}.{f.name}` | {f.metadata['help']} | `{f.default}` |" for f in fields
        ]
        lines.append("")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Write the page; with ``--check`` only say, by the exit code, whether it is current."""
    if "--check" not in arguments:
        TARGET.write_text(text(), encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text():
        return 0
    print(f"{TARGET} is not current; run scripts/write-cli-docs.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
