"""Settings: frozen dataclasses whose every field has a default, a range and a sentence of help.

A setting exists once. The command line, the app and the report are made from these fields.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from cleanplate.errors import InputError

T = TypeVar("T")


def setting(
    default: Any,
    help: str,  # noqa: A002  the word that a reader of settings expects
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[Any, ...] | None = None,
    unit: str = "",
) -> Any:
    """A field of a settings dataclass.

    Args:
        default: value when nothing is said.
        help: one sentence, shown on the command line and in the app.
        low: least value allowed, included.
        high: greatest value allowed, included.
        choices: the only values allowed.
        unit: ``px``, ``s``, ``frames``; empty for a plain number.
    """
    rules = {"help": help, "low": low, "high": high, "choices": choices, "unit": unit}
    return dataclasses.field(default=default, metadata=rules)


def check(settings: Any) -> None:
    """Raise InputError for the first field of ``settings`` outside its range.

    Call it in ``__post_init__``: a settings object that exists is valid.
    """
    for field in dataclasses.fields(settings):
        value, rules = getattr(settings, field.name), field.metadata
        if value is None:
            continue
        low, high, choices = rules.get("low"), rules.get("high"), rules.get("choices")
        if choices is not None and value not in choices:
            allowed = ", ".join(str(c) for c in choices)
            raise InputError(f"Setting {field.name} is {value!r}; choose one of: {allowed}.")
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = " and ".join(
                f"{word} {bound}"
                for word, bound in (("at least", low), ("at most", high))
                if bound is not None
            )
            raise InputError(f"Setting {field.name} is {value}; it must be {bounds}.")


def parse(cls: type[T], values: Mapping[str, str]) -> T:
    """Make settings of class ``cls`` from texts, as typed after ``--set ENGINE.FIELD=``.

    Raises:
        InputError: an unknown field, a text that is no value of the field's type, or a value
            out of range.
    """
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(cls)
    parsed: dict[str, Any] = {}
    for name, text in values.items():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise InputError(f"There is no setting {name!r} here; there are: {known}.")
        parsed[name] = _parse_value(name, text, hints[name])
    return cls(**parsed)


def _parse_value(name: str, text: str, kind: Any) -> Any:
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if type(None) in kinds and text.lower() == "none":
        return None
    for parse_as in (k for k in kinds if k is not type(None)):
        if parse_as is bool and text.lower() in ("true", "yes", "on", "1"):
            return True
        if parse_as is bool and text.lower() in ("false", "no", "off", "0"):
            return False
        if parse_as is not bool:
            try:
                return parse_as(text)
            except ValueError:
                continue
    words = " or ".join(getattr(k, "__name__", str(k)) for k in kinds)
    raise InputError(f"Setting {name} is {text!r}; expected {words}.")


def parse_sets(sets: Iterable[str], named: str) -> dict[str, dict[str, str]]:
    """``ENGINE.FIELD=VALUE`` texts as engine -> field -> value.

    Args:
        sets: the texts.
        named: what a message calls the place where they stand.

    Raises:
        InputError: a text of another form.
    """
    fields: dict[str, dict[str, str]] = {}
    for text in sets:
        name, equals, value = text.partition("=")
        engine, dot, field = name.partition(".")
        if not (equals and dot and engine and field):
            raise InputError(f"{named} {text} is not of the form ENGINE.FIELD=VALUE.")
        fields.setdefault(engine, {})[field] = value
    return fields
