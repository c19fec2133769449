"""``cleanplate app``: the page in a browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cleanplate.cli import work
from cleanplate.errors import MissingDependencyError

Clip = Annotated[str | None, typer.Argument(metavar="CLIP", help="A clip to begin with.")]
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")]
Port = Annotated[
    int, typer.Option("--port", metavar="N", min=1, max=65535, help="Port to listen on.")
]
Folder = Annotated[
    str | None,
    typer.Option(
        "--folder",
        metavar="FOLDER",
        help="Where projects are kept; by default CLEANPLATE_FOLDER, or cleanplate in your home.",
    ),
]
MaxUpload = Annotated[
    str,
    typer.Option("--max-upload", metavar="SIZE", help="Largest file that a browser may send."),
]
KeepDays = Annotated[
    int,
    typer.Option(
        "--keep-days",
        metavar="N",
        min=0,
        help="Delete projects that nobody has opened for this many days; 0 keeps them.",
    ),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("app")(app_command)


def app_command(
    clip: Clip = None,
    host: Host = "127.0.0.1",
    port: Port = 7860,
    folder: Folder = None,
    max_upload: MaxUpload = "4GiB",
    keep_days: KeepDays = 0,
    no_browser: NoBrowser = False,
    debug: work.Debug = False,
) -> None:
    """Open the app in a browser: pick, track, remove.

    Only this computer can reach it. To let others in, give --host and set CLEANPLATE_PASSWORD.
    """
    print("cleanplate is starting ...", flush=True)
    try:
        from cleanplate.app.server.server import serve
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"The app needs {error.name}; install it with: pip install 'cleanplate[app]'."
        ) from error
    from cleanplate.app.server.options import (
        PASSWORD,
        Options,
        default_folder,
        names_from_environment,
    )
    from cleanplate.settings.amounts import parse_bytes

    options = Options(
        folder=(Path(folder) if folder else default_folder()).expanduser().resolve(),
        host=host,
        port=port,
        max_upload=parse_bytes(max_upload),
        password=os.environ.get(PASSWORD, ""),
        names=names_from_environment(),
        keep_days=keep_days,
        spare=True,
    )
    serve(options, clip, not no_browser, lambda address: print(f"cleanplate is at {address}"))
