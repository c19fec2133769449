"""Masks of single objects in single frames, kept once each under a hash of their pixels."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cleanplate.arrays.masks import bounding_box
from cleanplate.errors import InputError
from cleanplate.files.publish import publishing
from cleanplate.tracks.marks import NEVER
from cleanplate.types import Box

_KEPT = 256  # masks held in memory


@dataclass(frozen=True, slots=True, eq=False)
class MaskCrop:
    """One object's mask: where it is and its pixels there."""

    box: Box
    bits: np.ndarray
    """(h, w) bool, of the box."""

    @classmethod
    def of(cls, mask: np.ndarray) -> MaskCrop | None:
        """Of an (H, W) bool mask; None when it is empty."""
        box = bounding_box(mask)
        return None if box is None else cls(box, mask[box.slices].astype(bool))

    def on(self, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) bool."""
        mask = np.zeros(shape, bool)
        mask[self.box.slices] = self.bits
        return mask


class MaskStore:
    """The masks in one folder: ``HASH.png``, 0 and 255."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._crops: OrderedDict[str, MaskCrop | None] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, mask: np.ndarray) -> str:
        """Store an (H, W) bool mask and return its hash."""
        if not mask.any():
            return NEVER
        solid = np.ascontiguousarray(mask, dtype=bool)
        digest = hashlib.sha256(repr(solid.shape).encode() + np.packbits(solid).tobytes())
        name = digest.hexdigest()[:20]
        path = self._path(name)
        if not path.exists():
            encoded = cv2.imencode(".png", solid.view(np.uint8) * 255)[1]
            self._folder.mkdir(parents=True, exist_ok=True)
            with publishing(path) as draft:
                draft.write_bytes(encoded.tobytes())
        with self._lock:
            self._crops[name] = MaskCrop.of(solid)
        return name

    def crop(self, name: str) -> MaskCrop | None:
        """The mask of that hash; None for the empty one."""
        if name == NEVER:
            return None
        with self._lock:
            if name in self._crops:
                self._crops.move_to_end(name)
                return self._crops[name]
        pixels = cv2.imread(str(self._path(name)), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise InputError(f"{self._path(name)} is missing or damaged; mark the object again.")
        crop = MaskCrop.of(pixels > 0)
        with self._lock:
            self._crops[name] = crop
            while len(self._crops) > _KEPT:
                self._crops.popitem(last=False)
        return crop

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.png"
