"""The routes of what is seen: stills, masks, differences, proxies; and of what is taken away."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
from fastapi import APIRouter, Query, Response
from starlette.responses import FileResponse

from cleanplate.app import jobs
from cleanplate.app.findings import Findings
from cleanplate.app.proposals import Proposals
from cleanplate.app.results import Result, Results
from cleanplate.app.sentences import Refusal
from cleanplate.app.server.candidates import candidate_picture
from cleanplate.app.server.comparison import difference, flicker
from cleanplate.app.server.desk import Desk
from cleanplate.app.server.filled import ENGINE, NotWantedError, filled_frame
from cleanplate.app.server.frames import jpeg, narrowed, png
from cleanplate.app.server.kinds import kind_of
from cleanplate.app.server.latest import Latest
from cleanplate.app.server.palette import mask_png
from cleanplate.app.server.work import PROXY
from cleanplate.app.sessions import Session
from cleanplate.arrays.masks import widened
from cleanplate.projects.state import Anchor, Kind
from cleanplate.types import Box, Point, Prompt

if TYPE_CHECKING:
    from cleanplate.projects.project import Project

_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_THUMBNAIL = 320  # px of width up to which a still need not show the source's own pixels
_NEAR = 60  # frames around one in which a lost object is looked for
_NEVER = {"Cache-Control": "no-store"}


def picture_routes(desk: Desk) -> APIRouter:
    """``/project/ID/frame``, ``mask``, ``result`` and the like."""
    routes, frames = APIRouter(prefix="/project/{project}"), desk.frames
    foreseen = Latest()

    def made(project: str, name: str) -> tuple[Session, Result, Path]:
        session = desk.sessions.get(project)
        results = Results(session.results)
        result = results.get(name)
        return session, result, results.clip(result)

    def of_result(result: Result, path: Path, frame: int) -> np.ndarray:
        if not result.first <= frame <= result.last:
            raise Refusal(
                404,
                f"{result.name} has no frame {frame}; it holds {result.first} to {result.last}.",
            )
        return frames.picture(path, frame - result.first)

    @routes.get("/frame/{frame}.jpg")
    def still(project: str, frame: int, w: int | None = None) -> Response:
        session = desk.sessions.get(project)
        _check_frame(session, frame)
        proxy = session.folder / PROXY
        # Thumbnails are many and far apart: in the proxy a frame is never far from a key frame.
        clip = proxy if w is not None and w <= _THUMBNAIL and proxy.exists() else session.clip
        return _jpeg(frames.still(clip, frame, _width(w)))

    @routes.get("/mask/{frame}.png")
    def mask(project: str, frame: int, v: str = "") -> Response:
        opened = desk.sessions.get(project).project
        colours = {tracked.id: tracked.colour for tracked in opened.state.objects}
        png = mask_png(opened.mask(frame), colours)
        return Response(png, media_type="image/png", headers=_FOREVER if v else _NEVER)

    @routes.get("/preview")
    def preview(
        project: str,
        frame: int,
        x: float,
        y: float,
        number: Annotated[int, Query(alias="object")],
        positive: bool = True,
    ) -> Response:
        opened = desk.sessions.get(project).project
        known = opened.state.anchor(number, frame) or Anchor(Kind.PROMPT)
        prompt = Prompt((*known.points, Point(x, y, positive)), known.box, known.brushes)
        with foreseen.newest(project) as is_newest:
            if not is_newest():  # the pointer has gone on: nobody wants this one any more
                return Response(status_code=204)
            outline = opened.preview(frame, number, prompt, painted=known.painted)
        return _of_object(opened, number, outline.mask)

    @routes.get("/outlined")
    def outlined(
        project: str, frame: int, number: Annotated[int, Query(alias="object")]
    ) -> Response:
        """What the strokes that were painted in a frame mean, if they are taken for hints."""
        opened = desk.sessions.get(project).project
        known = opened.state.anchor(number, frame) or Anchor(Kind.PROMPT)
        prompt = Prompt(known.points, known.box, known.brushes)
        return _of_object(opened, number, opened.preview(frame, number, prompt).mask)

    @routes.get("/filled/{frame}.jpg")
    def filled(project: str, frame: int, sharp: bool = False) -> Response:
        """The frame as it will look, from a few frames around it; 204 where nothing is masked."""
        session = desk.sessions.get(project)
        _check_frame(session, frame)
        with desk.filling.newest(project) as is_newest:
            try:
                filled = filled_frame(
                    *(frames, session.project, session.folder / PROXY),
                    *(frame, sharp, is_newest),
                )
            except NotWantedError:
                return Response(status_code=204)
        if filled is None:
            return Response(status_code=204)
        if sharp:
            desk.speeds.suggest(ENGINE, "cpu", filled.pace)
        box = filled.around
        headers = {"X-Around": f"{box.x0},{box.y0},{box.x1},{box.y1}"} | _NEVER
        return Response(jpeg(filled.image), media_type="image/jpeg", headers=headers)

    @routes.get("/look/{frame}/{number}.jpg")
    def look(project: str, frame: int, number: int) -> Response:
        """The part of a frame in which an object is, or was or will be seen near by."""
        session = desk.sessions.get(project)
        _check_frame(session, frame)
        view = session.project.view()
        box = next(
            (
                crop.box
                for by in range(_NEAR)
                for at in (frame - by, frame + by)
                if 0 <= at < session.project.survey.count
                and (crop := view.crop(number, at)) is not None
            ),
            None,
        )
        image = frames.picture(session.clip, frame)
        if box is not None:
            height, width = image.shape[:2]
            room = max(24, (box.width + box.height) // 3)
            image = image[widened(box, room, width, height).slices]
        return _jpeg(jpeg(narrowed(image, _THUMBNAIL)))

    @routes.get("/kind/{number}")
    def kind(project: str, number: int) -> dict[str, str] | None:
        """What an object is taken for, the tracker that suits it, and why; null: unmarked."""
        session = desk.sessions.get(project)
        kind = kind_of(session.project, frames, session.folder / PROXY, number)
        return None if kind is None else asdict(kind)

    @routes.get("/candidate/{frame}/{number}/{place}.jpg")
    def candidate(project: str, frame: int, number: int, place: int) -> Response:
        opened = desk.sessions.get(project).project
        masks = opened.outlines(frame, number)
        if not 0 <= place < len(masks):
            raise Refusal(404, f"There is no outline {place}; there are {len(masks)}.")
        colour = opened.state.object(number).colour
        return _jpeg(jpeg(candidate_picture(opened.image(frame), masks, place, colour)))

    @routes.get("/proposal/{number}.jpg")
    def proposal(project: str, number: int) -> Response:
        session = desk.sessions.get(project)
        proposal = Proposals(session.folder).get(session.project.state, number)
        image = frames.picture(session.clip, proposal["middle"])
        return _jpeg(jpeg(narrowed(image[_around(proposal["box"], image.shape)], _THUMBNAIL)))

    @routes.get("/finding/{number}/{place}.jpg")
    def finding(project: str, number: int, place: int) -> Response:
        """One place of damage, with what is around it."""
        session = desk.sessions.get(project)
        places = Findings(session.project).get(number).places
        if not 0 <= place < len(places):
            raise Refusal(404, f"Finding {number} has no place {place}; it has {len(places)}.")
        at = places[place]
        image = frames.picture(session.clip, at.first)
        height, width = image.shape[:2]
        room = max(24, height // 12)
        image = image[widened(Box(*at.box), room, width, height).slices]
        return _jpeg(jpeg(narrowed(image, _THUMBNAIL)))

    @routes.get("/result/{name}/{frame}.jpg")
    def result_still(project: str, name: str, frame: int, w: int | None = None) -> Response:
        _, result, path = made(project, name)
        of_result(result, path, frame)
        return _jpeg(frames.still(path, frame - result.first, _width(w)))

    @routes.get("/job/glance.jpg")
    def glance(project: str) -> Response:
        session = desk.sessions.get(project)
        job = desk.work.current(session)
        if job is None or not jobs.glance_of(session.folder, job.id).exists():
            raise Refusal(404, "Nothing was filled yet.")
        return FileResponse(jobs.glance_of(session.folder, job.id), headers=_NEVER)

    @routes.get("/difference/{name}/{frame}.png")
    def apart(project: str, name: str, frame: int) -> Response:
        session, result, path = made(project, name)
        filled = of_result(result, path, frame)
        return _png(difference(frames.picture(session.clip, frame), filled))

    @routes.get("/flicker/{name}/{frame}.png")
    def flickers(project: str, name: str, frame: int) -> Response:
        session, result, path = made(project, name)
        before, opened = max(result.first, frame - 1), session.project
        now, then = (of_result(result, path, at) for at in (frame, before))
        filled = (opened.mask(frame) > 0) | (opened.mask(before) > 0)
        return _png(flicker(then, now, filled))

    @routes.get("/proxy.mp4")
    def proxy(project: str) -> Response:
        return _video(desk.sessions.get(project).folder / PROXY)

    @routes.get("/result/{name}/proxy.mp4")
    def result_proxy(project: str, name: str) -> Response:
        session, result, _ = made(project, name)
        return _video(Results(session.results).proxy(result))

    @routes.get("/times.json")
    def times(project: str) -> list[float]:
        survey = desk.sessions.get(project).project.survey
        return [float(survey.time(index) - survey.time(0)) for index in range(survey.count)]

    @routes.get("/result/{name}/clip")
    def clip(project: str, name: str) -> Response:
        _, result, path = made(project, name)
        return FileResponse(path, filename=result.file, media_type="application/octet-stream")

    @routes.get("/result/{name}/report.json")
    def report(project: str, name: str) -> Response:
        session, result, _ = made(project, name)
        path = Results(session.results).report(result)
        if not path.is_file():
            raise Refusal(404, f"{name} has no report; it was finished elsewhere.")
        return FileResponse(path, filename=f"{Path(result.file).stem}.json")

    return routes


def _of_object(opened: Project, number: int, mask: np.ndarray) -> Response:
    """``mask`` ((H, W) bool) as the page lays it over the picture."""
    colours = {number: opened.state.object(number).colour}
    picture = mask_png(mask.astype(np.uint8) * number, colours)
    return Response(picture, media_type="image/png", headers=_NEVER)


def _around(box: list[int], shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The part of a picture of ``shape`` that shows ``box`` and a little of what is around it."""
    x0, y0, x1, y1 = box
    room = max(8, (y1 - y0) // 2)
    rows = slice(max(0, y0 - room), min(shape[0], y1 + room))
    return rows, slice(max(0, x0 - room), min(shape[1], x1 + room))


def _check_frame(session: Session, frame: int) -> None:
    """Refuse what is not there at once: to look for it would be to decode the whole clip."""
    count = session.project.survey.count if session.is_open else session.info.frame_count
    if frame < 0 or (count is not None and frame >= count):
        raise Refusal(404, f"Frame {frame} is not in the clip; it has {count} frames.")


def _jpeg(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg", headers=_FOREVER)


def _png(image: np.ndarray) -> Response:
    return Response(png(image), media_type="image/png", headers=_FOREVER)


def _video(path: Path) -> Response:
    if not path.is_file():
        raise Refusal(404, "The proxy is not ready yet.")
    return FileResponse(path, media_type="video/mp4", headers=_NEVER)


def _width(wanted: int | None) -> int | None:
    return None if wanted is None else max(16, wanted)
