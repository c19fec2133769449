"""Before and after, side by side, zoomed on what changed, the most suspect frames first.

There is no truth to compare with here, so a frame's suspicion is what the eye catches: a seam (the
gradient across the mask's rim stands out from that of its surroundings) and flicker (the fill
changes from frame to frame by more than its surroundings do), both in grey levels of 0..255.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box, clipped
from cleanplate.errors import InputError
from cleanplate.files.publish import publishing
from cleanplate.media.mask_files import Masks, open_masks
from cleanplate.media.new_clip import write_clip
from cleanplate.media.numbering import frame_numbers
from cleanplate.media.read import Clip, open_clip
from cleanplate.types import Box

_CHANGED = 12  # grey levels: what differs by more is no trace of compression
_RIM = 3  # px on each side of the mask's rim
_TILE = 420  # px: width of one picture on the sheet
_GAIN = 4  # of the difference shown
_PLACE = 5  # frames: what is wrong in one is wrong in its neighbours, and shown once
_SWEEP = 4  # seconds for the wipe's line to cross the picture once and come back


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """One frame of both clips."""

    index: int
    time: Fraction
    before: np.ndarray
    after: np.ndarray
    """(H, W, 3) uint8 RGB."""
    mask: np.ndarray
    """(H, W) uint8, not 0 where something was removed."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """How much a frame needs a person's look."""

    index: int
    time: Fraction
    seam: float
    flicker: float
    box: Box

    @property
    def total(self) -> float:
        return self.seam + self.flicker


def in_step(before: Clip, after: Clip, masks: Masks | None) -> Iterator[Compared]:
    """Both clips frame by frame; without ``masks`` what changed is the mask.

    Raises:
        InputError: the clips differ in size or in the number of frames.
    """
    one, other = before.info, after.info
    if (one.width, one.height) != (other.width, other.height):
        raise InputError(
            f"{one.path} is {one.width}x{one.height} and {other.path} is "
            f"{other.width}x{other.height}; compare clips of one size."
        )
    given = None if masks is None else masks.read(0)
    pictures, count = after.pictures(), 0
    for picture in before.pictures():
        count += 1
        cleaned = next(pictures, None)
        if cleaned is None:
            raise _unequal(one.path, other.path, picture.index)
        image, clean = picture.rgb(), cleaned.rgb()
        mask = changed(image, clean) if given is None else next(given)
        yield Compared(picture.index, picture.time, image, clean, mask)
    if next(pictures, None) is not None:
        raise _unequal(other.path, one.path, count)


