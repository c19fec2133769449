"""``suggest``: burned-in logos, captions and watermarks, proposed without a click.

What stays while the rest moves is found in windows of two seconds, for captions, and over the whole
clip, for logos. Cuts inside a window help: almost nothing else survives them. Under a camera that
stands still everything stays: there lines of text are found by how they come and go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

import cv2
import numpy as np

from cleanplate.arrays.masks import around, clipped, shared_area, shifted, widened
from cleanplate.arrays.overlay import Stays, find_letters, what_stays
from cleanplate.media.read import Clip, open_clip
from cleanplate.media.samples import sampled, spread
from cleanplate.media.survey import Span, Survey, survey
from cleanplate.progress import Progress
from cleanplate.suggestions.captions import captions
from cleanplate.suggestions.extent import ends
from cleanplate.suggestions.sudden import LOOKS, Stretch, Watch, joined
from cleanplate.types import Box, Suggestion

_WIDTH = 720  # px of the pictures that are compared
_SECONDS, _HOP = 2.0, 1.0  # length of a window, and from one to the next
_IN_WINDOW, _IN_CLIP = 16, 60  # frames compared
_FEWEST = 12  # frames of a window that proves anything

_STEEP, _OFTEN = 5.0, 0.9  # of an overlay's edges: grey levels a px, share of the frames
_JOIN = (18, 6)  # px: letters so near belong together
_LEAST_EDGES, _LEAST_DENSITY = 40, 0.08
_LARGEST = (0.95, 0.35)  # parts of the picture's width and height
_ONE_WAY = 0.85  # share of edges of one direction in a straight line
_MOVING, _MOVING_NEAR = 2.5, 25  # grey levels, and px around the overlay in which they count
_STILL = 0.3  # share of all steep edges that stay, from which on the camera stands still
_SAME = 0.5  # intersection over union of boxes from which on two finds are one overlay
_INSIDE = 0.6  # part of the smaller box that two finds of the same share
_ALIKE = 0.55  # correlation of what two finds show, from which on it is the same
_LONG = 0.8  # share of a window that must show an overlay; of the clip, for a logo
_ROOM = 12  # px of surroundings of a box
_SURE = 0.85  # confidence below which a find is not worth a look


@dataclass(frozen=True, slots=True)
class Suggested:
    """What ``suggest`` found, and what it could not judge."""

    overlays: tuple[Suggestion, ...]
    still: tuple[tuple[int, int], ...]
    """(start, stop) of the frames under a camera that hardly moves, where nothing can be told."""


@dataclass(frozen=True, slots=True)
class _Find:
    """A box in the small picture and the frames that it was found in."""

    box: Box
    start: int
    stop: int
    confidence: float
    look: np.ndarray
    """(h, w, 2) float32: the gradient of what stays in the box, 0 beside its edges."""


def suggest(clip: str | PathLike[str], progress: Progress | None = None) -> list[Suggestion]:
    """Propose burned-in overlays of ``clip``, surest first. Look at them before removing them.

    Raises:
        InputError, MediaError: the clip cannot be read.
    """
    return list(look(clip, progress).overlays)


def look(clip: str | PathLike[str], progress: Progress | None = None) -> Suggested:
    """As ``suggest``, and say where the camera stands still so that nothing can be told."""
    progress = progress or Progress()
    with open_clip(Path(clip)) as opened:
        progress.start("survey", opened.info.frame_count)
        surveyed = survey(opened, progress.advance)
        progress.finish()
        return look_through(opened, surveyed, progress)


def look_through(opened: Clip, surveyed: Survey, progress: Progress) -> Suggested:
    """As ``look``, for a clip that is open and surveyed."""
    finds: list[_Find] = []
    still: list[tuple[int, int]] = []
    stretches: list[Stretch] = []
    windows = progress.over("suggest", _windows(opened, surveyed, stretches), None)
    for start, stop, frames in windows:
        stays = what_stays(frames)
        if _stands_still(stays, frames):
            still.append((start, stop))
        else:
            # What only a part of the frames shows is found in a shorter window.
            shown = float(stays.shown.mean())
            finds += _finds(stays, start, stop) if shown >= _LONG else []
    scale = opened.info.width / _small_size(opened)[0]
    step = _step(surveyed)
    sudden = [
        (_is_whole(stretch, surveyed.count), _to_the_frame(opened, surveyed, caption))
        for stretch, caption in captions(opened, surveyed, joined(stretches, step), scale, step)
        if caption.confidence >= _SURE
    ]
    overlays = [caption for is_whole, caption in sudden if is_whole]
    steady = [
        _to_the_frame(opened, surveyed, _suggestion(opened, surveyed, find, scale))
        for find in _merged(_of_one_look(finds, surveyed.count))
    ]
    overlays += _others(steady, overlays)
    overlays += _others([caption for is_whole, caption in sudden if not is_whole], overlays)
    overlays.sort(key=lambda overlay: -overlay.confidence)
    return Suggested(tuple(overlays), tuple(_joined(still)))


def _small_size(clip: Clip) -> tuple[int, int]:
    scale = min(1.0, _WIDTH / clip.info.width)
    return max(round(clip.info.width * scale), 1), max(round(clip.info.height * scale), 1)


def _rate(surveyed: Survey) -> float:
    seconds = float(surveyed.time(surveyed.count - 1) - surveyed.time(0))
    return surveyed.count / seconds if seconds > 0 else 25.0


def _step(surveyed: Survey) -> int:
    """Frames from one look at what changes to the next."""
    return max(1, round(_rate(surveyed) / LOOKS))


def _windows(
    clip: Clip, surveyed: Survey, stretches: list[Stretch]
) -> Iterator[tuple[int, int, list[np.ndarray]]]:
    """(start, stop, small frames): the whole clip, then its windows.

    What changes at once is added to ``stretches``, so that the clip is read through only once.
    """
    size = _small_size(clip)
    whole = Span(0, surveyed.count, surveyed.shots)

    def small(image: np.ndarray) -> np.ndarray:
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    frames = [small(picture.rgb()) for picture in spread(clip, whole, _IN_CLIP)]
    if len(frames) >= _FEWEST:
        yield 0, surveyed.count, frames
    del frames
    rate, step, watch = _rate(surveyed), _step(surveyed), Watch()
    reach, hop = max(round(_SECONDS * rate), _FEWEST), max(round(_HOP * rate), 1)
    is_longer = surveyed.count > reach  # else the whole clip was the only window
    shot, shots = 0, surveyed.shots
    stride = max(1, reach // _IN_WINDOW)
    held: deque[tuple[int, np.ndarray]] = deque()
    for picture in clip.pictures():
        is_held, is_looked_at = (picture.index % every == 0 for every in (stride, step))
        if is_held or is_looked_at:
            image = small(picture.rgb())
            if is_held:
                held.append((picture.index, image))
            if is_looked_at:
                now = int(shots[picture.index])
                stretches += watch.see(picture.index, image, now != shot)
                shot = now
        stop = picture.index + 1
        if is_longer and stop >= reach and (stop - reach) % hop == 0:
            while held[0][0] < stop - reach:
                held.popleft()
            yield stop - reach, stop, [image for _, image in held]
        elif not is_longer:
            held.clear()
    stretches += watch.finish(surveyed.count)


def _stands_still(stays: Stays, frames: list[np.ndarray]) -> bool:
    steep = []
    for frame in frames[:: max(1, len(frames) // 5)]:
        luma = cv2.GaussianBlur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (0, 0), 0.7)
        across, down = (cv2.Sobel(luma, cv2.CV_32F, *way) for way in ((1, 0), (0, 1)))
        steep.append(np.count_nonzero(np.hypot(across, down) > 8 * _STEEP))
    return bool(np.count_nonzero(_edges(stays)) > _STILL * max(float(np.median(steep)), 1))


def _edges(stays: Stays) -> np.ndarray:
    return (stays.size > _STEEP) & (stays.agreement > _OFTEN)


def _finds(stays: Stays, start: int, stop: int) -> list[_Find]:
    edges = _edges(stays).astype(np.uint8)
    moving = cv2.dilate(stays.motion, np.ones((2 * _MOVING_NEAR + 1,) * 2, np.uint8)) > _MOVING
    joined = cv2.morphologyEx(edges, cv2.MORPH_CLOSE, np.ones(_JOIN[::-1], np.uint8))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    labels = np.asarray(parts)
    height, width = edges.shape
    finds = []
    for number in range(1, count):
        x, y, w, h = (int(v) for v in stats[number, :4])
        box = Box(x, y, x + w, y + h)
        shape = (labels[box.slices] == number) & (edges[box.slices] > 0)
        pixels = np.count_nonzero(shape)
        if pixels < _LEAST_EDGES or pixels < _LEAST_DENSITY * w * h:
            continue
        if x == 0 or y == 0 or x + w == width or y + h == height:
            continue
        if w > _LARGEST[0] * width or h > _LARGEST[1] * height:
            continue
        if not moving[box.slices][shape].mean() > 0.5 or _is_line(stays, box, shape):
            continue
        agreement = float(stays.agreement[box.slices][shape].mean())
        contrast = min(float(stays.size[box.slices][shape].mean()) / (3 * _STEEP), 1.0)
        confidence = agreement * (0.5 + 0.5 * contrast)
        if confidence >= _SURE:
            look = np.where(shape[..., None], stays.gradient[box.slices], np.float32(0))
            finds.append(_Find(box, start, stop, confidence, look))
    return finds


def _is_line(stays: Stays, box: Box, shape: np.ndarray) -> bool:
    """Whether nearly all edges run one way: a bar's rim, a pole, no letters."""
    across, down = (np.abs(stays.gradient[box.slices][shape][:, i]) for i in (0, 1))
    flat = max((across < 0.3 * down).mean(), (down < 0.3 * across).mean())
    return bool(flat > _ONE_WAY)


