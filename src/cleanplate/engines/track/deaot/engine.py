"""DeAOT and AOT: many objects tracked by their appearance, in clips of any length."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cleanplate import checkpoints
from cleanplate.arrays.instances import ranked
from cleanplate.engines.precision import computing
from cleanplate.engines.track.deaot.memory import GroupMemory
from cleanplate.engines.track.deaot.new_objects import new_objects
from cleanplate.engines.track.deaot.video import Group, Limits, Video
from cleanplate.engines.track.shared.masks import check_mask, objects_in, replace_objects
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import FOUND_FROM, ObjectState, TrackedMask, Visibility

if TYPE_CHECKING:
    from cleanplate.types import Frame

MODELS = (
    *("deaot_t", "deaot_s", "deaot_b", "deaot_l", "r50_deaotl", "swinb_deaotl"),
    *("aot_t", "aot_s", "aot_b", "aot_l", "r50_aotl", "swinb_aotl"),
)
DEFAULT = "r50_deaotl"
SURE = 0.75  # mean share of an object's own pixels below which it is partly hidden
ABSENT = 0.5  # and below which it is not there
SHRUNK = 0.35  # of the area that it usually has


@dataclass(frozen=True, slots=True)
class DeAotSettings:
    """Which network, and how much it remembers."""

    model: str = setting(
        DEFAULT,
        "Which network, from deaot_t (fastest) to swinb_deaotl (best), or one of the older aot.",
        choices=MODELS,
    )
    weights: str = setting(
        "", "Path of a weights file; empty for the one that cleanplate weights keeps."
    )
    gap: int = setting(
        5, "Every this many frames, one is added to the long-term memory.", low=1, unit="frames"
    )
    memory_frames: int = setting(
        8, "How many such frames are kept; the oldest are dropped.", low=0, high=200, unit="frames"
    )
    confirmed_frames: int = setting(
        16, "How many prompted frames are kept; the first and the newest stay.", low=2, high=200
    )
    longest: int = setting(
        1040, "Frames with a longer side than this are scaled down.", low=64, high=8192, unit="px"
    )
    patience: int = setting(
        48, "An object that stays hidden for this many frames counts as lost.", low=1, unit="frames"
    )
    find_new: int = setting(
        0,
        "Every this many frames, sam_hq looks for objects that are not tracked yet, and they are "
        "tracked from then on; 0 for never.",
        low=0,
        unit="frames",
    )
    new_share: float = setting(
        0.8,
        "The least share of a new object that must lie outside the tracked ones.",
        low=0,
        high=1,
    )
    new_area: int = setting(200, "The smallest area of a new object.", low=1, unit="px")
    new_weights: str = setting(
        "", "Path of weights for sam_hq vit_tiny; empty for those that cleanplate weights keeps."
    )

    def __post_init__(self) -> None:
        check(self)


class DeAotTracking:
    """One clip being tracked."""

    def __init__(self, engine: Engine, video: Video) -> None:
        self._engine, self._video = engine, video
        self.ids: list[int] = []
        """The object id of each slot, from slot 1 on."""
        self._labels = np.zeros((0, 0), np.uint8)
        self._usual: list[float] = []
        """The area that each object usually has, px."""
        self._hidden: list[int] = []
        """For how many frames each object has not been seen."""
        self._index = self._shot = 0
        """Of the frame last seen."""

    def step(self, frame: Frame) -> TrackedMask:
        """Find the objects in ``frame``, the next one."""
        self._check_size(frame.image)
        cut, self._shot = frame.shot != self._shot, frame.shot
        states = self._followed(frame.image, cut) if self.ids else []
        # Backward in time a new thing would get an id that is another's forward.
        if frame.index > self._index:
            states += self._joined(frame)
        self._index = frame.index
        ordered = tuple(sorted(states, key=lambda state: state.object_id))
        return TrackedMask(self._as_ids(self._labels), ordered)

    def _followed(self, image: np.ndarray, cut: bool) -> list[ObjectState]:
        """The objects that are known, looked for in ``image``, the first of a shot when ``cut``."""
        with computing(self._engine.runtime):
            self._video.see(image)
            if cut:
                self._video.match_anew()
            else:
                self._video.match()
            shares, labels = self._video.probabilities().max(dim=0)
            labels, shares = labels.cpu().numpy().astype(np.uint8), shares.cpu().numpy()
            states = self._judged(labels, shares)
            absent = [slot for slot, state in enumerate(states, 1) if not _is_seen(state)]
            labels[np.isin(labels, absent)] = 0
            self._video.pass_on(labels, keep=len(absent) < len(states))
        self._labels = labels
        return states

    def _joined(self, frame: Frame) -> list[ObjectState]:
        """What is new in ``frame``, which is remembered for good when there is any."""
        tracked = self._as_ids(self._labels)
        # A user who adds objects later counts up from 1.
        new_mask = self._engine.unknown(frame, tracked, max([FOUND_FROM - 1, *self.ids]))
        new_ids = objects_in(new_mask)
        if new_ids:
            self.confirm(frame, tracked + new_mask, new_ids)
        return [ObjectState(object_id, SURE, Visibility.VISIBLE) for object_id in new_ids]

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        """Fix or add objects in the frame last seen, which is then remembered for good."""
        check_mask(mask, frame.image)
        self._check_size(frame.image)
        self.confirm(frame, replace_objects(self._as_ids(self._labels), mask), objects_in(mask))

    def confirm(self, frame: Frame, mask: np.ndarray, present: list[int]) -> None:
        """Take ``mask`` (ids) as the truth of ``frame``; the objects ``present`` are surely
        there."""
        self._index, self._shot = frame.index, frame.shot
        for new_id in [object_id for object_id in present if object_id not in self.ids]:
            self.ids.append(new_id)
            self._usual.append(0.0)
            self._hidden.append(0)
        slots = np.zeros(256, np.uint8)
        slots[self.ids] = np.arange(1, len(self.ids) + 1)
        self._labels = slots[mask]
        areas = np.bincount(self._labels.ravel(), minlength=len(self.ids) + 1)
        for object_id in present:
            slot = self.ids.index(object_id)
            self._usual[slot], self._hidden[slot] = float(areas[slot + 1]), 0
        if self.ids:
            with computing(self._engine.runtime):
                self._video.see(frame.image)
                self._video.confirm(self._labels, len(self.ids))

    def state(self) -> dict[str, np.ndarray]:
        """Labels, areas, and what each layer of each group remembers."""
        arrays = {
            "ids": np.array(self.ids, np.int64),
            "usual": np.array(self._usual),
            "hidden": np.array(self._hidden, np.int64),
            "labels": self._labels.copy(),
            "index": np.array([self._index, self._shot]),
        }
        for number, group in enumerate(self._video.groups):
            memory = group.memory
            short = [] if memory.short is None else [memory.short]
            counts = [len(memory.confirmed), len(memory.sampled), len(short), memory.since]
            arrays[f"{number}/counts"] = np.array(counts, np.int64)
            frames = [*memory.confirmed, *memory.sampled, *short]
            for place, layers in enumerate(frames):
                for layer, (key, value) in enumerate(layers):
                    arrays[f"{number}/{place}/{layer}/key"] = key.cpu().float().numpy()
                    arrays[f"{number}/{place}/{layer}/value"] = value.cpu().float().numpy()
        return arrays

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Take up what ``state`` returned."""
        self.ids = state["ids"].tolist()
        self._usual, self._hidden = state["usual"].tolist(), state["hidden"].tolist()
        self._labels = state["labels"]
        self._index, self._shot = state["index"].tolist()
        self._video.count = len(self.ids)
        while f"{len(self._video.groups)}/counts" in state:
            self._video.groups.append(self._restored(state, len(self._video.groups)))

    def _restored(self, state: dict[str, np.ndarray], number: int) -> Group:
        confirmed, sampled, short, since = state[f"{number}/counts"].tolist()
        frames = []
        for place in range(confirmed + sampled + short):
            layers = []
            while f"{number}/{place}/{len(layers)}/key" in state:
                name = f"{number}/{place}/{len(layers)}"
                layers.append(self._engine.remembered(state[f"{name}/key"], state[f"{name}/value"]))
            frames.append(layers)
        limits = self._video.limits
        memory = GroupMemory(limits.ring, limits.confirmed, frames[:confirmed])
        memory.sampled = frames[confirmed : confirmed + sampled]
        memory.short = frames[-1] if short else None
        memory.since = since
        return Group(memory)

    def _judged(self, labels: np.ndarray, shares: np.ndarray) -> list[ObjectState]:
        """The state of each slot, from how sure the network is of its pixels."""
        count = len(self.ids) + 1
        areas = np.bincount(labels.ravel(), minlength=count)[1:]
        sums = np.bincount(labels.ravel(), shares.ravel().astype(np.float64), count)[1:]
        states = []
        for slot, (area, total) in enumerate(zip(areas.tolist(), sums.tolist(), strict=True)):
            sure = total / area if area else 0.0
            seen = sure >= ABSENT
            self._hidden[slot] = 0 if seen else self._hidden[slot] + 1
            if not seen:
                lost = self._hidden[slot] >= self._engine.settings.patience
                kind = Visibility.LOST if lost else Visibility.HIDDEN
            elif sure < SURE or area < SHRUNK * self._usual[slot]:
                kind = Visibility.PARTLY_HIDDEN
            else:
                kind = Visibility.VISIBLE
                self._usual[slot] += 0.1 * (area - self._usual[slot])
            states.append(ObjectState(self.ids[slot], min(1.0, float(sure)), kind))
        return states

    def _as_ids(self, labels: np.ndarray) -> np.ndarray:
        return np.array([0, *self.ids], np.uint8)[labels]

    def _check_size(self, image: np.ndarray) -> None:
        if image.shape[:2] != self._labels.shape:
            height, width = self._labels.shape
            raise InputError(
                f"The frame is {image.shape[1]}x{image.shape[0]} and the clip began at "
                f"{width}x{height}; give frames of one size."
            )


