"""A whole run of training, from top to bottom.

A run that is stopped, by Ctrl-C, by a full disk or by force, goes on from its latest state, and on
a CPU in float32 ends with the same weights, bit by bit, as one that was never stopped: samples are
made from their numbers, and the state holds all else that a step depends on.
"""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Subset

from cleanplate.errors import InputError
from cleanplate.progress import Progress
from cleanplate.training.average import Average
from cleanplate.training.configuration import Configuration
from cleanplate.training.data import Samples, licence_of, videos_in
from cleanplate.training.e2fgvi import E2FGVIRecipe
from cleanplate.training.processes import Processes
from cleanplate.training.recipes import Part, Recipe
from cleanplate.training.record import NotFiniteError, Record, card_of
from cleanplate.training.validation import validated
from cleanplate.training.vinet import VINetRecipe

MakeRecipe = Callable[[Configuration, torch.device, Processes], Recipe]
_VALIDATION_SEED = 1_000_003  # apart from the samples that are learned from


@dataclass(slots=True)
class Done:
    """Where a run stands."""

    step: int
    """Steps taken since it began."""
    figures: dict[str, float] = field(default_factory=dict)
    """Of the last step, ``seconds`` and ``memory`` (MB, the most so far) with them."""
    weights: str = ""
    """The latest weights file; empty where none was written."""
    is_stopped: bool = False
    """By Ctrl-C."""


def train(
    configuration: Configuration,
    progress: Progress | None = None,
    steps: int | None = None,
    dry_run: bool = False,
    make_recipe: MakeRecipe | None = None,
    until: float | None = None,
) -> Done:
    """Begin a run, or go on with the one in ``configuration.folder``.

    Args:
        configuration: of the run.
        progress: is told of each step.
        steps: stop after so many steps in all, of the ``configuration.steps``.
        dry_run: take one step and write nothing.
        make_recipe: makes what is trained; by default as the configuration says.
        until: end after the step in which ``time.monotonic()`` passes this.

    Raises:
        InputError: nothing to learn from, or the folder holds another run.
        NotFiniteError: too many steps in a row came to no finite number.
        DiskError: the disk is full.
    """
    progress = progress or Progress()
    device = _device(configuration.device)
    processes = Processes(device)
    if configuration.batch % (configuration.accumulate * processes.count):
        raise InputError(
            f"A batch of {configuration.batch} cannot be divided into {configuration.accumulate} "
            f"parts for each of {processes.count} processes; change batch or accumulate."
        )
    videos = videos_in(configuration.data.clips)
    samples = Samples(configuration, videos)
    recipe = made_recipe(configuration, make_recipe, processes)
    record = Record(configuration)

    # Where an earlier run was stopped, or what the weights begin as.
    step, best, skipped = 0, None, 0
    state = None if dry_run else record.latest()
    if configuration.start_from and state is None:
        _load(recipe.modules["generator"], configuration.start_from)
    average = Average(recipe.modules["generator"], configuration.average)
    if state is not None:
        step, best, skipped = state["step"], state["best"], state["skipped"]
        for name, module in recipe.modules.items():
            module.load_state_dict(state["modules"][name])
        for name, rule in recipe.rules.items():
            rule.load(state["rules"][name])
        average.load(state["average"])
        torch.set_rng_state(state["random"])
        record.forget_after(step)
        progress.note(f"{record.folder} is gone on with, from step {step}.")

    last = min(configuration.steps, configuration.steps if steps is None else steps)
    last = step + 1 if dry_run else last
    batches = _batches(samples, configuration, processes, step, last)
    held_out = _validation(configuration)
    board = _board(record, progress) if processes.is_first and not dry_run else None
    sources = _sources(configuration, videos)
    done = Done(step)

    def save(is_best: bool = False) -> None:
        if dry_run or not processes.is_first:
            return
        state = {
            "step": step,
            "best": best,
            "skipped": skipped,
            "modules": {name: module.state_dict() for name, module in recipe.modules.items()},
            "rules": {name: rule.state() for name, rule in recipe.rules.items()},
            "average": average.state() if configuration.average else {},
            "random": torch.get_rng_state(),
        }
        card = card_of(configuration, step, done.figures, sources)
        done.weights = str(record.save(step, state, average.state(), card, is_best))

    progress.start("train", last, step)
    with _Stop() as stop:
        began = time.perf_counter()
        for parts in batches:
            waited = time.perf_counter() - began
            for note in dict.fromkeys(note for part in parts for note in part["note"] if note):
                progress.warn(note)
            outcome = recipe.step(parts)
            for rule in recipe.rules.values():
                rule.schedule.step()
            step += 1
            now = time.perf_counter()
            done.step, done.figures = (
                step,
                outcome.figures
                | {
                    "rate": recipe.rules["generator"].optimiser.param_groups[0]["lr"],
                    "seconds": now - began,
                    "waited": waited,
                    "memory": _memory(device),
                },
            )
            began = now
            progress.advance()
            if outcome.failed:
                skipped += 1
                progress.warn(f"Step {step} changed nothing, since {outcome.failed}.")
                if skipped >= configuration.most_skipped:
                    raise NotFiniteError(
                        f"{skipped} steps in a row changed nothing, since {outcome.failed}; the "
                        "latest checkpoint is whole: go on from it with a smaller "
                        "optimiser.learning_rate, or with optimiser.clip."
                    )
            else:
                skipped = 0
                average.follow(step)
            if dry_run:
                break
            is_late = until is not None and time.monotonic() >= until
            is_late, is_stopped = processes.any(is_late), processes.any(stop.is_asked)
            is_last = step >= last or is_late
            if processes.is_first and (step % configuration.log_every == 0 or is_last):
                record.note(step, done.figures)
                if board is not None:
                    for name, value in done.figures.items():
                        board.add_scalar(name, value, step)
            is_best = False
            every = configuration.validate_every
            if every and step % every == 0 and processes.is_first:
                with average.in_use():
                    figures = validated(recipe, held_out)
                done.figures |= figures
                record.note(step, figures)
                reached = figures["hole_psnr"]
                is_best = best is None or reached > best
                best = reached if is_best else best
                progress.note(
                    f"Step {step}: held-out holes {figures['hole_psnr']:.2f} dB, telea's "
                    f"{figures['telea_hole_psnr']:.2f} dB."
                )
                if board is not None:
                    _show(board, recipe, held_out[0], figures, step)
            if step % configuration.save_every == 0 or is_last or is_stopped or is_best:
                save(is_best)
            done.is_stopped = is_stopped
            if is_stopped or is_late:
                break
    progress.finish()
    if board is not None:
        board.close()
    processes.close()
    return done


