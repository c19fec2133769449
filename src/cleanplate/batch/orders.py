"""What is to be done: a folder, a glob, a list in JSON lines or CSV, or a project, as orders.

Orders are read again whenever they are gone through, one at a time: ten thousand take no more
memory than ten. All of them are checked before the first is carried out.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from cleanplate.batch import storage
from cleanplate.errors import InputError
from cleanplate.prompts.typed import Word, parse
from cleanplate.runtime import check_engine_fields
from cleanplate.settings.fields import parse as parse_settings
from cleanplate.settings.fields import parse_sets
from cleanplate.settings.groups import Settings, settings_from

VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mxf", ".ts", ".mts", ".m2ts"),
    *(".mpg", ".mpeg", ".wmv", ".flv", ".ogv", ".3gp", ".gif"),
)
"""What is taken for a clip in a folder."""
_WRITTEN = (".mp4", ".m4v", ".mov", ".mkv", ".webm")
_PROMPTS = ("object", "box", "point", "not_point", "mask")
_OWN = (*_PROMPTS, "clip", "project", "out", "masks", "suggest", "prompts", "set")
_GLOB = "*?["


@dataclass(frozen=True, slots=True)
class ClipOrder:
    """One clip and what is to be done to it. It holds addresses and texts, never pictures."""

    clip: str
    """Its address; of a project, that of its folder."""
    out: str
    """Path of the result from the batch's output on; its name everywhere."""
    words: tuple[Word, ...] = ()
    """Prompts as typed."""
    masks: str | None = None
    """Address of ready masks."""
    suggest: bool = False
    """Remove what ``suggest`` finds."""
    is_project: bool = False
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Settings, of any group."""
    engine_settings: Mapping[str, Mapping[str, str]] = field(
        default_factory=dict[str, Mapping[str, str]]
    )

    @property
    def settings(self) -> Settings:
        """All its settings."""
        return settings_from(self.values, self.engine_settings)


@dataclass(frozen=True, slots=True)
class Orders:
    """Orders that can be gone through any number of times."""

    jobs: str
    common: ClipOrder
    """What is said of all of them; a line of a list may say it otherwise."""

    def __iter__(self) -> Iterator[ClipOrder]:
        return _read(self.jobs, self.common)

    def checked(self) -> int:
        """Go through all orders, and count them.

        Raises:
            InputError: the first that cannot be carried out, with its line and field.
        """
        seen: dict[int, None] = {}
        count = 0
        for count, order in enumerate(self, 1):  # noqa: B007  the count is what is wanted
            mark = hash(order.out)
            if mark in seen:
                raise InputError(
                    f"Two orders would be written to {order.out}; give each a name of its own with "
                    "'out'."
                )
            seen[mark] = None
        if not count:
            raise InputError(f"There are no clips in {self.jobs}.")
        return count


def orders_from(
    jobs: str,
    *,
    words: Iterable[Word] = (),
    masks: str | None = None,
    suggest: bool = False,
    values: Mapping[str, Any] | None = None,
    engine_settings: Mapping[str, Mapping[str, str]] | None = None,
) -> Orders:
    """The orders that ``jobs`` stands for.

    Args:
        jobs: address of a folder of clips, a glob, a ``.jsonl`` or ``.csv`` of orders, or the
            folder of a project.
        words, masks, suggest, values, engine_settings: for all of them, as in ``ClipOrder``.
    """
    common = ClipOrder(
        *("", "", tuple(words), masks, suggest),
        values=dict(values or {}),
        engine_settings=dict(engine_settings or {}),
    )
    return Orders(jobs, common)


def _read(jobs: str, common: ClipOrder) -> Iterator[ClipOrder]:
    suffix = PurePosixPath(jobs).suffix.lower()
    if suffix == ".jsonl":
        yield from _lines(jobs, common, _json_lines(jobs))
        return
    if suffix == ".csv":
        yield from _lines(jobs, common, _csv_lines(jobs))
        return
    if any(sign in jobs for sign in _GLOB):
        yield from _matching(jobs, common)
        return
    filesystem, path = storage.opened(jobs)
    if not filesystem.exists(path):
        raise InputError(
            f"There is no folder or list {jobs}; give a folder of clips, a glob, a .jsonl or .csv "
            "of orders, or the folder of a project."
        )
    if filesystem.isdir(path) and filesystem.exists(posixpath.join(path, "project.json")):
        clip = storage.absolute(jobs)
        named = replace(common, clip=clip, is_project=True, out=_out_name(clip, clip))
        yield _checked(named, jobs)
    elif filesystem.isdir(path):
        yield from _matching(posixpath.join(jobs, "*"), common)
    else:
        raise InputError(
            f"{jobs} is one file; give a folder of clips, a glob, or a list that ends in .jsonl "
            "or .csv. For a single clip there is cleanplate remove."
        )


def _matching(pattern: str, common: ClipOrder) -> Iterator[ClipOrder]:
    filesystem, path = storage.opened(pattern)
    fixed = path[: min(path.index(sign) for sign in _GLOB if sign in path)]
    root = fixed[: fixed.rfind("/") + 1]
    remote = "://" in pattern
    for name in sorted(str(found) for found in filesystem.glob(path)):
        if PurePosixPath(name).suffix.lower() in VIDEOS:
            clip = filesystem.unstrip_protocol(name) if remote else name
            out = _out_name(name[len(root) :], name)
            yield _checked(replace(common, clip=clip, out=out), clip)


def _out_name(name: str, clip: str) -> str:
    path = PurePosixPath(name.rstrip("/"))
    if clip == name and path.is_absolute():
        path = PurePosixPath(path.name)
    return str(path if path.suffix.lower() in _WRITTEN else path.with_name(f"{path.stem}.mkv"))


# --- lists ---


def _text(jobs: str) -> Iterator[str]:
    filesystem, path = storage.opened(jobs)
    if not filesystem.exists(path):
        raise InputError(f"There is no list {jobs}; check the name.")
    file: Any
    with (
        filesystem.open(path, "rb") as file,
        io.TextIOWrapper(file, encoding="utf-8-sig", newline="") as text,
    ):
        yield from text


def _json_lines(jobs: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(_text(jobs), 1):
        if not line.strip():
            continue
        where = f"{jobs} line {number}"
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(
                f"{where} is no JSON: {error.msg} at column {error.colno}; write an order a line, "
                'such as {"clip": "a.mp4", "box": "40,22,180,96"}.'
            ) from error
        if not isinstance(fields, dict):
            raise InputError(f'{where} is {line.strip()[:40]}; expected an object {{"clip": ...}}.')
        yield where, fields


def _csv_lines(jobs: str) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = csv.DictReader(_text(jobs))
    if rows.fieldnames is None:
        raise InputError(f"{jobs} is empty; its first line names the columns, one of them clip.")
    for row in rows:
        where = f"{jobs} line {rows.line_num}"
        if None in row:
            raise InputError(
                f"{where} has more values than there are columns; put values that hold a comma "
                'in double quotes, as in "40,22,180,96".'
            )
        yield where, {key: value for key, value in row.items() if value not in (None, "")}


def _lines(
    jobs: str, common: ClipOrder, lines: Iterator[tuple[str, dict[str, Any]]]
) -> Iterator[ClipOrder]:
    folder = posixpath.dirname(jobs)
    for where, fields in lines:
        yield _checked(_order(fields, where, folder, common), where)


def _order(fields: Mapping[str, Any], where: str, folder: str, common: ClipOrder) -> ClipOrder:
    known = {*_OWN, *_setting_groups()}
    for name in fields:
        if name not in known:
            raise InputError(
                f"{where} has a field {name!r}, which is none; there are: "
                f"{', '.join((*_OWN, *_setting_groups()))}."
            )
    named = [name for name in ("clip", "project") if name in fields]
    if len(named) != 1:
        raise InputError(f"{where} must name one clip (or one project), in the field clip.")
    clip = _address(str(fields[named[0]]), folder)
    words = tuple(_words(fields, where, folder))
    masks = _address(str(fields["masks"]), folder) if "masks" in fields else None
    suggest = _flag(fields.get("suggest", common.suggest), where)
    says = bool(words or masks or fields.get("suggest"))
    return ClipOrder(
        clip,
        _checked_out(str(fields.get("out") or _out_name(posixpath.basename(clip), clip)), where),
        words if says else common.words,
        masks if says else common.masks,
        suggest if not (words or masks) else False,
        named[0] == "project",
        {**common.values, **_values(fields, where)},
        {**common.engine_settings, **_engine_settings(fields.get("set", {}), where)},
    )


def _address(text: str, folder: str) -> str:
    """An address in a list: from where the list lies, unless it is whole."""
    return storage.absolute(text if "://" in text else posixpath.join(folder, text))


def _checked_out(out: str, where: str) -> str:
    parts = PurePosixPath(out).parts
    if out.startswith("/") or "://" in out or ".." in parts or parts[:1] == (".cleanplate",):
        raise InputError(
            f"{where}, field out: {out} must be a name, or a path below the output folder."
        )
    if PurePosixPath(out).suffix.lower() not in _WRITTEN:
        raise InputError(
            f"{where}, field out: {out} is no video; give a name that ends in "
            f"{', '.join(_WRITTEN)}."
        )
    return out


def _flag(value: Any, where: str) -> bool:
    text = str(value).lower()
    if text not in ("true", "false", "1", "0", "yes", "no"):
        raise InputError(f"{where}, field suggest: {value!r} is neither true nor false.")
    return text in ("true", "1", "yes")


def _words(fields: Mapping[str, Any], where: str, folder: str) -> Iterator[Word]:
    groups = fields.get("prompts", [])
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise InputError(
            f'{where}, field prompts: expected a list such as [{{"object": 2, "box": "1,2,3,4"}}].'
        )
    for group in ({name: fields[name] for name in _PROMPTS if name in fields}, *groups):
        for name in group:
            if name not in _PROMPTS:
                raise InputError(
                    f"{where}, field prompts: {name!r} is none of {', '.join(_PROMPTS)}."
                )
        for name in (name for name in _PROMPTS if name in group):
            for value in _several(group[name]):
                if name == "mask":
                    value = _address(value, folder)
                yield Word(f"--{name.replace('_', '-')}", value)


def _several(value: Any) -> list[str]:
    """One text, several in a list, several parted by semicolons, or the numbers of a single one."""
    if isinstance(value, list):
        if value and all(isinstance(part, int | float) for part in value):
            return [",".join(map(str, value))]
        return [text for part in value for text in _several(part)]
    return [part.strip() for part in str(value).split(";") if part.strip()]


def _setting_groups() -> dict[str, Any]:
    """For each setting the group that it belongs to."""
    groups = [
        group.default_factory
        for group in dataclasses.fields(Settings)
        if dataclasses.is_dataclass(group.default_factory)
    ]
    return {field.name: group for group in groups for field in dataclasses.fields(group)}  # type: ignore[arg-type]


def _values(fields: Mapping[str, Any], where: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, group in _setting_groups().items():
        if name in fields:
            try:
                values[name] = getattr(parse_settings(group, {name: str(fields[name])}), name)
            except InputError as error:
                raise InputError(f"{where}, field {name}: {error}") from error
    return values


def _engine_settings(given: Any, where: str) -> dict[str, dict[str, str]]:
    if isinstance(given, str):  # ENGINE.FIELD=VALUE; ...
        return parse_sets(_several(given), f"{where}, field set:")
    if not isinstance(given, dict) or not all(isinstance(part, dict) for part in given.values()):
        raise InputError(f'{where}, field set: expected {{"engine": {{"field": value}}}}.')
    return {
        engine: {name: str(value) for name, value in part.items()} for engine, part in given.items()
    }


def _checked(order: ClipOrder, where: str) -> ClipOrder:
    """``order``, if it can be carried out, whatever its clip holds."""
    try:
        list(parse([word for word in order.words if word.flag != "--mask"]))
        check_engine_fields(order.settings)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    ways = [bool(order.words), order.masks is not None, order.suggest, order.is_project]
    if sum(ways) == 0:
        raise InputError(
            f"{where}: nothing says what to remove; give box, point, mask, masks or suggest."
        )
    if sum(ways) > 1:
        raise InputError(f"{where}: give only one of prompts, masks, suggest and a project.")
    if order.is_project and storage.local_path(order.clip) is None:
        raise InputError(f"{where}: a project must lie on a disk, not at {order.clip}.")
    return order
