"""``cleanplate inpaint``: fill what ready masks cover."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.prompts import number_span
from cleanplate.cli.options import parse_sets, with_settings
from cleanplate.jobs.settings import EngineSettings, MaskSettings, RegionSettings, SpanSettings
from cleanplate.media.encoder_settings import EncoderSettings

Masks = Annotated[
    str,
    typer.Option(
        "--masks",
        metavar="PATH",
        help="A mask track, a folder of PNGs, a PNG for all frames, a video, or an .npz.",
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(inpaint)


@with_settings(EngineSettings, MaskSettings, SpanSettings, RegionSettings, EncoderSettings)
def inpaint(
    clip: work.Clip,
    masks: Masks,
    out: work.Out,
    values: dict[str, Any],
    sets: work.Set = None,
    report: work.ReportFile = None,
    overwrite: work.Overwrite = False,
    quiet: work.Quiet = False,
    json: work.Json = False,
    debug: work.Debug = False,
) -> None:
    """Fill what the masks cover, exactly: nothing outside them changes. --grow PX widens them."""
    from cleanplate import api

    fields = parse_sets(sets)
    number_span(clip, values)

    def run(progress: Any) -> Any:
        return api.inpaint(
            clip,
            out,
            masks,
            overwrite=overwrite,
            progress=progress,
            engine_settings=fields,
            **values,
        )

    work.show(run, report, quiet, json, overwrite, clip, out, masks)
