"""What a user has said of a clip: its marks and settings. Frozen, and plain as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cleanplate.errors import InputError
from cleanplate.tracks.marks import Anchor, Kind, Marks, TrackedObject
from cleanplate.types import Box, Brush, Point, Prompt

FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State(Marks):
    """The marks of a project with its clip and its settings."""

    clip: str
    """Path of the clip; relative when it lies in the project's folder."""
    fingerprint: str
    """What tells the clip from another."""
    stream: int | None = None
    """Index of the video stream of the clip that is worked on; None: the one that plays."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those that differ from the defaults: field of a settings group -> value."""
    engine_fields: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def text(self) -> str:
        """As it stands in ``project.json``."""
        plain = asdict(self)
        plain["format"] = FORMAT
        plain["anchors"] = {
            str(number): {str(frame): plain_anchor(anchor) for frame, anchor in by_frame.items()}
            for number, by_frame in self.anchors.items()
            if by_frame
        }
        return json.dumps(plain, indent=1, sort_keys=True) + "\n"

    @classmethod
    def parse(cls, text: str) -> State:
        """What ``text`` wrote."""
        plain = json.loads(text)
        if plain.pop("format", None) != FORMAT:
            raise InputError("The project was written by another version of cleanplate.")
        plain["objects"] = tuple(TrackedObject(**fields) for fields in plain["objects"])
        plain["anchors"] = {
            int(number): {
                int(frame): _anchor(anchor)
                for frame, anchor in sorted(by_frame.items(), key=lambda item: int(item[0]))
            }
            for number, by_frame in plain["anchors"].items()
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
                tuple((float(x), float(y)) for x, y in brush["points"]),
                float(brush["radius"]),
                bool(brush.get("positive", True)),
            )
            for brush in plain.get("brushes", ())
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
