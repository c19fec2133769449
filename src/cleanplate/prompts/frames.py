"""Which frame each prompt points into, and all that points at one object there together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.errors import InputError
from cleanplate.types import Prompt

if TYPE_CHECKING:
    from cleanplate.media.picture import Picture
    from cleanplate.media.read import Clip
    from cleanplate.media.survey import Survey


def frame_of(at: int | Fraction, survey: Survey) -> int:
    """The index of the frame that ``at`` names.

    Raises:
        InputError: it lies outside the clip.
    """
    if isinstance(at, int):
        if not 0 <= at < survey.count:
            raise InputError(
                f"Frame {at} is not in the clip; its frames are 0 to {survey.count - 1}."
            )
        return at
    _check_time(at, survey.time(survey.count - 1) - survey.time(0))
    return survey.frame_at(at)


def combined(prompts: Iterable[Prompt], survey: Survey) -> dict[int, list[Prompt]]:
    """The prompts of each frame, one for each object: all that points at it there together."""
    frames: dict[int, list[Prompt]] = {}
    for prompt in prompts:
        frames.setdefault(frame_of(prompt.at, survey), []).append(prompt)
    return {frame: combined_objects(given) for frame, given in sorted(frames.items())}


def _together(prompt: Prompt, other: Prompt) -> Prompt:
    for name in ("box", "mask"):
        if getattr(prompt, name) is not None and getattr(other, name) is not None:
            raise InputError(
                f"Object {prompt.object_id} has two prompts of kind {name} in one frame; put "
                "--object N before the second if it is another object."
            )
    return replace(
        prompt,
        points=prompt.points + other.points,
        brushes=prompt.brushes + other.brushes,
        box=prompt.box or other.box,
        mask=prompt.mask if prompt.mask is not None else other.mask,
    )


def single_frame(clip: Clip, prompts: Sequence[Prompt]) -> tuple[np.ndarray, list[Prompt]]:
    """The picture that all ``prompts`` point into, (H, W, 3) uint8 RGB, and one prompt an object.

    Raises:
        InputError: there are none, they point into several frames, or the frame is not there.
    """
    moments = {prompt.at for prompt in prompts}
    if len(moments) != 1:
        raise InputError(
            f"The prompts point into {len(moments)} frames; segment takes prompts that are "
            "all in one frame."
        )
    at = moments.pop()
    if isinstance(at, int):
        picture = next(clip.pictures(at, at + 1), None)
        if picture is None:
            raise InputError(f"Frame {at} is not in the clip.")
    else:
        picture = _shown_at(clip, at)
    return picture.rgb(), combined_objects(prompts)


def _shown_at(clip: Clip, time: Fraction) -> Picture:
    pictures = clip.pictures()
    shown = first = next(pictures)
    for picture in pictures:
        if picture.time - first.time > time:
            return shown
        shown = picture
    _check_time(time, shown.time - first.time)
    return shown


def _check_time(time: Fraction, last: Fraction) -> None:
    # The last frame is on screen for a while, and how long few files say: a second is granted.
    if not 0 <= time <= last + 1:
        raise InputError(
            f"{float(time):g} s is not in the clip; its last frame is shown at {float(last):.3f} s."
        )


def combined_objects(prompts: Iterable[Prompt]) -> list[Prompt]:
    """One prompt for each object: all that points at it in one frame together."""
    objects: dict[int, Prompt] = {}
    for prompt in prompts:
        known = objects.get(prompt.object_id)
        objects[prompt.object_id] = prompt if known is None else _together(known, prompt)
    return list(objects.values())


def flattened(outlines: Mapping[int, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) uint8 ids from one (H, W) bool outline for each; the higher id is on top."""
    mask = np.zeros(shape, np.uint8)
    for object_id in sorted(outlines):
        mask[outlines[object_id]] = object_id
    return mask
