"""Where engines compute and how settings make them: the one place that resolves ``auto``."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cleanplate import registry
from cleanplate.checkpoints import store
from cleanplate.engines import sam2
from cleanplate.errors import InputError
from cleanplate.protocols import Runtime, Task
from cleanplate.settings.amounts import parse_bytes
from cleanplate.settings.groups import AUTO, EngineSettings, Settings


def resolve(engine: Any, settings: EngineSettings) -> Runtime:
    """The device and the precision for ``engine``.

    An engine without a network computes on the CPU whatever is asked for the others.

    Raises:
        InputError: the device that was asked for is not here.
    """
    if "torch" not in engine.about.needs:
        return Runtime("cpu", "float32", settings.seed)
    memory = None if settings.memory is None else parse_bytes(settings.memory)
    device = _device(settings.device)
    precision = "float32" if settings.precision == AUTO else settings.precision
    return Runtime(device, precision, settings.seed, memory)


def check_device(settings: EngineSettings) -> None:
    """Raise InputError when the device that was asked for is not here."""
    if settings.device not in (AUTO, "cpu"):
        _device(settings.device)


def _device(device: str) -> str:
    kind = device.split(":")[0]
    if kind not in (AUTO, "cpu", "cuda", "mps"):
        raise InputError(f"{device!r} is not a device; choose auto, cpu, cuda or mps.")
    if kind == "cpu":
        return device
    if importlib.util.find_spec("torch") is None:
        if kind == AUTO:
            return "cpu"
        raise InputError(
            f"Device {device} needs torch, which is not installed; use --device cpu, or install it "
            "with: pip install 'cleanplate[networks]'."
        )
    torch: Any = importlib.import_module("torch")

    available = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if kind == AUTO:
        return next((name for name, is_available in available.items() if is_available()), "cpu")
    if not available[kind]():
        raise InputError(f"There is no {kind} device here; use --device auto or --device cpu.")
    return device


PICKED = "sam2"
"""The engine that ``auto`` outlines and tracks with what is picked by points, where it is here."""


def picked_engine(task: Task, settings: Settings) -> str:
    """``PICKED`` where it can do ``task`` on this machine: installed, its weights here; else "".

    Nothing is loaded: this is asked often.
    """
    engine = registry.find(task, PICKED)
    if engine.about.fault or registry.missing(engine.about):
        return ""
    fields = settings.engine_fields.get(PICKED, {})
    model = fields.get("model") or engine.Settings().model
    path = fields.get("weights", "")
    is_here = Path(path).is_file() if path else store.is_here(sam2.checkpoint_of(model))
    return PICKED if is_here else ""


MakeEngine = Callable[[Task, str, Settings], tuple[Any, Runtime]]
"""How those who need an engine get it: ``make_engine``, or one that notes or keeps what it made."""


def make_engine(task: Task, name: str, settings: Settings) -> tuple[Any, Runtime]:
    """Construct an engine as ``settings`` say, and tell where it computes.

    Raises:
        InputError: no such engine, device or setting.
        MissingDependencyError: the engine needs what is not installed.
        WeightsError: its weights are not here.
    """
    runtime = resolve(registry.find(task, name), settings.engines)
    return registry.create(task, name, engine_fields(task, name, settings), runtime), runtime


def engine_fields(task: Task, name: str, settings: Settings) -> dict[str, str]:
    """What ``settings`` say of one engine, as text.

    Engines of several tasks may share a name, as sam2 does: each gets what it knows, and what none
    of them knows is left in, to be refused by its name.
    """
    others = {
        field.name
        for other in registry.TASKS
        if other != task and name in registry.names(other)
        for field in dataclasses.fields(registry.find(other, name).Settings)
    }
    known = {field.name for field in dataclasses.fields(registry.find(task, name).Settings)}
    given = settings.engine_fields.get(name, {})
    return {key: text for key, text in given.items() if key in known or key not in others}


def check_engine_fields(settings: Settings) -> None:
    """Raise InputError when settings are given for an engine that does not exist."""
    known = {name for task in registry.TASKS for name in registry.names(task)}
    for name in settings.engine_fields:
        if name not in known:
            listed = ", ".join(sorted(known))
            raise InputError(f"There is no engine {name!r} to set; there are: {listed}.")
