"""Where test clips lie: the layouts that the field uses, and plain folders.

- As the E2FGVI project lays out DAVIS and YouTube-VOS: ``JPEGImages/<video>.zip`` or
  ``JPEGImages/<video>/``, ``test_masks/<video>/``, and ``test.json`` ({video: number of frames}).
- As DAVIS is published: ``JPEGImages/480p/<video>/``, ``Annotations/480p/<video>/``, and
  ``ImageSets/2017/val.txt`` where it is there.
- A folder of clips: video files, folders of images, or folders that hold ``video.*`` or
  ``frames/`` and maybe ``masks/``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cleanplate.errors import InputError
from cleanplate.media.images import natural_key
from cleanplate.media.mask_files import numbered, read_mask_image
from cleanplate.media.read import open_clip

_VIDEOS = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v", ".gif")
IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True, slots=True)
class Video:
    """One clip of a dataset."""

    name: str
    source: Path
    """A video, a folder of images, or a zip of images."""
    masks: Path | None = None
    """A folder of masks, where the dataset has them."""
    count: int | None = None
    """How many frames the dataset's list says it has."""

    def images(self, width: int, height: int, most: int | None = None) -> Iterator[np.ndarray]:
        """(height, width, 3) uint8 RGB frames, resized (bilinear, as OpenCV does by default)."""
        for index, image in enumerate(self.frames()):
            if most is not None and index >= most:
                return
            yield _resized(image, width, height, cv2.INTER_LINEAR)

    def size(self) -> tuple[int, int]:
        """(width, height) of its first frame."""
        height, width = next(self.frames()).shape[:2]
        return width, height

    def frames(self) -> Iterator[np.ndarray]:
        """(H, W, 3) uint8 RGB frames as they are."""
        if self.source.suffix.lower() == ".zip":
            yield from _zipped(self.source)
            return
        with open_clip(self.source) as clip:
            for picture in clip.pictures():
                yield picture.rgb()

    def object_masks(
        self, width: int, height: int, most: int | None = None
    ) -> Iterator[np.ndarray]:
        """(height, width) uint8 masks, value = object id, resized to the nearest."""
        if self.masks is None:
            raise InputError(f"{self.name} has no masks; give --masks stationary or moving.")
        names = [file.name for file in self.masks.iterdir() if file.suffix.lower() == ".png"]
        for index, name in enumerate(numbered(names).values()):
            if most is not None and index >= most:
                return
            mask = read_mask_image(self.masks / name)
            yield _resized(mask, width, height, cv2.INTER_NEAREST)


def _resized(image: np.ndarray, width: int, height: int, how: int) -> np.ndarray:
    if image.shape[:2] == (height, width):
        return image
    return cv2.resize(image, (width, height), interpolation=how)


def _zipped(path: Path) -> Iterator[np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if Path(n).suffix.lower() in IMAGES]
        for name in sorted(names, key=natural_key):
            data = np.frombuffer(archive.read(name), np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
            if image is None:
                raise InputError(f"{name} in {path} cannot be read as an image.")
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def find_videos(
    root: Path, only: list[str] | None = None, listed: str = "test.json"
) -> list[Video]:
    """The clips under ``root``, in the order of their names.

    Args:
        root: of a dataset in one of the layouts of this module.
        only: names to keep; all when None.
        listed: the file that lists the clips in the E2FGVI project's layout.

    Raises:
        InputError: there are none, a name is not there, or the list disagrees with the folders.
    """
    if not root.is_dir():
        raise InputError(f"There is no folder {root}; give the root of a dataset.")
    if (root / listed).is_file():
        videos = _listed(root, listed)
    elif (root / "JPEGImages" / "480p").is_dir():
        videos = _davis(root)
    else:
        videos = _plain(root)
    if only is not None:
        by_name = {video.name: video for video in videos}
        missing = [name for name in only if name not in by_name]
        if missing:
            raise InputError(f"{root} has no clip {missing[0]}; it has: {', '.join(by_name)}.")
        videos = [by_name[name] for name in only]
    if not videos:
        raise InputError(f"There are no clips in {root}; see docs/evaluation.md for the layouts.")
    return videos


def _listed(root: Path, file: str) -> list[Video]:
    videos = []
    listed = json.loads((root / file).read_text(encoding="utf-8"))
    for name, count in sorted(listed.items()):
        folder, archive = root / "JPEGImages" / name, root / "JPEGImages" / f"{name}.zip"
        source = archive if archive.is_file() else folder
        if not source.exists():
            raise InputError(f"{root / file} lists {name}, and {folder} is not there.")
        masks = root / "test_masks" / name
        videos.append(Video(name, source, masks if masks.is_dir() else None, int(count)))
    return videos


def _davis(root: Path) -> list[Video]:
    folder = root / "JPEGImages" / "480p"
    chosen = root / "ImageSets" / "2017" / "val.txt"
    if chosen.is_file():
        names = chosen.read_text(encoding="utf-8").split()
    else:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    annotations = root / "Annotations" / "480p"
    return [
        Video(n, folder / n, annotations / n if (annotations / n).is_dir() else None) for n in names
    ]


def _plain(root: Path) -> list[Video]:
    entries = sorted(root.iterdir(), key=lambda path: natural_key(path.name))
    return [video for video in map(clip_at, entries) if video is not None]


def clip_at(entry: Path) -> Video | None:
    """The one clip that ``entry`` is: a video, a folder of images, or one that holds ``video.*`` or
    ``frames/`` and maybe ``masks/``; None for anything else."""
    source = _source_of(entry)
    if source is None:
        return None
    masks = entry / "masks"
    return Video(entry.stem, source, masks if masks.is_dir() else None)


def _source_of(entry: Path) -> Path | None:
    if entry.is_file():
        return entry if entry.suffix.lower() in _VIDEOS else None
    if (entry / "frames").is_dir():
        return entry / "frames"
    inner = sorted(f for f in entry.glob("video.*") if f.suffix.lower() in _VIDEOS)
    if inner:
        return inner[0]
    images = any(file.suffix.lower() in IMAGES for file in entry.iterdir())
    return entry if images else None
