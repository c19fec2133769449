"""The engines in plain words: one choice for each step, made from what the registry finds.

The words are in ``choices.json``: for each task its choices in the order in which they are shown.
"""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cleanplate import registry
from cleanplate.app.speeds import share
from cleanplate.checkpoints import catalogue
from cleanplate.protocols import About, Task


@dataclass(frozen=True, slots=True)
class Choice:
    """One line that a person picks; it sets one setting, or one and an engine's field."""

    task: Task
    engine: str
    title: str
    says: str
    """What it is good at, and what not."""
    values: dict[str, Any] = field(default_factory=dict)
    """Settings by name, as the page's edit "settings" takes them."""
    time: float = 1.0
    """How long it takes, as a part of what the engine takes by default."""
    learned: bool = False
    get: str = ""
    """How to get what it needs, as commands; empty where nothing is needed."""


_WORDS = Path(__file__).with_name("choices.json")
_SETTING: dict[Task, str] = {"segment": "segmenter", "track": "tracker", "inpaint": "inpainter"}
_AUTO: dict[Task, tuple[str, ...]] = {"segment": ("grabcut",), "track": ("planar",), "inpaint": ()}
_NOT_OFFERED = {("track", "fixed")}  # an object that "does not move" says it better


def choices() -> list[dict[str, Any]]:
    """All choices as JSON, task by task, engines of other packages last."""
    words: dict[Task, list[dict[str, Any]]] = json.loads(_WORDS.read_text(encoding="utf-8"))
    found: list[Choice] = []
    for task in registry.TASKS:
        names = registry.names(task)
        known = [one for one in words[task] if one["engine"] in names]
        for one in known:
            fields, extra = one.get("fields", {}), one.get("checkpoint", "")
            found.append(_choice(task, one["engine"], one["title"], one["says"], fields, extra))
        listed = {one["engine"] for one in known}
        for name in names:
            if name not in listed and (task, name) not in _NOT_OFFERED:
                found.append(_choice(task, name, name, registry.find(task, name).about.summary, {}))
    return [asdict(choice) for choice in found]


def _choice(
    task: Task, name: str, title: str, says: str, fields: dict[str, Any], extra: str = ""
) -> Choice:
    """``extra`` names a checkpoint that these fields ask for beside what the engine needs."""
    about: About = registry.find(task, name).about
    values: dict[str, Any] = {_SETTING[task]: "auto" if name in _AUTO[task] else name}
    values |= {f"{name}.{key}": value for key, value in fields.items()}
    time = share(name, fields)
    learned = bool(about.checkpoints or extra)
    return Choice(task, name, title, says, values, time, learned, _get(about, extra))


def _get(about: About, extra: str = "") -> str:
    """The commands that bring what an engine needs, and the checkpoint ``extra`` besides."""
    lines = [f"pip install 'cleanplate[{about.extra}]'"] if registry.missing(about) else []
    if extra and importlib.util.find_spec("torch") is None:
        lines.append("pip install 'cleanplate[networks]'")
    for names in (about.checkpoints, about.also, (extra,) if extra else ()):
        if names:
            checkpoint = catalogue.find(names[0])
            if not checkpoint.url:
                lines.append(f"# {checkpoint.file}, with a browser: {checkpoint.page}")
            verb = f"fetch {names[0]}" if checkpoint.url else f"import {checkpoint.file}"
            lines.append(f"cleanplate weights {verb}")
    return "\n".join(lines)
