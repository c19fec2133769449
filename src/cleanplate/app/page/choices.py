"""The engines in plain words, as each speaks of itself: the choices of each step."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from cleanplate import registry
from cleanplate.checkpoints import catalogue
from cleanplate.protocols import About, Choice, Task


@dataclass(frozen=True, slots=True)
class Card:
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
    checkpoint: str = ""
    """A checkpoint that this choice asks for beside what the engine needs."""
    fetch: tuple[str, ...] = ()
    """Checkpoints that bring it at the press of a button; empty where there is more to do."""
    size: int | None = None
    """Bytes of these, where published."""
    licence: str = ""
    """Of these."""


_SETTING: dict[Task, str] = {"segment": "segmenter", "track": "tracker", "inpaint": "inpainter"}
_AUTO: dict[Task, tuple[str, ...]] = {"segment": ("grabcut",), "track": ("planar",), "inpaint": ()}


def choices() -> list[dict[str, Any]]:
    """All choices as JSON, task by task, engines of other packages last."""
    cards: list[Card] = []
    for task in registry.TASKS:
        abouts = [registry.find(task, name).about for name in registry.names(task)]
        for about in sorted(abouts, key=lambda about: (about.order, about.name)):
            if not about.still:  # an object that "does not move" says it better
                plain = Choice(about.name, about.summary)
                cards += [_card(about, choice) for choice in about.choices or (plain,)]
    return [asdict(card) for card in cards]


def _card(about: About, choice: Choice) -> Card:
    name = "auto" if about.name in _AUTO[about.task] else about.name
    values = {f"{about.name}.{key}": value for key, value in choice.fields.items()}
    needed = [
        *about.checkpoints[:1],
        *about.also[:1],
        *((choice.checkpoint,) if choice.checkpoint else ()),
    ]
    strange = about.fault or registry.missing(about) or catalogue.unknown(needed)
    checkpoints = [] if strange else [catalogue.find(name) for name in needed]
    sizes = [checkpoint.size for checkpoint in checkpoints]
    return Card(
        about.task,
        about.name,
        choice.title,
        choice.says,
        {_SETTING[about.task]: name} | values,
        about.time_share(choice.fields),
        bool(about.checkpoints or choice.checkpoint),
        _get(about, choice.checkpoint),
        choice.checkpoint,
        tuple(needed) if checkpoints and all(checkpoint.url for checkpoint in checkpoints) else (),
        None if None in sizes else sum(size or 0 for size in sizes) or None,
        "; ".join(dict.fromkeys(checkpoint.licence for checkpoint in checkpoints)),
    )


def _get(about: About, also: str) -> str:
    """The commands that bring what an engine needs, and the checkpoint ``also`` if there is one."""
    if about.fault:
        return f"# {about.fault}"
    lines = [f"pip install 'cleanplate[{about.extra}]'"] if registry.missing(about) else []
    for names in (about.checkpoints, about.also, (also,) if also else ()):
        strange = catalogue.unknown(names)
        if strange:
            lines.append(f"# {strange}")
        elif names:
            checkpoint = catalogue.find(names[0])
            if not checkpoint.url:
                lines.append(f"# {checkpoint.file}, with a browser: {checkpoint.page}")
            verb = f"fetch {names[0]}" if checkpoint.url else f"import {checkpoint.file}"
            lines.append(f"cleanplate weights {verb}")
    return "\n".join(lines)
