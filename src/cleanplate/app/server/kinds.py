"""What was picked: something flat, something that bends, or an overlay that was burned in.

It decides which tracker is proposed, and the page gives the reason with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from cleanplate.app.server.frames import Frames
from cleanplate.arrays.masks import grow
from cleanplate.projects.project import Project
from cleanplate.runtime import picked_engine
from cleanplate.settings.groups import PRINT
from cleanplate.tracks.marks import Anchor, Kind

_RECTANGULAR = 0.8  # of the area of the smallest rectangle around it that something flat covers
_SOLID = 0.92  # of the area of its hull
_APART = (-24, -12, 12, 24)  # frames in which a picture that moves shows something else
_STILL, _MOVES = 6.0, 14.0  # grey levels of change: of an overlay at most, of what is behind it
_RING = 0.06  # of the height: width of what is looked at around it
_WIDTH = 480  # px at which it is looked at

Name = Literal["flat", "bends", "burned"]


@dataclass(frozen=True, slots=True)
class PickedKind:
    """What an object was taken for."""

    kind: Name
    reason: str
    tracker: str
    """The tracker that suits it; empty: none is needed."""


def kind_of(project: Project, frames: Frames, proxy: Path, number: int) -> PickedKind | None:
    """What the object was taken for; None while nothing is marked.

    Args:
        project: whose object.
        frames: pictures of clips.
        proxy: the clip's small copy, looked at where it is there.
        number: the object's id.

    Raises:
        InputError: there is no such object.
    """
    project.state.object(number)
    anchors = project.state.anchors.get(number, {})
    marked = [at for at, anchor in sorted(anchors.items()) if _is_marked(anchor)]
    if not marked:
        return None
    frame = marked[0]
    crop = project.mask_store.crop(anchors[frame].mask)
    assert crop is not None  # it is marked
    mask = crop.on(project.size)
    if _is_burned_in(project, frames, proxy, frame, mask):
        reason = "It stays in place while the picture behind it moves, so it looks burned in."
        return PickedKind("burned", reason, "")
    name, reason = _shape(anchors[frame], mask)
    if name == "flat":
        return PickedKind(name, reason, "planar")
    return PickedKind(name, reason, picked_engine("track", project.settings) or "flowtrack")


def _is_marked(anchor: Anchor) -> bool:
    return anchor.kind is Kind.PROMPT and not anchor.is_empty


def _shape(anchor: Anchor, mask: np.ndarray) -> tuple[Name, str]:
    if anchor.outliner == PRINT:
        return "flat", "Letters are taken for a print on something flat."
    if anchor.exact and anchor.box is not None:
        return "flat", "A box is taken for something flat: a logo, a sign, a screen."
    outlines, _ = cv2.findContours(
        mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    outline = max(outlines, key=cv2.contourArea)
    area = max(cv2.contourArea(outline), 1.0)
    (_, (width, height), _) = cv2.minAreaRect(outline)
    hull = max(cv2.contourArea(cv2.convexHull(outline)), 1.0)
    if area >= _RECTANGULAR * max(width * height, 1.0) and area >= _SOLID * hull:
        return "flat", "Its outline is close to a rectangle, so it is taken for something flat."
    return "bends", (
        "Its outline is irregular, so it is taken for something that bends: a person, an animal."
    )


def _is_burned_in(
    project: Project, frames: Frames, proxy: Path, frame: int, mask: np.ndarray
) -> bool:
    """Whether what is masked looks the same in frames far apart and what is around it does not."""
    shots = project.survey.shots
    others = [
        frame + by
        for by in _APART
        if 0 <= frame + by < len(shots) and shots[frame + by] == shots[frame]
    ]
    if len(others) < 2:  # too short a shot to tell
        return False
    clip = proxy if proxy.exists() else project.source
    height = round(_WIDTH * project.size[0] / project.size[1])
    size = (_WIDTH, max(1, height))
    small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
    around = (grow(small, max(3, round(_RING * height))) > 0) & (grow(small, 2) == 0)
    if not small.any() or not around.any():
        return False

    def seen(number: int) -> np.ndarray:
        picture = cv2.resize(frames.picture(clip, number), size, interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)

    here = seen(frame)
    changes = [np.abs(seen(number) - here) for number in sorted(others)]
    inside = [float(np.median(change[small > 0])) for change in changes]
    outside = [float(change[around].mean()) for change in changes]
    return max(inside) <= _STILL and min(outside) >= _MOVES