def _unequal(longer: str, shorter: str, count: int) -> InputError:
    return InputError(
        f"{longer} goes on after frame {count - 1}, where {shorter} ends; compare clips with the "
        "same frames."
    )


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(H, W) uint8: 1 where two pictures differ by more than compression explains."""
    difference = cv2.absdiff(before, after).max(axis=2)
    solid = (cv2.blur(difference, (5, 5)) > _CHANGED).astype(np.uint8)
    solid = cv2.morphologyEx(solid, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(solid)
    areas = stats[:, cv2.CC_STAT_AREA]
    # Specks are an encoder's noise on busy pictures; what was removed is larger.
    large = [i for i in range(1, count) if areas[i] >= 0.1 * areas[1:].max()]
    return np.isin(labels, large).astype(np.uint8)


def suspicions(frames: Iterator[Compared]) -> list[Suspicion]:
    """The suspicion of each frame that has a mask: most suspect first, their neighbours last."""
    found: list[Suspicion] = []
    previous: np.ndarray | None = None
    for frame in frames:
        grey = cv2.cvtColor(frame.after, cv2.COLOR_RGB2GRAY)
        box = bounding_box(frame.mask)
        if box is not None:
            seam = _seam(grey, frame.mask)
            flicker = 0.0 if previous is None else _flicker(grey, previous, frame.mask)
            found.append(Suspicion(frame.index, frame.time, seam, flicker, box))
        previous = grey
    return _places_first(sorted(found, key=lambda one: -one.total))


def _places_first(ranked: list[Suspicion]) -> list[Suspicion]:
    places: list[Suspicion] = []
    neighbours: list[Suspicion] = []
    for one in ranked:
        near = any(abs(one.index - place.index) <= _PLACE for place in places)
        (neighbours if near else places).append(one)
    return places + neighbours


def _rings(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    solid = (mask > 0).astype(np.uint8)
    size = np.ones((2 * _RIM + 1,) * 2, np.uint8)
    grown = cv2.dilate(solid, size)
    rim = (cv2.dilate(solid, size[:3, :3]) - cv2.erode(solid, size[:3, :3])) > 0
    around = (cv2.dilate(grown, size) - grown) > 0
    return rim, around


def _seam(grey: np.ndarray, mask: np.ndarray) -> float:
    rim, around = _rings(mask)
    if not around.any():
        return 0.0
    x = cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=0.25)
    y = cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=0.25)
    steep = cv2.magnitude(x, y)
    return float(max(0.0, steep[rim].mean() - steep[around].mean()))


def _flicker(grey: np.ndarray, previous: np.ndarray, mask: np.ndarray) -> float:
    _, around = _rings(mask)
    if not around.any():
        return 0.0
    change = cv2.absdiff(grey, previous)
    return float(max(0.0, change[mask > 0].mean() - change[around].mean()))


# --- what is written ---------------------------------------------------------------------------


def write_comparison(
    before: Path, after: Path, masks: Path | None, out: Path, most: int = 8
) -> list[Suspicion]:
    """Write a sheet (``.png``) of the most suspect frames, or a wipe (``.mp4``) of all.

    Returns:
        The frames' suspicions, most suspect first, neighbours of more suspect ones last.

    Raises:
        InputError: clips that do not match, nothing that differs, or an output of another kind.
    """
    if out.suffix.lower() not in (".png", ".mp4"):
        raise InputError(f"{out} is neither a .png (a sheet) nor an .mp4 (a wipe).")
    with open_clip(before) as one, open_clip(after) as other:
        given = None if masks is None else _masks(masks, one, before)
        ranked = suspicions(in_step(one, other, given))
        if not ranked:
            raise InputError(f"{before} and {after} show the same: there is nothing to compare.")
        if out.suffix.lower() == ".mp4":
            rate = one.info.average_rate or Fraction(25)
            write_clip(out, (_wiped(frame, rate) for frame in in_step(one, other, given)), rate)
        else:
            _write_sheet(out, ranked[:most], in_step(one, other, given))
    return ranked


def _masks(path: Path, clip: Clip, source: Path) -> Masks:
    count = sum(1 for _ in clip.pictures())
    numbers = frame_numbers(source, count)
    return open_masks(path, numbers, clip.info.width, clip.info.height)


def _write_sheet(out: Path, worst: list[Suspicion], frames: Iterator[Compared]) -> None:
    wanted = {one.index: one for one in worst}
    rows = {f.index: _row(f, wanted[f.index]) for f in frames if f.index in wanted}
    sheet = np.concatenate([rows[one.index] for one in worst])
    with publishing(out) as draft:
        cv2.imwrite(str(draft), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def _row(frame: Compared, one: Suspicion) -> np.ndarray:
    view = _view(one.box, frame.before.shape)
    before, after = frame.before[view.slices], frame.after[view.slices]
    outlined = before.copy()
    contours = cv2.findContours(
        (frame.mask[view.slices] > 0).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )[0]
    cv2.drawContours(outlined, contours, -1, (255, 64, 64), max(1, view.width // _TILE))
    difference = np.clip(cv2.absdiff(before, after).astype(np.int32) * _GAIN, 0, 255)
    size = (_TILE, max(1, round(_TILE * view.height / view.width)))
    tiles = [
        cv2.resize(tile.astype(np.uint8), size, interpolation=cv2.INTER_AREA)
        for tile in (outlined, after, difference)
    ]
    title = np.full((26, 3 * _TILE, 3), 24, np.uint8)
    text = (
        f"frame {frame.index}  {float(frame.time):.3f} s  seam {one.seam:.1f}  "
        f"flicker {one.flicker:.1f}   before | after | difference x{_GAIN}"
    )
    cv2.putText(title, text, (8, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235,) * 3, 1, cv2.LINE_AA)
    return np.concatenate([title, np.concatenate(tiles, axis=1)])


def _view(box: Box, shape: tuple[int, ...]) -> Box:
    """The mask and half as much around it, no narrower than 160 px or the picture."""
    height, width = shape[:2]
    middle_x, middle_y = (box.x0 + box.x1) // 2, (box.y0 + box.y1) // 2
    across = min(width, max(160, 2 * box.width))
    down = min(height, max(90, 2 * box.height))
    x = min(max(0, middle_x - across // 2), width - across)
    y = min(max(0, middle_y - down // 2), height - down)
    view = clipped(Box(x, y, x + across, y + down), width, height)
    assert view is not None  # it was moved inside
    return view


def _wiped(frame: Compared, rate: Fraction) -> np.ndarray:
    """Before on the left of a line that goes to and fro, after on the right."""
    phase = (frame.index / float(rate) / _SWEEP) % 1
    place = round(frame.before.shape[1] * (1 - abs(2 * phase - 1)))
    picture = frame.after.copy()
    picture[:, :place] = frame.before[:, :place]
    picture[:, max(0, place - 1) : place + 1] = 255
    return picture
