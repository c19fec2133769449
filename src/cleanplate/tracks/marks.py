"""What is known of a clip's objects before tracking: objects, and anchors that fix their masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from cleanplate.errors import InputError
from cleanplate.types import FOUND_FROM, MAX_OBJECT_ID, Box, Brush, Point

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
class TrackedObject:
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
class DiscoveredObject:
    """An object that a tracker saw though nobody had pointed at it."""

    run: str
    """The run that it was seen in."""
    object_id: int
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
    outliner: str = ""
    """The engine that found the outline; empty where none did, or it was not noted."""
    approved: bool = False
    passing: tuple[str, str] = ("", "")
    """The runs that go on beyond it forward and backward: those that an approved mask was shown
    from, or that are right before and after the frames from which an object is gone."""

    @property
    def is_empty(self) -> bool:
        """Whether the object is not to be seen there."""
        return self.mask == NEVER


Anchors = Mapping[int, Mapping[int, Anchor]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """The objects of a clip and where they are anchored: all that their tracks follow from."""

    span: tuple[int, int]
    """First frame, and one past the last one, to track and remove in."""
    objects: tuple[TrackedObject, ...] = ()
    anchors: Anchors = field(default_factory=dict[int, Mapping[int, Anchor]])
    """TrackedObject id -> frame -> anchor."""
    dismissed: tuple[str, ...] = ()
    """Ids of doubtful stretches that the user found right."""
    latest_id: int = 0
    """The highest id that was ever given to what a user pointed at."""

    def object(self, object_id: int) -> TrackedObject:
        """The object of that id.

        Raises:
            InputError: there is none.
        """
        for known in self.objects:
            if known.id == object_id:
                return known
        ids = ", ".join(str(known.id) for known in self.objects) or "none yet"
        raise InputError(f"There is no object {object_id}; there are: {ids}.")

    def anchor(self, object_id: int, frame: int) -> Anchor | None:
        """The object's anchor in ``frame``; None where it has none."""
        return self.anchors.get(object_id, {}).get(frame)

    def with_object(self, changed: TrackedObject) -> Self:
        """The same with ``changed`` in place of the object of its id, or added."""
        others = [known for known in self.objects if known.id != changed.id]
        ordered = sorted([*others, changed], key=lambda known: known.id)
        given = changed.id if changed.id < FOUND_FROM else 0
        return replace(self, objects=tuple(ordered), latest_id=max(self.latest_id, given))

    def with_anchor(self, object_id: int, frame: int, anchor: Anchor | None) -> Self:
        """The same with ``anchor`` there; None takes it away."""
        kept = {f: a for f, a in self.anchors.get(object_id, {}).items() if f != frame}
        if anchor is not None:
            kept[frame] = anchor
        return self.with_anchors(object_id, kept)

    def with_anchors(self, object_id: int, anchors: Mapping[int, Anchor]) -> Self:
        """The same with ``anchors``, by frame, in place of all that the object had."""
        return replace(self, anchors={**self.anchors, object_id: dict(sorted(anchors.items()))})

    def without_object(self, object_id: int) -> Self:
        """The same without it and its anchors."""
        removed = self.object(object_id)
        objects = tuple(known for known in self.objects if known.id != removed.id)
        anchors = {number: kept for number, kept in self.anchors.items() if number != object_id}
        return replace(self, objects=objects, anchors=anchors)

    def with_discovered(self, discovered: Sequence[DiscoveredObject], version: int) -> Self:
        """The same with the objects that a tracker found, under ids of their own.

        Args:
            discovered: what was found.
            version: the version in which they appear.

        Raises:
            InputError: there are no ids left.
        """
        marks = self
        for thing in discovered:
            used = {known.id for known in marks.objects}
            free = next((n for n in range(FOUND_FROM, MAX_OBJECT_ID + 1) if n not in used), None)
            if free is None:
                raise InputError("There are no ids left for what was found; remove objects first.")
            marks = marks.with_object(
                TrackedObject(
                    free,
                    f"Found {free - FOUND_FROM + 1}",
                    colour_of(free),
                    born=version,
                    given=thing.run,
                    given_id=thing.object_id,
                )
            )
        return marks


def colour_of(object_id: int) -> str:
    """The colour, ``#RRGGBB``, that an object of this id is shown in."""
    return COLOURS[(object_id - 1) % len(COLOURS)]
