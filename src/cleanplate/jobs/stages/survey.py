"""Stage 1: every frame is decoded once, and the part to work on is known by frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cleanplate.errors import InputError
from cleanplate.media import survey as media
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.prompts.frames import frame_of
from cleanplate.settings.groups import SpanSettings
from cleanplate.settings.moments import parse_moment

if TYPE_CHECKING:
    from cleanplate.media.read import Clip


def surveyed(clip: Clip, known: Survey | None, path: Path, progress: Progress) -> Survey:
    """What the clip is: ``known``, what an earlier run wrote to ``path``, or found by decoding it.

    Raises:
        MediaError: the clip has no frame that can be decoded.
    """
    if known is None and path.exists():
        known = media.load_survey(path)
    if known is None:
        progress.start("survey", clip.info.frame_count)
        known = media.survey(clip, progress.advance)
        progress.finish()
        media.save_survey(path, known)
    for warning in known.warnings:
        progress.note(warning)
    return known


def span_of(settings: SpanSettings, survey: Survey) -> Span:
    """The frames to work on.

    Raises:
        InputError: they are none, or not in the clip.
    """
    first = 0 if settings.start is None else frame_of(parse_moment(settings.start), survey)
    stop = survey.count if settings.end is None else _end_of(settings.end, survey)
    if first >= stop:
        raise InputError(
            f"The part from frame {first} to frame {stop} is empty; --end must lie after --start."
        )
    return Span(first, stop, survey.shots)


def _end_of(text: str, survey: Survey) -> int:
    moment = parse_moment(text)
    if isinstance(moment, int):
        return frame_of(moment - 1, survey) + 1
    wanted = survey.time(0) + moment
    return next((i for i in range(survey.count) if survey.time(i) >= wanted), survey.count)
