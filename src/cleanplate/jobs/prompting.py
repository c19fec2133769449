"""From prompts to the masks of the frames that were prompted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.arrays.masks import clipped
from cleanplate.errors import InputError
from cleanplate.jobs.settings import AUTO
from cleanplate.types import Box, Prompt

if TYPE_CHECKING:
    from cleanplate.media.picture import Picture
    from cleanplate.media.read import Clip
    from cleanplate.media.survey import Survey
    from cleanplate.protocols import Segmenter

BOX, OUTLINE = "box", "grabcut"  # what ``auto`` takes for a lone box, and for anything else


def frame_of(at: int | Fraction, found: Survey) -> int:
    """The index of the frame that ``at`` names.

    Raises:
        InputError: it lies outside the clip.
    """
    if isinstance(at, int):
        if not 0 <= at < found.count:
            raise InputError(
                f"Frame {at} is not in the clip; its frames are 0 to {found.count - 1}."
            )
        return at
    _check_time(at, found.time(found.count - 1) - found.time(0))
    return found.frame_at(at)


def combined(prompts: Iterable[Prompt], found: Survey) -> dict[int, list[Prompt]]:
    """The prompts of each frame, one for each object: all that points at it there together."""
    frames: dict[int, list[Prompt]] = {}
    for prompt in prompts:
        frames.setdefault(frame_of(prompt.at, found), []).append(prompt)
    return {frame: combined_objects(given) for frame, given in sorted(frames.items())}


def _together(one: Prompt, other: Prompt) -> Prompt:
    for name in ("box", "mask"):
        if getattr(one, name) is not None and getattr(other, name) is not None:
            raise InputError(
                f"Object {one.object_id} has two prompts of kind {name} in one frame; put --object "
                "N before the second if it is another object."
            )
    return replace(
        one,
        points=one.points + other.points,
        brushes=one.brushes + other.brushes,
        box=one.box or other.box,
        mask=one.mask if one.mask is not None else other.mask,
    )


def is_exact(prompts: Iterable[Prompt], segmenter: str) -> bool:
    """Whether the user drew the outlines: lone boxes and masks, taken as they are."""
    return all(chosen(prompt, segmenter) in (None, BOX) for prompt in prompts)


def lone_boxes(prompts: Iterable[Prompt], segmenter: str, shape: tuple[int, ...]) -> dict[int, Box]:
    """The boxes that are taken as they are drawn, by object id, inside a picture of ``shape``."""
    boxes = {
        prompt.object_id: clipped(prompt.box, shape[1], shape[0])
        for prompt in prompts
        if prompt.box is not None and prompt.is_lone_box and chosen(prompt, segmenter) == BOX
    }
    return {object_id: box for object_id, box in boxes.items() if box is not None}


def chosen(prompt: Prompt, segmenter: str) -> str | None:
    """The engine that outlines ``prompt``; None when its mask is taken as it is."""
    if segmenter != AUTO:
        return segmenter
    if prompt.mask is not None and not (prompt.points or prompt.brushes or prompt.box):
        return None
    return BOX if prompt.is_lone_box else OUTLINE


def single_frame(clip: Clip, prompts: Sequence[Prompt]) -> tuple[np.ndarray, list[Prompt]]:
    """The picture that all ``prompts`` point into, (H, W, 3) uint8 RGB, and one prompt an object.

    Raises:
        InputError: there are none, they point into several frames, or the frame is not there.
    """
    moments = {prompt.at for prompt in prompts}
    if len(moments) != 1:
        raise InputError(
            f"The prompts point into {len(moments)} frames; to segment takes one or more prompts, "
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


def key_masks(
    clip: Clip,
    prompts: dict[int, list[Prompt]],
    segmenter: str,
    create: Callable[[str], Segmenter],
) -> dict[int, np.ndarray]:
    """(H, W) uint8 masks, value = object id, of the prompted frames.

    Where objects overlap, the one with the higher id is on top.

    Args:
        clip: the clip.
        prompts: for each frame, from ``combined``.
        segmenter: an engine's name, or ``auto``.
        create: makes an engine from its name.
    """
    return {
        frame: _key_mask(_image(clip, frame), wanted, segmenter, create)
        for frame, wanted in prompts.items()
    }


def _image(clip: Clip, frame: int) -> np.ndarray:
    return next(clip.pictures(frame, frame + 1)).rgb()


def _key_mask(
    image: np.ndarray,
    prompts: Sequence[Prompt],
    segmenter: str,
    create: Callable[[str], Segmenter],
) -> np.ndarray:
    outlines: dict[int, np.ndarray] = {}
    for prompt in prompts:
        name = chosen(prompt, segmenter)
        outline = _given(prompt, image) if name is None else _found(prompt, image, create(name))
        if not outline.any():
            raise InputError(
                f"Nothing was found for object {prompt.object_id}; point at it again, or draw a "
                "box around it."
            )
        outlines[prompt.object_id] = outline
    return flattened(outlines, image.shape[:2])


def _given(prompt: Prompt, image: np.ndarray) -> np.ndarray:
    assert prompt.mask is not None  # chosen() said so
    if prompt.mask.shape != image.shape[:2]:
        height, width = prompt.mask.shape
        raise InputError(
            f"The mask of object {prompt.object_id} is {width}x{height} and the clip is "
            f"{image.shape[1]}x{image.shape[0]}; give it at the clip's (upright) size."
        )
    return prompt.mask != 0


def _found(prompt: Prompt, image: np.ndarray, segmenter: Segmenter) -> np.ndarray:
    return segmenter.decode(segmenter.encode(image), prompt).masks[0]
