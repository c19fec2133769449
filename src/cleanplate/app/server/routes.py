"""The routes of projects: made, looked at, changed, worked on, removed."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any

from fastapi import APIRouter, BackgroundTasks, Depends, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from cleanplate.app.reframing import Reframing
from cleanplate.app.results import Results
from cleanplate.app.sentences import Refusal
from cleanplate.app.server.desk import Desk
from cleanplate.app.server.edits import edit
from cleanplate.app.server.offers import fetchable
from cleanplate.app.server.orders import begin_crop, begin_removal, begin_retarget, begin_track
from cleanplate.app.server.requests import is_json, json_of, length_of
from cleanplate.app.server.state import brief_of, expected_pace, stamp, state_of
from cleanplate.app.sessions import Session
from cleanplate.errors import InputError

_LONGEST_WAIT = 10.0  # seconds that a page waits for news
_PACE = 0.1
Fields = Annotated[dict[str, Any], Depends(json_of)]


def project_routes(desk: Desk) -> APIRouter:
    """``/about`` and what makes, changes and removes ``/project/ID``."""
    routes = APIRouter()

    @routes.get("/about")
    def about() -> dict[str, Any]:
        return desk.about()

    @routes.post("/project")
    async def create(request: Request, name: str = "clip") -> dict[str, str]:
        if not is_json(request):
            session = await desk.clips.sent(name, request.stream(), length_of(request))
            return {"id": session.id}
        wanted = await json_of(request)
        if wanted.get("sample"):
            session = await run_in_threadpool(desk.clips.sample)
        elif isinstance(wanted.get("path"), str):
            session = await run_in_threadpool(desk.clips.at, wanted["path"])
        else:
            raise InputError("Send a file, {path: ...} or {sample: true}.")
        return {"id": session.id}

    @routes.post("/queue")
    def arrange(fields: Fields) -> dict[str, Any]:
        """Do what waits of ``projects``, a list of their links' ids, in this order."""
        ids = fields.get("projects")
        if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
            raise InputError(f"projects is {ids!r}; give a list of projects' ids.")
        desk.work.arrange([desk.sessions.get(project) for project in ids])
        return {}

    @routes.get("/project/{project}")
    def read(project: str) -> dict[str, Any]:
        session = desk.sessions.get(project)
        session.touch()
        return _state(session)

    @routes.get("/project/{project}/brief")
    def brief(project: str) -> dict[str, Any] | None:
        """In short, for a list of clips; null: the project is not here any more."""
        try:
            session = desk.sessions.get(project)
        except Refusal:
            return None
        return brief_of(session, desk.work)

    @routes.get("/project/{project}/changes")
    async def changes(project: str, stamp: str = "") -> Response:
        session = desk.sessions.get(project)
        end = time.monotonic() + _LONGEST_WAIT
        while await run_in_threadpool(_stamp, session) == stamp:
            if time.monotonic() > end:
                return Response(status_code=204)
            await asyncio.sleep(_PACE)
            desk.sessions.get(project)  # it may have been removed meanwhile
        return JSONResponse(await run_in_threadpool(_state, session))

    @routes.post("/project/{project}/edit")
    def change(project: str, fields: Fields) -> dict[str, Any]:
        opened = desk.sessions.get(project).project
        desk.filling.supersede(
            project
        )  # what it shows is about to change, and an edit wants the cores
        args = {name: value for name, value in fields.items() if name not in ("op", "number")}
        answer = edit(opened, str(fields.get("op")), args)
        return {"version": opened.version, "number": fields.get("number"), "answer": answer}

    @routes.post("/project/{project}/prepare")
    def prepare(project: str, fields: Fields, background: BackgroundTasks) -> dict[str, Any]:
        """The page shows this frame: what it may need next is made ready."""
        session = desk.sessions.get(project)
        opened, frame = session.project, fields.get("frame")
        desk.work.make_proxy(session)  # a server that was stopped may have left it half made
        if isinstance(frame, int) and 0 <= frame < opened.survey.count:
            background.add_task(opened.prepare, frame)
        return {}

    @routes.post("/project/{project}/job")
    def work(project: str, fields: Fields) -> dict[str, Any]:
        desk.filling.supersede(project)  # a job wants the cores
        return {"job": _begin(desk, desk.sessions.get(project), fields)}

    @routes.post("/project/{project}/job/stop")
    def stop(project: str) -> dict[str, Any]:
        desk.work.stop(desk.sessions.get(project))
        return {}

    @routes.get("/project/{project}/crop.json")
    def corners(project: str) -> list[list[float]]:
        """Where the crop of another shape lies in each frame."""
        return Reframing(desk.sessions.get(project).project).corners()

    @routes.post("/project/{project}/crop")
    def put_crop(project: str, fields: Fields) -> dict[str, Any] | None:
        """Make a keyframe of a frame (``x``, ``y``: its top left corner), or ``drop`` one."""
        reframing = Reframing(desk.sessions.get(project).project)
        frame, x, y = (fields.get(name) for name in ("frame", "x", "y"))
        if not isinstance(frame, int):
            raise InputError(f"frame is {frame!r}; give the number of a frame.")
        if fields.get("drop"):
            reframing.drop(frame)
        elif not isinstance(x, int | float) or not isinstance(y, int | float):
            raise InputError(f"The corner is {x!r}, {y!r}; give x and y in px.")
        else:
            reframing.put(frame, x, y)
        return reframing.as_json()

    @routes.post("/project/{project}/fetch")
    def fetch(project: str, fields: Fields) -> dict[str, Any]:
        """Weights that the person asked for by name, having been told size and licence."""
        names = fetchable(fields.get("names"))
        return {"job": desk.work.fetch(desk.sessions.get(project), names).id}

    @routes.post("/project/{project}/fetch/stop")
    def stop_fetching(project: str) -> dict[str, Any]:
        desk.work.stop_fetching(desk.sessions.get(project))
        return {}

    @routes.post("/project/{project}/result/{name}/delete")
    def forget(project: str, name: str) -> dict[str, Any]:
        session = desk.sessions.get(project)
        desk.frames.forget(session.results / name)
        Results(session.results).delete(name)
        return {}

    @routes.delete("/project/{project}")
    def remove(project: str) -> dict[str, Any]:
        desk.delete(desk.sessions.get(project))
        return {}

    def _state(session: Session) -> dict[str, Any]:
        return state_of(session, desk.work, desk.speeds)

    def _stamp(session: Session) -> str:
        return stamp(session, desk.work)

    return routes


def _begin(desk: Desk, session: Session, fields: dict[str, Any]) -> str | None:
    kind, work = fields.get("kind"), desk.work
    if kind == "track":
        return begin_track(work, session, fields).id
    if kind in ("suggest", "damage"):
        return work.begin(session, kind, {}).id
    if kind == "attached":
        can, why = session.project.can_remove()
        if not can:
            raise Refusal(409, why)
        return work.begin(session, kind, {}).id
    if kind in ("try", "remove"):
        each = expected_pace(session, desk.speeds)
        return begin_removal(work, session, kind, fields, each).id
    if kind == "crop":
        return begin_crop(work, session, fields).id
    if kind == "retarget":
        return begin_retarget(work, session, fields).id
    if kind == "resume":
        return work.resume(session).id
    if kind == "discard":
        work.discard(session)
        return None
    raise InputError(f"There is no job {kind!r}.")
