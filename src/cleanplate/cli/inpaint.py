"""``cleanplate inpaint``: fill what ready masks cover."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import with_settings
from cleanplate.cli.prompts import number_span
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.settings.groups import EngineSettings, MaskSettings, RegionSettings, SpanSettings

Masks = Annotated[
    str,
    typer.Option(
        "--masks",
        metavar="PATH",
        help="A mask track, a folder of PNGs, a PNG for all frames, a video, or an .npz.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command()(inpaint)


@with_settings(EngineSettings, MaskSettings, SpanSettings, RegionSettings, EncoderSettings)
def inpaint(
    clip: work.Clip,
    masks: Masks,
    out: work.Out,
    options: work.JobOptions,
    values: dict[str, Any],
) -> None:
    """Fill exactly what the masks cover; nothing outside them changes. --grow PX widens them."""
    from cleanplate import api

    number_span(clip, values)

    def run(progress: Any) -> Any:
        return api.inpaint(
            clip,
            out,
            masks,
            overwrite=options.overwrite,
            progress=progress,
            engine_settings=options.engine_settings,
            **values,
        )

    work.show(run, options, clip, out, masks)
