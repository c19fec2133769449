"""``cleanplate segment``: one frame's mask."""

from __future__ import annotations

import json as json_text
from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import parse_sets, with_settings
from cleanplate.cli.prompts import PromptCommand, numbered_prompts, prompts_of, typed_moment
from cleanplate.errors import InputError

Segmenter = Annotated[
    str | None,
    typer.Option(
        "--segmenter", metavar="NAME", help="Engine that outlines: grabcut; with --all sam_hq."
    ),
]
Device = Annotated[
    str, typer.Option("--device", metavar="TEXT", help="Where to compute: auto, cpu, cuda or mps.")
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(cls=PromptCommand)(segment)


@with_settings()
def segment(
    ctx: typer.Context,
    clip: work.Clip,
    out: work.Out,
    pointing: work.PromptOptions,
    options: work.OutputOptions,
    every: Annotated[bool, typer.Option("--all", help="Outline all things in the frame.")] = False,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="T",
            help="The frame to look at with --all: @120, 4.5s, 0:04.5; by default the first.",
        ),
    ] = None,
    preview: Annotated[
        str | None,
        typer.Option(metavar="FILE.png", help="With --all, the frame with the masks in colours."),
    ] = None,
    segmenter: Segmenter = None,
    device: Device = "auto",
    sets: work.Set = None,
) -> None:
    """Outline what you point at in one frame and write the mask as a PNG.

    T is a frame (@120) or a time (@4.5s, @0:04.5); without it, the first frame. The PNG has a
    palette; the value of a pixel is the object's id. With --all nothing is pointed at: each thing
    in the frame gets a number, the largest 1; OUT may end in .json then, for COCO's records.
    """
    from cleanplate import api

    if every:
        if prompts := prompts_of(ctx):
            raise InputError(f"--all outlines everything; leave the {len(prompts)} prompts out.")
        things = api.segment_all(
            clip,
            at=0 if at is None else typed_moment(clip, at),
            out=out,
            preview=preview,
            overwrite=options.overwrite,
            segmenter=segmenter or api.EVERYTHING,
            device=device,
            engine_settings=parse_sets(sets),
        )
        if options.json:
            print(json_text.dumps([thing.record() for thing in things], indent=1))
        elif not options.quiet:
            typer.echo(f"{len(things)} things: {out}", err=True)
        return
    candidates_of = api.segment(
        clip,
        *numbered_prompts(ctx, clip),
        out=out,
        overwrite=options.overwrite,
        segmenter=segmenter or "grabcut",
        device=device,
        engine_settings=parse_sets(sets),
    )
    said: dict[str, Any] = {
        str(object_id): {
            "confidence": round(float(candidates.confidences[0]), 3),
            "pixels": int(candidates.masks[0].sum()),
            "candidates": len(candidates.masks),
        }
        for object_id, candidates in candidates_of.items()
    }
    if options.json:
        print(json_text.dumps({"output": out, "objects": said}, indent=1))
    elif not options.quiet:
        for number, outline in said.items():
            typer.echo(
                f"Object {number}: {outline['pixels']} px, confidence {outline['confidence']:.2f}, "
                f"best of {outline['candidates']}",
                err=True,
            )
        typer.echo(out, err=True)
