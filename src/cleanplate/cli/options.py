"""Options made from settings: each field of a settings dataclass is an option of the command."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Any

import typer

from cleanplate.settings import fields as setting_fields


def with_settings(*groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of ``groups``, and of its own bundles of options.

    The command is called with ``values``: field name -> value, without those left at None. A
    parameter whose type is a dataclass is a bundle: its fields are options, and the command gets
    the dataclass.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        declared = list(inspect.signature(command, eval_str=True).parameters.values())
        bundles: dict[str, Any] = {
            p.name: p.annotation for p in declared if dataclasses.is_dataclass(p.annotation)
        }
        settings = [_option(group, field) for group in groups for field in _fields(group)]

        @functools.wraps(command)
        def run(**given: Any) -> None:
            made: dict[str, Any] = {
                name: bundle(**{field.name: given.pop(field.name) for field in _fields(bundle)})
                for name, bundle in bundles.items()
            }
            values = {option.name: given.pop(option.name) for option in settings}
            if "values" in takes:
                made["values"] = {name: v for name, v in values.items() if v is not None}
            command(**given, **made)

        takes = {parameter.name for parameter in declared}
        parameters = [p for p in declared if p.name not in bundles and p.name != "values"]
        for bundle in bundles.values():
            parameters += _bundled(bundle)
        parameters += settings
        ordered = sorted(parameters, key=lambda p: p.default is not inspect.Parameter.empty)
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in ordered]
        )
        run.__annotations__ = {p.name: p.annotation for p in ordered}
        del run.__wrapped__  # type: ignore[attr-defined]  typer would read its signature
        return run

    return decorate


def _bundled(bundle: Any) -> list[inspect.Parameter]:
    hints = _hints(bundle)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=hints[field.name],
        )
        for field in _fields(bundle)
    ]


@functools.cache
def _hints(group: Any) -> dict[str, Any]:
    return typing.get_type_hints(group, include_extras=True)


def _fields(group: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(group)


def _option(group: type, field: dataclasses.Field[Any]) -> inspect.Parameter:
    kind = _hints(group)[field.name]
    flag = "--" + field.name.replace("_", "-")
    rules = field.metadata
    choices = rules.get("choices")
    text = rules["help"]
    if choices and not all(str(choice) in text for choice in choices):
        text += f" One of: {', '.join(str(choice) for choice in choices)}."
    info = typer.Option(
        flag,
        help=text,
        metavar=_metavar(kind, rules.get("unit", "")),
        show_default=field.default not in (None, False),
    )
    annotation = typing.Annotated[kind, info]
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default, annotation=annotation
    )


def _metavar(kind: Any, unit: str) -> str | None:
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if bool in kinds:
        return None
    if unit:
        return unit.upper()
    return {int: "N", float: "X"}.get(kinds[0], "TEXT")


def parse_sets(sets: list[str] | None) -> dict[str, dict[str, str]]:
    """``ENGINE.FIELD=VALUE`` texts as engine -> field -> value.

    Raises:
        InputError: a text of another form.
    """
    return setting_fields.parse_sets(sets or [], "--set")
