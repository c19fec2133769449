"""Learning from a user's own clip, outside of what is to be removed from it.

The clip's frames are written once, at the size that is learned from, with what must not be learned:
what the user masks, and a test hole that nothing is ever learned from. Before and after, the engine
fills the test hole, and the weights are called better only when it does so with less error.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from cleanplate import registry
from cleanplate.checkpoints import store
from cleanplate.errors import InputError
from cleanplate.evaluation.arrays import filled, mask_boxes
from cleanplate.evaluation.datasets import Video, find_videos
from cleanplate.evaluation.inpainting import shots_of
from cleanplate.evaluation.masks import hole_masks
from cleanplate.evaluation.measures import decibels, hole_error
from cleanplate.files.publish import publishing, write_text
from cleanplate.media.mask_files import Masks, constant_masks, open_masks
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.training.configuration import (
    MULTIPLES,
    NETWORKS,
    Configuration,
    DataSettings,
    OptimiserSettings,
)
from cleanplate.training.data import stood_in
from cleanplate.training.train import MakeRecipe, made_recipe, train

STEPS = 200
"""Of a fine-tuning, where nothing else is said."""
_TEST_SEED, _TEST_SHARE = 77, 0.03
_LEAST_FRAMES = 24
_FEW_STEPS = 24  # below it a process that reads ahead costs more than it saves
_MEASURED = 24  # frames of the clip that before and after are measured on
_SIDE = {"vinet_256": 256, "vinet_512": 512, "e2fgvi": 432, "e2fgvi_hq": 432}
_ENGINES: dict[str, tuple[str, dict[str, str]]] = {
    "vinet_256": ("vinet", {"topology": "256"}),
    "vinet_512": ("vinet", {"topology": "512"}),
    "e2fgvi": ("e2fgvi", {}),
    "e2fgvi_hq": ("e2fgvi_hq", {}),
}


@dataclass(frozen=True, slots=True)
class FineTuning:
    """What is wanted."""

    network: str
    clip: Path
    masks: Path | Masks | None
    """What is to be removed: nothing is learned from it. None: all of the clip is."""
    folder: Path
    """Where the run and its weights go."""
    steps: int = STEPS
    minutes: float | None = None
    """Of learning, at the most."""
    side: int = 0
    """Long side in px of what is learned from; 0: the network's own."""
    frames: int = 300
    """Most frames of the clip that are learned from, from its middle."""
    learning_rate: float = 1e-4
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Hole PSNR, in dB, of the test hole that was not learned from."""

    before: float
    after: float
    telea: float
    weights: Path
    steps: int
    is_stopped: bool
    engine: str
    """Of the task inpaint, that the weights are for."""
    fields: dict[str, str]
    """Settings with which it uses them."""

    @property
    def is_better(self) -> bool:
        """Whether the new weights are worth using."""
        return self.after > self.before

    def text(self) -> str:
        """One sentence."""
        told = (
            f"{self.steps} steps: the test hole is filled at {self.after:.2f} dB, before at "
            f"{self.before:.2f} dB; telea's fill has {self.telea:.2f} dB."
        )
        return told if self.is_better else f"{told} It is no better, so it is not used."


def finetune(
    wanted: FineTuning, progress: Progress | None = None, make_recipe: MakeRecipe | None = None
) -> Comparison:
    """Learn from a clip; a run that was stopped is gone on with.

    Args:
        wanted: what is learned, and from what.
        progress: is told of the steps.
        make_recipe: makes what is trained; by default as the network wants it.

    Raises:
        InputError: an unknown network, too short a clip, or masks that leave nothing to learn from.
    """
    progress = progress or Progress()
    if wanted.network not in NETWORKS:
        raise InputError(
            f"There is no network {wanted.network} to train; there are: {', '.join(NETWORKS)}."
        )
    video = _prepared(wanted, progress)
    width, height = video.size()
    began_with = store.path_of(wanted.network) if store.is_here(wanted.network) else None
    if began_with is None:
        progress.note(
            f"The published weights of {wanted.network} are not here, so it learns from nothing; "
            f"get them with: cleanplate weights fetch {wanted.network}"
        )
    configuration = _configuration(wanted, width, height, began_with)
    first = wanted.folder / "before.pth"
    if began_with is None and not first.is_file():
        _write_first(configuration, first, make_recipe)
    psnr_before = _measured(wanted, video, began_with or first)
    until = None if wanted.minutes is None else time.monotonic() + 60 * wanted.minutes
    done = train(configuration, progress, make_recipe=make_recipe, until=until)
    weights = Path(done.weights) if done.weights else _latest(wanted.folder)
    psnr_after = _measured(wanted, video, weights)
    telea = _hole_psnr(registry.create("inpaint", "telea", {}), video)
    engine, fields = _ENGINES[wanted.network]
    comparison = Comparison(
        *(psnr_before, psnr_after, telea, weights, done.step, done.is_stopped, engine),
        {**fields, "weights": str(weights)},
    )
    told = {
        "network": wanted.network,
        "clip": str(wanted.clip),
        "steps": done.step,
        "hole_psnr_before": psnr_before,
        "hole_psnr_after": psnr_after,
        "hole_psnr_telea": telea,
        "is_better": comparison.is_better,
    }
    write_text(wanted.folder / "comparison.json", json.dumps(told, indent=1))
    return comparison


def project_masks(project: Project) -> Masks:
    """What a project would remove, frame by frame."""
    return Masks("the project", project.masks, key=project.masks_key)


def use_in(project: Project, comparison: Comparison) -> None:
    """Fill a project with what was learned: its settings name the engine and the weights."""
    project.set_settings({"inpainter": comparison.engine}, {comparison.engine: comparison.fields})


def _configuration(
    wanted: FineTuning, width: int, height: int, began_with: Path | None
) -> Configuration:
    is_vinet = wanted.network.startswith("vinet")
    return Configuration(
        network=wanted.network,
        folder=str(wanted.folder),
        start_from=str(began_with or ""),
        seed=wanted.seed,
        steps=wanted.steps,
        batch=1,
        log_every=max(1, wanted.steps // 50),
        save_every=max(10, wanted.steps // 10),
        keep=1,
        average=0.98,
        data=DataSettings(
            clips=(str(wanted.folder / "clip"),),
            width=width,
            height=height,
            masks=("stationary", "moving", "figure"),
            workers=0 if wanted.steps < _FEW_STEPS else 1,
            leave_out=True,
        ),
        optimiser=OptimiserSettings(
            learning_rate=wanted.learning_rate, beta1=0.9 if is_vinet else 0.0, clip=1.0
        ),
    )


def _prepared(wanted: FineTuning, progress: Progress) -> Video:
    """The clip's frames and what is left out of them, in ``clip`` of the folder."""
    root, draft = wanted.folder / "clip", wanted.folder / ".clip.part"
    if not root.is_dir():
        shutil.rmtree(draft, ignore_errors=True)  # what a killed run left
        _write(wanted, draft / wanted.clip.stem, progress)
        draft.rename(root)
    (video,) = find_videos(root)
    return video


