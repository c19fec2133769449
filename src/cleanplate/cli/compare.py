"""``cleanplate compare``: look at what was done."""

from __future__ import annotations

from typing import Annotated

import typer

from cleanplate.cli import work

Before = Annotated[str, typer.Argument(metavar="BEFORE", help="The source clip.")]
After = Annotated[str, typer.Argument(metavar="AFTER", help="The clean clip.")]
Masks = Annotated[
    str | None,
    typer.Option(
        "--masks", metavar="M", help="Masks of what was removed; by default, what changed."
    ),
]
Out = Annotated[str, typer.Option("-o", "--out", metavar="SHEET.png|WIPE.mp4")]
Most = Annotated[int, typer.Option("--frames", metavar="N", help="Frames on the sheet.", min=1)]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(compare)


def compare(
    before: Before,
    after: After,
    out: Out,
    masks: Masks = None,
    frames: Most = 8,
    overwrite: work.Overwrite = False,
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Show before and after side by side, the most suspect frames first, or as a wipe."""
    from pathlib import Path

    from cleanplate.evaluation.compare import write_comparison
    from cleanplate.files.publish import check_target

    given = None if masks is None else Path(masks)
    sources = [Path(path) for path in (before, after, masks) if path is not None]
    check_target(Path(out), overwrite, *sources)
    ranked = write_comparison(Path(before), Path(after), given, Path(out), frames)
    if not quiet:
        listed = ", ".join(str(frame.index) for frame in ranked[:frames])
        typer.echo(f"{out}: look first at frames {listed}", err=True)
