"""Small goldens of our own making: what each learned engine computed when it was accepted.

Networks are small and weights made from names, so a public clone tests them without any file from
elsewhere. They do not say that a network is right (the authors' goldens do), only that it still
computes what it did. ``python -m tests.golden.own`` writes them anew, after a change that is meant.
"""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cleanplate import registry
from cleanplate.checkpoints import store
from cleanplate.engines.track.deaot.video import Limits, Video
from cleanplate.networks import siammask
from cleanplate.networks.aot import aot
from cleanplate.types import Frame, MaskedFrame
from tests.scene import texture
from tests.weights import (
    lively_weights,
    make_e2fgvi_small,
    make_sam_small,
    make_siammask_small,
    provide,
)

FILE = Path(__file__).with_name("own.npz")
WIDTH, HEIGHT = 96, 64


def images(count: int) -> list[np.ndarray]:
    """A pan over smooth colours."""
    wide = texture(WIDTH + 2 * count, HEIGHT, 7)
    return [np.ascontiguousarray(wide[:, 2 * n : 2 * n + WIDTH]) for n in range(count)]


def outputs() -> dict[str, np.ndarray]:
    """What each network computes now, by its name."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv(store.PLACE, folder)
        for make_small in (make_e2fgvi_small, make_sam_small, make_siammask_small):
            make_small(patch)
        found = {name: _filled(name, settings) for name, settings in INPAINT.items()}
        found |= {name: _decoded(name) for name in ("mobile_sam", "sam_hq", "sam")}
        found |= {name: _followed(name) for name in ("aot_t", "deaot_t")}
        return found | {"siammask": _located()}


INPAINT = {"e2fgvi": {}, "e2fgvi_hq": {}, "vinet": {"size": "0", "pre_roll": "2"}}
CHECKPOINTS = {"vinet": "vinet_512", "sam_hq": "sam_hq_vit_tiny", "sam": "sam_vit_b"}


def _engine(task: Any, name: str, settings: dict[str, str] | None = None) -> Any:
    provide(CHECKPOINTS.get(name, name))
    return registry.create(task, name, settings or {})


def _filled(name: str, settings: dict[str, str]) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[20:44, 30:62] = 1
    frames = [
        MaskedFrame(Frame(n, Fraction(n, 24), image), mask) for n, image in enumerate(images(6))
    ]
    filled = list(_engine("inpaint", name, settings).inpaint(frames))
    return np.stack([frame.image[20:44:3, 30:62:3] for frame in filled])


def _decoded(name: str) -> np.ndarray:
    engine = _engine("segment", name)
    encoded = engine.encode(images(1)[0])
    boxes = np.array([[10, 10, 60, 50], [40, 5, 90, 60]], np.float64)
    return engine.decode_many(encoded, boxes=boxes, several=True).low[..., ::9, ::9]


def _followed(name: str) -> np.ndarray:
    network = getattr(aot, name)().eval()
    network.load_state_dict(lively_weights(network))
    video = Video(network, Limits(2, 3, 3), "cpu")
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[10:40, 10:40], labels[20:60, 50:90] = 1, 2
    clip = images(4)
    with torch.inference_mode():
        video.see(clip[0])
        video.confirm(labels, 2)
        for image in clip[1:]:
            video.see(image)
            video.match()
            video.pass_on(labels)
    return video.joined().numpy()[:, ::3, ::3]


def _located() -> np.ndarray:
    network = siammask.siammask().eval()
    network.load_state_dict(lively_weights(network))
    picture = torch.from_numpy(texture(255, 255, 4).astype(np.float32)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        region = network.region(picture)
        exemplar = network.exemplar(picture[..., 64:191, 64:191])
        scores, offsets = network.locate(exemplar, region)
        outline = network.refined_mask(exemplar, region, 12, 12)
    parts = (scores[0, :, ::4, ::4], offsets[0, :, ::4, ::4], outline[0, ::9, ::9])
    return np.concatenate([part.numpy().ravel() for part in parts])


def main() -> None:
    """Write the goldens anew."""
    os.environ.pop(store.PLACE, None)
    np.savez_compressed(FILE, allow_pickle=False, **outputs())
    print(f"{FILE}: {FILE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
