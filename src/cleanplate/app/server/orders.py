"""From what is asked for to the order that a worker carries out."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from cleanplate.app.jobs import Job
from cleanplate.app.reframing import Reframing
from cleanplate.app.results import Result, Results
from cleanplate.app.sentences import Refusal
from cleanplate.app.server.work import Work, check_disk
from cleanplate.app.sessions import Session
from cleanplate.errors import InputError
from cleanplate.media.codecs import CONTAINERS, choose_encoder
from cleanplate.retargeting.shape import Shape, crop_size
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.tracks.driver import Direction
from cleanplate.types import VideoInfo

_LONGEST_TRIAL = 10.0  # seconds
_WORDS = {"try": "trial", "remove": "clean"}
_ENCODER = tuple(listed.name for listed in dataclasses.fields(EncoderSettings))


def begin_track(work: Work, session: Session, fields: Mapping[str, Any]) -> Job:
    """Track: ``direction``, and ``frame``, ``objects``, ``stop`` where only a part is wanted.

    Raises:
        InputError: one of them is something else.
        Refusal: there is nothing to track, or another job is under way.
    """
    direction, objects = fields.get("direction", "both"), fields.get("objects")
    if direction not in get_args(Direction):
        raise InputError(f"direction is {direction!r}; give both, forward or backward.")
    if objects is not None and not (isinstance(objects, list) and all(map(_is_number, objects))):
        raise InputError(f"objects is {objects!r}; give a list of object ids.")
    args: dict[str, Any] = {"direction": direction, "objects": objects}
    for name in ("frame", "stop"):
        args[name] = fields.get(name)
        if args[name] is not None and not _is_number(args[name]):
            raise InputError(f"{name} is {args[name]!r}; give the number of a frame.")
    can, why = session.project.can_follow()
    if not can:
        raise Refusal(409, why)
    return work.begin(session, "track", args)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def begin_removal(
    work: Work,
    session: Session,
    kind: str,
    fields: Mapping[str, Any],
    seconds_per_frame: float | None = None,
) -> Job:
    """Try (``frame``, ``seconds``) or remove: begin the job, or say why not.

    ``whole`` (by default) keeps what lies outside of in and out in a removed clip, as it is.
    ``seconds_per_frame`` is what the engine is expected to take, for the time that is told.

    Raises:
        Refusal: nothing is masked, the disk is full, or another job is under way.
    """
    project = session.project
    first, stop = project.state.span
    middle, whole = None, fields.get("whole", True)
    if not isinstance(whole, bool):
        raise InputError(f"whole is {whole!r}; give true or false.")
    if kind == "try":
        middle = fields.get("frame", first)
        first, stop = _around(session, middle, fields.get("seconds", 2.0))
    elif whole:
        first, stop = 0, project.survey.count
    can, why = project.can_remove()
    if not can:
        raise Refusal(409, why)
    encoder = EncoderSettings(**encoding_of(project.state.settings))
    check_disk(session, stop - first, encoder.lossless)
    results = Results(session.results)
    result = Result(
        results.next_name(kind),
        kind,
        first,
        stop - 1,
        clip=f"clean{suffix_for(session.clip, project.info, encoder)}",
        file="",
        middle=middle,
        whole=whole,
    )
    result.file = f"{Path(session.about.name).stem}-{_WORDS[kind]}{Path(result.clip).suffix}"
    result.command = _command(session, results, result)
    args = {"about": asdict(result), "seconds_per_frame": seconds_per_frame}
    return work.begin(session, kind, args)


def encoding_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a project's settings that say how results are encoded."""
    chosen = {name: settings.get(name) for name in _ENCODER}
    return {name: value for name, value in chosen.items() if value is not None}


