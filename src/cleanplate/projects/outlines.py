"""From a prompt in one frame to outlines to choose from.

A frame is encoded once for each segmenter; later prompts in it are answered from that.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.arrays.masks import clipped
from cleanplate.arrays.prompts import check_prompt, draw_strokes
from cleanplate.errors import InputError
from cleanplate.jobs import job, prompting
from cleanplate.jobs.settings import PRINT
from cleanplate.types import Candidates, Prompt

if TYPE_CHECKING:
    from cleanplate.media.read import Clip

_KEPT = 4  # frames whose encoding is kept
_KEPT_IMAGES = 8


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """What is shown for a prompt."""

    mask: np.ndarray
    """(H, W) bool, the chosen candidate."""
    candidates: int
    scores: tuple[float, ...]
    """0..1, one for each candidate."""
    chosen: int


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A prompt with what decides how it is answered."""

    prompt: Prompt
    painted: bool
    """Strokes are the mask itself."""
    start: np.ndarray | None
    """(H, W) bool, the mask to be mended; None: outlined from nothing."""


class Outliner:
    """Answers prompts in the frames of one clip."""

    def __init__(self, clip: Clip) -> None:
        self._clip = clip
        self._images: OrderedDict[int, np.ndarray] = OrderedDict()
        self._engines: dict[str, Any] = {}
        self._encoded: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._looking = threading.Lock()
        self._lock = threading.RLock()  # of the engines, which may take seconds

    def image(self, frame: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB of a frame, read-only."""
        with self._looking:
            if frame not in self._images:
                picture = next(self._clip.pictures(frame, frame + 1), None)
                if picture is None:
                    raise InputError(f"Frame {frame} is not in the clip.")
                self._images[frame] = picture.rgb()
                while len(self._images) > _KEPT_IMAGES:
                    self._images.popitem(last=False)
            self._images.move_to_end(frame)
            return self._images[frame]

    def prepare(self, frame: int, settings: job.Settings) -> None:
        """Encode a frame, so that the first prompt in it is answered as quickly as later ones."""
        name = settings.engines.segmenter
        self._encode(prompting.OUTLINE if name == prompting.AUTO else name, frame, settings)

    def candidates(
        self, frame: int, asked: Asked, settings: job.Settings
    ) -> tuple[Candidates, bool]:
        """Outlines, best first, and whether the user drew them.

        Raises:
            InputError: the prompt is empty or points outside the picture.
        """
        prompt, size = asked.prompt, self.image(frame).shape[:2]
        check_prompt(prompt, size)
        if not asked.painted or not prompt.brushes:
            return self._outlined(frame, asked, settings)
        hints = replace(prompt, brushes=())
        exact = True
        if hints.points or hints.box or hints.mask is not None:
            found, exact = self._outlined(frame, replace(asked, prompt=hints), settings)
        else:
            start = np.zeros(size, bool) if asked.start is None else asked.start
            found = Candidates(start[None], np.ones(1, np.float32))
        masks = found.masks.copy()
        for brush in prompt.brushes:
            masks[:, draw_strokes([brush], size)] = brush.positive
        return Candidates(masks, found.confidences), exact

    def _outlined(
        self, frame: int, asked: Asked, settings: job.Settings
    ) -> tuple[Candidates, bool]:
        prompt, segmenter = asked.prompt, settings.engines.segmenter
        if asked.start is not None and prompt.box is None and prompt.mask is None:
            prompt = replace(prompt, mask=asked.start)
        name = prompting.chosen(prompt, segmenter)
        if name is None:
            assert prompt.mask is not None  # chosen() said so
            return Candidates(prompt.mask[None] != 0, np.ones(1, np.float32)), True
        if name != prompting.BOX or segmenter != prompting.AUTO:
            found = self._decode(name, frame, prompt, settings)
            return found, name == prompting.BOX
        return self._boxed(frame, prompt, settings), True

    def _boxed(self, frame: int, prompt: Prompt, settings: job.Settings) -> Candidates:
        """The box as it is drawn; then what may be meant in it."""
        height, width = self.image(frame).shape[:2]
        box = prompt.box and clipped(prompt.box, width, height)
        assert box is not None  # checked
        whole = np.zeros((height, width), bool)
        whole[box.slices] = True
        masks, confidences = [whole], [1.0]
        for name in (prompting.OUTLINE, PRINT):
            found = self._decode(name, frame, prompt, settings)
            for mask, confidence in zip(found.masks, found.confidences, strict=True):
                if mask.any() and (mask != whole).any():
                    masks.append(mask)
                    confidences.append(float(confidence))
        order = np.argsort([-one for one in confidences], kind="stable")
        return Candidates(np.stack(masks)[order], np.array(confidences, np.float32)[order])

    def _decode(self, name: str, frame: int, prompt: Prompt, settings: job.Settings) -> Candidates:
        with self._lock:
            encoded = self._encode(name, frame, settings)
            return self._engine(name, settings).decode(encoded, prompt)

    def _encode(self, name: str, frame: int, settings: job.Settings) -> Any:
        with self._lock:
            key = (_engine_key(name, settings), frame)
            if key not in self._encoded:
                self._encoded[key] = self._engine(name, settings).encode(self.image(frame))
                while len(self._encoded) > _KEPT:
                    self._encoded.popitem(last=False)
            self._encoded.move_to_end(key)
            return self._encoded[key]

    def _engine(self, name: str, settings: job.Settings) -> Any:
        key = _engine_key(name, settings)
        if key not in self._engines:
            self._engines[key], _ = job.engine("segment", name, settings)
        return self._engines[key]


def _engine_key(name: str, settings: job.Settings) -> str:
    one = settings.engines
    own = sorted(settings.engine_fields.get(name, {}).items())
    return repr((name, own, one.device, one.precision, one.seed, one.memory))
