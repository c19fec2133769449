"""A dataset in the E2FGVI project's layout, made of any clips, and checked.

``JPEGImages/NAME.zip`` holds the frames; ``train.json`` and ``test.json`` list the clips with how
many frames each has; ``test_masks/NAME/`` holds masks for those of the test.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from cleanplate.errors import CleanplateError, InputError, MediaError
from cleanplate.evaluation.datasets import Video, clip_at, find_videos
from cleanplate.evaluation.masks import Kind, hole_masks
from cleanplate.files.publish import publishing, write_text
from cleanplate.progress import Progress
from cleanplate.training.data import licence_of, names_in

_IMAGES, _MASKS, _TRAIN, _TEST = "JPEGImages", "test_masks", "train.json", "test.json"
_LICENCES = "licences.json"


@dataclass(slots=True)
class Prepared:
    """What a dataset holds, and what is wrong."""

    train: dict[str, int] = field(default_factory=dict)
    """Frames of each clip that is learned from."""
    test: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    """A sentence for each thing that is broken."""

    def text(self) -> str:
        """One sentence."""
        frames = sum(self.train.values()) + sum(self.test.values())
        broken = f"; {len(self.broken)} broken" if self.broken else ""
        return f"{len(self.train)} clips to learn from, {len(self.test)} to test{broken}; " + (
            f"{frames} frames."
        )


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is wanted."""

    sources: Sequence[Path]
    """Videos, folders of images, and folders of either."""
    root: Path
    test_share: float = 0.1
    """Of the clips, 0..1: the last ones by name, at least one where it is above 0."""
    masks: Kind = "stationary"
    """Of the test clips that have no masks of their own."""
    height: int = 0
    """px that larger frames are brought down to; 0 keeps their size."""
    quality: int = 95
    """Of JPEG, 1..100."""
    least: int = 24
    """Frames that a clip must have."""
    seed: int = 0


def prepare(wanted: Preparation, progress: Progress | None = None) -> Prepared:
    """Make or go on with a dataset; a clip that cannot be read is left out and said.

    Raises:
        InputError: no clips, or two of one name.
        DiskError: the disk is full.
    """
    progress = progress or Progress()
    videos = _videos(wanted.sources)
    prepared = Prepared()
    counts: dict[str, int] = {}
    progress.start("prepare", len(videos))
    for video in videos:
        try:
            counts[video.name] = _write_clip(video, wanted)
        except (MediaError, InputError) as error:
            prepared.broken.append(f"{video.source} was left out: {error}")
            progress.warn(prepared.broken[-1])
        progress.advance()
    progress.finish()
    good = [video for video in videos if video.name in counts]
    tested = min(len(good) - 1, max(1, round(len(good) * wanted.test_share)))
    tested = max(0, tested) if wanted.test_share else 0
    for place, video in enumerate(good):
        is_test = place >= len(good) - tested
        (prepared.test if is_test else prepared.train)[video.name] = counts[video.name]
        if is_test:
            _write_masks(video, counts[video.name], wanted)
    for name, clips in ((_TRAIN, prepared.train), (_TEST, prepared.test)):
        write_text(wanted.root / name, json.dumps(clips, indent=1))
    licences = {video.name: licence_of(video) for video in good}
    write_text(wanted.root / _LICENCES, json.dumps(licences, indent=1))
    return prepared


def check(root: Path, progress: Progress | None = None) -> Prepared:
    """Read every frame and mask of a dataset.

    Args:
        root: with ``train.json``, ``test.json`` or both.
        progress: is told of each clip.

    Raises:
        InputError: it has neither list.
    """
    progress = progress or Progress()
    if not any((root / name).is_file() for name in (_TRAIN, _TEST)):
        raise InputError(
            f"{root} has no {_TRAIN} and no {_TEST}; make them with: "
            f"cleanplate data prepare CLIPS -o {root}"
        )
    prepared = Prepared()
    for name, clips in ((_TRAIN, prepared.train), (_TEST, prepared.test)):
        if (root / name).is_file():
            clips.update(json.loads((root / name).read_text(encoding="utf-8")))
    progress.start("check", len(prepared.train) + len(prepared.test))
    for name, count in (prepared.train | prepared.test).items():
        faults = [*_faults(root, name, count)]
        if name in prepared.test:
            faults += _mask_faults(root, name, count)
        for fault in faults:
            prepared.broken.append(fault)
            progress.warn(fault)
        progress.advance()
    progress.finish()
    for name in sorted(prepared.train.keys() & prepared.test.keys()):
        prepared.broken.append(f"{name} is learned from and tested; keep it in one list.")
        progress.warn(prepared.broken[-1])
    return prepared


