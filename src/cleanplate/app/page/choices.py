"""The engines in plain words: one choice for each step, made from what the registry finds."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from cleanplate import registry
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
    learned: bool = False
    get: str = ""
    """How to get what it needs, as commands; empty where nothing is needed."""


# (engine, title, what it is good at, fields of the engine); the first is the default.
_WORDS: dict[Task, list[tuple[str, str, str, dict[str, Any]]]] = {
    "segment": [
        ("grabcut", "By colour and edges", "At once, for things that stand out. A box alone is taken as drawn.", {}),
        ("sam_hq", "Learned, fine borders", "Knows things when it sees them; hair and thin parts come out well.", {}),
        ("sam", "Learned", "Knows things when it sees them; up to three outlines to choose from.", {}),
        ("mobile_sam", "Learned, quick", "The same idea made small, quick without a graphics card.", {}),
        ("box", "The box itself", "No outline: all that is inside the box.", {}),
    ],
    "track": [
        ("planar", "Flat things", "Logos, signs, captions, plates, screens: they may move, turn, tilt and come nearer.", {}),
        ("deaot", "Anything, many at once", "People, animals, things that bend, and crowds of them.", {}),
        ("siammask_hq", "Anything, finely outlined", "One thing at a time with a fine outline; looks for it when it is lost.", {}),
        ("siammask", "Anything, quickly", "One thing at a time with a coarse outline.", {}),
    ],
    "inpaint": [
        ("flowfill", "Real background", "Brings back what other frames show, sharp and steady. What no frame shows becomes smooth.", {"quality": None, "texture": None}),
        ("flowfill", "Real background, with care", "The same with more work for each frame, for motion that is hard to follow.", {"quality": "best", "texture": None}),
        ("flowfill", "Real background, quickly", "The same with less work for each frame, to see how it will look.", {"quality": "fast", "texture": None}),
        ("flowfill", "Real background and invented texture", "Where no frame shows what is behind, texture is copied from nearby. Good on walls, grass and water; not on faces.", {"quality": None, "texture": True}),
        ("unblend", "See-through watermark", "Undoes a half-transparent mark that does not move; the picture behind it stays.", {}),
        ("telea", "Draft", "Each frame by itself from the rim of the hole: quick and blurry.", {}),
        ("e2fgvi_hq", "Learned, full size", "A network paints what no frame shows, at the clip's own size.", {}),
        ("e2fgvi", "Learned, small", "A network paints what no frame shows, at 432 by 240 pixels.", {}),
        ("vinet", "Learned, frame by frame", "A network paints each frame from its neighbours and its own last one.", {}),
    ],
}  # fmt: skip
_SETTING: dict[Task, str] = {"segment": "segmenter", "track": "tracker", "inpaint": "inpainter"}
_AUTO: dict[Task, tuple[str, ...]] = {"segment": ("grabcut",), "track": ("planar",), "inpaint": ()}
_NOT_OFFERED = {("track", "fixed")}  # an object that "does not move" says it better


def choices() -> list[dict[str, Any]]:
    """All choices as JSON, task by task, engines of other packages last."""
    found: list[Choice] = []
    for task in registry.TASKS:
        known = [words for words in _WORDS[task] if words[0] in registry.names(task)]
        listed = {words[0] for words in known}
        for name, title, says, fields in known:
            found.append(_choice(task, name, title, says, fields))
        for name in registry.names(task):
            if name not in listed and (task, name) not in _NOT_OFFERED:
                found.append(_choice(task, name, name, registry.find(task, name).about.summary, {}))
    return [asdict(choice) for choice in found]


def _choice(task: Task, name: str, title: str, says: str, fields: dict[str, Any]) -> Choice:
    about: About = registry.find(task, name).about
    values: dict[str, Any] = {_SETTING[task]: "auto" if name in _AUTO[task] else name}
    values |= {f"{name}.{key}": value for key, value in fields.items()}
    return Choice(task, name, title, says, values, bool(about.checkpoints), _get(about))


def _get(about: About) -> str:
    """The commands that bring what an engine needs."""
    lines = [f"pip install 'cleanplate[{about.extra}]'"] if registry.missing(about) else []
    for names in (about.checkpoints, about.also):
        if names:
            checkpoint = catalogue.find(names[0])
            verb = f"fetch {names[0]}" if checkpoint.url else f"import {checkpoint.file}"
            lines.append(f"cleanplate weights {verb}")
    return "\n".join(lines)
