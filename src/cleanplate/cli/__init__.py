"""The command line: ``cleanplate COMMAND``. One file a command.

Exit codes: 0 done, 1 what went wrong, 2 what the user typed, 130 stopped with Ctrl-C.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import typer

from cleanplate.errors import CancelledError, CleanplateError, InputError

_COMMANDS = (
    *("remove", "segment", "suggest", "track", "inpaint", "restore", "retarget", "batch"),
    *("live", "project", "app", "info", "compare", "evaluate", "data", "train"),
    *("engines", "weights", "demo"),
)
# Before ``app`` is bound: the module of a command has that name too.
_MODULES = [importlib.import_module(f"cleanplate.cli.{name}") for name in _COMMANDS]

_STOPPED = 130  # as shells say it
# The root of typer's usage errors, which it does not export.
_UsageError: Any = typer.BadParameter.__mro__[1]

app = typer.Typer(
    name="cleanplate",
    help="Remove things from video: point at one, and it is tracked and painted over.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for _module in _MODULES:
    _module.register(app)


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
        given = [argument for argument in arguments if argument != "--debug"]
        code = app(given, standalone_mode=False) or 0
        sys.stdout.flush()
    except (KeyboardInterrupt, CancelledError):
        code = _STOPPED
        _say("Stopped. What is finished is kept: run the same command again to go on.", debug)
    except BrokenPipeError:
        code = 1  # whoever read the output has gone: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except Exception as error:  # noqa: BLE001  the last door: a person gets a sentence, not a trace
        code, sentence = _sentence(error)
        _say(sentence, debug)
    sys.stderr.flush()
    if code == _STOPPED:
        # A thread in the middle of a long computation would hold the program up for seconds.
        os._exit(code)
    sys.exit(code)


def _sentence(error: Exception) -> tuple[int, str]:
    """The exit code of an error, and what a person is told."""
    if isinstance(error, _UsageError):
        return _usage(error)
    if isinstance(error, CleanplateError):
        return 2 if isinstance(error, InputError) else 1, f"Error: {error}"
    if isinstance(error, OSError):
        return 1, f"Error: {error.strerror or error}: {error.filename or ''}".rstrip(": ")
    return 1, (
        f"Error: cleanplate met what it did not expect ({type(error).__name__}: {error}); it is a "
        "defect: please report it with what --debug shows."
    )


def _usage(error: Any) -> tuple[int, str]:
    if type(error).__name__ == "NoArgsIsHelpError":
        return 2, error.ctx.get_help()  # typer's prints by itself and returns nothing
    command = error.ctx.command_path if error.ctx is not None else "cleanplate"
    return 2, f"Error: {error.format_message().rstrip('.')}; see {command} --help."


def _say(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    if message:
        print(message, file=sys.stderr)
