"""Where engines compute and how settings make them: the one place that resolves ``auto``."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

from cleanplate import registry
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


def _device(wanted: str) -> str:
    kind = wanted.split(":")[0]
    if kind not in (AUTO, "cpu", "cuda", "mps"):
        raise InputError(f"{wanted!r} is no device; choose auto, cpu, cuda or mps.")
    if kind == "cpu":
        return wanted
    if importlib.util.find_spec("torch") is None:
        if kind == AUTO:
            return "cpu"
        raise InputError(
            f"Device {wanted} needs torch, which is not installed; use --device cpu, or install it "
            "with: pip install 'cleanplate[networks]'."
        )
    torch: Any = importlib.import_module("torch")

    here = {"cuda": torch.cuda.is_available, "mps": torch.backends.mps.is_available}
    if kind == AUTO:
        return next((name for name, available in here.items() if available()), "cpu")
    if not here[kind]():
        raise InputError(f"There is no {kind} device here; use --device auto or --device cpu.")
    return wanted


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
    return registry.create(task, name, settings.engine_fields.get(name, {}), runtime), runtime


def check_engine_fields(settings: Settings) -> None:
    """Raise InputError when settings are given for an engine that does not exist."""
    known = {name for task in registry.TASKS for name in registry.names(task)}
    for name in settings.engine_fields:
        if name not in known:
            listed = ", ".join(sorted(known))
            raise InputError(f"There is no engine {name!r} to set; there are: {listed}.")
