"""What the cases of a golden's manifest are, told by what they hold and never by their names."""

from __future__ import annotations

from typing import Any

from cleanplate.engines.track.deaot.engine import MODELS

FAMILIES = {
    "aot": MODELS,
    "e2fgvi": ("e2fgvi", "e2fgvi_hq"),
    "i3d": ("i3d",),
    "lama": ("lama",),
    "sam2": tuple(f"sam2_1_hiera_{size}" for size in ("tiny", "small", "base_plus", "large")),
    "sam": (
        *("sam_vit_b", "sam_vit_l", "sam_vit_h", "mobile_sam"),
        *("sam_hq_vit_tiny", "sam_hq_vit_b", "sam_hq_vit_l", "sam_hq_vit_h"),
    ),
    "siammask": ("siammask",),
    "vinet": ("vinet",),
}
"""Networks that share their tests."""
NESTED = ("sam2",)
"""Families whose outputs are told apart by what stands before their last part, too."""


def family_of(network: str) -> str | None:
    return next((name for name, networks in FAMILIES.items() if network in networks), None)


def kind_of(family: str | None, case: dict[str, Any], outputs: set[str]) -> str | None:
    """The kind of a case with ``outputs``, as tests name it; None when it is of no known one."""
    return None if family is None else _KINDS[family](case, outputs)


def _aot(case: dict[str, Any], outputs: set[str]) -> str | None:
    if outputs & {"cur_logits", "ref_logits", "id_emb"}:
        return "network"
    if {"labels", "new", "ids"} <= outputs:
        return "new objects"
    return "clip" if "labels" in outputs else None


def _e2fgvi(case: dict[str, Any], outputs: set[str]) -> str | None:
    if "windows" in case:
        return "clip"
    if "losses" in case:
        return "training step"
    if "frame_abs" in case.get("tolerance", {}):
        return "preparation"
    if {"first", "second", "eval"} & outputs:
        return "discriminator"
    inputs, call = case.get("inputs", {}), case.get("call", "")
    if "raw_masks" in inputs:
        return "generator"
    if "update_spynet(" in call:
        return "flow"
    if "deform_align." in call:
        return "alignment"
    if "flow_forward" in inputs:
        return "propagation"
    return "warp" if outputs & {"zeros", "border"} else None


def _i3d(case: dict[str, Any], outputs: set[str]) -> str | None:
    if any(name.startswith("feature_") for name in outputs):
        return "features of the clip" if "running_mean_after" in outputs else "features"
    values = case.get("values", {})
    if "per_pair" in values:
        return "warping error"
    if {"psnr", "ssim"} & values.keys():
        return "psnr and ssim"
    return "distance" if any(name.startswith("all_") for name in values) else None


def _sam(case: dict[str, Any], outputs: set[str]) -> str | None:
    if "arguments" in case:
        return "everything"
    if "embedding" in outputs:
        return "embedding"
    if outputs & {"image_input", "image_resized", "points_in_frame"}:
        return "preparation"
    if outputs & {"rle_counts", "grid0", "mask_boxes"}:
        return "parts of everything"
    if any(name.endswith("_low_res") for name in outputs):
        return "decoder"
    if any(name.endswith(("_sparse", "_dense")) for name in outputs):
        return "prompts"
    return "masks" if any(name.endswith("_logits") for name in outputs) else None


def _lama(case: dict[str, Any], outputs: set[str]) -> str | None:
    if outputs & {"padded_image", "inpainted", "result"}:
        return "prediction"
    if outputs & {"stem", "logits"}:
        return "network"
    if outputs & {"spectrum", "filtered", "g2g"}:
        return "convolution"
    return "block" if any(name.startswith("conv1_") for name in outputs) else None


def _sam2(case: dict[str, Any], outputs: set[str]) -> str | None:
    if "trace" in case:
        return "clip"
    if outputs & {"image_input", "frame_resized"}:
        return "preparation"
    if outputs & {"stage0", "stage3", "image_embed"}:
        return "picture" if any("/" in name for name in outputs) else "encoder"
    if any(name.startswith("rope_") for name in outputs):
        return "memory attention"
    if any(name.endswith(("_present", "_absent")) for name in outputs):
        return "memory encoder"
    if "projected" in outputs:
        return "pointers"
    ends = {name.rpartition("/")[2] for name in outputs}
    if "three_masks" in ends:
        return "decoder"
    if "three_logits" in ends:
        return "masks"
    return "prompts" if any(name.endswith("_sparse") for name in outputs) else None


def _siammask(case: dict[str, Any], outputs: set[str]) -> str | None:
    if outputs & {"xf", "cls", "x_p0"}:
        return "network"
    if "position" in outputs:
        return "clip"
    if any(name.startswith("crop") for name in outputs):
        return "crops"
    return "rectangle" if outputs == {"polygon"} else None


def _vinet(case: dict[str, Any], outputs: set[str]) -> str | None:
    kind = case.get("kind", "").split(",")[0]
    if kind == "clip":
        return "causal clip" if "streams" in case["call"] else "demo"
    return kind if kind in ("network", "operators", "training step") else None


_KINDS = {
    "aot": _aot,
    "e2fgvi": _e2fgvi,
    "i3d": _i3d,
    "lama": _lama,
    "sam2": _sam2,
    "sam": _sam,
    "siammask": _siammask,
    "vinet": _vinet,
}
