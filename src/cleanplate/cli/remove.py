"""``cleanplate remove``: all three steps."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import with_settings
from cleanplate.cli.prompts import PromptCommand, numbered_prompts
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.settings.groups import (
    AttachedSettings,
    EngineSettings,
    MaskSettings,
    RegionSettings,
    SpanSettings,
)

Masks = Annotated[
    str | None,
    typer.Option("--masks", metavar="PATH", help="Ready masks for all frames, not prompts."),
]
SaveMasks = Annotated[
    str | None,
    typer.Option("--save-masks", metavar="PATH", help="Keep the masks: FILE.mkv, or FOLDER/."),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(cls=PromptCommand)(remove)


@with_settings(
    *(EngineSettings, MaskSettings, AttachedSettings, SpanSettings, RegionSettings),
    EncoderSettings,
)
def remove(
    ctx: typer.Context,
    clip: work.Clip,
    out: work.Out,
    pointing: work.PromptOptions,
    options: work.JobOptions,
    values: dict[str, Any],
    masks: Masks = None,
    save_masks: SaveMasks = None,
) -> None:
    """Remove what you point at: outline it, track it, paint the background back in.

    T is a frame (@120) or a time (@4.5s, @0:04.5); without it, the first frame.
    """
    from cleanplate import api

    prompts = numbered_prompts(ctx, clip, values)

    def run(progress: Any) -> Any:
        return api.remove(
            clip,
            out,
            *prompts,
            masks=masks,
            save_masks=save_masks,
            overwrite=options.overwrite,
            progress=progress,
            engine_settings=options.engine_settings,
            **values,
        )

    work.show(run, options, clip, out, masks, save_masks)