def begin_crop(work: Work, session: Session, fields: Mapping[str, Any]) -> Job:
    """Plan the crop of another shape: ``aspect``, such as ``9:16``.

    Raises:
        InputError: no such shape.
        Refusal: another job is under way.
    """
    aspect = fields.get("aspect")
    if not isinstance(aspect, str):
        raise InputError(f"aspect is {aspect!r}; give it as 9:16, 1:1 or 4:5.")
    crop_size(Shape.parse(aspect, None), session.project.info, 1.0)
    return work.begin(session, "crop", {"aspect": aspect})


def begin_retarget(work: Work, session: Session, fields: Mapping[str, Any]) -> Job:
    """Cut the planned crop out of the clip, or of its clean result ``of``.

    Raises:
        InputError: the result does not hold the frames that were planned for.
        Refusal: nothing was planned, there is no such result, the disk is full, or another job is
            under way.
    """
    project, of = session.project, fields.get("of") or ""
    reframing, results = Reframing(project), Results(session.results)
    aspect = reframing.aspect
    first, stop = project.state.span
    source = session.clip
    if of:
        made = results.get(str(of))
        source = results.clip(made)
        if (made.first, made.last) != (0, project.survey.count - 1) or made.kind != "remove":
            raise InputError(
                f"{of} does not hold the whole clip; remove with the whole clip saved."
            )
    encoder = EncoderSettings(**encoding_of(project.state.settings))
    check_disk(session, stop - first, encoder.lossless)
    suffix = suffix_for(source, project.info, encoder)
    result = Result(
        *(results.next_name("retarget"), "retarget", first, stop - 1, f"reframed{suffix}", ""),
        aspect=aspect,
        of=of,
    )
    shape = aspect.replace(":", "x").replace("/", "x")
    result.file = f"{Path(session.about.name).stem}-{shape}{suffix}"
    part = (
        []
        if stop - first == project.survey.count
        else ["--start", f"@{first}", "--end", f"@{stop}"]
    )
    out = str(results.clip(result))
    words = ["cleanplate", "retarget", str(source), "-o", out, "--aspect", aspect]
    result.command = shlex.join([*words, "--path", str(reframing.path), *part])
    return work.begin(session, "retarget", {"about": asdict(result)})


def _command(session: Session, results: Results, result: Result) -> str:
    """The same job on the command line, which shares its work folder."""
    folder, out, report = session.folder, results.clip(result), results.report(result)
    part = ["--whole"] if result.whole else []
    if result.kind == "try":
        part += ["--start", f"@{result.first}", "--end", f"@{result.last + 1}"]
    words = ["cleanplate", "project", "remove", str(folder), "-o", str(out), *part]
    return shlex.join([*words, "--report", str(report)])


def _around(session: Session, frame: Any, seconds: Any) -> tuple[int, int]:
    """The frames of ``seconds`` around ``frame``, within the span."""
    project = session.project
    first, stop = project.state.span
    if not _is_number(frame) or not first <= frame < stop:
        raise InputError(f"Frame {frame} is not between the marks, {first} and {stop - 1}.")
    if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_TRIAL:
        raise InputError(f"A trial of {seconds} s is not possible; give up to {_LONGEST_TRIAL:g}.")
    times, half = project.survey.time, seconds / 2
    begin = end = frame
    while begin > first and times(frame) - times(begin - 1) <= half:
        begin -= 1
    while end + 1 < stop and times(end + 1) - times(frame) < half:
        end += 1
    return begin, end + 1


def suffix_for(clip: Path, info: VideoInfo, encoder: EncoderSettings) -> str:
    """The ending of a result: the source's own where results can have it.

    Raises:
        InputError: no container can have what is asked for.
    """
    source_suffix = clip.suffix.lower()
    for suffix in ([source_suffix] if source_suffix in CONTAINERS else []) + [".mp4", ".mov"]:
        try:
            choose_encoder(info, Path(f"clean{suffix}"), encoder)
        except InputError:
            continue
        return suffix
    choose_encoder(info, Path("clean.mkv"), encoder)
    return ".mkv"
