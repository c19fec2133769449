"""What a pass of tracking leaves for each frame, in pieces that outlive an interruption."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box
from cleanplate.files.publish import publishing
from cleanplate.types import Box, ObjectState, TrackedMask, Visibility


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One tracked frame, packed: only the masked part is kept, as PNG."""

    index: int
    shape: tuple[int, int]
    box: tuple[int, int, int, int] | None
    png: bytes
    objects: tuple[ObjectState, ...]
    areas: dict[int, int]
    """Pixels of each object that is in the mask."""

    @classmethod
    def pack(cls, index: int, tracked: TrackedMask) -> Record:
        """The record of frame ``index``."""
        height, width = tracked.mask.shape
        box = bounding_box(tracked.mask)
        if box is None:
            return cls(index, (height, width), None, b"", tracked.objects, {})
        part = tracked.mask[box.slices]
        png = cv2.imencode(".png", part, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
        counts = np.bincount(part.ravel()).tolist()
        areas = {number: count for number, count in enumerate(counts) if number and count}
        corners = (box.x0, box.y0, box.x1, box.y1)
        return cls(index, (height, width), corners, png.tobytes(), tracked.objects, areas)

    @property
    def part(self) -> tuple[Box, np.ndarray] | None:
        """The box around all objects, and the mask in it, (h, w) uint8; None for an empty mask."""
        if self.box is None:
            return None
        part = cv2.imdecode(np.frombuffer(self.png, np.uint8), cv2.IMREAD_UNCHANGED)
        assert part is not None  # packed by ``pack``
        return Box(*self.box), part

    @property
    def mask(self) -> np.ndarray:
        """(H, W) uint8."""
        mask = np.zeros(self.shape, np.uint8)
        if (part := self.part) is not None:
            mask[part[0].slices] = part[1]
        return mask


def save_piece(path: Path, records: Sequence[Record]) -> None:
    """Write the records of a run of frames."""
    texts = [
        {
            "index": record.index,
            "shape": record.shape,
            "box": record.box,
            "objects": list(map(_plain, record.objects)),
            "areas": record.areas,
        }
        for record in records
    ]
    offsets = np.cumsum([0, *(len(r.png) for r in records)])
    data = np.frombuffer(b"".join(r.png for r in records), np.uint8)
    with publishing(path) as draft, draft.open("wb") as file:
        np.savez(file, texts=np.array(json.dumps(texts)), offsets=offsets, data=data)


def load_piece(path: Path, masks: bool = True) -> Iterator[Record]:
    """The records of a piece, in the order in which they were tracked.

    Without ``masks`` the records have none: what is said of them is read sooner.
    """
    with np.load(path, allow_pickle=False) as archive:
        texts = json.loads(str(archive["texts"]))
        offsets = archive["offsets"] if masks else np.zeros(len(texts) + 1, int)
        data = archive["data"].tobytes() if masks else b""
    for text, start, stop in zip(texts, offsets, offsets[1:], strict=False):
        yield Record(
            text["index"],
            tuple(text["shape"]),
            None if text["box"] is None else tuple(text["box"]),
            data[start:stop],
            tuple(map(_object_state, text["objects"])),
            {int(number): area for number, area in text["areas"].items()},
        )


def save_state(path: Path, state: dict[str, np.ndarray]) -> None:
    """Write a tracker's state."""
    with publishing(path) as draft, draft.open("wb") as file:
        np.savez(file, allow_pickle=False, **state)


def load_state(path: Path) -> dict[str, np.ndarray]:
    """A tracker's state as it was saved."""
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def _plain(state: ObjectState) -> dict[str, Any]:
    corners = None if state.corners is None else np.asarray(state.corners).tolist()
    return {
        "object_id": state.object_id,
        "confidence": round(float(state.confidence), 4),
        "visibility": state.visibility.value,
        "corners": corners,
    }


def _object_state(plain: dict[str, Any]) -> ObjectState:
    corners = plain["corners"]
    return ObjectState(
        plain["object_id"],
        plain["confidence"],
        Visibility(plain["visibility"]),
        None if corners is None else np.array(corners, np.float32),
    )
