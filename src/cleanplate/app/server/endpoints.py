"""The REST API: jobs for programs, with names and types that a client can read.

A call begins a job and returns its key at once; ``job_status`` says where it is, ``job_result``
gives the file. Clips and masks are files that the client has sent, never paths of the server.
"""

from __future__ import annotations

import functools
import inspect
import secrets
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, ParamSpec, TypedDict, TypeVar

import gradio
from gradio import FileData
from gradio.events import api as endpoint

from cleanplate import api
from cleanplate.app.prompts import PromptFields, prompt_of
from cleanplate.app.results import Result, Results
from cleanplate.app.sentences import told
from cleanplate.app.server.clips import check_video
from cleanplate.app.server.desk import Desk
from cleanplate.app.server.engines import engine_rows
from cleanplate.app.server.orders import suffix_for
from cleanplate.app.server.uploads import safe_suffix, shown_name
from cleanplate.app.server.work import check_room
from cleanplate.errors import InputError
from cleanplate.settings.groups import settings_from
from cleanplate.suggestions.overlays import look

ENDPOINTS = (
    *("remove", "track", "inpaint", "segment", "suggest"),
    *("job_status", "job_result", "job_stop", "engines"),
)
P = ParamSpec("P")
R = TypeVar("R")


class Status(TypedDict):
    """Where a job is."""

    state: str
    """queued, running, stopping, stopped, done or failed."""
    stage: str
    done: int
    total: int | None
    rate: float | None
    left: float | None
    place: int | None
    sentence: str


class Overlay(TypedDict):
    """A logo or a caption that ``suggest`` found."""

    kind: str
    """logo or caption."""
    box: list[int]
    """x0, y0, x1, y1."""
    first: int
    last: int
    """First and last frame in which it was found."""
    confidence: float


def add_endpoints(desk: Desk, uploads: Path) -> None:
    """Add the endpoints to the Blocks that is being built."""
    calls = _Calls(desk, uploads)
    for name in ENDPOINTS:
        call = getattr(calls, name)
        endpoint(_in_words(call), api_name=name, concurrency_limit=4)


def _in_words(call: Callable[P, R]) -> Callable[P, R]:
    """``call``, whose errors reach the client as one sentence."""

    @functools.wraps(call)
    def told_call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            raise gradio.Error(told(error)[1], print_exception=False) from error

    # Gradio reads the types from here, and takes no text for one.
    told_call.__signature__ = inspect.signature(call, eval_str=True)  # type: ignore[attr-defined]
    return told_call


