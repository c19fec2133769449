"""The crop of a clip in another shape: planned, then corrected by a person at its keyframes.

It is a path file as ``cleanplate retarget --path`` takes it, ``crop.json`` in the project's folder.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.app.sentences import Refusal
from cleanplate.errors import InputError
from cleanplate.jobs.stages.measure import measured
from cleanplate.media.survey import Span
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.retargeting.keyframes import key_frames, planned
from cleanplate.retargeting.path import CropPath, read_path, write_path
from cleanplate.retargeting.shape import Shape, crop_size
from cleanplate.tracks.filled_masks import spanned

_FILE = "crop.json"


class Reframing:
    """The crop of the clip of a project."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self.path = project.path / _FILE

    @staticmethod
    def stamp(folder: Path) -> int:
        """Changes whenever the crop of the project in ``folder`` does."""
        path = folder / _FILE
        return path.stat().st_mtime_ns if path.exists() else 0

    def plan(self, aspect: str, folder: Path, progress: Progress) -> int:
        """Work the crop out anew between in and out; returns the number of its keyframes.

        Args:
            aspect: width to height as seen, ``9:16``.
            folder: for what is worked out on the way; removed afterwards by the caller.
            progress: told about each frame.

        Raises:
            InputError: no such shape.
        """
        project, shape = self._project, Shape.parse(aspect, None)
        size = crop_size(shape, project.info, 1.0)
        view, count = project.view(), project.survey.count
        folder.mkdir(parents=True, exist_ok=True)
        boxes: dict[int, np.ndarray] = {}
        if any(view.is_shown(tracked.id) for tracked in view.marks.objects):
            masks = spanned(view, count)
            boxes = measured(masks, count, folder / "boxes.npz", progress).boxes
        span = Span(*view.marks.span, project.survey.shots)
        path = planned(project.clip, project.survey, span, size, boxes, progress)
        keys = key_frames(path, project.survey, span)
        write_path(self.path, path, project.survey, project.info, aspect, only=keys)
        return len(keys)

    def as_json(self) -> dict[str, Any] | None:
        """What the page gets; None: nothing was planned."""
        if not self.path.exists():
            return None
        told = json.loads(self.path.read_text(encoding="utf-8"))
        return {
            "aspect": told["aspect"],
            "width": told["crop"]["width"],
            "height": told["crop"]["height"],
            "keys": [frame["frame"] for frame in told["frames"]],
            "stamp": str(self.path.stat().st_mtime_ns),
        }

    def corners(self) -> list[list[float]]:
        """(x, y) of the crop's top left corner in each frame of the clip."""
        return np.round(self._whole().corners, 2).tolist()

    def put(self, frame: int, x: float, y: float) -> None:
        """Make ``frame`` a keyframe with the crop's top left corner at (x, y), kept inside.

        Raises:
            InputError: no such frame.
            Refusal: nothing was planned.
        """
        path, info = self._whole(), self._project.info
        if not 0 <= frame < len(path.corners):
            raise InputError(f"Frame {frame} is not in the clip; it has {len(path.corners)}.")
        most = (info.width - path.width, info.height - path.height)
        path.corners[frame] = np.clip((x, y), 0, most)
        self._write(path, {*self._keys(), frame})

    def drop(self, frame: int) -> None:
        """``frame`` is no keyframe any more.

        Raises:
            InputError: it is none, or the only one.
            Refusal: nothing was planned.
        """
        keys = set(self._keys())
        if frame not in keys:
            raise InputError(f"Frame {frame} is no keyframe of the crop.")
        if len(keys) == 1:
            raise InputError("This is the only keyframe; drag the crop instead.")
        self._write(self._whole(), keys - {frame})

    @property
    def aspect(self) -> str:
        """The shape that was planned for."""
        return str(self._told()["aspect"])

    def _told(self) -> dict[str, Any]:
        told = self.as_json()
        if told is None:
            raise Refusal(409, "There is no crop yet; choose a shape and plan it first.")
        return told

    def _keys(self) -> list[int]:
        return self._told()["keys"]

    def _whole(self) -> CropPath:
        """Through all of the clip."""
        project, shape = self._project, Shape.parse(self.aspect, None)
        span = Span(0, project.survey.count, project.survey.shots)
        return read_path(self.path, shape, project.survey, span, project.info)[0]

    def _write(self, path: CropPath, keys: set[int]) -> None:
        project, aspect = self._project, self.aspect
        write_path(self.path, path, project.survey, project.info, aspect, only=keys)
