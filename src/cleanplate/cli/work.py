"""What remove, track and inpaint share: their common options and how a job is run and shown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleanplate.cli import prompts
from cleanplate.cli.options import parse_sets
from cleanplate.errors import CancelledError, InputError
from cleanplate.files.publish import check_target

if TYPE_CHECKING:
    from collections.abc import Callable

    from cleanplate.jobs.report import Report

Clip = Annotated[
    str, typer.Argument(metavar="CLIP", help="A video, an image, or a folder of images.")
]
Out = Annotated[
    str,
    typer.Option("-o", "--out", metavar="OUT", help="The output; OUT/ is a folder of PNGs."),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="ENGINE.FIELD=VALUE", help="A setting of an engine; may be repeated."
    ),
]
ReportFile = Annotated[
    str | None,
    typer.Option("--report", metavar="FILE.json", help="Write what was done, frame by frame."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only errors and what is lost.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON on stdout.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show where in the code an error arose.")]

BoxOption = Annotated[
    list[str] | None,
    typer.Option("--box", metavar="X0,Y0,X1,Y1[@T]", help=prompts.HELP["box"]),
]
PointOption = Annotated[
    list[str] | None, typer.Option("--point", metavar="X,Y[@T]", help=prompts.HELP["point"])
]
NotPointOption = Annotated[
    list[str] | None,
    typer.Option("--not-point", metavar="X,Y[@T]", help=prompts.HELP["not_point"]),
]
MaskOption = Annotated[
    list[str] | None, typer.Option("--mask", metavar="FILE[@T]", help=prompts.HELP["mask"])
]
MergeOption = Annotated[bool, typer.Option("--merge", help=prompts.HELP["merge"])]
ObjectOption = Annotated[
    list[str] | None, typer.Option("--object", metavar="N", help=prompts.HELP["object"])
]


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How much is said, and whether outputs may be replaced."""

    overwrite: Overwrite = False
    quiet: Quiet = False
    json: Json = False
    debug: Debug = False


@dataclass(frozen=True, slots=True)
class ReportOptions(OutputOptions):
    """Those of commands that report what was done."""

    report: ReportFile = None


@dataclass(frozen=True, slots=True)
class JobOptions(ReportOptions):
    """Those of commands that do a whole job."""

    sets: Set = None

    @property
    def engine_settings(self) -> dict[str, dict[str, str]]:
        """Settings of single engines: name -> field -> text."""
        return parse_sets(self.sets)


@dataclass(frozen=True, slots=True)
class PromptOptions:
    """What points at things; ``prompts.prompts_of`` reads them in the order in which they came."""

    box: BoxOption = None
    point: PointOption = None
    not_point: NotPointOption = None
    mask: MaskOption = None
    merge: MergeOption = False
    object_id: ObjectOption = None


def show(work: Callable[[Any], Report], options: ReportOptions, *others: str | None) -> Report:
    """Run ``work`` with a progress display, then conclude and write the report.

    Args:
        work: does it, telling the progress that it is given.
        options: where the report goes, and how much is said.
        others: the files that the command reads and writes: none of them can be the report.

    Returns:
        The report.
    """
    from cleanplate.cli.show import Bars, conclude

    if options.report is not None:
        paths = [Path(path) for path in others if path]
        _check_report(Path(options.report), options.overwrite, paths)
    with Bars(options.quiet or options.json) as bars:
        try:
            report = work(bars)
        except KeyboardInterrupt as stop:
            raise CancelledError("stopped with Ctrl-C") from stop
    if options.report is not None:
        report.write(Path(options.report))
    conclude(report, bars, options.json)
    return report


def _check_report(path: Path, overwrite: bool, others: list[Path]) -> None:
    if any(path.resolve() == other.resolve() for other in others):
        raise InputError(f"The report would replace {path}; give --report another name.")
    check_target(path, overwrite)
