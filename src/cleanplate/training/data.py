"""Samples to learn from. Each is made from the seed and its number alone, so that a run that goes
on after a stop, or in several processes, sees the same ones in the same order.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from cleanplate.arrays.flow import dense_flow
from cleanplate.errors import InputError, MediaError
from cleanplate.evaluation.datasets import IMAGES, Video, find_videos
from cleanplate.media.images import natural_key, numbered
from cleanplate.media.mask_files import read_mask_image
from cleanplate.media.read import open_clip
from cleanplate.training.configuration import DIS, Configuration
from cleanplate.training.generated import photographs, rendered
from cleanplate.training.masks import holes

WINDOW = 16
"""Frames of a sample of VINet: four steps, each of five frames three apart."""
OUTPUTS = 4
REFERENCE = 6
"""Of VINet's window: the frame that step 0 fills."""
_LICENCE = "licence"
_RADIUS = 5  # px of Telea's method, which stands in for what is left out


class Samples(Dataset[dict[str, Any]]):
    """By number: ``frames`` (T, 3, H, W) float32 in -1..1, ``masks`` (T, 1, H, W) float32, 1 in the
    hole, ``flows`` (n, 2, h, w) float32 px as the network's losses want them, and a ``note``; where
    something is left out, ``unknown`` (T, 1, H, W) float32, 1 where it is, a hole too."""

    def __init__(
        self, configuration: Configuration, videos: list[Video], seed: int | None = None
    ) -> None:
        """
        Args:
            configuration: of the run.
            videos: to learn from.
            seed: of all samples; by default the configuration's.
        """
        self._configuration, self._videos = configuration, videos
        self._seed = configuration.seed if seed is None else seed
        data = configuration.data
        self._pictures = photographs(data.photographs)
        local = WINDOW if configuration.is_vinet else data.local_frames
        self._local = local
        self._references = 0 if configuration.is_vinet else data.reference_frames

    def __len__(self) -> int:
        return self._configuration.steps * self._configuration.batch

    def __getitem__(self, number: int) -> dict[str, Any]:
        random, data = np.random.default_rng([self._seed, number]), self._configuration.data
        images, unknown, chosen, count, note = self._images(random)
        if data.flip and random.random() < 0.5:
            images, unknown = images[:, :, ::-1], unknown[:, :, ::-1]
        kind = data.masks[int(random.integers(len(data.masks)))]
        masks = list(holes(kind, data.width, data.height, count, random))
        masks = np.stack([masks[n] for n in chosen])
        frames = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2)
        sample = {
            "frames": frames.float() / 127.5 - 1,
            "masks": torch.from_numpy(masks | unknown)[:, None].float(),
            "flows": self._flows(images),
            "note": note,
        }
        if data.leave_out:
            sample["unknown"] = torch.from_numpy(np.ascontiguousarray(unknown))[:, None].float()
        return sample

    def _images(
        self, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, list[int], int, str]:
        """(T, H, W, 3) uint8 and what of them is left out, (T, H, W) uint8; their indexes in a
        clip, its frames, and what should be said."""
        data, wanted = self._configuration.data, self._local + self._references
        is_generated = random.random() < data.generated or not self._videos
        first = 0 if is_generated else int(random.integers(len(self._videos)))
        if is_generated:
            count = max(wanted, 5 * self._local)
            chosen = self._chosen(count, random)
            # Rendered whole: what a frame shows must not depend on which ones are wanted.
            clip = rendered(data.width, data.height, count, random, self._pictures)
            return clip[chosen], np.zeros(clip[chosen].shape[:3], np.uint8), chosen, count, ""
        note = ""
        for ahead in range(len(self._videos)):
            video = self._videos[(first + ahead) % len(self._videos)]
            try:
                count = count_frames(video)
                if count < wanted:
                    raise MediaError(f"it has {count} frames of the {wanted} that a sample takes")
                chosen = self._chosen(count, random)
                images = [_resized(image, data.width, data.height) for image in read(video, chosen)]
                unknown = self._unknown(video, chosen)
                # Nothing of what must go may be seen, not even by the flows.
                seen = [stood_in(image, mask) for image, mask in zip(images, unknown, strict=True)]
                return np.stack(seen), unknown, chosen, count, note
            except (MediaError, InputError) as error:
                note = f"{video.source} was left out of a sample: {error}"
        raise MediaError(f"None of the {len(self._videos)} clips can be learned from; {note}")

    def _unknown(self, video: Video, chosen: list[int]) -> np.ndarray:
        """(T, H, W) uint8, 1 where the clip's masks cover the frames ``chosen``."""
        data = self._configuration.data
        unknown = np.zeros((len(chosen), data.height, data.width), np.uint8)
        if data.leave_out and video.masks is not None:
            files = numbered(file.name for file in video.masks.glob("*.png"))
            names = list(files.values())
            if chosen and max(chosen) >= len(names):
                raise MediaError(
                    f"{video.masks} has {len(names)} masks, and frame {max(chosen)} needs one"
                )
            for place, number in enumerate(chosen):
                mask = (read_mask_image(video.masks / names[number]) > 0).astype(np.uint8)
                unknown[place] = (
                    cv2.resize(mask, (data.width, data.height), interpolation=cv2.INTER_AREA)
                    if mask.shape != unknown.shape[1:]
                    else mask
                )
        return unknown

    def _chosen(self, count: int, random: np.random.Generator) -> list[int]:
        start = int(random.integers(count - self._local + 1))
        local = list(range(start, start + self._local))
        others = [n for n in range(count) if not start <= n < start + self._local]
        apart = random.choice(others, self._references, replace=False) if self._references else []
        return local + sorted(int(n) for n in apart)

    def _flows(self, images: np.ndarray) -> Tensor:
        """True flows by DIS (Kroeger et al., 2016), which stands for FlowNet2 and SPyNet.

        VINet: from output t to t - 1, t 1 to 3, then from t to 0, t 2 and 3. E2FGVI: between
        neighbouring local frames at a quarter of the size, forward, then backward.
        """
        configuration = self._configuration
        if configuration.is_vinet:
            if not configuration.vinet.recurrent:
                return torch.zeros(0)
            pairs = [(1, 0), (2, 1), (3, 2), (2, 0), (3, 0)]
            pairs = [(a + REFERENCE, b + REFERENCE) for a, b in pairs]
            greys = [
                cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in np.ascontiguousarray(images)
            ]
        elif configuration.losses.flow_target == DIS:
            steps = range(self._local - 1)
            pairs = [(n, n + 1) for n in steps] + [(n + 1, n) for n in steps]
            size = (configuration.data.width // 4, configuration.data.height // 4)
            greys = [
                cv2.resize(
                    cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA
                )
                for image in np.ascontiguousarray(images[: self._local])
            ]
        else:
            return torch.zeros(0)
        flows = np.stack([dense_flow(greys[a], greys[b], "finest") for a, b in pairs])
        return torch.from_numpy(flows).permute(0, 3, 1, 2)


def stood_in(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """``image`` ((H, W, 3) uint8) with what ``mask`` ((H, W) uint8) covers filled by Telea."""
    return cv2.inpaint(image, mask, _RADIUS, cv2.INPAINT_TELEA) if mask.any() else image


def videos_in(roots: tuple[str, ...]) -> list[Video]:
    """The clips of all ``roots``: folders of clips, or datasets with a ``train.json``.

    Raises:
        InputError: a root is not there, or has none.
    """
    return [video for root in roots for video in find_videos(Path(root), listed="train.json")]


def licence_of(video: Video) -> str:
    """What a ``clip.json`` beside the clip says of its licence, or that nothing does."""
    for folder in (video.source, video.source.parent):
        card = folder / "clip.json"
        if card.is_file():
            stated = json.loads(card.read_text(encoding="utf-8")).get(_LICENCE)
            if stated:
                return str(stated)
    return "not stated"


def count_frames(video: Video) -> int:
    """How many frames ``video`` has, as its list or its container says."""
    if video.count is not None:
        return video.count
    if video.source.suffix.lower() == ".zip":
        return len(names_in(video.source))
    with open_clip(video.source) as clip:
        count = clip.info.frame_count
        return sum(1 for _ in clip.pictures()) if count is None else count


def read(video: Video, indexes: list[int]) -> list[np.ndarray]:
    """Some frames of ``video``, (H, W, 3) uint8 RGB each, in the order of ``indexes``.

    Raises:
        MediaError: one of them cannot be read.
    """
    if video.source.suffix.lower() == ".zip":
        names = names_in(video.source)
        with zipfile.ZipFile(video.source) as archive:
            return [
                _decoded(archive.read(names[n]), f"{names[n]} in {video.source}") for n in indexes
            ]
    images: dict[int, np.ndarray] = {}
    with open_clip(video.source) as clip:
        for first, stop in _runs(sorted(indexes)):
            images |= {picture.index: picture.rgb() for picture in clip.pictures(first, stop)}
    missing = [n for n in indexes if n not in images]
    if missing:
        raise MediaError(f"frame {missing[0]} of {video.source} is not there")
    return [images[n] for n in indexes]


def _runs(indexes: list[int]) -> list[tuple[int, int]]:
    """Stretches (first, stop) of whole numbers that follow each other."""
    runs: list[tuple[int, int]] = []
    for n in indexes:
        if runs and runs[-1][1] == n:
            runs[-1] = runs[-1][0], n + 1
        else:
            runs.append((n, n + 1))
    return runs


def names_in(path: Path) -> list[str]:
    """The images in the zip ``path``, in the order of their numbers.

    Raises:
        MediaError: it is no zip.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if Path(n).suffix.lower() in IMAGES]
    except (zipfile.BadZipFile, OSError) as error:
        raise MediaError(f"{path} is no zip of images ({error}); make it again") from error
    return sorted(names, key=natural_key)


def _decoded(content: bytes, name: str) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise MediaError(f"{name} cannot be read as an image")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """As published: bicubic, by Pillow, which smooths what it makes smaller."""
    if image.shape[:2] == (height, width):
        return image
    resized = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(resized)
