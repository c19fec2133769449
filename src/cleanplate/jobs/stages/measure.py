"""Reads all masks once: checks that they fit the clip and notes where they are."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.arrays.masks import object_boxes
from cleanplate.arrays.regions import NONE
from cleanplate.errors import MaskError
from cleanplate.files.publish import publishing
from cleanplate.media.mask_files import Masks
from cleanplate.progress import Progress


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Where the masks of a clip are."""

    boxes: dict[int, np.ndarray]
    """For each object id, (N, 4) int32 x0, y0, x1, y1; ``NONE`` where the object is not."""

    @classmethod
    def of_constant(cls, mask: np.ndarray, count: int) -> Measured:
        """Where one (H, W) uint8 mask is that serves ``count`` frames."""
        return cls(
            {
                object_id: np.tile(np.array([b.x0, b.y0, b.x1, b.y1], np.int32), (count, 1))
                for object_id, b in object_boxes(mask).items()
            }
        )

    def within(self, start: int, stop: int) -> dict[int, np.ndarray]:
        """The boxes, as if there were no masks before ``start`` and from ``stop`` on."""
        cut = {}
        for object_id, boxes in self.boxes.items():
            cut[object_id] = np.full_like(boxes, NONE)
            cut[object_id][start:stop] = boxes[start:stop]
        return cut


def measured(masks: Masks, count: int, path: Path, progress: Progress) -> Measured:
    """Read all of ``masks``, or take what an earlier run found from ``path``.

    Raises:
        MaskError: there are not ``count`` of them, or one does not fit the clip.
    """
    if path.exists():
        with np.load(path, allow_pickle=False) as archive:
            return Measured({int(name): archive[name] for name in archive.files})
    if masks.constant is not None:
        return Measured.of_constant(masks.constant, count)
    boxes: dict[int, np.ndarray] = {}
    seen = 0
    for index, mask in enumerate(progress.over("masks", masks.read(0), count)):
        seen += 1
        if seen > count:
            break
        for object_id, box in object_boxes(mask).items():
            rows = boxes.setdefault(object_id, np.full((count, 4), NONE, np.int32))
            rows[index] = box.x0, box.y0, box.x1, box.y1
    if seen != count:
        more = "more than " if seen > count else ""
        raise MaskError(
            f"{masks.origin} holds {more}{min(seen, count)} masks and the clip has {count} frames; "
            "give one mask for each frame, or a single PNG for all of them."
        )
    arrays: dict[str, Any] = {str(object_id): rows for object_id, rows in boxes.items()}
    with publishing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(file, **arrays)
    return Measured(boxes)
