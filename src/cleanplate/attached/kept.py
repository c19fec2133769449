"""What was found in each frame, on disk: a file for every 32 frames, read from any one on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path

import numpy as np

from cleanplate.files.publish import publishing

_PIECE = 32
_WHOLE = 65535  # the level of light that nothing darkens


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was found in one frame, at the size of the search."""

    shadow: np.ndarray
    """(h, w) uint8, value = id of the object whose shadow it is."""
    doubtful: np.ndarray
    """(h, w) uint8: what of ``shadow`` cannot be undone."""
    reflection: np.ndarray
    """(h, w) uint8, value = id of the object that is mirrored."""
    light: np.ndarray
    """(h, w, 3) uint16: what the light was multiplied by, 65535 for 1."""

    @property
    def shade(self) -> np.ndarray:
        """``light`` as (h, w, 3) float32 in 0..1."""
        return self.light.astype(np.float32) / _WHOLE


def levels(shade: np.ndarray) -> np.ndarray:
    """``Seen.light`` of a shade, (h, w, 3) float32 in 0..1."""
    return np.rint(shade * _WHOLE).astype(np.uint16)


def nothing(shape: tuple[int, ...]) -> Seen:
    """A frame in which nothing was found."""
    empty = np.zeros(shape, np.uint8)
    return Seen(empty, empty, empty, np.full((*shape, 3), _WHOLE, np.uint16))


def write(folder: Path, frames: Iterable[Seen]) -> None:
    """Keep ``frames``; those of equal values take next to no room."""
    stream, number = iter(frames), 0
    while piece := list(islice(stream, _PIECE)):
        with publishing(folder / f"{number:05d}.npz") as target, target.open("wb") as file:
            np.savez_compressed(
                file,
                shadow=np.stack([seen.shadow for seen in piece]),
                doubtful=np.stack([seen.doubtful for seen in piece]),
                reflection=np.stack([seen.reflection for seen in piece]),
                light=np.stack([seen.light for seen in piece]),
            )
        number += 1


def read(folder: Path, start: int, count: int) -> Iterator[Seen]:
    """What was kept of the frames ``start`` to ``count`` - 1."""
    for number in range(start // _PIECE, -(-count // _PIECE)):
        with np.load(folder / f"{number:05d}.npz") as piece:
            arrays = [piece[field.name] for field in fields(Seen)]
        for place in range(max(start - number * _PIECE, 0), len(arrays[0])):
            yield Seen(*(array[place] for array in arrays))
