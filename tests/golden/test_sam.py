"""SAM, HQ-SAM and MobileSAM compute what the authors' code computes."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from cleanplate.engines.segment import _everything as everything
from cleanplate.engines.segment._sam import SamEngine
from cleanplate.engines.segment.mobile_sam import Engine as MobileSam
from cleanplate.engines.segment.sam import Engine as PlainSam
from cleanplate.engines.segment.sam_hq import Engine as HighQuality
from cleanplate.networks import sam, sam_vit
from cleanplate.ops.runs import coco_text, run_lengths
from cleanplate.protocols import Runtime
from tests.golden.conftest import Golden

ALL = (
    *("sam_vit_b", "sam_vit_l", "sam_vit_h", "mobile_sam"),
    *("sam_hq_vit_tiny", "sam_hq_vit_b", "sam_hq_vit_l", "sam_hq_vit_h"),
)
WITH_OUTPUTS = (
    pytest.param("sam_vit_b", marks=pytest.mark.slow),
    pytest.param("sam_hq_vit_b", marks=pytest.mark.slow),
    "sam_hq_vit_tiny",
    "mobile_sam",
)
LOGIT = 1e-3  # by which logits may differ where the manifest gives a share of pixels
# What the published everything mode calls the settings of ours.
ARGUMENTS = {
    "points_per_side": "points_per_side",
    "points_per_batch": "points_at_once",
    "pred_iou_thresh": "quality",
    "stability_score_thresh": "stability",
    "stability_score_offset": "stability_offset",
    "box_nms_thresh": "overlap",
    "crop_n_layers": "crop_layers",
    "crop_overlap_ratio": "crop_overlap",
    "crop_nms_thresh": "crop_overlap_limit",
    "crop_n_points_downscale_factor": "crop_points_shrink",
    "min_mask_region_area": "least_region",
}


class Case:
    """One golden network, built and loaded as the engine does it."""

    def __init__(self, golden: Golden, name: str, folder: Path) -> None:
        self.golden, self.inputs, self.name = golden, golden.inputs, name
        path = folder / f"{name}.pth"
        torch.save({k: torch.from_numpy(v) for k, v in golden.weights().items()}, path)
        engine: Any = MobileSam
        options: dict[str, Any] = {}
        if name.startswith("sam_"):
            engine = HighQuality if name.startswith("sam_hq") else PlainSam
            options["model"] = name.split("_", 2)[-1] if "hq" in name else name[4:]
            options["model"] = options["model"].removeprefix("hq_")
        self.engine: SamEngine = engine(engine.Settings(weights=str(path), **options), Runtime())
        self.network: sam.Sam = self.engine._network
        path.unlink()
        self._image = self.inputs.image()
        self.inner: dict[str, Tensor] = {}
        self.encoded = self._encoded()

    def _encoded(self) -> Any:
        encoder = self.network.image_encoder
        hooks = [self._keep("patch_embed", encoder.patch_embed)]
        blocks = getattr(encoder, "blocks", None)
        stages: Any = encoder.layers if blocks is None else blocks
        for index, one in enumerate(stages):
            hooks.append(self._keep(f"{'layer' if blocks is None else 'block'}{index}", one))
        encoded = self.engine.encode(self._image)
        for hook in hooks:
            hook.remove()
        return encoded

    def _keep(self, name: str, module: nn.Module) -> Any:
        def hook(_: nn.Module, __: Any, output: Tensor) -> None:
            self.inner[name] = output

        return module.register_forward_hook(hook)

    def check(self, case: str, name: str, found: Any) -> None:
        """Hold ``found`` to the golden's output ``name``."""
        output = self.golden.manifest["cases"][case]["outputs"][name]
        wanted = self.golden.array(f"{case}/{name}")
        found = found.numpy() if isinstance(found, Tensor) else np.asarray(found)
        full = tuple(output["full_shape"])
        share = output.get("max_fraction_of_differing_pixels", 0)
        if "packed" in output:  # along the last axis; of several masks the first ones only
            wanted = np.unpackbits(wanted, axis=-1)[..., : full[-1]].astype(bool)
            found = found[: full[0]]
        assert found.shape == full, name
        if "sample" in output:
            found = eval(f"found{output['sample']}", {"found": found})
        if share or "packed" in output:
            apart = found != wanted if found.dtype == bool else abs(found - wanted) > LOGIT
            assert apart.mean() <= share, name
        else:
            np.testing.assert_allclose(
                found, wanted, output.get("rtol", 0), output.get("atol", 0), err_msg=name
            )

    def outputs(self, case: str) -> list[str]:
        return list(self.golden.manifest["cases"][case]["outputs"])

    def prompts(self, case: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Each prompt of a case: its name, and its parts as arrays."""
        for name, text in self.golden.manifest["cases"][case]["prompts"].items():
            yield name, self._parts(text)

    def _parts(self, text: str) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        for word in re.findall(r"[A-Z][A-Z_]+|mask_input", re.sub(r"\(batch.*?\)", "", text)):
            value = getattr(self.inputs, word)
            if word == "mask_input":
                parts["low"] = value()
            elif "LABEL" in word:
                parts["labels"] = value if value.ndim == 2 else value[None]
            elif "BOX" in word:
                parts["boxes"] = value if value.ndim == 2 else value[None]
            else:
                parts["points"] = value if value.ndim == 3 else value[None]
        return parts


@pytest.fixture(scope="module")
def case(
    request: pytest.FixtureRequest,
    golden: Callable[[str], Golden],
    tmp_path_factory: pytest.TempPathFactory,
) -> Case:
    return Case(golden(request.param), request.param, tmp_path_factory.mktemp("weights"))


def has(case: Case, name: str) -> None:
    if name not in case.golden.manifest["cases"]:
        pytest.skip(f"the goldens of {case.name} hold no case {name}")


@pytest.mark.parametrize("name", ALL)
def test_keys_and_shapes_are_the_published_ones(name: str, golden: Callable[..., Golden]) -> None:
    wanted = golden(name).manifest["weights"]["tensors"]
    with torch.device("meta"):
        network = getattr(sam, name)()
    assert {k: list(v.shape) for k, v in network.state_dict().items()} == wanted


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_the_embedding_of_an_image_agrees(case: Case) -> None:
    embedding = case.encoded.embedding.embedding
    found: dict[str, Any] = {
        "embedding": embedding,
        "embedding_mean": embedding.mean((2, 3)),
        "embedding_std": embedding.std((2, 3), correction=0),
        "hq_features": case.encoded.embedding.detail,
        **case.inner,
    }
    blocks = getattr(case.network.image_encoder, "blocks", None)
    whole = [] if blocks is None else [i for i, block in enumerate(blocks) if not block.window]
    for index, block in enumerate(whole):
        found[f"interm{index}"] = case.inner[f"block{block}"]
    if blocks is None:
        found["interm0"] = case.inner["layer1"].permute(0, 2, 3, 1)
    for name in case.outputs("image_embedding"):
        value = found[name]
        if name.startswith("layer"):  # the authors' maps are lists of tokens here
            value = value.flatten(2).transpose(1, 2)
        case.check("image_embedding", name, value)


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_prompts_become_the_same_tokens(case: Case) -> None:
    has(case, "prompt_encoder")
    encoder, scale = case.network.prompt_encoder, case.engine._scale(case.encoded.size)
    wanted = case.outputs("prompt_encoder")
    with torch.inference_mode():
        case.check("prompt_encoder", "dense_pe", encoder.grid())
        for name, parts in case.prompts("prompt_encoder"):
            points, labels = parts.get("points"), parts.get("labels")
            boxes, low = parts.get("boxes"), parts.get("low")
            sparse, dense = encoder(
                None if points is None else torch.tensor(points * scale).float(),
                None if labels is None else torch.tensor(labels),
                None if boxes is None else torch.tensor(boxes * np.tile(scale, 2)).float(),
                None if low is None else torch.tensor(low[None]),
            )
            for kind, value in ((f"{name}_sparse", sparse), (f"{name}_dense", dense)):
                if kind in wanted:
                    case.check("prompt_encoder", kind, value)


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_the_decoder_gives_the_same_masks_and_qualities(case: Case) -> None:
    wanted = case.outputs("mask_decoder")
    inner: dict[str, Any] = {}
    decoder = case.network.mask_decoder
    hooks = [
        decoder.iou_prediction_head.register_forward_hook(
            lambda _, __, output: inner.update(iou_all=output)
        ),
        decoder.transformer.register_forward_hook(
            lambda _, __, output: inner.update(tokens=output[0], image_tokens=output[1])
        ),
        decoder.register_forward_hook(lambda _, __, output: inner.update(all_masks=output[0])),
    ]
    for name, parts in case.prompts("mask_decoder"):
        for several in (False, True):
            for only in (False, True):
                found = case.engine.decode_many(
                    case.encoded, **parts, several=several, refined_only=only
                )
                kind = f"{name}_{'multi' if several else 'single'}{'_hqonly' if only else ''}"
                for output, value in (
                    (f"{kind}_low_res", found.low),
                    (f"{kind}_iou", found.quality),
                ):
                    if output in wanted:
                        case.check("mask_decoder", output, value)
        for output, value in inner.items():
            if f"{name}_{output}" in wanted:
                case.check("mask_decoder", f"{name}_{output}", value)
    for hook in hooks:
        hook.remove()


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_masks_at_the_size_of_the_picture_agree(case: Case) -> None:
    inputs, engine, encoded = case.inputs, case.engine, case.encoded
    found = {
        "point": engine.decode_many(
            encoded, inputs.POINT[None], inputs.POINT_LABEL[None], several=True
        ),
        "box": engine.decode_many(encoded, boxes=inputs.BOX[None]),
    }
    wanted = case.outputs("predict")
    if "again_logits" in wanted:
        points, labels = inputs.POINTS[None], inputs.POINT_LABELS[None]
        best = found["point"].quality[0].argmax()
        case.check("predict", "again_best", best)
        found["again"] = engine.decode_many(
            encoded, points, labels, low=found["point"].low[0, best]
        )
        found["box_points"] = engine.decode_many(
            encoded,
            points,
            labels,
            inputs.BOX[None],
            refined_only=encoded.embedding.detail is not None,
        )
    for name, decoded in found.items():
        logits = decoded.logits[0]
        case.check("predict", f"{name}_logits", logits)
        case.check("predict", f"{name}_masks", logits > 0)
        case.check("predict", f"{name}_iou", decoded.quality[0])
        case.check("predict", f"{name}_area", (logits > 0).sum((1, 2)))


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_pictures_are_fitted_into_the_frame_in_the_same_way(case: Case) -> None:
    has(case, "preprocess")
    for name in ("image", "image_large"):
        resized = case.engine.prepare(getattr(case.inputs, name)())
        sha = np.frombuffer(hashlib.sha256(resized.tobytes()).digest(), np.uint8)
        case.check("preprocess", f"{name}_resized", resized)
        case.check("preprocess", f"{name}_resized_rows", resized)
        case.check("preprocess", f"{name}_resized_sha256", sha)
    pixels = torch.tensor(case.engine.prepare(case.inputs.image()).astype(np.float32))
    case.check("preprocess", "image_input", sam.prepared(pixels))
    scale = case.engine._scale((case.inputs.H, case.inputs.W))
    case.check("preprocess", "points_in_frame", case.inputs.POINTS * scale)
    case.check("preprocess", "boxes_in_frame", case.inputs.BOXES * np.tile(scale, 2))


@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_the_parts_of_everything_mode_agree(case: Case) -> None:
    has(case, "amg_blocks")
    inputs = case.inputs

    def check(name: str, found: Any) -> None:
        case.check("amg_blocks", name, found)

    check("shapes", [sam.fitted(*size) for size in inputs.SHAPE_TABLE])
    for index, arguments in enumerate(inputs.GRID_ARGS):
        grids = everything.point_grids(*arguments)
        check(f"grid{index}", np.concatenate(grids))
        check(f"grid{index}_lengths", [len(grid) for grid in grids])
    for index, arguments in enumerate(inputs.CROP_ARGS):
        boxes, layers = everything.crop_boxes(*arguments)
        check(f"crops{index}", boxes)
        check(f"crops{index}_layer", layers)
    logits = inputs.stability_logits()
    check("stability_1", everything.stability(logits, 0.0, 1.0))
    check("stability_quarter_at_half", everything.stability(logits, 0.5, 0.25))
    masks = inputs.binary_masks()
    check("mask_boxes", [everything.box_of(mask) for mask in masks])
    runs = [run_lengths(mask) for mask in masks]
    check("rle_counts", [length for one in runs for length in one])
    check("rle_counts_lengths", [len(one) for one in runs])
    check("rle_area", [sum(one[1::2]) for one in runs])
    texts = [coco_text(one).encode() for one in runs]
    check("coco_counts", np.frombuffer(b"".join(texts), np.uint8))
    check("coco_counts_lengths", [len(text) for text in texts])
    boxes, scores = inputs.nms_boxes()
    for name in case.outputs("amg_blocks"):
        if name.startswith("nms_"):
            check(name, everything.suppressed(boxes, scores, float(name.removeprefix("nms_"))))
        if name.startswith("rel_pos_"):
            _, _, queries, keys = name.split("_")
            table = torch.tensor(inputs.rel_pos_table())
            check(name, sam_vit.relative_positions(int(queries), int(keys), table))
    crop, whole = (40, 10, 140, 80), (0, 0, 160, 120)
    placed = boxes + np.array([40, 10, 40, 10])  # from the crop's pixels to the picture's
    check("near_edge", everything.near_crop_edge(placed, crop, whole))
    check("near_edge_atol5", everything.near_crop_edge(placed, crop, whole, 5))
    for kind in ("holes", "islands"):
        pairs = [everything.without_small(mask, 60, kind) for mask in inputs.holed_masks()]
        check(f"removed_{kind}", np.stack([mask for mask, _ in pairs]))
        check(f"removed_{kind}_changed", [changed for _, changed in pairs])


@pytest.mark.slow
@pytest.mark.parametrize("case", WITH_OUTPUTS, indirect=True)
def test_everything_mode_finds_the_same_things(case: Case) -> None:
    has(case, "amg_whole")
    manifest = case.golden.manifest["cases"]
    for name in [one for one in manifest if one.startswith("amg_") and one != "amg_blocks"]:
        given = {ARGUMENTS[key]: value for key, value in manifest[name]["arguments"].items()}
        given["threshold"] = manifest[name].get("mask_threshold", 0.0)
        settings = dataclasses.replace(case.engine.settings, **given)
        found = everything.everything(case.engine, case.inputs.image(), settings)
        records = [one.record() for one in found]
        case.check(name, "area", [one["area"] for one in records])
        case.check(name, "bbox", [one["bbox"] for one in records])
        case.check(name, "predicted_iou", [one["predicted_iou"] for one in records])
        case.check(name, "stability_score", [one["stability_score"] for one in records])
        case.check(name, "point_coords", [one["point_coords"][0] for one in records])
        case.check(name, "crop_box", [one["crop_box"] for one in records])
        case.check(name, "masks", np.stack([one.mask for one in found]))