def _of_one_look(finds: list[_Find], count: int) -> list[_Find]:
    """``finds`` without those over all of the clip whose place shows one thing after another."""
    short = [find for find in finds if find.stop - find.start < count]
    return [
        find
        for find in finds
        if find.stop - find.start < count
        or all(_alike(find, brief) for brief in short if _overlap(find.box, brief.box) > _SAME)
    ]


def _merged(finds: list[_Find]) -> list[_Find]:
    """One find for each overlay: those of windows that follow each other and overlap are one."""
    kept: list[_Find] = []
    for find in sorted(finds, key=lambda find: (find.start - find.stop, find.start)):
        for place, other in enumerate(kept):
            together = find.start <= other.stop and other.start <= find.stop
            if together and _overlap(find.box, other.box) > _SAME and _alike(find, other):
                kept[place] = _union(other, find)
                break
        else:
            kept.append(find)
    return kept


def _overlap(first: Box, second: Box) -> float:
    shared = shared_area(first, second)
    return shared / (first.width * first.height + second.width * second.height - shared)


def _union(first: _Find, second: _Find) -> _Find:
    box = around(first.box, second.box)
    start, stop = min(first.start, second.start), max(first.stop, second.stop)
    best = max(first, second, key=lambda find: find.confidence)
    look = np.zeros((box.height, box.width, 2), np.float32)
    look[shifted(best.box, -box.x0, -box.y0).slices] = best.look
    return _Find(box, start, stop, best.confidence, look)


