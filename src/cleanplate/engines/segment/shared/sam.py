"""What the engines of SAM's family share: the picture in SAM's frame, prompts in, masks out."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np

from cleanplate import checkpoints
from cleanplate.arrays.masks import bounding_box, deepest
from cleanplate.arrays.prompts import check_image, check_prompt, clip_box
from cleanplate.engines.precision import computing
from cleanplate.engines.segment.shared.decoding import Decoded
from cleanplate.engines.segment.shared.everything import EverythingSettings, everything
from cleanplate.errors import InputError, MissingDependencyError
from cleanplate.protocols import About, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Box, Candidates, Prompt

if TYPE_CHECKING:
    from torch import Tensor

    from cleanplate.arrays.instances import Instance
    from cleanplate.networks.sam.sam import Sam

AUTO, ONE, THREE = "auto", "one", "three"
LOGIT = 8.0  # of a mask that is given as a prompt, inside; minus that outside
ROOM = 0.1  # of a box's sides: SAM was trained with boxes that are off by so much
STROKE_POINTS = 6  # that stand for a brush stroke, which SAM does not know
CACHED = 4  # embeddings kept, 4 MB each and up to 8 MB more for HQ-SAM


@dataclass(frozen=True, slots=True)
class SamSettings(EverythingSettings):
    """Settings that all engines of the family have."""

    weights: str = setting(
        "", "Path of a weights file; empty for the one that cleanplate weights keeps."
    )
    candidates: str = setting(
        AUTO,
        "How many masks to choose from; auto gives three for a single click and one for anything "
        "else.",
        choices=(AUTO, ONE, THREE),
    )
    refine: int = setting(
        0,
        "How many more times to decode, each time with the last mask as a further prompt.",
        low=0,
        high=3,
    )

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A picture, looked at once."""

    embedding: Any
    """What the network made of it."""
    size: tuple[int, int]
    """(H, W) of the picture."""


class SamEngine:
    """The base: a subclass names its ``about``, its ``Settings`` and its network."""

    about: ClassVar[About]
    Settings: ClassVar[type[Any]] = SamSettings

    def __init__(self, settings: Any, runtime: Runtime) -> None:
        import torch

        from cleanplate.networks.sam import sam

        self.settings, self.runtime = settings, runtime
        self._torch, self._functions = torch, sam
        self._network: Any = self._loaded()
        self._cache: OrderedDict[bytes, Encoded] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def checkpoint(self) -> str:
        """The checkpoint that it loads."""
        raise NotImplementedError

    def _loaded(self) -> Any:
        """The network with its weights, on the runtime's device."""
        build: Callable[[], Sam] = getattr(self._functions, self.checkpoint)
        with self._torch.device("meta"):
            network = build().to_empty(device="cpu")
        checkpoints.load(network, self.checkpoint, self.settings.weights)
        return network.to(self.runtime.device).eval()

    # --- the protocol ---

    def encode(self, image: np.ndarray) -> Encoded:
        """Look at ``image`` ((H, W, 3) uint8 RGB); the same picture again costs nothing.

        Raises:
            InputError: it is no such array, or so narrow that nothing of it is left at 1024 px.
        """
        check_image(image)
        key = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        key += repr(image.shape).encode()
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        encoded = self._encode(image)
        with self._lock:
            self._cache[key] = encoded
            while len(self._cache) > CACHED:
                self._cache.popitem(last=False)
        return encoded

    def decode(self, encoded: Encoded, prompt: Prompt) -> Candidates:
        """Outlines of what ``prompt`` points at, best first.

        A box holds its outline to a tenth of its sides around it; brush strokes count as points
        along them; a mask is a rough outline, to be drawn better.

        Raises:
            InputError: the prompt is empty or points outside the picture.
        """
        check_prompt(prompt, encoded.size)
        points, labels = _points(prompt)
        box = None if prompt.box is None else clip_box(prompt.box, encoded.size)
        rough = None if prompt.mask is None else prompt.mask.astype(bool)
        if rough is not None and not (len(points) or box):
            # Alone a mask was never trained on: it comes with its box and its middle.
            box, points = _box_of(rough), np.array([deepest(rough)])
            labels = np.ones(len(points), np.int64)
        low = None if rough is None else self.mask_prompt(rough)
        lone_click = len(points) == 1 and box is None and low is None
        several = self.settings.candidates == THREE or (
            self.settings.candidates == AUTO and lone_click
        )
        prompts = (
            points[None] if len(points) else None,
            labels[None] if len(points) else None,
            None if box is None else _corners(box),
        )
        decoded = self.decode_many(encoded, *prompts, low, several=several)
        for _ in range(self.settings.refine):
            best = decoded.quality[0].argmax()
            decoded = self.decode_many(encoded, *prompts, decoded.low[0, best], several=several)
        return _candidates(decoded, box)

    def everything(self, image: np.ndarray) -> list[Instance]:
        """All things in ``image`` ((H, W, 3) uint8 RGB), in the published order."""
        check_image(image)
        return everything(self, image, self.settings)

    # --- below the protocol: batches, logits ---

    def decode_many(
        self,
        encoded: Encoded,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        boxes: np.ndarray | None = None,
        low: np.ndarray | None = None,
        *,
        several: bool = False,
        refined_only: bool = False,
    ) -> Decoded:
        """Masks for P objects of one picture at once.

        Args:
            encoded: from ``encode``.
            points: (P, N, 2) x, y in pixels of the picture.
            labels: (P, N): 1 object, 0 background, -1 no point.
            boxes: (P, 4) x0 y0 x1 y1.
            low: (256, 256) or (P, 256, 256) logits in SAM's frame, of an earlier answer.
            several: three masks for each; HQ-SAM gives the best of them.
            refined_only: HQ-SAM's own logits alone.
        """
        torch, functions, device = self._torch, self._functions, self.runtime.device
        scale = self._scale(encoded.size)

        def tensor(values: np.ndarray | None) -> Tensor | None:
            if values is None:
                return None
            return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)

        with torch.inference_mode():
            logits, quality = self._network.decode(
                encoded.embedding,
                tensor(None if points is None else points * scale),
                tensor(labels),
                tensor(None if boxes is None else boxes * np.tile(scale, 2)),
                tensor(None if low is None else low.reshape(-1, 1, *low.shape[-2:])),
                several=several,
                refined_only=refined_only,
            )
            full = functions.enlarged(logits, *encoded.size)
            return Decoded(logits.cpu().numpy(), full.cpu().numpy(), quality.cpu().numpy())

    def mask_prompt(self, mask: np.ndarray) -> np.ndarray:
        """(256, 256) float32: a binary ``mask`` (H, W) as SAM takes masks."""
        down, across = self._functions.fitted(*mask.shape)
        side, small = self._functions.SIDE, self._functions.MASK_SIDE
        frame = np.zeros((side, side), np.float32)
        frame[:down, :across] = cv2.resize(
            mask.astype(np.float32), (across, down), interpolation=cv2.INTER_AREA
        )
        inside = cv2.resize(frame, (small, small), interpolation=cv2.INTER_AREA)
        return (2 * inside - 1) * LOGIT

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """``image`` at the size of SAM's frame, resized exactly as its weights expect."""
        pillow = _pillow()
        down, across = self._functions.fitted(*image.shape[:2])
        if not (down and across):
            raise InputError(
                f"The picture of {image.shape[1]}x{image.shape[0]} is too narrow for SAM, which "
                "sees its longer side in 1024 px; crop it."
            )
        resized = pillow.fromarray(image).resize((across, down), pillow.Resampling.BILINEAR)
        return np.asarray(resized)

    def _encode(self, image: np.ndarray) -> Encoded:
        torch = self._torch
        pixels = torch.from_numpy(self.prepare(image).astype(np.float32)).to(self.runtime.device)
        with computing(self.runtime):
            embedding = self._network.encode(self._functions.prepared(pixels))
        return Encoded(embedding.float(), image.shape[:2])

    def _scale(self, size: tuple[int, int]) -> np.ndarray:
        """(2,) x, y: from the picture's pixels to those of SAM's frame."""
        down, across = self._functions.fitted(*size)
        return np.array([across / size[1], down / size[0]])


