"""What a page may change in a project: names and arguments as they come, checked, carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cleanplate.app.findings import Findings
from cleanplate.app.proposals import Proposals
from cleanplate.errors import InputError
from cleanplate.projects.state import parse_prompt
from cleanplate.prompts.outliner import Outline

if TYPE_CHECKING:
    from cleanplate.projects.project import Project

Args = Mapping[str, Any]


def edit(project: Project, op: str, args: Args) -> Any:
    """Carry out one edit and return its answer, plain as JSON.

    Raises:
        InputError: there is no such edit, or its arguments do not fit.
    """
    do = _EDITS.get(op)
    if do is None:
        raise InputError(f"There is no edit {op!r}; there are: {', '.join(sorted(_EDITS))}.")
    return do(project, args)


def _number(args: Args, name: str) -> int:
    value = args.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{name} is {value!r}; give a whole number.")
    return value


def _maybe(args: Args, name: str) -> int | None:
    return None if args.get(name) is None else _number(args, name)


def _take(project: Project, args: Args) -> Any:
    return {"object": Proposals(project.path).take(project, _number(args, "proposal"))}


def _take_finding(project: Project, args: Args) -> Any:
    return {"object": Findings(project).take(_number(args, "finding"))}


def _reject(project: Project, args: Args) -> Any:
    Findings(project).reject(_number(args, "finding"), _number(args, "place"))


def _typed(args: Args, name: str, kind: type) -> Any:
    value = args.get(name)
    if value is not None and not isinstance(value, kind):
        raise InputError(f"{name} is {value!r}; give a {kind.__name__}.")
    return value


def _add_object(project: Project, args: Args) -> Any:
    static = bool(_typed(args, "static", bool))
    return {"object": project.add_object(_typed(args, "name", str), static=static)}


def _change_object(project: Project, args: Args) -> Any:
    wanted = {"name": str, "hidden": bool, "static": bool}
    changes = {name: _typed(args, name, kind) for name, kind in wanted.items() if name in args}
    project.change_object(_number(args, "object"), **changes)


def _prompt(project: Project, args: Args) -> Any:
    plain = _typed(args, "prompt", dict)
    prompt = None if plain is None else parse_prompt(plain)
    painted = bool(_typed(args, "painted", bool))
    frame, number = _number(args, "frame"), _number(args, "object")
    return _outline(project.set_prompt(frame, number, prompt, painted))


def _outline(outline: Outline | None) -> dict[str, Any]:
    if outline is None:
        return {"candidates": 0, "chosen": 0, "scores": [], "area": 0}
    return {
        "candidates": outline.candidates,
        "chosen": outline.chosen,
        "scores": list(outline.scores),
        "area": int(outline.mask.sum()),
    }


def _choose(project: Project, args: Args) -> Any:
    numbers = (_number(args, name) for name in ("frame", "object", "candidate"))
    return _outline(project.choose(*numbers))


def _gone(project: Project, args: Args) -> Any:
    project.gone(_number(args, "frame"), _number(args, "object"), until=_maybe(args, "until"))


def _begins(project: Project, args: Args) -> Any:
    project.begins(_number(args, "frame"), _number(args, "object"))


def _ends(project: Project, args: Args) -> Any:
    project.ends(_number(args, "frame"), _number(args, "object"))


def _approve(project: Project, args: Args) -> Any:
    project.approve(_number(args, "frame"), _maybe(args, "object"))


def _dismiss(project: Project, args: Args) -> Any:
    project.dismiss(str(args.get("row")))


def _span(project: Project, args: Args) -> Any:
    project.set_span(_number(args, "start"), _number(args, "stop"))


def _settings(project: Project, args: Args) -> Any:
    project.set_settings(*_values(args))


def _outline_again(project: Project, args: Args) -> Any:
    """Change settings and answer the prompt in a frame with them, in one edit."""
    frame, number = _number(args, "frame"), _number(args, "object")
    return _outline(project.outline_again(frame, number, *_values(args)))


def _values(args: Args) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """A name with a dot is an engine's own; null takes the default again."""
    values: dict[str, Any] = {}
    fields: dict[str, dict[str, Any]] = {}
    for name, value in (_typed(args, "values", dict) or {}).items():
        engine, dot, setting = name.partition(".")
        (fields.setdefault(engine, {}) if dot else values)[setting if dot else name] = value
    return values, fields


_EDITS: dict[str, Callable[[Project, Args], Any]] = {
    "add_object": _add_object,
    "change_object": _change_object,
    "take": _take,
    "take_finding": _take_finding,
    "reject": _reject,
    "remove_object": lambda project, args: project.remove_object(_number(args, "object")),
    "prompt": _prompt,
    "choose": _choose,
    "outline": _outline_again,
    "gone": _gone,
    "begins": _begins,
    "ends": _ends,
    "approve": _approve,
    "dismiss": _dismiss,
    "span": _span,
    "settings": _settings,
    "undo": lambda project, args: project.undo(),
    "redo": lambda project, args: project.redo(),
}
