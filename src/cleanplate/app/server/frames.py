"""Any frame of any clip, exactly, as a still; the neighbours of what is looked at stay at hand."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from cleanplate.app.sentences import Refusal
from cleanplate.errors import MediaError
from cleanplate.media.picture import Picture
from cleanplate.media.read import Clip, open_clip

_BUDGET = 256 << 20  # bytes of decoded pictures that are kept, over all clips
_OPEN = 8  # clips that are kept open
_AHEAD = 48  # frames that are decoded on the way rather than sought
_BEHIND = 12  # frames that are kept on the way to one that was sought
_STILL = (
    *(cv2.IMWRITE_JPEG_QUALITY, 92),
    *(cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
)


class Frames:
    """The pictures of clips, by path and number."""

    def __init__(self, budget: int = _BUDGET) -> None:
        self._kept = _Kept(budget)
        self._readers: OrderedDict[tuple[str, int], _Reader] = OrderedDict()
        self._lock = threading.Lock()

    def picture(self, path: Path, index: int) -> np.ndarray:
        """Frame ``index`` of the clip at ``path``: (H, W, 3) uint8 RGB.

        Raises:
            Refusal: the clip has no such frame.
            MediaError: it cannot be decoded.
        """
        key = (str(path), _version(path))
        image = self._kept.get((*key, index))
        if image is None:
            image = self._reader(key, path).read(index)
        return image.rgb()

    def still(self, path: Path, index: int, width: int | None = None) -> bytes:
        """The same as a JPEG, at most ``width`` px wide."""
        return jpeg(narrowed(self.picture(path, index), width))

    def _reader(self, key: tuple[str, int], path: Path) -> _Reader:
        with self._lock:
            reader = self._readers.get(key)
            if reader is None:
                reader = self._readers[key] = _Reader(path, key, self._kept)
            self._readers.move_to_end(key)
            while len(self._readers) > _OPEN:
                self._readers.popitem(last=False)
            return reader

    def forget(self, folder: Path) -> None:
        """Let go of all clips under ``folder``, which is about to be removed."""
        with self._lock:
            for key in [key for key in self._readers if Path(key[0]).is_relative_to(folder)]:
                self._readers.pop(key).close()
        self._kept.forget(folder)


class _Kept:
    """The pictures seen last, as many as the budget allows."""

    def __init__(self, budget: int) -> None:
        self._budget, self._size = budget, 0
        self._pictures: OrderedDict[tuple[str, int, int], Picture] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, int, int]) -> Picture | None:
        with self._lock:
            if key in self._pictures:
                self._pictures.move_to_end(key)
            return self._pictures.get(key)

    def add(self, key: tuple[str, int, int], picture: Picture) -> None:
        with self._lock:
            old = self._pictures.pop(key, None)
            self._size += picture.nbytes - (0 if old is None else old.nbytes)
            self._pictures[key] = picture
            while self._size > self._budget and len(self._pictures) > 1:
                self._size -= self._pictures.popitem(last=False)[1].nbytes

    def forget(self, folder: Path) -> None:
        with self._lock:
            for key in [key for key in self._pictures if Path(key[0]).is_relative_to(folder)]:
                self._size -= self._pictures.pop(key).nbytes


class _Reader:
    """One clip, read on from where it was read last, or sought."""

    def __init__(self, path: Path, key: tuple[str, int], kept: _Kept) -> None:
        self._path, self._key, self._kept = path, key, kept
        self._clip: Clip | None = None
        self._pictures: Iterator[Picture] | None = None
        self._next = 0
        self._lock = threading.Lock()

    def read(self, index: int) -> Picture:
        with self._lock:
            image = self._kept.get((*self._key, index))  # another request may have passed by
            return image or self._decode(index)

    def close(self) -> None:
        with self._lock:
            self._leave()
            self._clip = None

    def _decode(self, index: int) -> Picture:
        if self._clip is None:
            self._clip = open_clip(self._path)
        if self._pictures is None or not self._next <= index <= self._next + _AHEAD:
            self._leave()
            self._next = max(0, index - _BEHIND)
            self._pictures = self._clip.pictures(self._next)
        try:
            for picture in self._pictures:
                self._next = picture.index + 1
                self._kept.add((*self._key, picture.index), picture)
                if picture.index == index:
                    return picture
        except MediaError:
            self._leave()
            raise
        self._leave()
        raise Refusal(404, f"Frame {index} is not in the clip.")

    def _leave(self) -> None:
        close = getattr(self._pictures, "close", None)
        if close is not None:
            close()
        self._pictures = None


def _version(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError as error:
        raise Refusal(404, f"{path.name} is not there any more.") from error


def narrowed(image: np.ndarray, width: int | None) -> np.ndarray:
    """``image`` at most ``width`` px wide."""
    if width is None or width >= image.shape[1]:
        return image
    height = max(1, round(image.shape[0] * width / image.shape[1]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def jpeg(image: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as a JPEG."""
    turned = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", turned, _STILL)[1].tobytes()


def png(image: np.ndarray) -> bytes:
    """(H, W), (H, W, 3) RGB or (H, W, 4) RGBA uint8 as a PNG."""
    if image.ndim == 3:
        code = cv2.COLOR_RGBA2BGRA if image.shape[2] == 4 else cv2.COLOR_RGB2BGR
        image = cv2.cvtColor(image, code)
    return cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
