"""The live picture as those who watch it see it: JPEGs, made only while somebody watches."""

from __future__ import annotations

import threading

import cv2
import numpy as np

from cleanplate.errors import MediaError
from cleanplate.live.control import Control
from cleanplate.live.following import outlined
from cleanplate.live.inbox import LivePicture

_QUALITY = 85


class Screen:
    """Holds the picture shown last; thread-safe."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._changed = threading.Condition()
        self._picture: LivePicture | None = None
        self._made: tuple[int, bool, bytes] = (-1, False, b"")

    def watch(self, picture: LivePicture) -> None:
        """A picture is shown."""
        with self._changed:
            self._picture = picture
            self._changed.notify_all()

    def after(self, index: int, patience: float = 2.0) -> tuple[int, bytes] | None:
        """The newest picture if it is later than frame ``index``, as (its index, JPEG).

        Waits for it for at most ``patience`` seconds; None: nothing newer came.
        """
        with self._changed:
            if not self._changed.wait_for(
                lambda: self._picture is not None and self._picture.index > index, patience
            ):
                return None
            picture = self._picture
            assert picture is not None
        return picture.index, self._jpeg(picture)

    def _jpeg(self, picture: LivePicture) -> bytes:
        marked = self._control.shows_mask
        if self._made[:2] == (picture.index, marked):
            return self._made[2]
        image = picture.picture.rgb()
        if marked and picture.mask is not None:
            image = outlined(image, picture.mask)
        fine, data = cv2.imencode(
            ".jpg", np.ascontiguousarray(image[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
        )
        if not fine:
            raise MediaError("The picture cannot be encoded as JPEG.")
        self._made = picture.index, marked, data.tobytes()
        return self._made[2]
