"""``cleanplate remove``: all three steps."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import parse_sets, with_settings
from cleanplate.cli.prompts import PromptCommand, numbered_prompts
from cleanplate.jobs.settings import EngineSettings, MaskSettings, RegionSettings, SpanSettings
from cleanplate.media.encoder_settings import EncoderSettings

Masks = Annotated[
    str | None,
    typer.Option("--masks", metavar="PATH", help="Ready masks for all frames, not prompts."),
]
SaveMasks = Annotated[
    str | None,
    typer.Option("--save-masks", metavar="PATH", help="Keep the masks: FILE.mkv, or FOLDER/."),
]


def register(app: typer.Typer) -> None:
    app.command(cls=PromptCommand)(remove)


@with_settings(EngineSettings, MaskSettings, SpanSettings, RegionSettings, EncoderSettings)
def remove(
    ctx: typer.Context,
    clip: work.Clip,
    out: work.Out,
    values: dict[str, Any],
    box: work.BoxOption = None,
    point: work.PointOption = None,
    not_point: work.NotPointOption = None,
    mask: work.MaskOption = None,
    object_id: work.ObjectOption = None,
    merge: work.MergeOption = False,
    masks: Masks = None,
    save_masks: SaveMasks = None,
    sets: work.Set = None,
    report: work.ReportFile = None,
    overwrite: work.Overwrite = False,
    quiet: work.Quiet = False,
    json: work.Json = False,
    debug: work.Debug = False,
) -> None:
    """Remove what you point at: outline it, follow it, paint the background back in.

    T is a frame (@120) or a time (@4.5s, @0:04.5); without it, the first frame.
    """
    from cleanplate import api

    prompts, fields = numbered_prompts(ctx, clip, values), parse_sets(sets)

    def run(progress: Any) -> Any:
        return api.remove(
            clip,
            out,
            *prompts,
            masks=masks,
            save_masks=save_masks,
            overwrite=overwrite,
            progress=progress,
            engine_settings=fields,
            **values,
        )

    work.show(run, report, quiet, json, overwrite, clip, out, masks, save_masks)
