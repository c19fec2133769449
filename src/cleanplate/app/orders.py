"""From what is asked for to the order that a worker carries out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cleanplate.app.jobs import Job
from cleanplate.app.results import Result, Results
from cleanplate.app.sentences import Refusal
from cleanplate.app.sessions import Session
from cleanplate.app.work import Work, check_disk
from cleanplate.errors import InputError
from cleanplate.media.codecs import CONTAINERS, EncoderSettings, choose_encoder
from cleanplate.types import VideoInfo

_LONGEST_TRIAL = 10.0  # seconds
_WORDS = {"try": "trial", "remove": "clean"}


def begin_removal(work: Work, session: Session, kind: str, fields: Mapping[str, Any]) -> Job:
    """Try (``frame``, ``seconds``) or remove: begin the job, or say why not.

    Raises:
        Refusal: nothing is masked, the disk is full, or another job is under way.
    """
    project = session.project
    first, stop = project.state.span
    middle = None
    if kind == "try":
        middle = fields.get("frame", first)
        first, stop = _around(session, middle, float(fields.get("seconds", 2.0)))
    can, why = project.can_remove()
    if not can:
        raise Refusal(409, why)
    chosen = {name: project.state.settings.get(name) for name in ("lossless", "codec", "quality")}
    encoder = EncoderSettings(**{k: v for k, v in chosen.items() if v is not None})
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
    )
    result.file = f"{Path(session.about.name).stem}-{_WORDS[kind]}{Path(result.clip).suffix}"
    return work.begin(session, kind, {"about": asdict(result)})


def _around(session: Session, frame: Any, seconds: float) -> tuple[int, int]:
    """The frames of ``seconds`` around ``frame``, within the span."""
    project = session.project
    first, stop = project.state.span
    if isinstance(frame, bool) or not isinstance(frame, int) or not first <= frame < stop:
        raise InputError(f"Frame {frame} is not between the marks, {first} and {stop - 1}.")
    if not 0 < seconds <= _LONGEST_TRIAL:
        raise InputError(f"A trial of {seconds} s is not possible; give up to {_LONGEST_TRIAL:g}.")
    times, half = project.survey.time, seconds / 2
    begin = end = frame
    while begin > first and times(frame) - times(begin - 1) <= half:
        begin -= 1
    while end + 1 < stop and times(end + 1) - times(frame) < half:
        end += 1
    return begin, end + 1


def suffix_for(clip: Path, info: VideoInfo, encoder: EncoderSettings) -> str:
    """The ending of a result: the source's own where results can have it."""
    own = clip.suffix.lower()
    for suffix in ([own] if own in CONTAINERS else []) + [".mp4"]:
        try:
            choose_encoder(info, Path(f"clean{suffix}"), encoder)
        except InputError:
            continue
        return suffix
    return ".mkv"
