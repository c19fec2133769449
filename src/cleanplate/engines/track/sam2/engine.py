"""SAM 2.1: follows anything by what it is, through turns and absence, however long the clip."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cleanplate.engines import sam2 as pictures
from cleanplate.engines.track.sam2 import state as states
from cleanplate.engines.track.sam2.memory import Limits
from cleanplate.engines.track.sam2.video import Rules, Video
from cleanplate.engines.track.shared.masks import check_mask, objects_in
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import ObjectState, TrackedMask, Visibility

if TYPE_CHECKING:
    from cleanplate.engines.track.sam2.memory import Output
    from cleanplate.networks.sam2.sam2 import Features
    from cleanplate.types import Frame

PUBLISHED, CAUTIOUS = "published", "cautious"
SURE = 0.5  # predicted IoU below which an object is partly hidden


@dataclass(frozen=True, slots=True)
class Sam2Settings:
    """Which network, at which size, and how much it remembers."""

    model: str = setting(
        "tiny", "Size: tiny (quick), small, base_plus, large (best).", choices=pictures.SIZES
    )
    weights: str = setting(
        "", "Path of a weights file; empty for the one that cleanplate weights keeps."
    )
    side: int = setting(
        1024,
        "Side of the square in which the network sees a frame; less is quicker and coarser.",
        choices=pictures.SIDES,
        unit="px",
    )
    memory: str = setting(
        PUBLISHED,
        "What is remembered: published keeps every frame; cautious keeps only sure ones, predicts "
        "where the object is heading, and keeps frames that tell look-alikes apart.",
        choices=(PUBLISHED, CAUTIOUS),
    )
    confirmed_frames: int = setting(
        8, "Most prompted frames remembered; the first and the newest stay.", low=2, high=200
    )
    patience: int = setting(
        48, "An object that stays hidden for this many frames counts as lost.", low=1, unit="frames"
    )

    def __post_init__(self) -> None:
        check(self)


class Sam2Tracking:
    """One clip being tracked, in one direction of time."""

    def __init__(self, engine: Engine, size: tuple[int, int]) -> None:
        self._engine = engine
        self.size = size
        """(H, W) of the frames."""
        self.video = engine.video()
        self.hidden: dict[int, int] = {}
        """For how many frames each object has not been seen."""
        self.index = -1
        """Of the frame last seen."""
        self._seen: tuple[int, Features] | None = None

    def step(self, frame: Frame) -> TrackedMask:
        """Find the objects in ``frame``, the next one."""
        self._check_size(frame.image)
        backward, self.index = frame.index < self.index, frame.index
        if not self.video.objects:
            return TrackedMask(np.zeros(self.size, np.uint8))
        outputs = self.video.follow(frame.index, self._look(frame), backward)
        return self._answer(outputs)

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        """Fix or add objects in the frame last seen, which is then remembered for good."""
        check_mask(mask, frame.image)
        self._check_size(frame.image)
        self.index = frame.index
        for object_id in objects_in(mask):
            self.video.outline(frame.index, self._look(frame), object_id, mask == object_id)
            self.hidden[object_id] = 0
        self.video.commit()

    def point(
        self, frame: Frame, object_id: int, points: np.ndarray, labels: np.ndarray
    ) -> np.ndarray:
        """Fix or add one object in the frame last seen by clicks; (H, W) bool, what it is now.

        Args:
            frame: the frame last seen.
            object_id: a known one or a new one.
            points: (N, 2) x, y in pixels.
            labels: (N,): 1 object, 0 background; a box is two points with labels 2 and 3, first.
        """
        self._check_size(frame.image)
        self.index = frame.index
        places = np.asarray(points, np.float64) / np.array(self.size[::-1])
        output = self.video.point(frame.index, self._look(frame), object_id, places, labels)
        self.hidden[object_id] = 0
        self.video.commit()
        return (self.video.logits([output], self.size)[0] > 0).cpu().numpy()

    def remove(self, object_id: int) -> None:
        """Follow an object no longer.

        Raises:
            InputError: it is not tracked.
        """
        if object_id not in self.video.objects:
            known = ", ".join(map(str, self.video.objects)) or "none"
            raise InputError(f"Object {object_id} is not tracked; there are: {known}.")
        self.video.remove(object_id)
        del self.hidden[object_id]

    def state(self) -> dict[str, np.ndarray]:
        """What each object remembers."""
        return states.written(self)

    def _look(self, frame: Frame) -> Features:
        """The features of ``frame``; the one last seen is not looked at again."""
        if self._seen is None or self._seen[0] != frame.index:
            self._seen = frame.index, self._engine.features(frame.image)
        return self._seen[1]

    def _answer(self, outputs: dict[int, Output]) -> TrackedMask:
        logits = self.video.logits(list(outputs.values()), self.size)
        best, which = logits.max(dim=0)
        ids = np.array([0, *outputs], np.uint8)
        mask = ids[((which + 1) * (best > 0)).cpu().numpy()]
        areas = np.bincount(mask.ravel(), minlength=256)
        states = [self._judged(i, output, int(areas[i])) for i, output in outputs.items()]
        return TrackedMask(mask, tuple(sorted(states, key=lambda state: state.object_id)))

    def _judged(self, object_id: int, output: Output, area: int) -> ObjectState:
        seen = output.presence > 0 and area > 0
        self.hidden[object_id] = 0 if seen else self.hidden[object_id] + 1
        if not seen:
            lost = self.hidden[object_id] >= self._engine.settings.patience
            return ObjectState(object_id, 0.0, Visibility.LOST if lost else Visibility.HIDDEN)
        sure = float(np.clip(output.quality, 0, 1) / (1 + np.exp(-output.presence)))
        kind = Visibility.VISIBLE if sure >= SURE else Visibility.PARTLY_HIDDEN
        return ObjectState(object_id, sure, kind)

    def _check_size(self, image: np.ndarray) -> None:
        if image.shape[:2] != self.size:
            height, width = self.size
            raise InputError(
                f"The frame is {image.shape[1]}x{image.shape[0]} and the clip began at "
                f"{width}x{height}; give frames of one size."
            )


class Engine:
    """Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024."""

    about: ClassVar = About(
        "track",
        "sam2",
        "Tracks people, animals and anything else, and finds them again after they were hidden.",
        needs=("torch", "PIL"),
        extra="networks",
        checkpoints=pictures.CHECKPOINTS,
        order=25,
        choices=(
            Choice(
                "People, animals, anything",
                "Tracked through turns and behind others, in clips of any length.",
            ),
        ),
    )
    Settings: ClassVar = Sam2Settings

    def __init__(self, settings: Sam2Settings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime
        self._network: Any = pictures.loaded(settings.model, settings.weights, runtime)

    def start(self, frame: Frame, mask: np.ndarray) -> Sam2Tracking:
        """Begin at ``frame``, whose ``mask`` ((H, W) uint8, value = object id) is the truth."""
        check_mask(mask, frame.image)
        tracking = Sam2Tracking(self, mask.shape)  # type: ignore[arg-type]
        tracking.correct(frame, mask)
        return tracking

    def resume(self, state: dict[str, np.ndarray]) -> Sam2Tracking:
        """Go on from what ``Tracking.state`` returned."""
        height, width = state["size"].tolist()
        tracking = Sam2Tracking(self, (height, width))
        states.restore(tracking, state, self.runtime.device)
        return tracking

    def video(self) -> Video:
        """An empty memory."""
        limits = Limits(kept=self.settings.confirmed_frames)
        cautious = self.settings.memory == CAUTIOUS
        rules = Rules(limits, corrections_confirm=True, cautious=cautious)
        return Video(self._network, self.settings.side, self.runtime, rules)

    def features(self, image: np.ndarray) -> Features:
        """What the network sees in a frame ((H, W, 3) uint8 RGB)."""
        pixels = pictures.frame_pixels(image, self.settings.side)
        return pictures.features_of(self._network, pixels, self.runtime)
