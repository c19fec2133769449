"""The shown frame, filled: a preview in seconds, from a thinned set of the frames around it.

First at half the size, from frames that lie apart, the proxy's where there is one; then, when
nobody asks for anything else, from more frames at the clip's own size. Where an object was not
tracked yet, its mask is carried to the frames around by their motion: good enough to keep the
object itself from being taken for background.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.app.server.frames import Frames
from cleanplate.arrays.flow import dense_flow
from cleanplate.arrays.masks import bounding_box, grow, inward_alpha, widened
from cleanplate.arrays.regions import Margins, room_for
from cleanplate.projects.project import Project
from cleanplate.runtime import make_engine
from cleanplate.settings.groups import Settings
from cleanplate.tracks.filled_masks import grown_mask, growths
from cleanplate.tracks.timeline import NOT_FOLLOWED, WORDS
from cleanplate.tracks.view import View
from cleanplate.types import Box, Frame, MaskedFrame

ENGINE = "flowfill"  # what previews fill with: it needs no weights, and real background is best
_DRAFT = (2, 6, 12, 20)  # frames before and after that a draft looks at
_SHARP = (1, 2, 4, 7, 10, 14, 19, 25)
_DRAFT_AREA, _SHARP_AREA = 70_000, 250_000  # px of a region; larger ones are made smaller
_MOTION_WIDTH = 320  # px at which masks are carried
_SAMPLES = 400  # pixels of an object that tell how it moves
_STRIDE = 2  # frames from one to the next on that way
_SPREAD = 0.001  # of the height, that a carried mask grows by with each of them
_NONE = WORDS.index(NOT_FOLLOWED)


class NotWantedError(Exception):
    """The person looks at something else by now."""


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A frame with what is masked in it filled."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB."""
    around: Box
    """What was filled and its surroundings, in px of the clip."""
    pace: float
    """Seconds that a megapixel of region took in a frame."""


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A frame of the thinned set."""

    index: int
    time: Fraction
    image: np.ndarray
    """(h, w, 3) uint8 RGB, at the size that is looked at."""
    mask: np.ndarray
    """(h, w) uint8, value = object id."""


def filled_frame(
    frames: Frames,
    project: Project,
    proxy: Path,
    frame: int,
    is_sharp: bool,
    is_wanted: Callable[[], bool],
) -> Filled | None:
    """``frame`` with what is masked in it filled; None where nothing is.

    Args:
        frames: pictures of clips.
        project: whose clip and masks.
        proxy: the clip's small copy, used for drafts where it is there.
        frame: index in the clip.
        is_sharp: from more frames, at a larger size.
        is_wanted: asked now and then.

    Raises:
        NotWantedError: it is not any more.
    """
    view = project.view()
    mask = view.mask(frame)
    if not mask.any():
        return None
    settings = project.settings
    source = frames.picture(project.source, frame)
    growth = growths(view, settings.masks)
    whole = grown_mask(mask, growth)
    clip = proxy if proxy.exists() and not is_sharp else project.source
    numbers = _around(project, frame, _SHARP if is_sharp else _DRAFT)
    looks = _looked_at(frames, clip, project, view, frame, numbers, growth, is_wanted)
    region = _region(looks, settings)
    began = time.perf_counter()
    filled, seen = _fill(looks, region, frame, is_sharp, settings, is_wanted)
    pace = (time.perf_counter() - began) / (len(looks) * seen / 1e6)
    scale = source.shape[1] / looks[0].image.shape[1]
    feather = settings.masks.feathered_by(2)
    shown = bounding_box(whole)
    if undone := project.undone(view):
        source, whole = undone.frame(frame, source, whole)
    image = _composed(source, whole, filled, region, scale, feather)
    assert shown is not None  # it holds the mask, which is not empty
    height, width = source.shape[:2]
    room = max(24, round(0.4 * max(shown.width, shown.height)))
    return Filled(image, widened(shown, room, width, height), pace)


def _around(project: Project, frame: int, steps: Sequence[int]) -> list[int]:
    """The frames to look at, in order, all of the shot of ``frame``."""
    shots = project.survey.shots
    wanted = [frame + sign * step for step in steps for sign in (-1, 1)]
    inside = [n for n in wanted if 0 <= n < len(shots) and shots[n] == shots[frame]]
    return sorted([*inside, frame])


def _looked_at(
    frames: Frames,
    clip: Path,
    project: Project,
    view: View,
    frame: int,
    numbers: Sequence[int],
    growth: dict[int, int],
    is_wanted: Callable[[], bool],
) -> list[_Look]:
    images: dict[int, np.ndarray] = {}
    greys: dict[int, np.ndarray] = {}
    unknown = {number: _unknown(view, number) for number in numbers if number != frame}
    between = set(numbers)
    if any(unknown.values()):  # flow is found between frames that lie close together
        between |= set(range(frame, numbers[0], -_STRIDE)) | set(range(frame, numbers[-1], _STRIDE))
    for number in sorted(between):
        if not is_wanted():
            raise NotWantedError
        image = frames.picture(clip, number)
        greys[number] = _grey(image)
        if number in unknown or number == frame:
            images[number] = image
    height, width = images[frame].shape[:2]
    carried = _carried(greys, view.mask(frame), frame) if any(unknown.values()) else {}
    looks = []
    for number, image in images.items():
        mask = _resized(grown_mask(view.mask(number), growth), (height, width))
        if guessed := unknown.get(number):
            guess = _resized(carried[number], (height, width))
            guess = np.where(np.isin(guess, guessed), guess, 0).astype(np.uint8)
            most = max(growth.get(object_id, 0) for object_id in guessed) * height / view.size[0]
            far = abs(number - frame) / _STRIDE
            guess = grow(guess, round(most + 1 + _SPREAD * height * far))
            mask = np.where(mask > 0, mask, guess)
        looks.append(_Look(number, project.survey.time(number), image, mask))
    return looks


def _unknown(view: View, number: int) -> list[int]:
    """The objects that were not tracked to a frame."""
    return [
        tracked.id
        for tracked in view.marks.objects
        if not tracked.static and view.tracks[tracked.id].codes[number] == _NONE
    ]


def _grey(image: np.ndarray) -> np.ndarray:
    """``image`` as masks are carried over it: (h, w) uint8, small."""
    height, width = image.shape[:2]
    part = min(1.0, _MOTION_WIDTH / width)
    size = (max(1, round(width * part)), max(1, round(height * part)))
    return cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def _carried(greys: dict[int, np.ndarray], mask: np.ndarray, frame: int) -> dict[int, np.ndarray]:
    """The mask of ``frame`` in all frames of ``greys``, carried from each to the next."""
    carried = {frame: _resized(mask, greys[frame].shape[:2])}
    numbers = sorted(greys)
    middle = numbers.index(frame)
    for way in (numbers[middle:], numbers[middle::-1]):
        for before, number in itertools.pairwise(way):
            flow = dense_flow(greys[before], greys[number])
            carried[number] = _moved(carried[before], flow)
    return carried


def _moved(mask: np.ndarray, flow: np.ndarray) -> np.ndarray:
    """``mask`` with each object moved, turned and scaled as most of its pixels move by ``flow``.

    Pixel by pixel it would be torn at its rim, where flow is that of the background.
    """
    height, width = mask.shape
    together = np.zeros_like(mask)
    for number in np.unique(mask[mask > 0]).tolist():
        part = (mask == number).astype(np.uint8)
        inner = cv2.erode(part, np.ones((3, 3), np.uint8))
        y, x = np.nonzero(inner if inner.any() else part)
        step = max(1, len(x) // _SAMPLES)
        places = np.stack([x[::step], y[::step]], axis=1).astype(np.float32)
        moved = places + flow[y[::step], x[::step]]
        motion, _ = cv2.estimateAffinePartial2D(places, moved, ransacReprojThreshold=1.0)
        if motion is None:  # too few pixels to tell more than where they go
            dx, dy = np.median(moved - places, axis=0)
            motion = np.array([[1, 0, dx], [0, 1, dy]])
        here = cv2.warpAffine(part, motion, (width, height), flags=cv2.INTER_NEAREST)
        together = np.where(here > 0, number, together).astype(np.uint8)
    return together


def _resized(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """``mask`` at ``size`` (h, w); thin parts do not get lost."""
    height, width = size
    if mask.shape == size:
        return mask
    if mask.shape[1] > width:
        reach = int(np.ceil(mask.shape[1] / width / 2))
        mask = cv2.dilate(mask, np.ones((2 * reach + 1,) * 2, np.uint8))
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST)


def _region(looks: Sequence[_Look], settings: Settings) -> Box:
    """The crop that holds the masks of all frames and what is around them."""
    height, width = looks[0].mask.shape
    seen = [look.mask for look in looks]
    box = bounding_box(np.maximum.reduce(seen))
    assert box is not None  # the frame in the middle has a mask
    margins = Margins(settings.regions.context, max(16, settings.regions.least_context // 2))
    edges = np.array([box.x0, box.y0, box.x1, box.y1])
    room, place = room_for(edges, np.array([width, height]), margins)
    x, y = int(place[0]), int(place[1])
    return Box(x, y, x + int(room[0]), y + int(room[1]))


def _fill(
    looks: Sequence[_Look],
    region: Box,
    frame: int,
    is_sharp: bool,
    settings: Settings,
    is_wanted: Callable[[], bool],
) -> tuple[np.ndarray, int]:
    """(h, w, 3) uint8 RGB: ``region`` of ``frame``, filled; and the px that were looked at."""
    fields = {**settings.engine_fields.get(ENGINE, {})}
    fields |= {"quality": "standard" if is_sharp else "fast", "unseen": "smooth"}
    asked = replace(settings, engine_fields={ENGINE: fields})
    engine: Any
    engine, _ = make_engine("inpaint", ENGINE, asked)
    area = _SHARP_AREA if is_sharp else _DRAFT_AREA
    part = min(1.0, float(np.sqrt(area / (region.width * region.height))))
    size = (max(16, round(region.width * part)), max(16, round(region.height * part)))

    def shown() -> Iterable[MaskedFrame]:
        for place, look in enumerate(looks):
            if not is_wanted():
                raise NotWantedError
            image = cv2.resize(look.image[region.slices], size, interpolation=cv2.INTER_AREA)
            mask = _resized(np.ascontiguousarray(look.mask[region.slices]), (size[1], size[0]))
            yield MaskedFrame(Frame(place, look.time, image), mask)

    middle = [look.index for look in looks].index(frame)
    for filled in engine.inpaint(shown()):
        if not is_wanted():
            raise NotWantedError
        if filled.index == middle:
            whole = (region.width, region.height)
            image = cv2.resize(filled.image, whole, interpolation=cv2.INTER_CUBIC)
            return image, size[0] * size[1]
    raise AssertionError("an inpainter gives as many frames as it gets")


def _composed(
    source: np.ndarray,
    mask: np.ndarray,
    filled: np.ndarray,
    region: Box,
    scale: float,
    feather: int,
) -> np.ndarray:
    """``source`` with ``filled``, ``region`` at ``1 / scale`` of its size, under ``mask``."""
    height, width = source.shape[:2]
    x0, y0 = round(region.x0 * scale), round(region.y0 * scale)
    x1, y1 = min(width, round(region.x1 * scale)), min(height, round(region.y1 * scale))
    here = (slice(y0, y1), slice(x0, x1))
    patch = cv2.resize(filled, (x1 - x0, y1 - y0), interpolation=cv2.INTER_CUBIC)
    alpha = inward_alpha(mask[here] > 0, feather)[..., None]
    picture = source.copy()
    picture[here] = np.rint(source[here] * (1 - alpha) + patch * alpha).astype(np.uint8)
    return picture