class _Calls:
    def __init__(self, desk: Desk, uploads: Path) -> None:
        self._desk, self._uploads = desk, uploads.resolve()

    def remove(
        self,
        clip: FileData,
        prompts: list[PromptFields],
        settings: dict[str, Any] | None = None,
        engine_settings: dict[str, dict[str, Any]] | None = None,
    ) -> str:
        """Remove what the prompts point at. Returns the key of the job."""
        return self._begin("remove", clip, None, prompts, settings, engine_settings)

    def track(
        self,
        clip: FileData,
        prompts: list[PromptFields],
        settings: dict[str, Any] | None = None,
        engine_settings: dict[str, dict[str, Any]] | None = None,
    ) -> str:
        """Follow what the prompts point at; the result is a mask track. Returns the job's key."""
        return self._begin("track", clip, None, prompts, settings, engine_settings)

    def inpaint(
        self,
        clip: FileData,
        masks: FileData,
        settings: dict[str, Any] | None = None,
        engine_settings: dict[str, dict[str, Any]] | None = None,
    ) -> str:
        """Fill what the masks cover. Returns the key of the job."""
        return self._begin("inpaint", clip, masks, [], settings, engine_settings)

    def segment(
        self,
        clip: FileData,
        prompts: list[PromptFields],
        settings: dict[str, Any] | None = None,
        engine_settings: dict[str, dict[str, Any]] | None = None,
    ) -> FileData:
        """Outline what the prompts, all in one frame, point at: a palette PNG, value = object."""
        path = self._sent(clip)
        folder = self._folder()
        masks = folder / "mask.png"
        values: dict[str, Any] = {"engine_settings": engine_settings, **(settings or {})}
        api.segment(path, *map(prompt_of, prompts), out=masks, **values)
        return _file(masks, "mask.png")

    def suggest(self, clip: FileData) -> list[Overlay]:
        """Find burned-in logos and captions: what stays while the picture behind it moves."""
        suggested = look(self._sent(clip))
        return [
            Overlay(
                kind=overlay.kind,
                box=[overlay.box.x0, overlay.box.y0, overlay.box.x1, overlay.box.y1],
                first=overlay.start,
                last=overlay.stop - 1,
                confidence=overlay.confidence,
            )
            for overlay in suggested.overlays
        ]

    def job_status(self, job: str) -> Status:
        """Where the job is: state, stage, frames done, rate, seconds left, place in the queue."""
        job_now = self._desk.work.current(self._desk.sessions.get(job))
        if job_now is None:
            raise InputError("There is no such job here.")
        known = job_now.as_json()
        return Status(**{name: known[name] for name in Status.__annotations__})  # type: ignore[typeddict-item]

    def job_result(self, job: str) -> FileData:
        """The finished clip, or the finished mask track."""
        session = self._desk.sessions.get(job)
        results = Results(session.results)
        done = results.all()
        if not done:
            raise InputError("The job is not done; ask job_status.")
        path = self._folder() / done[-1].file
        try:
            path.hardlink_to(results.clip(done[-1]))
        except OSError:  # another file system, or one without links
            shutil.copyfile(results.clip(done[-1]), path)
        return _file(path, done[-1].file)

    def job_stop(self, job: str) -> str:
        """Ask the job to stop; what is done is kept."""
        self._desk.work.stop(self._desk.sessions.get(job))
        return "stopping"

    def engines(self) -> list[dict[str, Any]]:
        """Every engine: what it is for, whether it can run here, licence, settings."""
        return engine_rows(self._desk.speeds, None)

    def _begin(
        self,
        command: str,
        clip: FileData,
        masks: FileData | None,
        prompts: list[PromptFields],
        settings: dict[str, Any] | None,
        engine_settings: dict[str, dict[str, Any]] | None,
    ) -> str:
        source = self._sent(clip)
        name = shown_name(_field(clip, "orig_name") or source.name)
        info = check_video(source, name)
        for prompt in prompts:
            prompt_of(prompt)
        chosen = settings_from(settings or {}, engine_settings)
        check_room(self._desk.options.projects, source, info, chosen.encoder.lossless)
        folder = self._desk.sessions.new_folder()
        kept = folder / f"clip{safe_suffix(name)}"
        source.replace(kept)
        ending = ".mkv" if command == "track" else suffix_for(kept, info, chosen.encoder)
        word = "masks" if command == "track" else "clean"
        result = Result(f"{command}-1", command, 0, 0, f"{word}{ending}", "")
        result.file = f"{Path(name).stem}-{word}{ending}"
        args: dict[str, Any] = {
            "command": command,
            "prompts": prompts,
            "settings": settings or {},
            "engine_settings": engine_settings or {},
            "about": asdict(result),
            "masks": None,
        }
        if masks is not None:
            given = self._sent(masks)
            file = folder / f"masks{safe_suffix(_field(masks, 'orig_name') or given.name)}"
            given.replace(file)
            args["masks"] = str(file)
        session = self._desk.sessions.begin(folder, name, kept, uploaded=True)
        self._desk.work.begin(session, "order", args)
        return session.id

    def _sent(self, file: FileData) -> Path:
        """Where the file lies that the client has sent; nothing else may be named."""
        path = Path(_field(file, "path")).resolve()
        if not path.is_relative_to(self._uploads) or not path.is_file():
            raise InputError("Send the file itself, with handle_file of gradio_client.")
        return path

    def _folder(self) -> Path:
        folder = self._uploads / secrets.token_urlsafe(16)
        folder.mkdir(mode=0o700)
        return folder


def _field(file: Any, name: str) -> str:
    value = file.get(name) if isinstance(file, dict) else getattr(file, name, None)
    return value if isinstance(value, str) else ""


def _file(path: Path, name: str) -> Any:
    return FileData(path=str(path), orig_name=name).model_dump()
