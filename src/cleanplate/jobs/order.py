"""What is to be done to which clip, checked before anything is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.files.publish import check_target
from cleanplate.jobs.report import versions
from cleanplate.jobs.work_folder import identity
from cleanplate.media.mask_files import Masks
from cleanplate.runtime import check_device, check_engine_fields
from cleanplate.settings.groups import LETTERS, Settings
from cleanplate.types import Prompt

if TYPE_CHECKING:
    from cleanplate.media.relight import Light
    from cleanplate.media.survey import Survey


@dataclass(frozen=True, slots=True)
class Target:
    """Where an output goes."""

    path: Path
    as_folder: bool = False
    """Whether it is a folder of PNGs."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """A path as typed: one that ends in ``/`` is a folder."""
        return cls(Path(text), text.endswith("/"))

    @property
    def as_image(self) -> bool:
        """Whether it is a single picture."""
        return not self.as_folder and self.path.suffix.lower() == ".png"

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.name


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What is to be done to which clip."""

    command: str
    """``remove``, ``track``, ``inpaint`` or ``restore``."""
    source: Path
    out: Target
    prompts: tuple[Prompt, ...] = ()
    masks: Path | Masks | None = None
    """One for each frame of the clip or of the span: a file, or made as they are read."""
    settings: Settings = field(default_factory=Settings)
    save_masks: Target | None = None
    overwrite: bool = False
    part: tuple[int, int] | None = None
    """Write only these frames, the first and one past the last, filled as in the whole clip."""
    light: Light | None = None
    """How the light of the pictures is changed before anything is filled."""
    survey: Survey | None = None
    """What the clip was found to be, where that is known."""
    known: tuple[int, int] | None = None
    """Outside of these frames, the first and one past the last, masks are empty because nobody
    looked: nothing is carried from there, for it may show what is to be removed."""

    @property
    def is_still(self) -> bool:
        """Whether nothing that the prompts point at moves."""
        return registry.find("track", self.settings.engines.tracker_name).about.still


def check(order: Order) -> None:
    """Raise InputError for an order that cannot be carried out, whatever the clip holds."""
    check_device(order.settings.engines)
    if order.save_masks is not None and order.save_masks.path.resolve() == order.out.path.resolve():
        raise InputError(
            f"{order.out.path} cannot be both the output and its masks; give two names."
        )
    _check_mask_names(order)
    check_engine_fields(order.settings)
    if order.settings.masks.overlay == LETTERS and not order.is_still:
        raise InputError(
            "--overlay letters is for what does not move; add --static, or outline letters that "
            "move with --segmenter letters."
        )
    if order.masks is None and not order.prompts:
        raise InputError(
            "Nothing says what to remove; point at it with --box X0,Y0,X1,Y1 or --point X,Y, or "
            "give --masks PATH."
        )
    if order.masks is not None and order.prompts:
        raise InputError("Both prompts and --masks were given; give one of them.")


def _check_mask_names(order: Order) -> None:
    still = order.masks is not None or order.is_still
    for masks in filter(None, (order.save_masks, order.out if order.command == "track" else None)):
        fitting = (".mkv", ".png") if still else (".mkv",)
        if not masks.as_folder and masks.path.suffix.lower() not in fitting:
            raise InputError(
                f"{masks.path} is not a mask track; give a name that ends in .mkv, or "
                f"{masks.path}/ for a folder of PNGs."
            )


def check_free(order: Order, begun: bool) -> None:
    """Raise InputError when an output would be written over something that is not this job's own.

    Args:
        order: the order.
        begun: an earlier run of the same order left its work folder.
    """
    read = [order.source, *([order.masks] if isinstance(order.masks, Path) else [])]
    outs = [out for out in (order.out, order.save_masks) if out is not None]
    check_outputs_free(outs, read, order.overwrite or begun)


def check_outputs_free(outs: Sequence[Target], read: Sequence[Path], replace: bool) -> None:
    """Raise InputError when one of ``outs`` is one of what is ``read``, or there and to be kept."""
    for out in outs:
        if not out.as_folder:
            check_target(out.path, replace, *read)
        elif not out.path.is_dir() or out.path.resolve() in [path.resolve() for path in read]:
            check_target(out.path, False, *read)
        elif any(out.path.iterdir()) and not replace:
            raise InputError(
                f"{out.path} exists; add --overwrite to replace it, or give another name."
            )


def fingerprint(order: Order) -> dict[str, Any]:
    """What tells the order from others: equal fingerprints, equal outputs."""
    part = {} if order.part is None else {"part": order.part}
    given = order.masks.key if isinstance(order.masks, Masks) else None
    return part | {
        "command": order.command,
        "source": identity(order.source),
        "light": None if order.light is None else order.light.key,
        "masks": identity(order.masks) if isinstance(order.masks, Path) else given,
        "prompts": [plain_prompt(prompt) for prompt in order.prompts],
        "settings": asdict(order.settings),
        "versions": versions(),
    }


def plain_prompt(prompt: Prompt) -> dict[str, Any]:
    """A prompt as JSON can hold it."""
    plain = asdict(prompt)
    if prompt.mask is not None:
        plain["mask"] = [prompt.mask.shape, np.packbits(prompt.mask).tobytes().hex()]
    return plain
