"""The plate: the background as it was seen, on a canvas larger than the picture.

Its bound: ``ROOM`` times the picture's sides, so ``ROOM**2`` x 12 bytes a pixel of the picture,
whatever the length: 11 MB at 640x360, 44 MB at 1280x720. Where the camera leaves the canvas, the
canvas is laid anew around the picture and what lies beyond is forgotten.

Each pixel knows how sure it is, which is how often it was seen to be so lately, and when it was
seen last. What differs takes away from that before it replaces anything: what passes in front of
the background is not frozen into it, what has changed for good is taken in after a moment.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.types import Box

ROOM = 2.0  # times the picture's sides that the canvas has
SUREST = 24  # sightings that count, at most
_KEPT = 0.7  # of the old colour, where the new one agrees: noise is averaged away
_NOISE = 14  # grey levels by which one and the same thing may differ
_EDGES = 0.5  # of the local contrast that it may differ by besides
_DOUBT = 2  # sightings that a differing one takes away
_ALL_ASTRAY = 24  # more, times the share of the picture that differs
_EXACT = 1e-6
_LEAST_SCALE = 0.7  # of the canvas against the picture, before it is laid anew; and one over it


class Memory:
    """The background of one shot."""

    def __init__(self, size: tuple[int, int]) -> None:
        """``size``: (H, W) of the pictures."""
        self._picture = size
        height, width = (max(round(ROOM * side), side) for side in size)
        self._size = height, width
        self.colours = np.zeros((height, width, 3), np.uint8)
        self.sure = np.zeros((height, width), np.uint8)
        """0: never seen."""
        self.seen = np.zeros((height, width), np.int32)
        """Number of the frame in which it was seen last."""
        self.born = np.zeros((height, width), np.int32)
        """Number of the frame in which it was first seen to be as it is."""

    @property
    def first_pose(self) -> np.ndarray:
        """(3, 3): puts the first picture into the canvas's middle."""
        pose = np.eye(3)
        pose[0, 2] = (self._size[1] - self._picture[1]) // 2
        pose[1, 2] = (self._size[0] - self._picture[0]) // 2
        return pose

    def recentred(self, pose: np.ndarray) -> np.ndarray | None:
        """Lay the canvas anew where a picture at ``pose`` (3, 3) does not fit it any more.

        Returns:
            (3, 3) from the old canvas to the new one; None: it stays.
        """
        height, width = self._picture
        corners = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64)
        ends = cv2.perspectiveTransform(corners, pose)[0]
        scale = float(np.sqrt(abs(np.linalg.det(pose[:2, :2]))))
        inside = (ends >= 0).all() and (ends <= np.array(self._size[::-1])).all()
        if inside and _LEAST_SCALE <= scale <= 1 / _LEAST_SCALE:
            return None
        change = self.first_pose @ np.linalg.inv(pose)
        flags = cv2.INTER_LINEAR
        size = self._size[::-1]
        known = (self.sure > 0).astype(np.uint8) * 255
        whole = cv2.warpAffine(known, change[:2], size, flags=flags) == 255
        self.colours = cv2.warpAffine(self.colours, change[:2], size, flags=flags)
        sure = cv2.warpAffine(self.sure, change[:2], size, flags=cv2.INTER_NEAREST)
        self.sure = np.where(whole, sure, 0).astype(np.uint8)
        self.seen, self.born = (
            cv2.warpAffine(
                stamps.astype(np.float64), change[:2], size, flags=cv2.INTER_NEAREST
            ).astype(np.int32)
            for stamps in (self.seen, self.born)
        )
        return change

    def forget(self, where: np.ndarray, pose: np.ndarray, born: int, seen: int) -> None:
        """Forget what an object left that was taken for background until now.

        Args:
            where: (H, W) bool, of a picture.
            pose: (3, 3), from the picture's pixels to the canvas.
            born: what came to be in this frame or later may be the object's.
            seen: what was seen to be so in this frame or later may be. While an object stands
                before what is remembered, that is not seen.
        """
        place = cv2.warpAffine(
            where.view(np.uint8), pose[:2], self._size[::-1], flags=cv2.INTER_LINEAR
        )
        self.sure[(place > 0) & (self.born >= born) & (self.seen >= seen)] = 0

    def read(
        self, pose: np.ndarray, box: Box, flow: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """What is remembered of ``box`` of a picture at ``pose``.

        Args:
            pose: (3, 3), from the picture's pixels to the canvas.
            box: in the picture.
            flow: (h, w, 2) float32: where else to look for each pixel of the box, in px.

        Returns:
            (h, w, 3) uint8 colours and (h, w) uint8 how sure each is, 0: not known.
        """
        move = pose @ _shift(box.x0, box.y0)
        still = self._still(move, box) if flow is None else None
        if still is not None:
            colours, sure = self.colours[still.slices], self.sure[still.slices]
        elif flow is None:
            size, flags = (box.width, box.height), cv2.WARP_INVERSE_MAP
            colours = cv2.warpAffine(self.colours, move[:2], size, flags=flags | cv2.INTER_LINEAR)
            sure = cv2.warpAffine(self.sure, move[:2], size, flags=flags | cv2.INTER_NEAREST)
        else:
            x = np.arange(box.width, dtype=np.float32) + flow[..., 0]
            y = np.arange(box.height, dtype=np.float32)[:, None] + flow[..., 1]
            a = move.astype(np.float32)
            u, v = (a[i, 0] * x + a[i, 1] * y + a[i, 2] for i in (0, 1))
            colours = cv2.remap(self.colours, u, v, cv2.INTER_LINEAR)
            sure = cv2.remap(self.sure, u, v, cv2.INTER_NEAREST)
        # At the border of the known, colours are mixed with nothing.
        return colours, cv2.erode(sure, np.ones((3, 3), np.uint8), borderValue=255)

    def brighten(self, gain: np.ndarray) -> None:
        """The light has changed: by ``gain`` (3,), of red, green and blue."""
        steps = np.arange(256, dtype=np.float32)[:, None] * gain.astype(np.float32)
        table = np.clip(np.rint(steps), 0, 255).astype(np.uint8)[None]
        self.colours = cv2.LUT(self.colours, table)

    def _still(self, move: np.ndarray, box: Box) -> Box | None:
        """Where ``box`` lies on the canvas if nothing but whole pixels lie between: a still camera
        costs no interpolation."""
        x, y = (round(float(v)) for v in move[:2, 2])
        place = Box(x, y, x + box.width, y + box.height)
        inside = x >= 0 and y >= 0 and place.x1 <= self._size[1] and place.y1 <= self._size[0]
        exact = np.abs(move - _shift(x, y)).max() < _EXACT
        return place if inside and exact else None

    def ages(self, pose: np.ndarray, box: Box, number: int) -> np.ndarray:
        """(h, w) float32: frames since each pixel of ``box`` was seen."""
        move = pose @ _shift(box.x0, box.y0)
        flags = cv2.WARP_INVERSE_MAP | cv2.INTER_NEAREST
        seen = cv2.warpAffine(
            self.seen.astype(np.float32), move[:2], (box.width, box.height), flags=flags
        )
        return number - seen

    def write(
        self, image: np.ndarray, hole: np.ndarray, pose: np.ndarray, box: Box, number: int
    ) -> None:
        """Take in what ``box`` of a picture shows.

        Args:
            image: (H, W, 3) uint8 RGB.
            hole: (H, W) bool: what is not background.
            pose: (3, 3), from the picture's pixels to the canvas.
            box: in the picture: what is looked at.
            number: of the frame.
        """
        still = self._still(pose @ _shift(box.x0, box.y0), box)
        if still is not None:
            shown = cv2.bitwise_not(hole[box.slices].view(np.uint8) * np.uint8(255))
            self._take(image[box.slices], shown, still.slices, number)
            return
        corners = np.array(
            [[[box.x0, box.y0], [box.x1, box.y0], [box.x1, box.y1], [box.x0, box.y1]]], np.float64
        )
        ends = cv2.perspectiveTransform(corners, pose)[0]
        x0, y0 = np.maximum(np.floor(ends.min(axis=0)).astype(int), 0).tolist()
        x1, y1 = np.minimum(
            np.ceil(ends.max(axis=0)).astype(int), np.array(self._size[::-1])
        ).tolist()
        if x1 <= x0 or y1 <= y0:
            return
        place, size = (slice(y0, y1), slice(x0, x1)), (x1 - x0, y1 - y0)
        move = (_shift(-x0, -y0) @ pose @ _shift(box.x0, box.y0))[:2]
        new = cv2.warpAffine(image[box.slices], move, size, flags=cv2.INTER_LINEAR)
        shown = cv2.bitwise_not(hole[box.slices].view(np.uint8) * np.uint8(255))
        shown = cv2.warpAffine(shown, move, size, flags=cv2.INTER_LINEAR)
        _, shown = cv2.threshold(shown, 254, 255, cv2.THRESH_BINARY)
        self._take(new, shown, place, number)

    def _take(
        self, new: np.ndarray, shown: np.ndarray, place: tuple[slice, slice], number: int
    ) -> None:
        """Merge colours ``new`` where ``shown`` (uint8, 0 or 255) into ``place``."""
        old, sure = self.colours[place], self.sure[place]
        grey = cv2.cvtColor(new, cv2.COLOR_RGB2GRAY)
        contrast = cv2.morphologyEx(grey, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8))
        allowed = cv2.convertScaleAbs(contrast, alpha=_EDGES, beta=_NOISE)
        apart = cv2.cvtColor(cv2.absdiff(new, old), cv2.COLOR_RGB2GRAY)
        differs = cv2.compare(apart, allowed, cv2.CMP_GT)
        known = cv2.bitwise_and(cv2.threshold(sure, 0, 255, cv2.THRESH_BINARY)[1], shown)
        against = cv2.bitwise_and(differs, known)
        agrees = cv2.bitwise_and(known, cv2.bitwise_not(differs))
        share = cv2.countNonZero(against) / max(cv2.countNonZero(known), 1)
        doubt = _DOUBT + round(_ALL_ASTRAY * share**2)
        less = cv2.subtract(sure, np.full_like(sure, doubt), mask=against)
        more = cv2.min(cv2.add(sure, np.ones_like(sure)), np.full_like(sure, SUREST))
        cv2.copyTo(less, against, sure)
        cv2.copyTo(more, agrees, sure)
        fresh = cv2.bitwise_and(cv2.threshold(sure, 0, 255, cv2.THRESH_BINARY_INV)[1], shown)
        cv2.copyTo(cv2.addWeighted(old, _KEPT, new, 1 - _KEPT, 0), agrees, old)
        cv2.copyTo(new, fresh, old)
        sure[fresh > 0] = 1
        self.born[place][fresh > 0] = number
        self.seen[place][cv2.bitwise_or(agrees, fresh) > 0] = number


def _shift(x: float, y: float) -> np.ndarray:
    out = np.eye(3)
    out[0, 2], out[1, 2] = x, y
    return out
