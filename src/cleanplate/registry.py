"""Finds engines by task and name. The folder ``engines/<task>`` is the list.

An engine is a module, ``engines/<task>/<name>.py``, or, where it has helpers of its own, a folder,
``engines/<task>/<name>/engine.py``.

Other packages add engines through the entry point group ``cleanplate.engines``: an entry
``task.name = "package.module"`` names a module that defines ``Engine``. One that cannot be loaded
is listed all the same, by a stand-in whose ``about.fault`` says why.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import importlib.util
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Literal, cast, overload

from cleanplate.errors import InputError, MissingDependencyError
from cleanplate.protocols import About, Engine, Inpainter, Runtime, Segmenter, Task, Tracker
from cleanplate.settings import parse

SHARED = "shared"  # the folder of what several engines of a task use
TASKS: tuple[Task, ...] = ("segment", "track", "inpaint")


@cache
def _modules() -> dict[tuple[str, str], str]:
    modules: dict[tuple[str, str], str] = {}
    for task in TASKS:
        package = importlib.import_module(f"cleanplate.engines.{task}")
        for module in pkgutil.iter_modules(package.__path__):
            if module.name != SHARED:
                inner = ".engine" if module.ispkg else ""
                modules[task, module.name] = f"{package.__name__}.{module.name}{inner}"
    for entry in importlib.metadata.entry_points(group="cleanplate.engines"):
        task, _, name = entry.name.partition(".")
        if task in TASKS and name:
            modules.setdefault((task, name), entry.value)
    return modules


def names(task: Task) -> list[str]:
    """The engines of ``task``, sorted."""
    return sorted(name for t, name in _modules() if t == task)


def find(task: Task, name: str) -> type[Engine]:
    """The class ``Engine`` of the engine ``name``; nothing is constructed.

    Raises:
        InputError: there is no such engine.
    """
    module = _modules().get((task, name))
    if module is None:
        raise InputError(
            f"There is no {task} engine {name!r}; there are: {', '.join(names(task))}."
        )
    if module.startswith("cleanplate."):
        return importlib.import_module(module).Engine
    return _from_another_package(task, name, module)


def _from_another_package(task: Task, name: str, module: str) -> type[Engine]:
    """The engine that ``module`` defines, or a stand-in that says why there is none."""
    try:
        engine = importlib.import_module(module).Engine
        about = engine.about
        dataclasses.fields(engine.Settings)
    except Exception as error:  # noqa: BLE001  another package may fail in any way
        reason = f"{type(error).__name__}: {error}"
    else:
        if isinstance(about, About) and (about.task, about.name) == (task, name):
            return engine
        reason = f"its about does not name it {task}.{name}"
    return _stand_in(
        task,
        name,
        f"The {task} engine {name} cannot be loaded from {module} ({reason}); repair or remove the "
        "package that brings it.",
    )


def _stand_in(task: Task, name: str, fault: str) -> type[Engine]:
    """An engine without settings that can be listed; making one raises InputError."""

    @dataclasses.dataclass(frozen=True)
    class NoSettings:
        pass

    class Unloadable:
        about: ClassVar[About] = About(task, name, fault, fault=fault)
        Settings: ClassVar[type[Any]] = NoSettings

        def __init__(self, settings: Any, runtime: Runtime) -> None:
            raise InputError(fault)

    return Unloadable


def missing(about: About) -> list[str]:
    """The modules that an engine needs and that are not installed."""
    return [module for module in about.needs if importlib.util.find_spec(module) is None]


@overload
def create(
    task: Literal["segment"], name: str, settings: Any = None, runtime: Runtime | None = None
) -> Segmenter: ...


@overload
def create(
    task: Literal["track"], name: str, settings: Any = None, runtime: Runtime | None = None
) -> Tracker: ...


@overload
def create(
    task: Literal["inpaint"], name: str, settings: Any = None, runtime: Runtime | None = None
) -> Inpainter: ...


@overload
def create(
    task: Task, name: str, settings: Any = None, runtime: Runtime | None = None
) -> Segmenter | Tracker | Inpainter: ...


def create(
    task: Task,
    name: str,
    settings: Any = None,
    runtime: Runtime | None = None,
) -> Any:  # of the task's protocol, as the overloads say
    """Construct an engine.

    Args:
        task: ``segment``, ``track`` or ``inpaint``.
        name: one of ``names(task)``.
        settings: an instance of the engine's ``Settings``, a mapping of field to text, or None
            for the defaults.
        runtime: where to compute; the CPU in float32 when None.

    Raises:
        InputError: no such engine, one that cannot be loaded, or a setting that does not fit.
        MissingDependencyError: the engine needs what is not installed.
    """
    engine = find(task, name)
    if engine.about.fault:
        raise InputError(engine.about.fault)
    lacking = missing(engine.about)
    if lacking:
        raise MissingDependencyError(
            f"The {task} engine {name} needs {', '.join(lacking)}; "
            f"install it with: pip install 'cleanplate[{engine.about.extra}]'."
        )
    if settings is None or isinstance(settings, Mapping):
        texts = cast(Mapping[str, str], settings or {})
        settings = parse(engine.Settings, texts)
    return engine(settings, runtime or Runtime())
