"""``cleanplate segment``: one frame's mask."""

from __future__ import annotations

import json as json_text
from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import parse_sets
from cleanplate.cli.prompts import PromptCommand, prompts_of

Segmenter = Annotated[
    str, typer.Option("--segmenter", metavar="NAME", help="Engine that outlines.")
]
Device = Annotated[
    str, typer.Option("--device", metavar="TEXT", help="Where to compute: auto, cpu, cuda or mps.")
]


def register(app: typer.Typer) -> None:
    app.command(cls=PromptCommand)(segment)


def segment(
    ctx: typer.Context,
    clip: work.Clip,
    out: work.Out,
    box: work.BoxOption = None,
    point: work.PointOption = None,
    not_point: work.NotPointOption = None,
    mask: work.MaskOption = None,
    object_id: work.ObjectOption = None,
    segmenter: Segmenter = "grabcut",
    device: Device = "auto",
    sets: work.Set = None,
    overwrite: work.Overwrite = False,
    quiet: work.Quiet = False,
    json: work.Json = False,
    debug: work.Debug = False,
) -> None:
    """Outline what you point at in one frame and write the mask as a PNG.

    T is a frame (@120) or a time (@4.5s, @0:04.5); without it, the first frame. The PNG has a
    palette; the value of a pixel is the object's id.
    """
    from cleanplate import api

    found = api.segment(
        clip,
        *prompts_of(ctx),
        out=out,
        overwrite=overwrite,
        segmenter=segmenter,
        device=device,
        engine_settings=parse_sets(sets),
    )
    said: dict[str, Any] = {
        str(object_id): {
            "confidence": round(float(candidates.confidences[0]), 3),
            "pixels": int(candidates.masks[0].sum()),
            "candidates": len(candidates.masks),
        }
        for object_id, candidates in found.items()
    }
    if json:
        print(json_text.dumps({"output": out, "objects": said}, indent=1))
    elif not quiet:
        for number, one in said.items():
            typer.echo(
                f"Object {number}: {one['pixels']} px, confidence {one['confidence']:.2f}, "
                f"best of {one['candidates']}",
                err=True,
            )
        typer.echo(out, err=True)
