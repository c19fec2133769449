"""The engines as a person chooses between them: what each needs, whether it is here, how long."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

from cleanplate import checkpoints, registry
from cleanplate.app.speeds import Speeds
from cleanplate.checkpoints import store
from cleanplate.checkpoints.catalogue import unknown
from cleanplate.runtime import resolve
from cleanplate.settings.groups import EngineSettings


def engine_rows(speeds: Speeds, megapixels: float | None) -> list[dict[str, Any]]:
    """Every engine of the registry.

    Args:
        speeds: how long inpainters take here.
        megapixels: of the regions of this clip; None while nothing is masked.
    """
    rows = []
    for row in _known():
        seconds = None
        if row["task"] == "inpaint" and megapixels is not None:
            seconds = speeds.seconds(row["name"], row["device"], megapixels)
        needs = _needs(row)
        rows.append(row | {"here": not needs, "needs": needs, "seconds_per_frame": seconds})
    return rows


def device() -> str:
    """Where learned engines compute here: ``cuda``, ``mps`` or ``cpu``."""
    return next((row["device"] for row in _known() if row["device"] != "cpu"), "cpu")


@cache
def _known() -> tuple[dict[str, Any], ...]:
    return tuple(_row(registry.find(t, n)) for t in registry.TASKS for n in registry.names(t))


def _row(engine: Any) -> dict[str, Any]:
    about = engine.about
    needed = about.checkpoints[:1] + about.also[:1]
    sizes = [] if unknown(needed) else [checkpoints.find(name).size for name in needed]
    return {
        "task": about.task,
        "name": about.name,
        "summary": about.summary,
        "fault": about.fault,
        "licence": about.licence,
        "commercial": about.commercial,
        "missing": registry.missing(about),
        "extra": about.extra,
        "checkpoints": list(about.checkpoints),
        "also": list(about.also),
        "size": sum(size or 0 for size in sizes) or None,
        "device": resolve(engine, EngineSettings()).device,
        "settings": [_field(setting) for setting in dataclasses.fields(engine.Settings)],
    }


def _field(field: dataclasses.Field[Any]) -> dict[str, Any]:
    return {"name": field.name, "default": field.default, **field.metadata}


def _needs(row: dict[str, Any]) -> str:
    """What brings the engine here, as a sentence; empty when it can run."""
    if row["fault"]:
        return row["fault"]
    if row["missing"]:
        return f"Install it with: pip install 'cleanplate[{row['extra']}]'."
    return store.lacking(row["checkpoints"], row["also"])
