"""cleanplate removes things from video: point at it, it is followed and painted over.

The names below are loaded when they are first used: importing cleanplate imports nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cleanplate.api import (
        detect_damage,
        inpaint,
        remove,
        restore,
        retarget,
        segment,
        segment_all,
        track,
    )
    from cleanplate.errors import (
        CleanplateError,
        DiskError,
        InputError,
        MaskError,
        MediaError,
        WeightsError,
    )
    from cleanplate.media.mask_files import mask_prompts
    from cleanplate.media.read import open_clip
    from cleanplate.protocols import Runtime
    from cleanplate.registry import create, find, names
    from cleanplate.suggestions.overlays import suggest
    from cleanplate.types import (
        Box,
        Brush,
        Candidates,
        Frame,
        MaskedFrame,
        ObjectState,
        Point,
        Prompt,
        Suggestion,
        TrackedMask,
        VideoInfo,
        Visibility,
    )

__all__ = [
    "Box",
    "Brush",
    "Candidates",
    "CleanplateError",
    "DiskError",
    "Frame",
    "InputError",
    "MaskError",
    "MaskedFrame",
    "MediaError",
    "ObjectState",
    "Point",
    "Prompt",
    "Runtime",
    "Suggestion",
    "TrackedMask",
    "VideoInfo",
    "Visibility",
    "WeightsError",
    "create",
    "detect_damage",
    "find",
    "inpaint",
    "mask_prompts",
    "names",
    "open_clip",
    "remove",
    "restore",
    "retarget",
    "segment",
    "segment_all",
    "suggest",
    "track",
]

_MODULES = {
    "api": (
        "detect_damage",
        "inpaint",
        "remove",
        "restore",
        "retarget",
        "segment",
        "segment_all",
        "track",
    ),
    "errors": (
        "CleanplateError",
        "DiskError",
        "InputError",
        "MaskError",
        "MediaError",
        "WeightsError",
    ),
    "media.mask_files": ("mask_prompts",),
    "media.read": ("open_clip",),
    "protocols": ("Runtime",),
    "registry": ("create", "find", "names"),
    "suggestions.overlays": ("suggest",),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'cleanplate' has no attribute {name!r}")
    return getattr(importlib.import_module(f"cleanplate.{_HOMES.get(name, 'types')}"), name)


def __dir__() -> list[str]:
    return __all__
