"""The command line: ``cleanplate COMMAND``. One file a command.

Exit codes: 0 done, 1 what went wrong, 2 what the user typed, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback

import typer

from cleanplate.errors import CancelledError, CleanplateError, InputError

_COMMANDS = (
    *("remove", "segment", "track", "inpaint"),
    *("info", "compare", "evaluate", "engines", "demo"),
)

app = typer.Typer(
    name="cleanplate",
    help="Remove things from video: point at it, it is followed and painted over.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _name in _COMMANDS:
    importlib.import_module(f"cleanplate.cli.{_name}").register(app)


@app.callback(invoke_without_command=True)
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("cleanplate"))
        raise typer.Exit


def main() -> None:
    """Entry point of the program ``cleanplate``."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    code = 0
    try:
        app([one for one in arguments if one != "--debug"])
    except SystemExit as stop:  # typer's own: usage errors are 2
        code = stop.code if isinstance(stop.code, int) else 1
    except (KeyboardInterrupt, CancelledError):
        code = 130
        _say("Stopped. What is finished is kept: run the same command again to go on.", debug)
    except CleanplateError as error:
        code = 2 if isinstance(error, InputError) else 1
        _say(f"Error: {error}", debug)
    except OSError as error:
        code = 1
        _say(f"Error: {error.strerror or error}: {error.filename or ''}".rstrip(": "), debug)
    sys.stdout.flush()
    sys.stderr.flush()
    if code == 130:
        # A thread in the middle of a long computation would hold the program up for seconds.
        os._exit(code)
    sys.exit(code)


def _say(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(message, file=sys.stderr)
