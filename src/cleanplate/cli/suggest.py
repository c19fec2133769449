"""``cleanplate suggest``: burned-in logos, captions and watermarks, proposed."""

from __future__ import annotations

import dataclasses
import json as json_text
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import with_settings

if TYPE_CHECKING:
    from cleanplate.suggestions.overlays import Suggested
    from cleanplate.types import Suggestion

Out = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--out",
        metavar="OUT",
        help="Write masks: OUT.png for all together, OUT/ for a PNG each.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(suggest)


Report = Annotated[
    str | None,
    typer.Option(
        "--report",
        metavar="FOLDER",
        help="CLIP is a folder or a glob of clips: write a page and orders for batch.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option("--address", metavar="HOST:PORT", help="With --report: a Ray cluster."),
]


@with_settings()
def suggest(
    clip: work.Clip,
    options: work.OutputOptions,
    out: Out = None,
    report: Report = None,
    address: Address = None,
) -> None:
    """Find burned-in logos, captions and watermarks, and propose boxes for them.

    Look at them, then give the boxes to remove with --static. With --report, many clips are
    looked at.
    """
    if report is not None:
        _suggest_all(clip, report, address, options)
        return
    from pathlib import Path

    from cleanplate.cli.show import Bars
    from cleanplate.errors import InputError
    from cleanplate.suggestions.overlays import look

    if out is not None and Path(out).exists() and not options.overwrite:
        raise InputError(f"{out} exists; add --overwrite to replace it, or give another name.")
    with Bars(options.quiet or options.json) as bars:
        suggested = look(clip, bars)
    if out is not None and suggested.overlays:
        _write(out, suggested.overlays)
    if options.json:
        print(json_text.dumps(_plain(suggested), indent=1))
        return
    for overlay in suggested.overlays:
        box = f"{overlay.box.x0},{overlay.box.y0},{overlay.box.x1},{overlay.box.y1}"
        typer.echo(
            f"{overlay.kind:<8} --box {box} frames {overlay.start} to {overlay.stop - 1}, "
            f"confidence {overlay.confidence:.2f}"
        )
    if not options.quiet:
        for note in _notes(suggested):
            typer.echo(note, err=True)


def _suggest_all(clips: str, report: str, address: str | None, options: work.OutputOptions) -> None:
    from pathlib import Path

    from cleanplate.cli.batch import check_ray

    check_ray("cleanplate suggest --report")
    from cleanplate.batch.executor import ClusterExecutor
    from cleanplate.batch.orders import orders_from
    from cleanplate.batch.run import batch_of
    from cleanplate.batch.suggesting import suggest_all
    from cleanplate.cli.show import Bars

    orders = orders_from(clips, suggest=True)
    orders.checked()
    scratch = batch_of(report).scratch
    with Bars(options.quiet or options.json) as bars:
        pool = ClusterExecutor(address)
        found = suggest_all(orders, Path(report), pool, scratch, bars)
    if options.json:
        typer.echo((Path(report) / "suggestions.json").read_text(encoding="utf-8"))
        return
    for each in found:
        boxes = [f"{o['kind']} {','.join(map(str, o['box']))}" for o in each["overlays"]]
        typer.echo(f"{each['clip']}: {each.get('fault') or '; '.join(boxes) or 'nothing'}")
    if not options.quiet:
        typer.echo(str(Path(report) / "suggestions.html"), err=True)


def _notes(suggested: Suggested) -> list[str]:
    notes = [] if suggested.overlays else ["Nothing was found that stays while the rest moves."]
    if suggested.still:
        spans = ", ".join(f"{start} to {stop - 1}" for start, stop in suggested.still)
        notes.append(f"The camera hardly moves in frames {spans}: overlays there may be missed.")
    return notes


def _plain(suggested: Suggested) -> dict[str, Any]:
    overlays = []
    for overlay in suggested.overlays:
        plain = {
            f.name: getattr(overlay, f.name)
            for f in dataclasses.fields(overlay)
            if f.name != "mask"
        }
        box = overlay.box
        overlays.append(plain | {"box": [box.x0, box.y0, box.x1, box.y1]})
    return {"overlays": overlays, "still": [list(span) for span in suggested.still]}


def _write(out: str, overlays: tuple[Suggestion, ...]) -> None:
    from pathlib import Path

    import numpy as np

    from cleanplate.media.mask_writing import write_mask_image

    if not out.endswith("/"):
        together = np.zeros(overlays[0].mask.shape, np.uint8)
        for number, overlay in enumerate(overlays[:255], 1):
            together[overlay.mask] = number
        write_mask_image(Path(out), together)
        return
    Path(out).mkdir(parents=True, exist_ok=True)
    for number, overlay in enumerate(overlays, 1):
        write_mask_image(
            Path(out) / f"{number:02d}-{overlay.kind}.png", overlay.mask.astype(np.uint8)
        )