def _pillow() -> Any:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "SAM needs Pillow, which is not installed; install it with: "
            "pip install 'cleanplate[networks]'."
        ) from error
    return Image


def _points(prompt: Prompt) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) places and (N,) labels of the prompt's clicks and strokes."""
    places = [(point.x, point.y) for point in prompt.points]
    labels = [int(point.positive) for point in prompt.points]
    for brush in prompt.brushes:
        along = _along(np.array(brush.points, np.float64))
        places += [(x, y) for x, y in along.tolist()]
        labels += [int(brush.positive)] * len(along)
    return np.array(places, np.float64).reshape(-1, 2), np.array(labels, np.int64)


def _along(line: np.ndarray) -> np.ndarray:
    """Up to ``STROKE_POINTS`` places, evenly spaced on a polyline (n, 2)."""
    steps = np.hypot(*np.diff(line, axis=0).T)
    reached = np.concatenate([[0], np.cumsum(steps)])
    if reached[-1] == 0:
        return line[:1]
    distances = (np.arange(STROKE_POINTS) + 0.5) / STROKE_POINTS * reached[-1]
    return np.stack([np.interp(distances, reached, line[:, axis]) for axis in (0, 1)], axis=1)


def _corners(box: Box) -> np.ndarray:
    return np.array([[box.x0, box.y0, box.x1, box.y1]], np.float64)


def _box_of(mask: np.ndarray) -> Box:
    box = bounding_box(mask)
    if box is None:
        raise InputError("The mask given as a prompt is empty; draw something in it.")
    return box


def _candidates(decoded: Decoded, box: Box | None) -> Candidates:
    """The masks of the one object in ``decoded``, best first."""
    logits, quality = decoded.logits[0], np.clip(decoded.quality[0], 0, 1).astype(np.float32)
    if box is not None:
        logits = np.where(_allowed(box, logits.shape[1:]), logits, -np.inf)
    masks = logits > 0
    for mask, values in zip(masks, logits, strict=True):
        if not mask.any():  # an outline never vanishes silently: what is nearest to one remains
            mask |= values == values.max()
    quality[(logits <= 0).all((1, 2))] = 0
    order = np.argsort(-quality, kind="stable")
    return Candidates(masks[order], quality[order])


def _allowed(box: Box, size: tuple[int, ...]) -> np.ndarray:
    allowed = np.zeros(size, bool)
    right, down = round(ROOM * box.width), round(ROOM * box.height)
    allowed[max(0, box.y0 - down) : box.y1 + down, max(0, box.x0 - right) : box.x1 + right] = True
    return allowed
