"""Everything that the page knows of a project, as one JSON object."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from typing import Any

from cleanplate import registry
from cleanplate.app import disk
from cleanplate.app.findings import Findings
from cleanplate.app.jobs import QUEUED, RUNNING, Job
from cleanplate.app.proposals import Proposals
from cleanplate.app.reframing import Reframing
from cleanplate.app.results import Results
from cleanplate.app.server.engines import engine_rows
from cleanplate.app.server.offers import offers
from cleanplate.app.server.work import PROXY, Work
from cleanplate.app.sessions import Session
from cleanplate.app.speeds import Speeds, region_megapixels
from cleanplate.app.worker.proxy import proxy_rate
from cleanplate.checkpoints import all_checkpoints, store
from cleanplate.projects.project import Project
from cleanplate.settings.groups import AUTO, PRINT
from cleanplate.tracks.choice import chosen_trackers
from cleanplate.tracks.filled_masks import growths


def stamp(session: Session, work: Work) -> str:
    """Changes whenever ``state_of`` may have; cheap enough to be asked for ten times a second."""
    parts: list[Any] = [session.is_open, Proposals(session.folder).stamp]
    parts += [Findings.stamp(session.folder), Reframing.stamp(session.folder)]
    if session.is_open:
        parts += [session.project.version, session.project.masks_key]
    for job in (work.current(session), work.proxy(session), work.fetching(session)):
        parts.append(None if job is None else job.as_json())
    parts += [file.stat().st_mtime_ns for file in session.results.glob("*")]
    return f"{hash(repr(parts)) & 0xFFFFFFFFFFFF:012x}"


def state_of(session: Session, work: Work, speeds: Speeds) -> dict[str, Any]:
    """The state, plain as JSON, as the page reads it."""
    mark = stamp(session, work)  # first: what changes meanwhile is told by the next one
    job, making = work.current(session), work.proxy(session)
    state: dict[str, Any] = {
        "id": session.id,
        "stamp": mark,
        "opening": not session.is_open,
        "folder": str(session.folder),
        "clip": _clip(session),
        "results": Results(session.results).as_json(),
        "job": None if job is None else job.as_json(),
        "proxy": _proxy(session, None if making is None else making.as_json()),
        "messages": [],
        "fetch": _plain(work.fetching(session)),
        "offers": [],
        "weights": [
            checkpoint.name for checkpoint in all_checkpoints() if store.is_here(checkpoint.name)
        ],
    }
    megapixels = None
    if session.is_open:
        project = session.project
        state = project.as_json() | state
        state["settings"] = _settings(project)
        state["masks"] = project.masks_key
        state["growth"] = _growth(project)
        chosen = chosen_trackers(project.state, project.settings)
        state["trackers"] = {number: choice.name for number, choice in chosen.items()}
        state["proposals"] = Proposals(session.folder).as_json(project.state)
        state["findings"] = Findings(project).as_json()
        state["crop"] = Reframing(project).as_json()
        state["offers"] = offers(project, _is_unseen(session))
        state["messages"] = [*project.survey.warnings, *(job.notes if job is not None else [])]
        megapixels = _megapixels(session, state)
    state["disk"] = _disk(session)
    state["engines"] = engine_rows(speeds, megapixels)
    if job is not None and session.is_open:
        state["job"]["device"] = _device(session.project, job.kind, state["engines"])
    return state


def brief_of(session: Session, work: Work) -> dict[str, Any]:
    """What a list of clips shows of one: its name, what is being done with it, what was made."""
    job = work.current(session)
    clean = [result for result in Results(session.results).all() if result.kind == "remove"]
    return {
        "name": session.about.name,
        "open": session.is_open,
        "job": None if job is None else job.as_json(),
        "clean": None if not clean else {"name": clean[-1].name, "file": clean[-1].file},
    }


def expected_pace(session: Session, speeds: Speeds) -> float | None:
    """Seconds that a frame will take to fill with what is set; None where nothing is known."""
    project = session.project
    chosen = project.settings.engines
    megapixels = _megapixels(session, project.as_json())
    if megapixels is None:
        return None
    about = registry.find("inpaint", chosen.inpainter).about
    rows = engine_rows(speeds, None)
    device = next(
        (r["device"] for r in rows if (r["task"], r["name"]) == ("inpaint", about.name)), "cpu"
    )
    seconds = speeds.seconds(about.name, device, megapixels)
    fields = project.settings.engine_fields.get(about.name, {})
    return None if seconds is None else seconds * about.time_share(fields)


def _device(project: Project, kind: str, rows: list[dict[str, Any]]) -> str:
    """Where a job of that kind computes: learned engines may have a device of their own."""
    chosen = project.settings.engines
    names = {chosen.inpainter}
    if kind == "track":
        names = {
            choice.name for choice in chosen_trackers(project.state, project.settings).values()
        }
    devices = {row["device"] for row in rows if row["name"] in names} - {"cpu"}
    device = next(iter(devices), "cpu")
    return device if chosen.device == AUTO or device == "cpu" else chosen.device


def _plain(job: Job | None) -> dict[str, Any] | None:
    """A job of its own lane, with what it fetches."""
    return None if job is None else job.as_json() | {"names": job.args.get("names", [])}


def _is_unseen(session: Session) -> bool:
    """Whether the latest result was filled in part from nothing."""
    done = Results(session.results).all()
    return bool(done and done[-1].unseen)


def _clip(session: Session) -> dict[str, Any]:
    info = session.info
    frames, seconds = info.frame_count, info.duration
    times, cuts = "rate", []
    if session.is_open:
        survey = session.project.survey
        frames = survey.count
        seconds = survey.time(frames - 1) - survey.time(0) + 1 / proxy_rate(info)
        cuts = [int(cut) for cut in survey.cuts]
        times = f"project/{session.id}/times.json"
    return {
        "name": session.about.name,
        "path": "" if session.about.uploaded else session.about.clip,
        "width": info.width,
        "height": info.height,
        "frames": frames,
        "rate": float(proxy_rate(info)),
        "seconds": None if seconds is None else float(seconds),
        "audio": sum(stream.kind == "audio" for stream in info.streams),
        "codec": info.codec,
        "pixels": info.pixel_format,
        "depth": info.bit_depth,
        "size": disk.size_of(session.clip),
        "times": times,
        "cuts": cuts,
    }


def _proxy(session: Session, job: dict[str, Any] | None) -> dict[str, Any]:
    rate = proxy_rate(session.info)
    progress = None
    if job is not None and job["state"] in (QUEUED, RUNNING) and job["total"]:
        progress = job["done"] / job["total"]
    return {
        "ready": (session.folder / PROXY).exists(),
        "progress": progress,
        "rate": str(rate),
        "fps": float(rate),
        "sentence": "" if job is None else job["sentence"],
    }


def _disk(session: Session) -> dict[str, Any]:
    info, needed = session.info, None
    if session.is_open:
        first, stop = session.project.state.span
        share = (stop - first) / session.project.survey.count
        lossless = bool(session.project.state.settings.get("lossless"))
        needed = disk.needed(info, disk.size_of(session.clip), share, lossless)
    return {"free": shutil.disk_usage(session.folder).free, "needed": needed}


def _settings(project: Project) -> dict[str, Any]:
    """Every setting and its value; of engines' own those that were set."""
    chosen = project.settings
    groups = (chosen.engines, chosen.masks, chosen.regions, chosen.encoder)
    values = {name: value for group in groups for name, value in asdict(group).items()}
    fields = project.state.engine_fields
    engine_values = {
        f"{engine}.{name}": value for engine, f in fields.items() for name, value in f.items()
    }
    return values | {"engine_fields": engine_values}


def _growth(project: Project) -> dict[str, Any]:
    """How far masks grow before they are filled, in px: of each object, and where there is none."""
    masks, segmenter = project.settings.masks, project.settings.engines.segmenter
    known = growths(project.view(), masks)
    default = 0 if known else masks.grown_by(project.info.height, False, segmenter == PRINT)
    return {"objects": known, "default": default}


def _megapixels(session: Session, state: dict[str, Any]) -> float | None:
    """Of the regions around what is masked, in the first frame that the user marked."""
    marked = [int(frame) for frame in state["prompts"]] or [state["span"][0]]
    mask = session.project.mask(min(marked))
    if not mask.any():
        return None
    return region_megapixels(mask, session.project.settings.regions)
