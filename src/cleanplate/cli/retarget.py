"""``cleanplate retarget``: a clip in another shape."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import with_settings
from cleanplate.cli.prompts import PromptCommand, numbered_prompts
from cleanplate.errors import InputError
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.settings.groups import EngineSettings, MaskSettings, SpanSettings
from cleanplate.settings.retarget import RetargetSettings
from cleanplate.types import MAX_OBJECT_ID

Aspect = Annotated[
    str | None, typer.Option("--aspect", metavar="W:H", help="The shape, as seen: 9:16, 1:1, 4:5.")
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="WxH",
        help="Scale to this size (1080x1920); by default what is cut out is not scaled.",
    ),
]
Keep = Annotated[
    str | None,
    typer.Option(
        "--keep",
        metavar="N[,N]",
        help="Objects that come before all others, in this order; by default they count in the "
        "order of their numbers. One is kept whole before the next counts.",
    ),
]
PathFile = Annotated[
    str | None,
    typer.Option(
        "--path",
        metavar="FILE.json",
        help="The crop of each frame: a file that exists is followed and left as it is; otherwise "
        "the crop is worked out and written there.",
    ),
]
SavePath = Annotated[
    str | None,
    typer.Option(
        "--save-path", metavar="FILE.json", help="Write the crop of each frame, whatever --path is."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(cls=PromptCommand)(retarget)


@with_settings(EngineSettings, RetargetSettings, MaskSettings, SpanSettings, EncoderSettings)
def retarget(
    ctx: typer.Context,
    clip: work.Clip,
    out: work.Out,
    pointing: work.PromptOptions,
    options: work.JobOptions,
    values: dict[str, Any],
    aspect: Aspect = None,
    size: Size = None,
    keep: Keep = None,
    path: PathFile = None,
    save_path: SavePath = None,
) -> None:
    """Bring a clip into another shape: a crop follows what you point at, or what moves.

    T is a frame (@120) or a time (@4.5s, @0:04.5); without it, the first frame.
    """
    from cleanplate import api

    prompts = numbered_prompts(ctx, clip, values)
    followed, saved = path, save_path
    if path is not None and not Path(path).exists():
        if save_path is not None:
            raise InputError(f"There is no file {path} to follow; check the name.")
        followed, saved = None, path

    def run(progress: Any) -> Any:
        return api.retarget(
            clip,
            out,
            *prompts,
            aspect=aspect,
            size=size,
            keep=_numbers(keep),
            path=followed,
            save_path=saved,
            overwrite=options.overwrite,
            progress=progress,
            engine_settings=options.engine_settings,
            **values,
        )

    work.show(run, options, clip, out, followed, saved)


def _numbers(text: str | None) -> list[int]:
    numbers = [] if text is None else [part.strip() for part in text.split(",")]
    for number in numbers:
        if not (number.isdecimal() and 1 <= int(number) <= MAX_OBJECT_ID):
            raise InputError(f"--keep {text} is not of the form N[,N] with objects' numbers.")
    return [int(number) for number in numbers]