def made_recipe(
    configuration: Configuration,
    make_recipe: MakeRecipe | None = None,
    processes: Processes | None = None,
) -> Recipe:
    """What is trained, with the weights that the seed gives it."""
    torch.manual_seed(configuration.seed)
    random.seed(configuration.seed)
    np.random.seed(configuration.seed)
    device = _device(configuration.device)
    default = VINetRecipe if configuration.is_vinet else E2FGVIRecipe
    make = make_recipe or default
    return make(configuration, device, processes or Processes(device))


class _Stop:
    """Ctrl-C and the system's request to end are heard at a step's end; a second one at once."""

    def __init__(self) -> None:
        self.is_asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._hear)
            except ValueError:  # not in the main thread, which alone can hear
                return self
        return self

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)


def _batches(
    samples: Samples, configuration: Configuration, processes: Processes, step: int, last: int
) -> Iterator[list[Part]]:
    """The parts of this process, for each step from ``step`` up to, not including, ``last``."""
    each = configuration.batch // processes.count
    numbers = [
        number * configuration.batch + processes.rank * each + place
        for number in range(step, last)
        for place in range(each)
    ]
    workers = configuration.data.workers
    loader = DataLoader(
        Subset(samples, numbers),
        batch_size=each // configuration.accumulate,
        num_workers=workers,
        prefetch_factor=2 if workers else None,
    )
    parts = iter(loader)
    for _ in range(step, last):
        yield list(itertools.islice(parts, configuration.accumulate))


def _validation(configuration: Configuration) -> list[Part]:
    """The same held-out samples each time."""
    if not configuration.validate_every:
        return []
    videos = videos_in(configuration.validation_clips)
    held_out = Samples(configuration, videos, _VALIDATION_SEED + configuration.seed)
    loader = DataLoader(Subset(held_out, range(configuration.validation_samples)), batch_size=1)
    return list(loader)


def _sources(configuration: Configuration, videos: list[Any]) -> list[dict[str, str]]:
    sources = [{"clip": str(video.source), "licence": licence_of(video)} for video in videos]
    if configuration.data.generated > 0:
        folder = configuration.data.photographs
        sources.append(
            {"pictures": folder, "licence": "not stated"}
            if folder
            else {"pictures": "textures made from the seed", "licence": "none is needed"}
        )
    return sources


def _device(name: str) -> torch.device:
    kind = name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    # Of several processes on a machine, each has a card of its own.
    place = os.environ.get("LOCAL_RANK") if kind == "cuda" else None
    return torch.device(kind if place is None else f"{kind}:{place}")


def _memory(device: torch.device) -> float:
    """MB: the most that was in use so far."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1e6 if sys.platform == "darwin" else 1e3)


def _load(generator: torch.nn.Module, path: str) -> None:
    from pathlib import Path

    from cleanplate.checkpoints import files, layouts

    layouts.load_into(generator, files.read(Path(path)), "start_from", Path(path))


def _board(record: Record, progress: Progress) -> Any:
    """TensorBoard's writer, or None where it is not installed, which is said."""
    if importlib.util.find_spec("tensorboard") is None:
        progress.note(
            "TensorBoard is not installed, so figures go to figures.jsonl alone; install it with: "
            "pip install 'cleanplate[train]'."
        )
        return None
    module = importlib.import_module("torch.utils.tensorboard")
    return module.SummaryWriter(str(record.folder))


def _show(board: Any, recipe: Recipe, part: Part, figures: dict[str, float], step: int) -> None:
    fill, truth, mask = recipe.fill(part)
    shown = torch.cat([truth * (1 - mask), fill, truth], dim=-1)
    board.add_images("fills", ((shown + 1) / 2).clamp(0, 1), step)
    for name, value in figures.items():
        board.add_scalar(name, value, step)
