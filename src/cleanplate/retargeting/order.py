"""What is to be brought into which shape, checked before anything is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.files.publish import check_target
from cleanplate.jobs.order import Target, check_outputs_free, plain_prompt
from cleanplate.jobs.report import versions
from cleanplate.jobs.work_folder import identity
from cleanplate.retargeting.shape import Shape
from cleanplate.runtime import check_device, check_engine_fields
from cleanplate.settings.groups import Settings
from cleanplate.settings.retarget import EXTEND, RECOMPOSE, RetargetSettings
from cleanplate.types import Prompt


@dataclass(frozen=True, slots=True, eq=False)
class RetargetOrder:
    """What is to be brought into which shape."""

    source: Path
    out: Target
    shape: Shape
    prompts: tuple[Prompt, ...] = ()
    first: tuple[int, ...] = ()
    """Objects that come before all others, in this order."""
    path: Path | None = None
    """A path to follow."""
    save_path: Path | None = None
    """Where to write the path that was followed."""
    settings: Settings = field(default_factory=Settings)
    retarget: RetargetSettings = field(default_factory=RetargetSettings)
    overwrite: bool = False

    @property
    def is_still(self) -> bool:
        """Whether nothing that the prompts point at moves."""
        return registry.find("track", self.settings.engines.tracker_name).about.still


def check(order: RetargetOrder) -> None:
    """Raise InputError for an order that cannot be carried out, whatever the clip holds."""
    check_device(order.settings.engines)
    check_engine_fields(order.settings)
    known = {prompt.object_id for prompt in order.prompts}
    for number in order.first:
        if number not in known:
            raise InputError(
                f"Object {number} is to be kept and nothing points at it; give it a prompt after "
                f"--object {number}."
            )
    if order.path is not None and not order.path.is_file():
        raise InputError(f"There is no file {order.path}; check the name.")
    if order.retarget.way == RECOMPOSE:
        _check_recompose(order)
    elif order.retarget.background == EXTEND:
        raise InputError("--background extend belongs to --way recompose; add it.")


def _check_recompose(order: RetargetOrder) -> None:
    if not order.prompts and not order.retarget.extends:
        raise InputError(
            "To recompose, something must be pointed at that is taken out and put back: give "
            "--box X0,Y0,X1,Y1 or --point X,Y."
        )
    if order.path is not None or order.save_path is not None or order.first:
        raise InputError(
            "There is no crop when a clip is recomposed; leave --path, --save-path and --keep out."
        )
    if order.retarget.zoom != 1:
        raise InputError("A clip is recomposed as a whole; leave --zoom out.")
    if order.is_still and not order.retarget.extends:
        raise InputError("To recompose is for what moves; leave --static out.")


def check_free(order: RetargetOrder, begun: bool) -> None:
    """Raise InputError when an output would be written over something that is not this job's own.

    Args:
        order: the order.
        begun: an earlier run of the same order left its work folder.
    """
    read = [order.source, *([order.path] if order.path is not None else [])]
    check_outputs_free([order.out], read, order.overwrite or begun)
    if order.save_path is not None:
        check_target(order.save_path, order.overwrite or begun, *read, order.out.path)


def fingerprint(order: RetargetOrder) -> dict[str, Any]:
    """What tells the order from others: equal fingerprints, equal outputs."""
    return {
        "command": "retarget",
        "source": identity(order.source),
        "shape": [str(order.shape.aspect), order.shape.size],
        "prompts": [plain_prompt(prompt) for prompt in order.prompts],
        "first": order.first,
        "path": None if order.path is None else identity(order.path),
        "settings": asdict(order.settings),
        "retarget": asdict(order.retarget),
        "versions": versions(),
    }
