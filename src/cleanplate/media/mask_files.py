"""Masks as users have them: a folder of PNGs, a single PNG, a video, an .npz.

A folder in the style of DAVIS holds one PNG a frame: palette or grey with object ids as values, or
binary 0/255. Files are matched with frames by the number in their name, whatever its padding and
whatever stands around it. Nothing is shifted to make it fit: a count or a size that differs is an
error that names both.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from cleanplate.errors import InputError, MaskError, MediaError
from cleanplate.media.decode import open_container
from cleanplate.media.images import numbered
from cleanplate.media.mask_track import is_mask_track, read_mask_track, read_video_masks
from cleanplate.types import Prompt

_MOST_IDS = 64  # a picture with more distinct values than this is no mask
_PNG = ".png"


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """The masks of a clip, wherever they come from."""

    origin: str
    """Where they come from, for messages."""
    read: Callable[[int], Iterator[np.ndarray]]
    """``read(start)`` gives (H, W) uint8 masks from frame ``start`` on, read lazily."""
    constant: np.ndarray | None = None
    """The one mask of the whole clip, when it never changes."""
    key: str = ""
    """Tells them from other masks where they are in no file: equal keys, equal masks."""


def constant_masks(mask: np.ndarray, count: int, origin: str) -> Masks:
    """One mask for each of ``count`` frames."""

    def read(start: int) -> Iterator[np.ndarray]:
        return (mask for _ in range(start, count))

    return Masks(origin, read, mask)


def mapped(masks: Masks, change: Callable[[np.ndarray], np.ndarray]) -> Masks:
    """The same masks after ``change``."""
    if masks.constant is not None:
        changed = change(masks.constant)
        return Masks(masks.origin, lambda start: (changed for _ in masks.read(start)), changed)
    return Masks(masks.origin, lambda start: map(change, masks.read(start)))


def placed(masks: Masks, first: int, count: int, empty: np.ndarray) -> Masks:
    """Masks of a part of a clip as masks of the whole: ``empty`` before and after it.

    Args:
        masks: of the part.
        first: the frame of the clip that the part begins with.
        count: frames of the clip.
        empty: (H, W) uint8 zeros.
    """

    def read(start: int) -> Iterator[np.ndarray]:
        before = (empty for _ in range(start, first))
        whole = itertools.chain(before, masks.read(max(0, start - first)), itertools.repeat(empty))
        return itertools.islice(whole, count - start)

    return Masks(masks.origin, read)


def count_masks(path: Path) -> int | None:
    """How many masks ``path`` holds; None for one that serves every frame.

    Raises:
        MediaError: a video that cannot be read.
        MaskError: an .npz that cannot be read.
    """
    if path.is_dir():
        return sum(file.suffix.lower() == _PNG for file in path.iterdir() if file.name[0] != ".")
    if path.suffix.lower() == ".npz":
        arrays = _loaded(path)
        stacks = [array for array in arrays if array.ndim == 3]
        return len(stacks[0]) if stacks else (len(arrays) if len(arrays) > 1 else None)
    if path.suffix.lower() == _PNG:
        return None
    with open_container(path) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


def open_masks(path: Path, numbers: Sequence[int], width: int, height: int) -> Masks:
    """The masks in ``path`` for a clip whose frames have these ``numbers``.

    Args:
        path: a folder of PNGs, a PNG (for all frames), a video, or an .npz with (N, H, W) or
            (H, W) arrays.
        numbers: the number of each frame: 0, 1, 2, ... for a video, those in the file names for a
            folder of images.
        width, height: of the upright picture.

    Raises:
        MaskError: count, size or colours that do not fit the clip.
        InputError: there is nothing at ``path``, or nothing that holds masks.
    """
    if path.is_dir():
        return _folder(path, numbers, width, height)
    if not path.is_file():
        raise InputError(f"There are no masks at {path}; give a folder, a PNG, a video or an .npz.")
    if path.suffix.lower() == ".npz":
        return _arrays(path, numbers, width, height)
    if path.suffix.lower() == _PNG:
        mask = sized(read_mask_image(path), width, height, str(path))
        return constant_masks(mask, len(numbers), str(path))
    reader = read_mask_track if is_mask_track(path) else _from(read_video_masks)

    def read(start: int) -> Iterator[np.ndarray]:
        count = start
        for mask in reader(path, start):
            yield sized(mask, width, height, f"frame {count} of {path}")
            count += 1
        if count != len(numbers):
            raise _wrong_count(path, count, len(numbers))

    return Masks(str(path), read)


def _from(reader: Callable[[Path], Iterator[np.ndarray]]) -> Callable[..., Iterator[np.ndarray]]:
    def read(path: Path, start: int) -> Iterator[np.ndarray]:
        return (mask for index, mask in enumerate(reader(path)) if index >= start)

    return read


def _wrong_count(path: Path, masks: int, frames: int) -> MaskError:
    return MaskError(
        f"{path} holds {masks} masks and the clip has {frames} frames; give one mask for each "
        "frame, or a single PNG for all of them."
    )


def sized(mask: np.ndarray, width: int, height: int, name: str) -> np.ndarray:
    """``mask`` itself when it has that size.

    Raises:
        MaskError: it has another one.
    """
    if mask.shape != (height, width):
        raise MaskError(
            f"The mask {name} is {mask.shape[1]}x{mask.shape[0]} and the clip is {width}x{height}; "
            "make the masks at the clip's (upright) size."
        )
    return mask


# --- folders -----------------------------------------------------------------------------------


def _folder(path: Path, numbers: Sequence[int], width: int, height: int) -> Masks:
    files_here = (entry for entry in path.iterdir() if not entry.name.startswith("."))
    names = [entry.name for entry in files_here if entry.suffix.lower() == _PNG]
    if not names:
        raise InputError(
            f"The folder {path} holds no PNG; masks are PNG files, one for each frame."
        )
    files = numbered(names)
    if len(files) != len(numbers):
        raise _wrong_count(path, len(files), len(numbers))
    missing = [number for number in numbers if number not in files]
    if missing:
        raise MaskError(
            f"{path} has masks numbered {min(files)} to {max(files)} and the clip's frames are "
            f"numbered {min(numbers)} to {max(numbers)}: frame {missing[0]} has none; rename the "
            "masks so that each bears the number of its frame."
        )

    def read(start: int) -> Iterator[np.ndarray]:
        for number in numbers[start:]:
            file = path / files[number]
            yield sized(read_mask_image(file), width, height, str(file))

    return Masks(str(path), read)


def _arrays(path: Path, numbers: Sequence[int], width: int, height: int) -> Masks:
    arrays = _loaded(path)
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1:
        listed = ", ".join(map(str, sorted(shapes))) or "none"
        raise MaskError(
            f"{path} holds arrays of these shapes: {listed}; expected one of (N, H, W), or (H, W) "
            "for each frame."
        )
    stack = arrays[0] if len(arrays) == 1 else np.stack(arrays)
    if stack.ndim == 2:
        mask = sized(as_ids(stack, str(path)), width, height, str(path))
        return constant_masks(mask, len(numbers), str(path))
    if stack.ndim != 3:
        raise MaskError(f"{path} holds an array of shape {stack.shape}; expected (N, H, W) masks.")
    if len(stack) != len(numbers):
        raise _wrong_count(path, len(stack), len(numbers))

    def read(start: int) -> Iterator[np.ndarray]:
        for index in range(start, len(stack)):
            name = f"{index} of {path}"
            yield sized(as_ids(stack[index], name), width, height, name)

    return Masks(str(path), read)


def _loaded(path: Path) -> list[np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return [archive[name] for name in archive.files]
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise MaskError(
            f"{path} cannot be read as arrays of numbers; expected what numpy.savez writes, "
            "without objects."
        ) from error


# --- single pictures ---------------------------------------------------------------------------


def read_mask_image(path: Path) -> np.ndarray:
    """The mask in an image file: palette or grey ids, or binary 0/255.

    Returns:
        (H, W) uint8, value = object id; binary masks hold 0 and 1.

    Raises:
        MaskError: its colours are not a mask's.
    """
    try:
        with open_container(path) as container:
            frame = next(container.decode(video=0), None)
    except (MediaError, FFmpegError, OSError, IndexError) as error:
        raise MaskError(f"{path} cannot be read as a picture; expected a PNG.") from error
    if frame is None:
        raise MaskError(f"{path} holds no picture; expected a PNG.")
    if frame.format.name == "pal8":
        plane = frame.planes[0]
        indexes = np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)
        return as_ids(indexes[: frame.height, : frame.width], str(path))
    if frame.format.name.startswith("gray16"):
        return as_ids(frame.to_ndarray(format="gray16le"), str(path))
    if frame.format.name.startswith(("gray", "mono", "ya")) and not _has_shape(frame):
        return as_ids(frame.to_ndarray(format="gray"), str(path))
    colours = frame.to_ndarray(format="rgba")
    alpha = colours[..., 3]
    if alpha.min() < alpha.max():
        seen = colours[alpha > 0][:, :3]
        if len(seen) and (seen == seen[0]).all():
            return (alpha > 127).astype(np.uint8)  # one colour, cut out: the shape is the alpha
        raise MaskError(
            f"{path} has a shape in its transparency and another in its colours; a mask has one: "
            "save it without transparency, or in one colour."
        )
    if (colours[..., 0] != colours[..., 1]).any() or (colours[..., 0] != colours[..., 2]).any():
        raise MaskError(
            f"{path} is a colour picture; a mask is a palette PNG, or grey: 0 and 255, or object "
            "ids."
        )
    return as_ids(colours[..., 0], str(path))


def _has_shape(frame: av.VideoFrame) -> bool:
    """Whether the transparency of grey with alpha varies."""
    if not frame.format.name.startswith("ya"):
        return False
    alpha = frame.to_ndarray(format="rgba")[..., 3]
    return bool(alpha.min() < alpha.max())


def as_ids(values: np.ndarray, name: str) -> np.ndarray:
    """Masks from whatever an array holds: bool, 0/1, 0/255, or object ids up to 255.

    Raises:
        MaskError: the values are not those of a mask.
    """
    if values.dtype == bool:
        return values.astype(np.uint8)
    present = np.unique(values) if values.dtype.kind in "uif" else None
    if present is None or (present != np.floor(present)).any():
        raise MaskError(
            f"The mask {name} holds {values.dtype} values that are no whole numbers; object ids "
            "are 0 to 255."
        )
    if len(present) and (present[0] < 0 or (present[-1] > 255 and set(present) - {0, 65535})):
        raise MaskError(
            f"The mask {name} holds values from {present[0]} to {present[-1]}; object ids are 0 "
            "to 255."
        )
    if set(present.tolist()) <= {0, 255} or set(present.tolist()) <= {0, 65535}:
        return (values > 0).astype(np.uint8)
    if len(present) > _MOST_IDS:
        raise MaskError(
            f"The mask {name} holds {len(present)} different values; a mask is 0 and 255, or a few "
            "object ids. Was it saved as JPEG, or is it a picture?"
        )
    return values.astype(np.uint8)


def mask_prompts(
    mask: Path | str | np.ndarray,
    *,
    at: int | Fraction = 0,
    object_id: int | None = None,
    merge: bool = False,
) -> tuple[Prompt, ...]:
    """Prompts from a mask of one frame: one for each id in it.

    Args:
        mask: a PNG as ``read_mask_image`` reads it, or (H, W) ids.
        at: the frame, an index or seconds.
        object_id: for a mask of one object: its id; by default the one in the mask.
        merge: all that is in the mask is one object, ``object_id`` or 1.

    Raises:
        MaskError: nothing is in the mask, or several ids where ``object_id`` names one.
    """
    name = str(mask) if isinstance(mask, Path | str) else "given"
    ids = as_ids(mask, name) if isinstance(mask, np.ndarray) else read_mask_image(Path(mask))
    present = [int(value) for value in np.unique(ids) if value]
    if not present:
        raise MaskError(f"The mask {name} is empty; give one that covers what is to be removed.")
    if merge:
        return (Prompt(mask=ids != 0, object_id=object_id or 1, at=at),)
    if object_id is None:
        return tuple(Prompt(mask=ids == value, object_id=value, at=at) for value in present)
    if len(present) > 1:
        listed = ", ".join(map(str, present))
        raise MaskError(
            f"The mask {name} holds the objects {listed}, and object {object_id} is named; leave "
            "the object out to have each followed by its own id, or merge them (--merge)."
        )
    return (Prompt(mask=ids != 0, object_id=object_id, at=at),)