def _is_seen(state: ObjectState) -> bool:
    return state.visibility in (Visibility.VISIBLE, Visibility.PARTLY_HIDDEN)


class Engine:
    """Yang and Yang, "Decoupling Features in Hierarchical Propagation", NeurIPS 2022; and AOT."""

    about: ClassVar = About(
        "track",
        "deaot",
        "Tracks many objects of any shape, including ones that bend, by their appearance.",
        licence="BSD-3-Clause",
        needs=("torch",),
        extra="networks",
        checkpoints=(DEFAULT, *(model for model in MODELS if model != DEFAULT)),
        order=30,
        choices=(
            Choice(
                "Many at once",
                "People, animals and anything that bends, even in crowds.",
            ),
        ),
    )
    Settings: ClassVar = DeAotSettings

    def __init__(self, settings: DeAotSettings, runtime: Runtime) -> None:
        import torch

        from cleanplate.networks.aot import aot, layers
        from cleanplate.networks.layers.winograd import quicken

        self.settings, self.runtime = settings, runtime
        network = getattr(aot, settings.model)()
        checkpoints.load(network, settings.model, settings.weights)
        self._torch, self._layers = torch, layers
        self._network: Any = network.eval().fold().requires_grad_(False).to(runtime.device)
        if runtime.precision == "float32":  # else its weights are float32 but its products are not
            quicken(self._network)
        self._limits = Limits(
            settings.gap, settings.memory_frames, settings.confirmed_frames, settings.longest
        )
        self._segmenter: Any = None
        if settings.find_new:
            from cleanplate.engines.segment import sam_hq

            self._segmenter = sam_hq.Engine(sam_hq.Settings(weights=settings.new_weights), runtime)

    def start(self, frame: Frame, mask: np.ndarray) -> DeAotTracking:
        """Begin at ``frame``, whose ``mask`` ((H, W) uint8, value = object id) is the truth."""
        check_mask(mask, frame.image)
        tracking = DeAotTracking(self, self._video())
        tracking.confirm(frame, mask, objects_in(mask))
        return tracking

    def resume(self, state: dict[str, np.ndarray]) -> DeAotTracking:
        """Go on from what ``Tracking.state`` returned."""
        tracking = DeAotTracking(self, self._video())
        tracking.restore(state)
        return tracking

    def _video(self) -> Video:
        return Video(self._network, self._limits, self.runtime.device)

    def unknown(self, frame: Frame, tracked: np.ndarray, highest: int) -> np.ndarray:
        """(H, W) uint8: things of ``frame`` that ``tracked`` lacks, under ids above ``highest``.

        Empty where it is not the frame's turn to be searched.
        """
        settings = self.settings
        if not settings.find_new or frame.index % settings.find_new:
            return np.zeros_like(tracked)
        proposals = ranked(self._segmenter.everything(frame.image), tracked.shape)
        return new_objects(tracked, proposals, highest, settings.new_share, settings.new_area)

    def remembered(self, key: np.ndarray, value: np.ndarray) -> Any:
        """What one layer remembers of a frame, from plain arrays."""
        return self._layers.KeyValue(
            *(self._torch.from_numpy(array).to(self.runtime.device) for array in (key, value))
        )
