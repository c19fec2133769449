"""``cleanplate project``: a clip worked on in a folder, step by step, as the app does."""

from __future__ import annotations

import json as json_text
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cleanplate.cli import work
from cleanplate.cli.options import parse_sets, with_settings
from cleanplate.cli.prompts import PromptCommand, numbered_prompts
from cleanplate.cli.show import Bars, print_doubts
from cleanplate.errors import CancelledError, InputError
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.settings.groups import EngineSettings, MaskSettings, RegionSettings
from cleanplate.settings.moments import parse_moment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from cleanplate.projects.project import Project
    from cleanplate.tracks.view import ListedDoubt
    from cleanplate.types import Prompt

Folder = Annotated[str, typer.Argument(metavar="DIR", help="The project's folder.")]
At = Annotated[str, typer.Option("--at", metavar="T", help="The frame: @120, 4.5s, 0:04.5.")]
ObjectId = Annotated[
    int | None, typer.Option("--object", metavar="N", help="The object; by default all.")
]
OneObject = Annotated[int, typer.Option("--object", metavar="N", help="The object.")]

commands = typer.Typer(
    help="Work on a clip step by step in a folder, which the app can open too.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.add_typer(commands, name="project")


def _open(folder: str) -> Project:
    from cleanplate.projects.project import Project

    return Project.open(folder)


@contextmanager
def _bars(quiet: bool) -> Iterator[Bars]:
    with Bars(quiet) as bars:
        try:
            yield bars
        except KeyboardInterrupt as stop:
            raise CancelledError("stopped with Ctrl-C") from stop


def _frame(project: Project, moment: str) -> int:
    """The index of the frame that was typed: by the number in its name in a sequence of images."""
    from cleanplate.media.numbering import index_of
    from cleanplate.prompts.frames import frame_of

    at = parse_moment(moment)
    return index_of(at, _numbers(project)) if isinstance(at, int) else frame_of(at, project.survey)


def _numbers(project: Project) -> Sequence[int]:
    """The number by which each frame is typed and shown."""
    from cleanplate.media.numbering import typed_numbers

    return typed_numbers(project.source) or range(project.survey.count)


def _span(project: Project, start: str | None, end: str | None) -> list[int | None]:
    """The indexes of the first frame and of the one after the last, as typed."""
    from cleanplate.media.numbering import span_by_index
    from cleanplate.prompts.frames import frame_of

    typed = span_by_index(_numbers(project), start, end)
    count = project.survey.count
    ends: list[int | None] = []
    for moment in typed:
        at = None if moment is None else parse_moment(moment)
        # The end of a span may be one past the last frame.
        ends.append(count if at == count else None if at is None else frame_of(at, project.survey))
    return ends


def _numbered(doubtful: Iterable[ListedDoubt], numbers: Sequence[int]) -> list[ListedDoubt]:
    """Stretches with the numbers of their frames in place of indexes."""
    return [
        replace(
            row,
            frame=numbers[row.frame],
            first=numbers[row.first],
            last=numbers[row.last],
            due=None if row.due is None else numbers[row.due],
        )
        for row in doubtful
    ]


@commands.command()
def new(
    folder: Folder,
    clip: work.Clip,
    stream: Annotated[
        int | None,
        typer.Option(metavar="N", help="Work on this video stream, by its number in info."),
    ] = None,
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Make a project of a clip, which is never written to."""
    from cleanplate.projects.project import Project

    with _bars(quiet) as bars:
        project = Project.create(folder, clip, bars, stream)
        bars.note(f"{folder}: {project.survey.count} frames; point at what is to go.")


@commands.command()
def show(folder: Folder, json: work.Json = False, debug: work.Debug = False) -> None:
    """Show what a project holds: its objects, what is tracked, what is out of date."""
    from cleanplate.tracks.doubts import due_sentence

    project = _open(folder)
    if json:
        print(json_text.dumps(project.as_json(), indent=1))
        return
    view = project.view()
    start, stop = view.marks.span
    numbers, count = _numbers(project), project.survey.count
    first, last = numbers[start], numbers[stop - 1]
    print(f"{project.source}: {count} frames; working on {first} to {last}")
    for tracked in view.marks.objects:
        kind = ", does not move" if tracked.static else ""
        print(f"{tracked.id}  {tracked.name}{kind}")
        for first, last, state, sure in view.lanes()[tracked.id]:
            print(f"   {numbers[first]}-{numbers[last]}  {state}  {sure:.2f}")
    for object_id, first, last in view.stale():
        print(
            f"Object {object_id} is out of date in frames {numbers[first]} to {numbers[last]}; "
            "track again."
        )
    names = {tracked.id: tracked.name for tracked in view.marks.objects}
    for row in _numbered(view.doubtful, numbers):
        if row.due is not None:
            print(due_sentence(row, names[row.object_id]))
    for able, reason in (project.can_follow(), project.can_remove()):
        if not able:
            print(reason)


@commands.command(cls=PromptCommand)
def prompt(
    ctx: typer.Context,
    folder: Folder,
    box: work.BoxOption = None,
    point: work.PointOption = None,
    not_point: work.NotPointOption = None,
    mask: work.MaskOption = None,
    object_id: work.ObjectOption = None,
    merge: work.MergeOption = False,
    static: Annotated[bool, typer.Option("--static", help="New objects do not move.")] = False,
    choose: Annotated[
        int, typer.Option(metavar="N", min=0, help="Take this candidate of each; 0 is the best.")
    ] = 0,
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Point at things in any frame; this replaces earlier prompts there.

    Object N is made when it is the next one. Points on a frame that was tracked fix its mask; a
    box outlines anew.
    """
    project = _open(folder)
    numbers = _numbers(project)
    for frame, given in _by_frame(project, numbered_prompts(ctx, str(project.source))).items():
        for prompt in given:
            _ensure(project, prompt.object_id, static)
            candidates = project.set_prompt(frame, prompt.object_id, prompt)
            if choose:
                candidates = project.choose(frame, prompt.object_id, choose)
            assert candidates is not None  # there was a prompt
            if not quiet:
                typer.echo(
                    f"Object {prompt.object_id} in frame {numbers[frame]}: "
                    f"{int(candidates.mask.sum())} px, candidate {candidates.chosen}, the first "
                    f"of {candidates.candidates} being 0",
                    err=True,
                )


def _by_frame(project: Project, given: tuple[Prompt, ...]) -> dict[int, list[Prompt]]:
    from cleanplate.prompts.frames import combined

    if not given:
        raise InputError("Nothing was pointed at; give --box X0,Y0,X1,Y1 or --point X,Y.")
    return combined(given, project.survey)


def _ensure(project: Project, object_id: int, static: bool) -> None:
    if object_id in {tracked.id for tracked in project.state.objects}:
        return
    coming = project.state.latest_id + 1
    if object_id != coming:
        raise InputError(
            f"There is no object {object_id} in the project; the next one is {coming}."
        )
    project.add_object(static=static)


@commands.command()
def gone(
    folder: Folder,
    object_id: OneObject,
    at: At,
    until: Annotated[
        str | None, typer.Option(metavar="T", help="Out of sight up to and including this frame.")
    ] = None,
    debug: work.Debug = False,
) -> None:
    """Mark an object as out of sight from a frame on, up to its next prompt."""
    project = _open(folder)
    project.gone(_frame(project, at), object_id, None if until is None else _frame(project, until))


@commands.command("track")
def track_(
    folder: Folder,
    direction: Annotated[
        str, typer.Option(metavar="WAY", help="Direction in time: forward, backward or both.")
    ] = "both",
    at: Annotated[
        str | None, typer.Option(metavar="T", help="Only from the prompts in this frame.")
    ] = None,
    to: Annotated[str | None, typer.Option(metavar="T", help="No further than this frame.")] = None,
    object_id: ObjectId = None,
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Track what is not tracked yet, or is out of date. Picks up where it was stopped."""
    if direction not in ("forward", "backward", "both"):
        raise InputError(
            f"--direction {direction} is no direction in time; choose forward, backward or both."
        )
    project = _open(folder)
    with _bars(quiet) as bars:
        project.follow(
            bars,
            direction,
            None if at is None else _frame(project, at),
            None if object_id is None else [object_id],
            None if to is None else _frame(project, to),
        )
        if rows := project.doubtful():
            bars.note(f"{len(rows)} stretches are worth a look: cleanplate project doubtful.")


@commands.command()
def approve(folder: Folder, at: At, object_id: ObjectId = None, debug: work.Debug = False) -> None:
    """Approve the masks of a frame: tracking never changes them again."""
    project = _open(folder)
    project.approve(_frame(project, at), object_id)


@commands.command()
def doubtful(folder: Folder, json: work.Json = False, debug: work.Debug = False) -> None:
    """List the frames worth a look, worst first, and why."""
    project = _open(folder)
    rows = project.doubtful()
    if json:
        print(json_text.dumps([asdict(row) for row in rows], indent=1))
        return
    names = {tracked.id: tracked.name for tracked in project.state.objects}
    print_doubts(_numbered(rows, _numbers(project)), names)


@commands.command()
def dismiss(
    folder: Folder,
    row: Annotated[str, typer.Argument(metavar="ROW", help="As cleanplate project doubtful says.")],
    debug: work.Debug = False,
) -> None:
    """Take a row off the list of frames worth a look."""
    _open(folder).dismiss(row)


@commands.command("object")
def change(
    folder: Folder,
    object_id: OneObject,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    static: Annotated[
        bool | None, typer.Option("--static/--moving", help="Whether it does not move.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove it from the project.")] = False,
    debug: work.Debug = False,
) -> None:
    """Rename an object, say whether it moves, or remove it."""
    project = _open(folder)
    if delete:
        project.remove_object(object_id)
    else:
        project.change_object(object_id, name=name, static=static)


@commands.command("set")
@with_settings(EngineSettings, MaskSettings, RegionSettings, EncoderSettings)
def change_settings(
    ctx: typer.Context,
    folder: Folder,
    values: dict[str, Any],
    sets: work.Set = None,
    start: Annotated[
        str | None, typer.Option(metavar="T", help="First frame to track and remove in.")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="T", help="Stop before this frame.")] = None,
    debug: work.Debug = False,
) -> None:
    """Change the given settings of a project; all others stay."""
    project = _open(folder)
    sources = {name: ctx.get_parameter_source(name) for name in values}
    typed = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
    project.set_settings({name: values[name] for name in typed}, parse_sets(sets))
    if start is not None or end is not None:
        first, stop = _span(project, start, end)
        span = project.state.span
        project.set_span(span[0] if first is None else first, span[1] if stop is None else stop)


@commands.command()
def undo(folder: Folder, debug: work.Debug = False) -> None:
    """Undo the latest edit."""
    if not _open(folder).undo():
        raise InputError("There is nothing to undo.")


@commands.command()
def redo(folder: Folder, debug: work.Debug = False) -> None:
    """Redo the edit that was undone."""
    if not _open(folder).redo():
        raise InputError("There is nothing to redo.")


@commands.command()
def masks(
    folder: Folder,
    out: Annotated[
        str | None,
        typer.Option(
            "-o", "--out", metavar="OUT", help="Write them: FILE.mkv, or FOLDER/ of PNGs."
        ),
    ] = None,
    take: Annotated[
        str | None,
        typer.Option("--import", metavar="PATH", help="Take masks: a folder, PNG, video, .npz."),
    ] = None,
    overwrite: work.Overwrite = False,
    quiet: work.Quiet = False,
    debug: work.Debug = False,
) -> None:
    """Export the masks of all frames, ungrown, or import ready ones."""
    if (out is None) == (take is None):
        raise InputError("Give either -o OUT to write the masks or --import PATH to take some.")
    project = _open(folder)
    with _bars(quiet) as bars:
        if take is not None:
            ids = project.import_masks(take, bars)
            bars.note(f"Objects {', '.join(map(str, ids))} have the masks of {take}.")
            return
        assert out is not None  # one of both
        project.export_masks(out, bars, overwrite=overwrite)


@commands.command()
@with_settings()
def remove(
    folder: Folder,
    out: work.Out,
    options: work.ReportOptions,
    start: Annotated[
        str | None, typer.Option(metavar="T", help="Fill only a part, as in the whole: from T.")
    ] = None,
    end: Annotated[str | None, typer.Option(metavar="T", help="The part ends before T.")] = None,
    whole: Annotated[
        bool,
        typer.Option("--whole", help="Also write the frames outside the span, unchanged."),
    ] = False,
    save_masks: Annotated[
        str | None, typer.Option("--save-masks", metavar="PATH", help="Keep the filled masks.")
    ] = None,
) -> None:
    """Remove what is tracked: paint the background back in."""
    from cleanplate.jobs import job

    project = _open(folder)
    part = _span(project, start, end)

    def run(progress: Any) -> Any:
        order = project.removal(
            *(out, *part),
            overwrite=options.overwrite,
            save_masks=save_masks,
            progress=progress,
            whole=whole,
        )
        return job.run(order, progress)

    work.show(run, options, str(project.source), out, save_masks)
