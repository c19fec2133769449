"""Damage found, and filled by the ordinary job.

find damage ──▶ mask track ──▶ fill ──▶ write
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from cleanplate.errors import InputError
from cleanplate.jobs import job
from cleanplate.jobs.order import Order, check_free
from cleanplate.jobs.report import Report, Timed, versions
from cleanplate.jobs.stages.masks import save_masks
from cleanplate.jobs.stages.survey import span_of, surveyed
from cleanplate.jobs.work_folder import WorkFolder, identity
from cleanplate.media.read import open_clip
from cleanplate.media.relight import Light
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.restoration.detect import Found, detect, plain
from cleanplate.restoration.steady import steadied
from cleanplate.settings.groups import Settings
from cleanplate.settings.restoration import RestorationSettings
from cleanplate.types import VideoInfo

_FLOWFILL = {"window": "6", "grain": "true"}
"""What is missing for a frame is in the next ones, and film without its grain is not repaired."""


def restore(order: Order, wanted: RestorationSettings, progress: Progress | None = None) -> Report:
    """Find damage and fill it, or fill ``order.masks``, and steady flicker if that is wanted.

    Goes on where an earlier run stopped.

    Args:
        order: the clip, the output, the settings; its command is ``restore``.
        wanted: what is damage.
        progress: told about every stage and frame.

    Raises:
        InputError: masks or settings that do not fit the clip.
        MediaError: a clip that cannot be read or an output that cannot be written.
    """
    order = replace(order, settings=_with_defaults(order.settings))
    if order.masks is not None and not wanted.flicker:
        return job.run(order, progress)
    key = _fingerprint(order, wanted)
    # Said before an hour's search: what the job itself would say only after it.
    check_free(order, begun=WorkFolder.is_begun(_beside(order.out.path), key))
    with _searched(order, wanted, _beside(order.out.path), key, progress) as (found, search, notes):
        filled = replace(order, survey=found.survey, light=found.light)
        if found.found is not None:
            filled = replace(filled, masks=replace(found.found.masks, key=str(key)))
        report = job.run(filled, progress)
        report.seconds = search.seconds | report.seconds
        for sentence in search.warnings:
            report.warn(sentence)
        _tell(report, found.found, notes)
    return report


def detect_only(
    order: Order, wanted: RestorationSettings, progress: Progress | None = None
) -> Report:
    """Find damage and write its masks to ``order.out``; see ``restore``."""
    if not order.out.as_folder and order.out.path.suffix.lower() != ".mkv":
        raise InputError(
            f"{order.out.path} is not a mask track; give a name that ends in .mkv, or "
            f"{order.out.path}/ for a folder of PNGs."
        )
    key = _fingerprint(order, wanted)
    check_free(order, begun=WorkFolder.is_begun(order.out.path, key))
    with _searched(order, wanted, order.out.path, key, progress, find_only=True) as (
        found,
        report,
        notes,
    ):
        assert found.found is not None  # the order holds no masks
        save_masks(
            [order.out], found.found.masks, order.source, found.info, found.survey, found.span
        )
        _tell(report, found.found, notes)
        report.frame_count = found.span.stop - found.span.start
        report.first_frame = found.span.start
        report.shot_cuts = [int(cut) for cut in found.survey.cuts]
    return report


@dataclass(frozen=True, slots=True, eq=False)
class _Search:
    """What was found in which clip."""

    found: Found | None
    """None where the masks are given."""
    light: Light | None
    """None where flicker stays."""
    info: VideoInfo
    survey: Survey
    span: Span


@contextmanager
def _searched(
    order: Order,
    wanted: RestorationSettings,
    out: Path,
    key: Mapping[str, Any],
    progress: Progress | None,
    find_only: bool = False,
) -> Iterator[tuple[_Search, Report, Timed]]:
    """The search, and the report that it began; its folder is emptied when all went well."""
    report = Report(order.command, str(order.source), str(order.out.path), asdict(order.settings))
    timed = Timed(progress or Progress(), report)
    with (
        open_clip(order.source, stream=order.settings.span.stream) as clip,
        WorkFolder.opened(out, dict(key)) as work,
    ):
        report.resumed = work.resumed
        survey = surveyed(clip, order.survey, work.path / "survey.npz", timed)
        span = span_of(order.settings.span, survey)
        found = light = None
        if order.masks is None:
            found = detect(clip, survey, span, wanted, work.folder("damage"), timed)
        if wanted.flicker and not find_only:
            light = steadied(clip, survey, span, work.path / "flicker.npz", timed)
        yield _Search(found, light, clip.info, survey, span), report, timed
        work.empty()


def _tell(report: Report, found: Found | None, progress: Progress) -> None:
    if found is None:
        return
    report.damage = [plain(damage) for damage in found.damage]
    counts = Counter(damage.kind for damage in found.damage)
    listed = ", ".join(f"{kind} {count}" for kind, count in counts.items())
    progress.note(f"Found: {listed}." if listed else "No damage was found.")


def _with_defaults(settings: Settings) -> Settings:
    if settings.engines.inpainter != "flowfill":
        return settings
    chosen = _FLOWFILL | settings.engine_fields.get("flowfill", {})
    return replace(settings, engine_fields=settings.engine_fields | {"flowfill": chosen})


def _beside(out: Path) -> Path:
    """The output that the search's own work folder is named after."""
    return out.parent / f"{out.name}.damage"


def _fingerprint(order: Order, wanted: RestorationSettings) -> dict[str, Any]:
    return {
        "command": "damage",
        "source": identity(order.source),
        "span": asdict(order.settings.span),
        "wanted": asdict(wanted),
        "versions": versions(),
    }
