"""``cleanplate restore``: damage of film and tape, found and filled."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import with_settings
from cleanplate.cli.prompts import number_span
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.settings.groups import EngineSettings, MaskSettings, RegionSettings, SpanSettings
from cleanplate.settings.restoration import RestorationSettings

DetectOnly = Annotated[
    bool,
    typer.Option(
        "--detect-only", help="Only find it, and write its masks to OUT: FILE.mkv, or FOLDER/."
    ),
]
Masks = Annotated[
    str | None,
    typer.Option(
        "--masks", metavar="PATH", help="What to repair: masks of --detect-only, corrected."
    ),
]
SaveMasks = Annotated[
    str | None,
    typer.Option("--save-masks", metavar="PATH", help="Keep the masks: FILE.mkv, or FOLDER/."),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(restore)


@with_settings(
    *(RestorationSettings, EngineSettings, MaskSettings, SpanSettings, RegionSettings),
    EncoderSettings,
)
def restore(
    clip: work.Clip,
    out: work.Out,
    options: work.JobOptions,
    values: dict[str, Any],
    detect_only: DetectOnly = False,
    masks: Masks = None,
    save_masks: SaveMasks = None,
) -> None:
    """Find dirt, scratches and drop-outs of film and tape, and fill them from other frames.

    Look first: --detect-only writes masks; erase in them what is no damage, and give them back
    with --masks. Every pixel that is not masked stays as it is.
    """
    from cleanplate import api
    from cleanplate.errors import InputError

    number_span(clip, values)
    if detect_only and (masks or save_masks):
        raise InputError("--detect-only writes masks to OUT; leave out --masks and --save-masks.")

    def run(progress: Any) -> Any:
        shared: dict[str, Any] = {"overwrite": options.overwrite, "progress": progress}
        if detect_only:
            return api.detect_damage(clip, out, **shared, **values)
        return api.restore(
            clip,
            out,
            masks=masks,
            save_masks=save_masks,
            engine_settings=options.engine_settings,
            **shared,
            **values,
        )

    work.show(run, options, clip, out, masks, save_masks)
