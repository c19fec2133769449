"""What a worker can do, by the kind of its job. Each returns the sentence that a person reads."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cleanplate import api
from cleanplate.app.findings import Findings
from cleanplate.app.jobs import Job
from cleanplate.app.prompts import prompt_of
from cleanplate.app.proposals import Proposals
from cleanplate.app.reframing import Reframing
from cleanplate.app.results import Result, Results
from cleanplate.app.server.orders import encoding_of
from cleanplate.app.server.work import PROXY
from cleanplate.app.sessions import Session
from cleanplate.app.speeds import Speeds
from cleanplate.app.worker.proxy import write_proxy
from cleanplate.app.worker.reporter import Reporter
from cleanplate.checkpoints import fetch as fetching
from cleanplate.checkpoints import find, store
from cleanplate.errors import WeightsError
from cleanplate.jobs.job import run
from cleanplate.jobs.order import Order
from cleanplate.jobs.report import Report
from cleanplate.projects.project import Project
from cleanplate.runtime import make_engine
from cleanplate.suggestions.overlays import Suggested, look

_MOST_BESIDE = 0.6  # of a trial's frames that may be read beside them
_BESIDE = 6  # frames on each side of a trial that an engine is shown which looks further


def _open(folder: Path, job: Job, reporter: Reporter) -> str:
    session = Session(folder)
    project = Project.create(folder, session.clip, reporter)
    for warning in project.survey.warnings:
        reporter.note(warning)
    return f"{session.about.name} is open: {project.survey.count} frames."


def _proxy(folder: Path, job: Job, reporter: Reporter) -> str:
    project = Project.open(folder)
    write_proxy(Session(folder).clip, folder / PROXY, project.survey.count, reporter)
    return "Ready to play."


def _suggest(folder: Path, job: Job, reporter: Reporter) -> str:
    project = Project.open(folder)
    suggested = look(project.source, reporter)
    Proposals(folder).write(suggested, project)
    return _found(suggested)


def _found(suggested: Suggested) -> str:
    number = len(suggested.overlays)
    if number:
        what = "1 logo or caption" if number == 1 else f"{number} logos or captions"
        said = f"Found {what}. Add what to remove, and check where it begins and ends."
    else:
        said = "Found no logo or caption that stays in place while the picture moves."
    if suggested.still:
        spans = ", ".join(f"{start} to {stop - 1}" for start, stop in suggested.still)
        said += f" The camera hardly moves in frames {spans}, so nothing can be told there"
        said += "." if number else ": draw a box instead."
    return said


def _attached(folder: Path, job: Job, reporter: Reporter) -> str:
    found = Findings(Project.open(folder)).look_for_attached(job.id, reporter)
    if not found:
        return "Found no shadow or reflection that goes with an object."
    kinds = [each.kind for each in found]
    counts = [(kinds.count(kind), kind) for kind in dict.fromkeys(kinds)]
    what = " and ".join(f"{count} {kind}{'s' * (count > 1)}" for count, kind in counts)
    return f"Found {what}. Tick what is to be removed with its object."


def _damage(folder: Path, job: Job, reporter: Reporter) -> str:
    work = folder / "looked" / job.id
    found = Findings(Project.open(folder)).look_for_damage(work, reporter)
    shutil.rmtree(work)
    if not found:
        return "Found no dirt, scratch or drop-out."
    what = ", ".join(
        f"{one.kind} in {one.count} {'place' if one.count == 1 else 'places'}" for one in found
    )
    return f"Found {what}. Add what is to be repaired."


def _track(folder: Path, job: Job, reporter: Reporter) -> str:
    project = Project.open(folder)
    began = time.monotonic()
    project.follow(reporter, **job.args)
    rows = len(project.doubtful())
    what = "1 stretch" if rows == 1 else f"{rows} stretches"
    look = "" if not rows else f" Check {what} in the list."
    return f"Tracked in {_minutes(time.monotonic() - began)}.{look}"


def _remove(folder: Path, job: Job, reporter: Reporter) -> str:
    """Try and remove: the same order, for a part or for all of the span."""
    results, result = Results(folder / "out"), Result(**job.args["about"])
    if results.clip(result).exists():
        result = results.get(result.name)  # an earlier run came so far
    else:
        _fill(folder, results, result, reporter)
    count = result.last - result.first + 1
    write_proxy(results.clip(result), results.proxy(result), count, reporter)
    return result.sentence


def _fill(folder: Path, results: Results, result: Result, reporter: Reporter) -> None:
    began, project = time.monotonic(), Project.open(folder)
    part = (None, None)
    if result.kind == "try":
        part = (result.first, result.last + 1)
    target = results.clip(result)
    order = project.removal(target, *part, progress=reporter, whole=result.whole)
    if result.kind == "try":
        order, result.exact = _tried(project, order)
    results.write(result)
    report = run(order, reporter)
    report.write(results.report(result))
    Speeds(folder.parent.parent).note(report)
    result.when = time.time()
    result.sentence = _told(project, report, time.monotonic() - began)
    result.unseen = [[stretch["first"], stretch["last"]] for stretch in report.unseen]
    result.encoding, result.lossless = _encoding(report), report.encoding["lossless"]
    result.doubts = [warning for warning in report.warnings if "could be learnt" in warning]
    results.write(result)


def _crop(folder: Path, job: Job, reporter: Reporter) -> str:
    """Plan the crop of another shape."""
    work, aspect = folder / "looked" / job.id, job.args["aspect"]
    count = Reframing(Project.open(folder)).plan(aspect, work, reporter)
    shutil.rmtree(work)
    keys = "1 keyframe" if count == 1 else f"{count} keyframes"
    return f"The crop for {aspect} is planned, with {keys}. Play it; drag it where it is wrong."


def _retarget(folder: Path, job: Job, reporter: Reporter) -> str:
    """Cut the planned crop out of the clip, or of what was removed from it."""
    results, result = Results(folder / "out"), Result(**job.args["about"])
    if results.clip(result).exists():
        result = results.get(result.name)  # an earlier run came so far
    else:
        began, project = time.monotonic(), Project.open(folder)
        source = results.clip(results.get(result.of)) if result.of else Session(folder).clip
        span: dict[str, Any] = {"stream": None if result.of else project.state.stream}
        if (result.first, result.last) != (0, project.survey.count - 1):
            span |= {"start": f"@{result.first}", "end": f"@{result.last + 1}"}
        results.write(result)
        report = api.retarget(
            *(source, results.clip(result)),
            aspect=result.aspect,
            path=Reframing(project).path,
            progress=reporter,
            **span,
            **encoding_of(project.state.settings),
        )
        report.write(results.report(result))
        result.when = time.time()
        result.encoding, result.lossless = _encoding(report), report.encoding["lossless"]
        size = f"{report.crop['out_width']}x{report.crop['out_height']}"
        result.sentence = (
            f"{report.frame_count} frames in {result.aspect}, {size} px, in "
            f"{_minutes(time.monotonic() - began)}."
        )
        results.write(result)
    count = result.last - result.first + 1
    write_proxy(results.clip(result), results.proxy(result), count, reporter)
    return result.sentence


def _order(folder: Path, job: Job, reporter: Reporter) -> str:
    """A job of the REST API: a call of ``cleanplate.api``, which needs no project."""
    results, began, args = Results(folder / "out"), time.monotonic(), job.args
    result = Result(**args["about"])
    if results.clip(result).exists():
        return "Done."  # an earlier run came so far
    results.write(result)
    given: dict[str, Any] = {"progress": reporter, "engine_settings": args["engine_settings"]}
    clip, out = Session(folder).clip, results.clip(result)
    if args["command"] == "inpaint":
        report = api.inpaint(clip, out, args["masks"], **given, **args["settings"])
    else:
        prompts = [prompt_of(prompt) for prompt in args["prompts"]]
        call = {"remove": api.remove, "track": api.track}[args["command"]]
        report = call(clip, out, *prompts, **given, **args["settings"])
    report.write(results.report(result))
    result.first, result.when = report.first_frame, time.time()
    result.last = result.first + report.frame_count - 1
    result.sentence = f"Done: {report.frame_count} frames in {_minutes(time.monotonic() - began)}."
    results.write(result)
    return result.sentence


def _fetch(folder: Path, job: Job, reporter: Reporter) -> str:
    """Weights that a person asked for, having read their licence; what came before is gone on with.

    Raises:
        WeightsError: they cannot be had; in the page's words where this machine is offline.
    """
    names = job.args["names"]
    for name in names:
        checkpoint = find(name)
        if store.is_here(name):
            continue
        store.agree(checkpoint)
        reporter.start("fetch", checkpoint.size)
        try:
            fetching.fetch(checkpoint, progress=reporter.reach)
        except fetching.OfflineError as error:
            host = urlsplit(checkpoint.url).hostname
            raise WeightsError(
                f"{host} cannot be reached: this computer is offline, or the address is blocked. "
                "Go on without it, or get it later; what came is kept."
            ) from error
    return "It is here, and is used from now on."


TASKS: dict[str, Callable[[Path, Job, Reporter], str]] = {
    "open": _open,
    "proxy": _proxy,
    "suggest": _suggest,
    "attached": _attached,
    "damage": _damage,
    "track": _track,
    "try": _remove,
    "remove": _remove,
    "crop": _crop,
    "retarget": _retarget,
    "order": _order,
    "fetch": _fetch,
}


def _tried(project: Project, order: Order) -> tuple[Order, bool]:
    """``order`` of a trial, whose cost is its share of the clip's, and whether it is exact.

    An engine that looks far would read most of a clip for two seconds of it: it is shown the frames
    of the trial and a few on each side, and the whole may differ a little from that.
    """
    settings = project.settings
    engine, _ = make_engine("inpaint", settings.engines.inpainter, settings)
    assert order.part is not None  # a trial is one
    start, stop = order.part
    beside = (engine.lookahead, engine.lookback)
    if None not in beside and sum(beside) <= _MOST_BESIDE * (stop - start):
        return order, True
    first, last = project.state.span
    known = (max(first, start - _BESIDE), min(last, stop + _BESIDE))
    return replace(order, known=known), False


_CODECS = {"h264": "H.264", "hevc": "H.265", "prores": "ProRes", "ffv1": "FFV1", "av1": "AV1"}


def _encoding(report: Report) -> str:
    """Codec and quality as an editor says them."""
    told = report.encoding
    codec = _CODECS.get(told["codec"], told["codec"].upper())
    if told["lossless"]:
        return f"{codec}, lossless"
    quality = "" if told["quality"] is None else f", quality {told['quality']} (smaller is better)"
    return f"{codec}{quality}"


def _told(project: Project, report: Report, seconds: float) -> str:
    names = [f"'{tracked.name}'" for tracked in project.state.objects]
    what = " and ".join(names) or "what the masks cover"
    sound = any(stream.kind == "audio" for stream in project.info.streams)
    first, stop = project.state.span
    filled = min(report.frame_count, stop - first)
    count = str(filled) if filled == report.frame_count else f"{filled} of {report.frame_count}"
    kept = (
        "Every pixel outside the masks is the source's"
        if report.encoding["lossless"]
        else "Outside the masks nothing was painted; the clip was encoded again"
    )
    copied = "; sound copied" if sound else ""
    return f"Removed {what} from {count} frames in {_minutes(seconds)}. {kept}{copied}."


def _minutes(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
