"""The way of a crop through a clip, and its file: (time, box) for each frame, as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.errors import InputError
from cleanplate.files.publish import write_text
from cleanplate.media.crop import CropSize
from cleanplate.media.survey import Span, Survey
from cleanplate.retargeting.shape import Shape, px_ratio
from cleanplate.types import VideoInfo

FORMAT = "cleanplate crop path"
_STILL = 0.01  # px a frame: less is standing
_LEAST_STILL = 3  # frames
_SAME = 0.01  # px by which two sizes may differ


@dataclass(frozen=True, slots=True, eq=False)
class CropPath:
    """Where a crop of one size lies in each frame of a span."""

    start: int
    """The first frame."""
    corners: np.ndarray
    """(N, 2) float64 (x, y) of its top left corner, px of the upright picture."""
    width: int
    height: int

    def corner(self, frame: int) -> tuple[float, float]:
        """(x, y) of its top left corner in ``frame``."""
        x, y = self.corners[frame - self.start].tolist()
        return x, y

    def boxes(self) -> np.ndarray:
        """(N, 4) float64 x0, y0, x1, y1."""
        return np.hstack([self.corners, self.corners + np.array([self.width, self.height])])


def settled(places: np.ndarray, grid: int, most: float) -> np.ndarray:
    """``places`` of one shot with the camera standing at whole samples wherever it stands.

    What is between two such places is moved by a share of both corrections, so that nothing jumps.

    Args:
        places: (N,) px.
        grid: px of a whole sample.
        most: the greatest place, in px.
    """
    still = np.abs(np.diff(places, prepend=places[:1])) < _STILL
    edges = np.flatnonzero(np.diff(np.concatenate([[0], still.astype(np.int8), [0]])))
    frames, corrections = [], []
    for first, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        if stop - first < _LEAST_STILL and stop - first < len(places):
            continue
        whole = np.clip(round(float(places[first]) / grid) * grid, 0, int(most) // grid * grid)
        frames += [first, stop - 1]
        corrections += [whole - places[first], whole - places[stop - 1]]
    if not frames:
        return places
    moved = places + np.interp(np.arange(len(places)), frames, corrections)
    return np.clip(moved, 0, most)


def write_path(
    file: Path,
    path: CropPath,
    survey: Survey,
    info: VideoInfo,
    aspect: str | None = None,
    only: Collection[int] | None = None,
) -> None:
    """Write ``path`` as JSON; ``only`` names the frames to keep, between which the crop glides.

    ``frames`` holds, for each frame, its number, its time in seconds from the first frame of the
    clip, and the box x0, y0, x1, y1 in px of the upright picture, ends exclusive.
    """
    begin = survey.time(0)
    frames = [
        {
            "frame": frame,
            "time": round(float(survey.time(frame) - begin), 6),
            "box": [round(value, 3) for value in box],
        }
        for frame, box in enumerate(path.boxes().tolist(), path.start)
        if only is None or frame in only
    ]
    head: dict[str, Any] = {
        "format": FORMAT,
        "source": {"width": info.width, "height": info.height, "frames": survey.count},
        "aspect": aspect,
        "crop": {"width": path.width, "height": path.height},
        "cuts": [int(cut) for cut in survey.cuts],
    }
    lines = ",\n".join(json.dumps(frame) for frame in frames)
    write_text(file, json.dumps(head, indent=1)[:-2] + ',\n "frames": [\n' + lines + "\n ]\n}\n")


def read_path(
    file: Path, shape: Shape, survey: Survey, span: Span, info: VideoInfo
) -> tuple[CropPath, CropSize]:
    """The path that ``file`` holds, for all frames of ``span``.

    Frames may be left out: the crop glides between those of a shot that are there, and stands
    before the first and after the last; a shot without any goes on from the one before.

    Raises:
        InputError: no such file, another form, a box outside of the picture, boxes of several
            sizes or of another shape.
    """
    frames, boxes = _entries(file, survey)
    sizes = boxes[:, 2:] - boxes[:, :2]
    width, height = (round(float(side)) for side in sizes[0])
    if np.abs(sizes - [width, height]).max() > _SAME or width % 2 or height % 2:
        raise InputError(
            f"The boxes of {file} must all have one size, in even px; the first is "
            f"{sizes[0][0]:g}x{sizes[0][1]:g}."
        )
    _check_shape(file, width, height, shape, info)
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    if low.min() < -_SAME or high[0] > info.width + _SAME or high[1] > info.height + _SAME:
        raise InputError(
            f"A box of {file} reaches out of the picture of {info.width}x{info.height}; give "
            "boxes inside it."
        )
    corners = _between(frames, boxes[:, :2], survey, span)
    most = np.array([info.width - width, info.height - height], float)
    path = CropPath(span.start, np.clip(corners, 0, most), width, height)
    return path, CropSize(width, height, *(shape.size or (width, height)))


def _check_shape(file: Path, width: int, height: int, shape: Shape, info: VideoInfo) -> None:
    wanted = height * float(px_ratio(shape, info))
    if abs(width - wanted) > 4:
        raise InputError(
            f"The boxes of {file} are {width}x{height} px, and the shape asked for would be "
            f"{round(wanted)}x{height}; ask for the shape of the boxes, or change them."
        )


def _entries(file: Path, survey: Survey) -> tuple[np.ndarray, np.ndarray]:
    """(frame numbers, (n, 4) boxes), sorted, one for each frame."""
    form = f'expected {{"frames": [{{"frame": 0, "box": [x0, y0, x1, y1]}}, ...]}} in {file}'
    try:
        listed = json.loads(file.read_text(encoding="utf-8"))["frames"]
    except FileNotFoundError:
        raise InputError(f"There is no file {file}; check the name.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file} is no path of a crop ({error}); {form}.") from error
    begin = survey.time(0)
    known: dict[int, list[float]] = {}
    times = np.array([float(survey.time(n) - begin) for n in range(survey.count)])
    for number, entry in enumerate(listed):
        try:
            box = [float(value) for value in entry["box"]]
            frame = int(entry["frame"]) if "frame" in entry else _at(float(entry["time"]), times)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"Entry {number} of the frames is no frame and box; {form}."
            ) from error
        if len(box) != 4 or not np.isfinite(box).all() or box[2] <= box[0] or box[3] <= box[1]:
            raise InputError(f"The box of entry {number} is {entry['box']}; {form}.")
        if not 0 <= frame < survey.count:
            raise InputError(
                f"{file} speaks of frame {frame}, and the clip has {survey.count} frames."
            )
        known[frame] = box
    if not known:
        raise InputError(f"{file} holds no frame; {form}.")
    frames = sorted(known)
    return np.array(frames), np.array([known[frame] for frame in frames])


def _at(seconds: float, times: np.ndarray) -> int:
    return max(0, int(np.searchsorted(times, seconds + 1e-6, side="right")) - 1)


def _between(frames: np.ndarray, corners: np.ndarray, survey: Survey, span: Span) -> np.ndarray:
    """(N, 2): ``corners`` at ``frames``, carried through all frames of the span."""
    made = np.zeros((span.stop - span.start, 2))
    times = np.array([float(survey.time(n)) for n in range(span.start, span.stop)])
    for number in np.unique(span.shots[span.start : span.stop]):
        first = max(int(np.searchsorted(span.shots, number)), span.start)
        stop = min(int(np.searchsorted(span.shots, number, side="right")), span.stop)
        whole = int(np.searchsorted(span.shots, number, side="right"))
        inside = (frames >= int(np.searchsorted(span.shots, number))) & (frames < whole)
        at = slice(first - span.start, stop - span.start)
        if not inside.any():
            earlier = np.flatnonzero(frames < first)
            made[at] = corners[earlier[-1] if len(earlier) else 0]
            continue
        keys = np.array([float(survey.time(int(n))) for n in frames[inside]])
        for axis in (0, 1):
            made[at, axis] = glide(times[at], keys, corners[inside, axis])
    return made


def glide(times: np.ndarray, keys: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A smooth curve through ``values`` at ``keys`` that never goes beyond two neighbours.

    Fritsch and Butland, "A method for constructing local monotone piecewise cubic interpolants",
    SIAM Journal on Scientific and Statistical Computing 5, 1984; flat at both ends.

    Args:
        times: (N,) where it is wanted.
        keys: (n,) rising.
        values: (n,) at the keys.
    """
    if len(keys) == 1:
        return np.full(len(times), values[0])
    gaps = np.diff(keys)
    slopes = np.diff(values) / gaps
    before, after = slopes[:-1], slopes[1:]
    first, second = 2 * gaps[1:] + gaps[:-1], gaps[1:] + 2 * gaps[:-1]
    tangents = np.zeros(len(keys))
    onward = before * after > 0
    tangents[1:-1][onward] = ((first + second)[onward]) / (
        first[onward] / before[onward] + second[onward] / after[onward]
    )
    clipped = np.clip(times, keys[0], keys[-1])
    place = np.clip(np.searchsorted(keys, clipped, side="right") - 1, 0, len(gaps) - 1)
    u, gap = (clipped - keys[place]) / gaps[place], gaps[place]
    return (
        (2 * u**3 - 3 * u**2 + 1) * values[place]
        + (u**3 - 2 * u**2 + u) * gap * tangents[place]
        + (3 * u**2 - 2 * u**3) * values[place + 1]
        + (u**3 - u**2) * gap * tangents[place + 1]
    )
