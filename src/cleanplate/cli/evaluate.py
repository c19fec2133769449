"""``cleanplate evaluate inpaint`` and ``cleanplate evaluate track``: figures from one command."""

from __future__ import annotations

import json as json_text
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import parse_sets
from cleanplate.errors import InputError

if TYPE_CHECKING:
    from cleanplate.protocols import Task
    from cleanplate.settings.groups import EngineSettings

group = typer.Typer(no_args_is_help=True, help="Measure an engine, or another program's results.")

Data = Annotated[str, typer.Argument(metavar="DATA", help="Root of a dataset; docs/evaluation.md.")]
Out = Annotated[str, typer.Option("-o", "--out", metavar="FOLDER/", help="Where the report goes.")]
Videos = Annotated[
    list[str] | None, typer.Option("--video", metavar="NAME", help="Only this clip; repeatable.")
]
Most = Annotated[
    int | None, typer.Option("--frames", metavar="N", help="Only the first N of a clip.", min=1)
]
Results = Annotated[
    str | None,
    typer.Option("--results", metavar="DIR", help="Score what another program wrote instead."),
]
Save = Annotated[
    str | None, typer.Option("--save-results", metavar="DIR", help="Keep every frame as PNG.")
]
Jobs = Annotated[int, typer.Option("--jobs", metavar="N", help="Clips at once.", min=1)]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        help="Clips at once on a Ray cluster, which sees DATA at the same path.",
    ),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(group, name="evaluate")


@group.command()
def inpaint(
    data: Data,
    out: Out,
    inpainter: Annotated[str, typer.Option(metavar="NAME", help="The engine.")] = "flowfill",
    masks: Annotated[
        str, typer.Option(help="dataset (those that come with it), stationary or moving.")
    ] = "dataset",
    seed: Annotated[int, typer.Option(help="Seed of generated masks.")] = 0,
    share: Annotated[
        float, typer.Option(help="Share of the picture under generated masks.", min=0.001, max=0.9)
    ] = 0.05,
    dilate: Annotated[
        int | None, typer.Option(help="Rounds of dilation; 4 for a dataset's masks, else 0.")
    ] = None,
    size: Annotated[str, typer.Option(metavar="WxH", help="Size to evaluate at.")] = "432x240",
    i3d: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="For VFID; unset: the one of cleanplate weights, if here."
        ),
    ] = None,
    video: Videos = None,
    frames: Most = None,
    results: Results = None,
    save_results: Save = None,
    jobs: Jobs = 1,
    address: Address = None,
    device: Device = "auto",
    seed_of_engine: Annotated[int, typer.Option(help="Seed of the engine.")] = 0,
    sets: work.Set = None,
    quiet: work.Quiet = False,
    json: work.Json = False,
    debug: work.Debug = False,
) -> None:
    """PSNR, SSIM, VFID, E_warp, and inside the hole: PSNR, seam, flicker; seconds and memory."""
    from cleanplate.evaluation.inpainting import InpaintingOrder, videos_of
    from cleanplate.evaluation.runner import evaluate_inpainting
    from cleanplate.settings.groups import EngineSettings

    width, height = _size(size)
    order = InpaintingOrder(
        inpainter=inpainter,
        settings=parse_sets(sets).get(inpainter, {}),
        engines=EngineSettings(device=device, seed=seed_of_engine),
        masks=masks,
        seed=seed,
        share=share,
        dilate=dilate,
        width=width,
        height=height,
        most=frames,
        results=_path(results),
        save=_path(save_results),
        i3d=_path(i3d) or _kept("i3d"),
    )
    chosen = videos_of(Path(data), order, video)
    pool = _pool(address, "inpaint", inpainter, order.engines)

    def run(bars: Any) -> Any:
        return evaluate_inpainting(chosen, order, Path(out), jobs, bars, pool)

    _show(run, out, quiet, json)


@group.command()
def track(
    data: Data,
    out: Out,
    tracker: Annotated[str, typer.Option(metavar="NAME", help="The engine.")] = "planar",
    video: Videos = None,
    frames: Most = None,
    results: Results = None,
    save_results: Save = None,
    jobs: Jobs = 1,
    address: Address = None,
    device: Device = "auto",
    sets: work.Set = None,
    quiet: work.Quiet = False,
    json: work.Json = False,
    debug: work.Debug = False,
) -> None:
    """J, F and J&F with mean, recall and decay, as DAVIS 2017 has them; time to be found again."""
    from cleanplate.evaluation.datasets import find_videos
    from cleanplate.evaluation.runner import evaluate_tracking
    from cleanplate.evaluation.trackers import TrackingOrder
    from cleanplate.settings.groups import EngineSettings

    order = TrackingOrder(
        tracker=tracker,
        settings=parse_sets(sets).get(tracker, {}),
        engines=EngineSettings(device=device),
        most=frames,
        results=_path(results),
        save=_path(save_results),
    )
    masked = [listed for listed in find_videos(Path(data), video) if listed.masks is not None]
    if not masked:
        raise InputError(f"No clip in {data} has masks to compare with.")
    pool = _pool(address, "track", tracker, order.engines)

    def run(bars: Any) -> Any:
        return evaluate_tracking(masked, order, Path(out), jobs, bars, pool)

    _show(run, out, quiet, json)


def _pool(address: str | None, task: Task, engine: str, engines: EngineSettings) -> Any:
    """The workers of the cluster at ``address``; None without one."""
    if address is None:
        return None
    from cleanplate.cli.batch import check_ray

    check_ray("cleanplate evaluate --address")
    from cleanplate import registry
    from cleanplate.batch.executor import ClusterExecutor
    from cleanplate.runtime import resolve

    device = resolve(registry.find(task, engine), engines).device
    return ClusterExecutor(address, gpus=float(device.startswith("cuda")))


def _kept(name: str) -> Path | None:
    """The checkpoint ``name`` of the store, if it is there."""
    from cleanplate.checkpoints import store

    return store.path_of(name) if store.is_here(name) else None


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 16:
        raise InputError(f"--size {text} is not of the form WIDTHxHEIGHT, from 16x16.")
    return int(width), int(height)


def _show(run: Any, out: str, quiet: bool, json: bool) -> None:
    from cleanplate.cli.show import Bars
    from cleanplate.evaluation.page import cell, heading

    with Bars(quiet or json) as bars:
        report = run(bars)
    if json:
        print(json_text.dumps(report, indent=1))
        return
    from rich.console import Console
    from rich.table import Table

    columns = [name for name in report["total"] if name not in ("frames_without_hole",)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in columns:
        table.add_column(heading(name), justify="left" if name == "name" else "right", no_wrap=True)
    for row in [*report["videos"], report["total"]]:
        table.add_row(*(cell(row.get(name)) for name in columns))
    if not quiet:
        # A file or a pipe has no width: the table is written whole.
        width = None if sys.stdout.isatty() else 240
        Console(highlight=False, width=width).print(table)
        typer.echo(f"{Path(out) / 'report.html'}", err=True)
