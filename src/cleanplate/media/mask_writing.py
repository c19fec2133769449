"""Masks written as PNGs in the style of DAVIS."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from cleanplate.files.publish import publishing


def _davis_palette() -> np.ndarray:
    """(256, 3) uint8: the colours of PASCAL VOC, which DAVIS uses."""
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.int64)
    for shift in range(7, -1, -1):
        for channel in range(3):
            colours[:, channel] |= (ids >> channel & 1) << shift
        ids = ids >> 3
    return colours.astype(np.uint8)


DAVIS_PALETTE = _davis_palette()


def write_mask_image(path: Path, mask: np.ndarray) -> None:
    """Write (H, W) uint8 ids as a palette PNG in the colours of DAVIS, published by rename."""
    height, width = mask.shape
    with publishing(path) as draft, av.open(str(draft), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = width, height, "pal8"
        frame = av.VideoFrame.from_ndarray(
            (np.ascontiguousarray(mask), _argb(DAVIS_PALETTE)),  # type: ignore[arg-type]
            format="pal8",
        )
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _argb(palette: np.ndarray) -> np.ndarray:
    opaque = np.full((256, 1), 255, np.uint8)
    return np.concatenate([opaque, palette], axis=1)


def write_mask_folder(
    folder: Path, masks: Iterable[np.ndarray], numbers: Iterable[int] | None = None
) -> int:
    """Write masks as ``00000.png``, ``00001.png``, ... in the style of DAVIS; return how many.

    Args:
        folder: made if need be; masks that lie in it are replaced, all of them.
        masks: (H, W) uint8, value = object id.
        numbers: of the files; from 0 on by default.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = set()
    for mask, number in zip(masks, itertools.count() if numbers is None else numbers, strict=False):
        path = folder / f"{number:05d}.png"
        write_mask_image(path, mask)
        written.add(path)
    for old in set(folder.glob("[0-9]*.png")) - written:
        if old.stem.isdecimal():
            old.unlink()
    return len(written)
