"""What FFmpeg hangs on a frame, by kind. Kinds that the binding has no name for are passed by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import av
from av.sidedata.sidedata import SideData, Type


def _nameless(cls: type[Type], value: object) -> Type:
    """A kind that is newer than the binding's list, such as EXIF data of FFmpeg 8."""
    kind = object.__new__(cls)
    kind._name_, kind._value_ = f"UNKNOWN_{value}", value
    return kind


# The binding refuses all side data of a frame as soon as it does not know the kind of one.
Type._missing_ = classmethod(_nameless)  # type: ignore[method-assign, assignment]


def side_data(frame: av.VideoFrame) -> dict[Type, bytes]:
    """All side data of ``frame``; of a kind that it has twice, the first."""
    kinds: dict[Type, bytes] = {}
    for data in cast(Iterable[SideData], frame.side_data):
        if not data.type.name.startswith("UNKNOWN_"):
            kinds.setdefault(data.type, bytes(data))
    return kinds
