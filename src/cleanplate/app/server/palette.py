"""A mask as a small PNG: an object's id is the pixel's number, its colour the palette's."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SPEED = 1  # of zlib: masks are large areas of one value


def mask_png(mask: np.ndarray, colours: Mapping[int, str]) -> bytes:
    """``mask`` as an 8-bit palette PNG in which 0 is transparent.

    Args:
        mask: (H, W) uint8, value = object id.
        colours: ``#rrggbb`` of each id; others are white.
    """
    height, width = mask.shape
    palette = np.full((256, 3), 255, np.uint8)
    for object_id, colour in colours.items():
        palette[object_id] = list(bytes.fromhex(colour.lstrip("#")))
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter, 0: none
    rows[:, 1:] = mask
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", palette.tobytes()),
            _chunk(b"tRNS", b"\0"),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), _SPEED)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)
