"""The routes of masks as files: taken in, given out."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse

from cleanplate.app.sentences import Refusal
from cleanplate.app.server.desk import Desk
from cleanplate.app.server.requests import is_json, json_of, length_of
from cleanplate.app.server.uploads import receive, safe_suffix, shown_name
from cleanplate.app.sessions import Session
from cleanplate.errors import CleanplateError, InputError

_MOST_FILES = 1_000_000
_SUFFIXES = (".mkv", ".mp4", ".mov", ".avi", ".webm", ".npz", ".png", ".zip")


def mask_routes(desk: Desk) -> APIRouter:
    """``/project/ID/masks`` and ``masks.mkv``, ``masks.zip``."""
    routes = APIRouter(prefix="/project/{project}")

    @routes.post("/masks")
    async def take(project: str, request: Request, name: str = "masks") -> dict[str, Any]:
        session = desk.sessions.get(project)
        opened = session.project
        if is_json(request):
            if not desk.options.is_local:
                raise Refusal(403, "Paths can be given only on the computer that runs cleanplate.")
            path = Path(str((await json_of(request)).get("path", "")).strip()).expanduser()
            await run_in_threadpool(opened.import_masks, path)
            return {"version": opened.version}
        name = shown_name(name)
        suffix = safe_suffix(name)
        if suffix not in _SUFFIXES:
            raise InputError(f"{name} is not a mask file; give one of: {', '.join(_SUFFIXES)}.")
        folder = Path(tempfile.mkdtemp(dir=desk.options.temporary))
        try:
            path = folder / f"masks{suffix}"
            limit = desk.options.max_upload
            await receive(request.stream(), path, name, length_of(request), limit)
            await run_in_threadpool(_import, session, path, name, limit)
        finally:
            await run_in_threadpool(shutil.rmtree, folder)
        return {"version": opened.version}

    @routes.get("/masks.mkv")
    def track(project: str) -> Response:
        return _given(desk, project, _track)

    @routes.get("/masks.zip")
    def archive(project: str) -> Response:
        return _given(desk, project, _archive)

    return routes


def _import(session: Session, path: Path, name: str, limit: int) -> None:
    wanted = path
    if path.suffix == ".zip":
        wanted = path.parent / "pictures"
        _unpack(path, wanted, name, limit)
    try:
        session.project.import_masks(wanted)
    except CleanplateError as error:
        raise type(error)(str(error).replace(str(wanted), name)) from error


def _unpack(path: Path, folder: Path, name: str, limit: int) -> None:
    """Take the PNGs out of an archive; where they lie in it does not matter."""
    folder.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            members = [
                member for member in archive.infolist() if member.filename.lower().endswith(".png")
            ]
            if sum(member.file_size for member in members) > limit or len(members) > _MOST_FILES:
                raise Refusal(413, f"{name} holds more than may be sent here.")
            for entry in members:
                target = folder / shown_name(entry.filename)
                with archive.open(entry) as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, FileExistsError) as error:
        raise InputError(f"{name} is damaged, or holds two masks of one name.") from error
    if not members:
        raise InputError(f"{name} holds no PNGs; give one for each frame.")


def _given(desk: Desk, project: str, make: Callable[[Session, Path], Path]) -> Response:
    session = desk.sessions.get(project)
    folder = Path(tempfile.mkdtemp(dir=desk.options.temporary))
    try:
        path = make(session, folder)
    except BaseException:
        shutil.rmtree(folder)
        raise
    name = f"{Path(session.about.name).stem}-{path.name}"
    done = BackgroundTask(shutil.rmtree, folder)
    return FileResponse(path, filename=name, background=done)


def _track(session: Session, folder: Path) -> Path:
    path = folder / "masks.mkv"
    session.project.export_masks(path)
    return path


def _archive(session: Session, folder: Path) -> Path:
    pictures, path = folder / "masks", folder / "masks.zip"
    session.project.export_masks(f"{pictures}/")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:  # PNGs are compressed
        for picture in sorted(pictures.iterdir()):
            archive.write(picture, picture.name)
    return path
