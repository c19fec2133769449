"""What a user has said of a clip: objects, prompts, marks, settings. Frozen, and plain as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from cleanplate.errors import InputError
from cleanplate.types import FOUND_FROM, Box, Brush, Point, Prompt

FORMAT = 1
# Told apart by hue and by lightness; found for the common kinds of colour blindness by Okabe and
# Ito, "Color Universal Design", 2002, and four more.
COLOURS = (
    *("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#D55E00", "#CC79A7", "#0072B2"),
    *("#A6E85C", "#8C6BFF", "#FF8FA3", "#4DE1D2", "#B98B5E"),
)
NEVER = ""  # the hash of an empty mask


class Kind(StrEnum):
    """Where an anchor comes from."""

    PROMPT = "prompt"
    GONE = "gone"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Object:
    """One thing to remove."""

    id: int
    """1..255, the value of its pixels in masks."""
    name: str
    colour: str
    """``#RRGGBB``, by the id."""
    hidden: bool = False
    """Not shown to the user; it is followed and removed like the others."""
    static: bool = False
    """It does not move: its mask holds until the next anchor."""
    born: int = 0
    """The version in which it was added: what was found for an older one of its id is not its."""
    given: str = ""
    """The run that shows it where nothing else does: imported masks, or a tracker's that found it
    by itself; empty: there is none."""
    given_id: int = 0
    """Its id in that run."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """One object in one frame, as the user said it is. No tracking changes it."""

    kind: Kind
    mask: str = NEVER
    """Hash of its mask; empty when there is none to be seen."""
    points: tuple[Point, ...] = ()
    box: Box | None = None
    brushes: tuple[Brush, ...] = ()
    drawn: str = NEVER
    """Hash of the mask that the user gave as a prompt."""
    painted: bool = False
    """Strokes are the mask itself, not hints for an engine."""
    start: str = NEVER
    """Hash of the mask that was shown before the prompt, which mends it."""
    candidates: int = 0
    chosen: int = 0
    scores: tuple[float, ...] = ()
    exact: bool = False
    """The user drew the outline: no engine found it."""
    approved: bool = False
    passing: tuple[str, str] = ("", "")
    """The runs that go on beyond it forward and backward: those that an approved mask was shown
    from, or that are right before and after the frames from which an object is gone."""

    @property
    def is_empty(self) -> bool:
        return self.mask == NEVER


Anchors = Mapping[int, Mapping[int, Anchor]]


@dataclass(frozen=True, slots=True)
class State:
    """All of it."""

    clip: str
    """Path of the clip; relative when it lies in the project's folder."""
    fingerprint: str
    """What tells the clip from another."""
    span: tuple[int, int]
    """First frame, and one past the last one, to follow and remove in."""
    objects: tuple[Object, ...] = ()
    anchors: Anchors = field(default_factory=dict)
    """Object id -> frame -> anchor."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those that differ from the defaults: field of a settings group -> value."""
    engine_fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    dismissed: tuple[str, ...] = ()
    """Rows of doubtful frames that the user found right."""
    latest_id: int = 0
    """The highest id that was ever given to what a user pointed at."""

    def object(self, object_id: int) -> Object:
        """The object of that id.

        Raises:
            InputError: there is none.
        """
        for one in self.objects:
            if one.id == object_id:
                return one
        known = ", ".join(str(one.id) for one in self.objects) or "none yet"
        raise InputError(f"There is no object {object_id} in the project; there are: {known}.")

    def anchor(self, object_id: int, frame: int) -> Anchor | None:
        return self.anchors.get(object_id, {}).get(frame)

    def with_object(self, changed: Object) -> State:
        """The same with ``changed`` in place of the object of its id, or added."""
        others = [one for one in self.objects if one.id != changed.id]
        ordered = sorted([*others, changed], key=lambda one: one.id)
        given = changed.id if changed.id < FOUND_FROM else 0
        return replace(self, objects=tuple(ordered), latest_id=max(self.latest_id, given))

    def with_anchor(self, object_id: int, frame: int, anchor: Anchor | None) -> State:
        """The same with ``anchor`` there; None takes it away."""
        own = {f: a for f, a in self.anchors.get(object_id, {}).items() if f != frame}
        if anchor is not None:
            own[frame] = anchor
        return replace(self, anchors={**self.anchors, object_id: dict(sorted(own.items()))})

    def without_object(self, object_id: int) -> State:
        """The same without it and its anchors."""
        objects = tuple(one for one in self.objects if one.id != self.object(object_id).id)
        anchors = {number: own for number, own in self.anchors.items() if number != object_id}
        return replace(self, objects=objects, anchors=anchors)

    def text(self) -> str:
        """As it stands in ``project.json``."""
        plain = asdict(self)
        plain["format"] = FORMAT
        plain["anchors"] = {
            str(number): {str(frame): plain_anchor(one) for frame, one in own.items()}
            for number, own in self.anchors.items()
            if own
        }
        return json.dumps(plain, indent=1, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: str) -> State:
        """What ``text`` wrote."""
        plain = json.loads(text)
        if plain.pop("format", None) != FORMAT:
            raise InputError("The project was written by another version of cleanplate.")
        plain["objects"] = tuple(Object(**one) for one in plain["objects"])
        plain["anchors"] = {
            int(number): {
                int(frame): _anchor(one)
                for frame, one in sorted(own.items(), key=lambda item: int(item[0]))
            }
            for number, own in plain["anchors"].items()
        }
        plain["span"], plain["dismissed"] = tuple(plain["span"]), tuple(plain["dismissed"])
        return cls(**plain)


def plain_prompt(prompt: Prompt | Anchor) -> dict[str, Any]:
    """Points, box and strokes as plain JSON."""
    box = prompt.box
    return {
        "points": [[point.x, point.y, point.positive] for point in prompt.points],
        "box": None if box is None else [box.x0, box.y0, box.x1, box.y1],
        "brushes": [
            {
                "points": [list(place) for place in brush.points],
                "radius": brush.radius,
                "positive": brush.positive,
            }
            for brush in prompt.brushes
        ],
    }


def parse_prompt(plain: Mapping[str, Any]) -> Prompt:
    """A prompt from what ``plain_prompt`` wrote; a box or lists may be left out.

    Raises:
        InputError: it is something else.
    """
    try:
        points = tuple(
            Point(float(x), float(y), bool(positive)) for x, y, positive in plain.get("points", ())
        )
        box = plain.get("box")
        brushes = tuple(
            Brush(
                tuple((float(x), float(y)) for x, y in one["points"]),
                float(one["radius"]),
                bool(one.get("positive", True)),
            )
            for one in plain.get("brushes", ())
        )
        corners = None if box is None else Box(*(round(float(edge)) for edge in box))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            "The prompt is not of the form {points: [[x, y, positive], ...], box: [x0, y0, x1, y1],"
            " brushes: [{points: [[x, y], ...], radius, positive}, ...]}."
        ) from error
    return Prompt(points, corners, brushes)


def plain_anchor(anchor: Anchor) -> dict[str, Any]:
    """All of an anchor as plain JSON."""
    return asdict(anchor) | plain_prompt(anchor)


def _anchor(plain: dict[str, Any]) -> Anchor:
    prompt = parse_prompt(plain)
    return Anchor(
        **plain
        | {
            "kind": Kind(plain["kind"]),
            "points": prompt.points,
            "box": prompt.box,
            "brushes": prompt.brushes,
            "scores": tuple(plain["scores"]),
            "passing": tuple(plain["passing"]),
        }
    )