def _videos(sources: Sequence[Path]) -> list[Video]:
    videos: list[Video] = []
    for source in sources:
        if not source.exists():
            raise InputError(f"There is nothing at {source}; give videos or folders of clips.")
        video = clip_at(source)
        videos += [video] if video is not None else find_videos(source)
    seen: dict[str, Path] = {}
    for video in videos:
        if video.name in seen:
            raise InputError(
                f"{seen[video.name]} and {video.source} are both named {video.name}; rename one."
            )
        seen[video.name] = video.source
    return sorted(videos, key=lambda video: video.name)


def _write_clip(video: Video, wanted: Preparation) -> int:
    """Its frames as a zip of JPEGs; how many there are. One that is there is kept."""
    path = wanted.root / _IMAGES / f"{video.name}.zip"
    if path.is_file():
        return len(names_in(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with publishing(path) as draft:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_STORED) as archive:  # JPEGs are packed
            for image in _images(video, wanted.height):
                colours = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
                _, data = cv2.imencode(".jpg", colours, [cv2.IMWRITE_JPEG_QUALITY, wanted.quality])
                archive.writestr(f"{count:05d}.jpg", data.tobytes())
                count += 1
        if count < wanted.least:
            raise InputError(f"it has {count} frames; {wanted.least} are the least")
    return count


def _images(video: Video, height: int) -> Iterator[np.ndarray]:
    for image in video.frames():
        if height and image.shape[0] > height:
            size = round(image.shape[1] * height / image.shape[0]), height
            yield cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        else:
            yield image


def _write_masks(video: Video, count: int, wanted: Preparation) -> None:
    """One PNG a frame: the clip's own masks, else a hole from the seed."""
    target = wanted.root / _MASKS / video.name
    if target.is_dir():
        return
    archive = Video(video.name, wanted.root / _IMAGES / f"{video.name}.zip")
    width, height = archive.size()
    if video.masks is not None:
        masks = video.object_masks(width, height)
    else:
        masks = hole_masks(wanted.masks, width, height, wanted.seed)
    draft = target.with_name(f".{video.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for number, mask in enumerate(islice(masks, count)):
        cv2.imwrite(str(draft / f"{number:05d}.png"), ((mask > 0) * 255).astype(np.uint8))
    draft.rename(target)


def _faults(root: Path, name: str, count: int) -> Iterator[str]:
    path = root / _IMAGES / f"{name}.zip"
    source = path if path.is_file() else root / _IMAGES / name
    if not source.exists():
        yield f"{name} is listed, and neither {path} nor a folder of that name is there."
        return
    sizes: list[tuple[int, int]] = []
    try:
        for image in Video(name, source).frames():
            sizes.append((image.shape[1], image.shape[0]))
    except (CleanplateError, zipfile.BadZipFile) as error:
        yield f"{name}: frame {len(sizes)} cannot be read: {error}"
        return
    if len(sizes) != count:
        yield f"{name} is listed with {count} frames and has {len(sizes)}."
    if len(set(sizes)) > 1:
        listed = ", ".join(f"{width}x{height}" for width, height in sorted(set(sizes)))
        yield f"{name} has frames of several sizes: {listed}."


def _mask_faults(root: Path, name: str, count: int) -> Iterator[str]:
    folder = root / _MASKS / name
    if not folder.is_dir():
        yield f"{name} is tested, and {folder} is not there."
        return
    number = len(list(folder.glob("*.png")))
    if number != count:
        yield f"{folder} has {number} masks for {count} frames."