def _alike(first: _Find, second: _Find) -> bool:
    """Whether both show the same, not captions that follow each other in one place."""
    box = around(first.box, second.box)
    looks = []
    for find in (first, second):
        look = np.zeros((box.height, box.width, 2), np.float32)
        look[shifted(find.box, -box.x0, -box.y0).slices] = find.look
        looks.append(cv2.GaussianBlur(look, (0, 0), 0.7))
    product = float((looks[0] * looks[1]).sum())
    return product > _ALIKE * float(np.linalg.norm(looks[0]) * np.linalg.norm(looks[1]))


def _is_whole(stretch: Stretch, count: int) -> bool:
    """Whether both its ends are known, and not only the cuts between which it was looked at."""
    return (stretch.begins or stretch.start == 0) and (stretch.ends or stretch.stop == count)


def _others(suggested: list[Suggestion], known: list[Suggestion]) -> list[Suggestion]:
    return [new for new in suggested if not any(_is_same(new, old) for old in known)]


def _is_same(first: Suggestion, second: Suggestion) -> bool:
    """Whether two suggestions lie in one place at one time."""
    smaller = min(first.box.width * first.box.height, second.box.width * second.box.height)
    together = min(first.stop, second.stop) - max(first.start, second.start)
    shorter = min(first.stop - first.start, second.stop - second.start)
    return shared_area(first.box, second.box) > _INSIDE * smaller and together > _SAME * shorter


def _suggestion(clip: Clip, surveyed: Survey, find: _Find, scale: float) -> Suggestion:
    """A find at the clip's own size, with its letters as the mask where they are clear."""
    width, height = clip.info.width, clip.info.height
    x0, y0 = int((find.box.x0 - 3) * scale), int((find.box.y0 - 3) * scale)
    x1, y1 = int((find.box.x1 + 3) * scale) + 1, int((find.box.y1 + 3) * scale) + 1
    around = Box(x0, y0, x1, y1)
    box, room = clipped(around, width, height), widened(around, _ROOM, width, height)
    assert box is not None  # it was found inside
    frames = list(sampled(clip, Span(find.start, find.stop, surveyed.shots), room))
    inner = shifted(box, -room.x0, -room.y0)
    letters = find_letters(frames, inner, np.zeros(frames[0].shape[:2], bool))
    mask = np.zeros((height, width), bool)
    if letters.doubt:
        mask[box.slices] = True
    else:
        mask[box.slices] = letters.mask
        mask[room.slices] |= letters.beyond
    mask.flags.writeable = False
    share = (find.stop - find.start) / surveyed.count
    kind = "logo" if share >= _LONG else "caption"
    return Suggestion(box, mask, find.start, find.stop, round(find.confidence, 3), kind)


def _to_the_frame(clip: Clip, surveyed: Survey, suggestion: Suggestion) -> Suggestion:
    if suggestion.kind != "caption":
        return suggestion
    start, stop = ends(clip, suggestion, surveyed.count)
    return replace(suggestion, start=start, stop=stop)


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined
