"""From a prompt in one frame to outlines to choose from.

A frame is encoded once for each segmenter; later prompts in it are answered from that.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.arrays.masks import clipped
from cleanplate.arrays.prompts import check_prompt, draw_strokes
from cleanplate.errors import InputError
from cleanplate.runtime import MakeEngine, make_engine, picked_engine
from cleanplate.settings.groups import AUTO, PRINT, Settings
from cleanplate.types import Prompt

if TYPE_CHECKING:
    from cleanplate.media.read import Clip

BOX, OUTLINE = "box", "grabcut"  # what ``auto`` takes for a lone box, and without weights else
_KEPT = 4  # frames whose encoding is kept
_KEPT_IMAGES = 8
_KEPT_ANSWERS = 6  # what was foreseen, or just answered, is asked again


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
class Candidate:
    """One of the outlines that a prompt may mean; never empty."""

    mask: np.ndarray
    """(H, W) bool."""
    confidence: float
    """0..1."""
    outliner: str = ""
    """The engine that found it; empty where the user drew it."""

    @property
    def is_drawn(self) -> bool:
        """Whether it is the user's own: no engine found it."""
        return not self.outliner


@dataclass(frozen=True, slots=True, eq=False)
class OutlineRequest:
    """A prompt with what decides how it is answered."""

    prompt: Prompt
    painted: bool
    """Strokes are the mask itself."""
    start: np.ndarray | None
    """(H, W) bool, the mask to be mended; None: outlined from nothing."""


class Outliner:
    """Answers prompts in the frames of one clip; thread-safe."""

    def __init__(self, clip: Clip, make: MakeEngine = make_engine) -> None:
        self._clip, self._make = clip, make
        self._images: OrderedDict[int, np.ndarray] = OrderedDict()
        self._engines: dict[str, Any] = {}
        self._encoded: OrderedDict[tuple[str, int], Any] = OrderedDict()
        self._answers: OrderedDict[tuple[int, str, str, bool], list[Candidate]] = OrderedDict()
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

    def prepare(self, frame: int, settings: Settings) -> None:
        """Encode a frame, so that the first prompt in it is answered as quickly as later ones."""
        name = settings.engines.segmenter
        self._encode(outline_engine(settings) if name == AUTO else name, frame, settings)

    def candidates(
        self, frame: int, request: OutlineRequest, settings: Settings, alternatives: bool = True
    ) -> list[Candidate]:
        """Outlines, best first, none of them empty; an empty list where nothing was found.

        Args:
            frame: index in the clip.
            request: what is asked.
            settings: which segmenter, and how.
            alternatives: what else a lone box may mean is looked for, too; it takes longer.

        Raises:
            InputError: the prompt is empty or points outside the picture.
        """
        check_prompt(request.prompt, self.image(frame).shape[:2])
        key = (frame, _request_key(request), _asked(settings), alternatives)
        with self._lock:  # who asks what is being answered waits for that answer
            if key not in self._answers:
                candidates = self._found(frame, request, settings, alternatives)
                self._answers[key] = [candidate for candidate in candidates if candidate.mask.any()]
                while len(self._answers) > _KEPT_ANSWERS:
                    self._answers.popitem(last=False)
            self._answers.move_to_end(key)
            return list(self._answers[key])

    def _found(
        self, frame: int, request: OutlineRequest, settings: Settings, alternatives: bool
    ) -> list[Candidate]:
        prompt, size = request.prompt, self.image(frame).shape[:2]
        if not request.painted or not prompt.brushes:
            return self._outlined(frame, request, settings, alternatives)
        hints = replace(prompt, brushes=())
        if hints.points or hints.box or hints.mask is not None:
            hinted = replace(request, prompt=hints)
            candidates = self._outlined(frame, hinted, settings, alternatives)
        else:
            start = np.zeros(size, bool) if request.start is None else request.start
            candidates = [Candidate(start, 1.0)]
        painted = [replace(candidate, mask=candidate.mask.copy()) for candidate in candidates]
        for brush in prompt.brushes:
            stroke = draw_strokes([brush], size)
            for outline in painted:
                outline.mask[stroke] = brush.positive
        return painted

    def _outlined(
        self, frame: int, request: OutlineRequest, settings: Settings, alternatives: bool
    ) -> list[Candidate]:
        prompt, segmenter = request.prompt, settings.engines.segmenter
        if request.start is not None and prompt.box is None and prompt.mask is None:
            prompt = replace(prompt, mask=request.start)
        name = chosen_segmenter(prompt, settings)
        if name is None:
            assert prompt.mask is not None  # chosen_segmenter() said so
            return [Candidate(prompt.mask != 0, 1.0)]
        if name != BOX or segmenter != AUTO:
            return self._decode(name, frame, prompt, settings)
        return self._boxed(frame, prompt, settings, alternatives)

    def _boxed(
        self, frame: int, prompt: Prompt, settings: Settings, alternatives: bool
    ) -> list[Candidate]:
        """The box as it is drawn; then, as ``alternatives``, what may be meant in it."""
        height, width = self.image(frame).shape[:2]
        box = prompt.box and clipped(prompt.box, width, height)
        assert box is not None  # checked
        whole = np.zeros((height, width), bool)
        whole[box.slices] = True
        candidates = [Candidate(whole, 1.0)]
        for name in (outline_engine(settings), PRINT) if alternatives else ():
            inside = self._decode(name, frame, prompt, settings)
            candidates += [candidate for candidate in inside if (candidate.mask != whole).any()]
        return sorted(candidates, key=lambda candidate: -candidate.confidence)

    def _decode(self, name: str, frame: int, prompt: Prompt, settings: Settings) -> list[Candidate]:
        with self._lock:
            encoded = self._encode(name, frame, settings)
            decoded = self._engine(name, settings).decode(encoded, prompt)
        outliner = "" if name == BOX else name
        pairs = zip(decoded.masks, decoded.confidences, strict=True)
        return [Candidate(mask, float(confidence), outliner) for mask, confidence in pairs]

    def _encode(self, name: str, frame: int, settings: Settings) -> Any:
        with self._lock:
            key = (_engine_key(name, settings), frame)
            if key not in self._encoded:
                self._encoded[key] = self._engine(name, settings).encode(self.image(frame))
                while len(self._encoded) > _KEPT:
                    self._encoded.popitem(last=False)
            self._encoded.move_to_end(key)
            return self._encoded[key]

    def _engine(self, name: str, settings: Settings) -> Any:
        key = _engine_key(name, settings)
        if key not in self._engines:
            self._engines[key], _ = self._make("segment", name, settings)
        return self._engines[key]


def _request_key(request: OutlineRequest) -> str:
    """Equal keys, equal requests."""
    prompt = request.prompt
    told = hashlib.sha256(repr((prompt.points, prompt.box, prompt.brushes)).encode())
    for mask in (prompt.mask, request.start):
        told.update(b"-" if mask is None else np.packbits(mask != 0).tobytes() + b"+")
    return f"{told.hexdigest()} {request.painted}"


def _asked(settings: Settings) -> str:
    """All settings that an outline may depend on; what ``auto`` finds here is one of them."""
    names = {settings.engines.segmenter, outline_engine(settings), PRINT}
    return repr((settings.engines.segmenter, sorted(_engine_key(n, settings) for n in names)))


def outline_engine(settings: Settings) -> str:
    """What ``auto`` outlines with where points or strokes pick something: SAM 2.1 if it is here."""
    return picked_engine("segment", settings) or OUTLINE


def chosen_segmenter(prompt: Prompt, settings: Settings) -> str | None:
    """The engine that outlines ``prompt``; None when its mask is taken as it is.

    Args:
        prompt: all that points at one object in one frame.
        settings: which segmenter; ``auto`` depends on what is here.
    """
    segmenter = settings.engines.segmenter
    if segmenter != AUTO:
        return segmenter
    if prompt.mask is not None and not (prompt.points or prompt.brushes or prompt.box):
        return None
    return BOX if prompt.is_lone_box else outline_engine(settings)


def _engine_key(name: str, settings: Settings) -> str:
    engines = settings.engines
    fields = sorted(settings.engine_fields.get(name, {}).items())
    where = engines.device, engines.precision, engines.seed, engines.memory
    return repr((name, fields, where))
