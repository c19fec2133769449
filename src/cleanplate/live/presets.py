"""Whole chains of engines under one name, and what live engines are set to unless told otherwise.

What a person sets comes before both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cleanplate.errors import InputError

INPAINTER = "plate"
"""What fills a live picture unless another engine is named."""

PRESETS: dict[str, tuple[dict[str, Any], dict[str, dict[str, str]]]] = {
    # The chain of the proof of concept: SiamMask finds the box, Light HQ-SAM draws the outline in
    # it, VINet paints from the past alone.
    "siammask-hqsam-vinet": (
        {"segmenter": "sam_hq", "tracker": "siammask_hq", "inpainter": "vinet"},
        {
            "sam_hq": {"model": "vit_tiny"},
            "siammask_hq": {"model": "vit_tiny"},
            "vinet": {"lookahead": "0", "topology": "256", "size": "256"},
        },
    ),
}
# A quarter of the work for 0.016 of J on blackswan: see docs/performance.md.
_LIVE = {"flowtrack": {"detail": "128"}}


def chosen(
    preset: str | None,
    values: Mapping[str, Any],
    named: set[str],
    engine_fields: Mapping[str, Mapping[str, str]],
) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """The values and the engines' settings of a live picture.

    Args:
        preset: one of ``PRESETS``, or None.
        values: of all settings, by name.
        named: those of them that a person gave.
        engine_fields: settings of single engines that a person gave.

    Raises:
        InputError: there is no such preset.
    """
    if preset is not None and preset not in PRESETS:
        raise InputError(f"There is no preset {preset!r}; there are: {', '.join(PRESETS)}.")
    wanted, fields = PRESETS[preset] if preset else ({"inpainter": INPAINTER}, {})
    given = {name: value for name, value in values.items() if name in named}
    together = {name: dict(settings) for name, settings in _LIVE.items()}
    for source in (fields, engine_fields):
        for name, settings in source.items():
            together[name] = {**together.get(name, {}), **settings}
    return {**values, **wanted, **given}, together