def _write(wanted: FineTuning, folder: Path, progress: Progress) -> None:
    with open_clip(wanted.clip) as clip:
        count = clip.info.frame_count or sum(1 for _ in clip.pictures())
        if count < _LEAST_FRAMES:
            raise InputError(
                f"{wanted.clip} has {count} frames; at least {_LEAST_FRAMES} are needed to learn "
                "from."
            )
        first = next(iter(clip.pictures(0, 1))).rgb()
    height, width = first.shape[:2]
    size = _size(wanted, width, height)
    masks = _masks(wanted, count, width, height)
    # Frames that follow each other: motion is what is learned.
    start = max(0, (count - wanted.frames) // 2)
    stop = min(count, start + wanted.frames)
    test = _test_hole(islice(masks.read(start), stop - start), size)
    for part in ("frames", "masks"):
        (folder / part).mkdir(parents=True)
    progress.start("prepare", stop - start)
    known = 0.0
    with open_clip(wanted.clip) as clip:
        pictures = zip(clip.pictures(start, stop), masks.read(start), strict=False)
        for number, (picture, mask) in enumerate(pictures):
            image = cv2.resize(picture.rgb(), size, interpolation=cv2.INTER_AREA)
            removed = _covered(mask, size)
            held_out = test * (1 - removed)
            known += 1 - float((removed | test).mean())
            name = f"{number:05d}.png"
            cv2.imwrite(str(folder / "frames" / name), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
            # Two values: 1 is what is to be removed, 2 the test hole. Neither is learned from.
            cv2.imwrite(str(folder / "masks" / name), (removed | (2 * held_out)).astype(np.uint8))
            progress.advance()
    progress.finish()
    if known < 0.2 * (stop - start):
        raise InputError(
            f"The masks leave {known / max(stop - start, 1):.0%} of {wanted.clip} to learn from; "
            "at least a fifth is needed."
        )


def _covered(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(h, w) uint8, 1 where ``mask`` covers any of a small pixel, and a little around it."""
    covered = cv2.resize((mask > 0).astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return cv2.dilate((covered > 0).astype(np.uint8), np.ones((5, 5), np.uint8))


def _test_hole(masks: Iterator[np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """(h, w) uint8: a hole that stays where it is, as far as can be from all that is removed."""
    taken = np.zeros(size[::-1], np.uint8)
    for mask in masks:
        taken |= _covered(mask, size)
    room = cv2.distanceTransform(np.pad(1 - taken, 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(room.argmax()), room.shape)
    blob = next(hole_masks("stationary", *size, seed=_TEST_SEED, share=_TEST_SHARE))
    down, right = int(y) - size[1] // 2, int(x) - size[0] // 2
    shift = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(blob, shift, size, flags=cv2.INTER_NEAREST)


def _size(wanted: FineTuning, width: int, height: int) -> tuple[int, int]:
    if wanted.network == "e2fgvi":  # made for one size
        return _SIDE["e2fgvi"], 240
    side = wanted.side or _SIDE[wanted.network]
    if wanted.network.startswith("vinet"):  # it sees a square in use, too
        return side, side
    scale = side / max(width, height)
    across, down = (
        max(1, round(length * scale / multiple)) * multiple
        for length, multiple in zip((width, height), MULTIPLES[wanted.network], strict=True)
    )
    return across, down


def _masks(wanted: FineTuning, count: int, width: int, height: int) -> Masks:
    if wanted.masks is None:
        return constant_masks(np.zeros((height, width), np.uint8), count, "no masks")
    if isinstance(wanted.masks, Masks):
        return wanted.masks
    return open_masks(wanted.masks, range(count), width, height)


def _write_first(configuration: Configuration, path: Path, make_recipe: MakeRecipe | None) -> None:
    """The random weights that a run without published ones begins with."""
    recipe = made_recipe(configuration, make_recipe)
    with publishing(path) as draft:
        torch.save(recipe.modules["generator"].state_dict(), draft)


def _latest(folder: Path) -> Path:
    """The weights of a run all of whose steps were taken before."""
    weights = sorted(folder.glob("*_[0-9]*.pth"))
    if not weights:
        raise InputError(f"{folder} holds no weights; remove it and begin again.")
    return weights[-1]


def _measured(wanted: FineTuning, video: Video, weights: Path) -> float:
    """Hole PSNR of the test hole, filled by the engine with ``weights``."""
    engine, plain = _ENGINES[wanted.network]
    fields = {**plain, "weights": str(weights)}
    if engine == "vinet":
        fields |= {"size": str(video.size()[0]), "pre_roll": "0"}
    return _hole_psnr(registry.create("inpaint", engine, fields), video)


def _hole_psnr(inpainter: Any, video: Video) -> float:
    """Of the test hole; what is to be removed is stood in for, as it was while learning."""
    width, height = video.size()
    marks = list(islice(video.object_masks(width, height), _MEASURED))
    holes = [(mark == 2).astype(np.uint8) for mark in marks]

    def images() -> Iterator[np.ndarray]:
        for image, mark in zip(video.images(width, height, _MEASURED), marks, strict=True):
            yield stood_in(image, (mark == 1).astype(np.uint8))

    shots = shots_of(images())
    boxes = mask_boxes(holes, len(holes))
    results = filled(images(), holes, boxes, shots, (width, height), inpainter)
    error, count = 0.0, 0
    for truth, result, hole in zip(images(), results, holes, strict=True):
        if hole.any():
            part, pixels = hole_error(truth, result, hole)
            error, count = error + part, count + pixels
    return decibels(error / max(count, 1))
