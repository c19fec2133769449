"""SAM 2.1 as its engines use it: the network with its weights, and pictures as it sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate import checkpoints
from cleanplate.engines.precision import computing
from cleanplate.errors import MissingDependencyError

if TYPE_CHECKING:
    from torch import Tensor

    from cleanplate.networks.sam2.sam2 import Features, Sam2
    from cleanplate.protocols import Runtime

SIZES = ("tiny", "small", "base_plus", "large")
SIDES = (1024, 768, 512, 256)
LICENCE = "Apache-2.0"


def checkpoint_of(size: str) -> str:
    """Name of the weights of a size."""
    return f"sam2_1_hiera_{size}"


CHECKPOINTS = tuple(map(checkpoint_of, SIZES))


def loaded(size: str, weights: str, runtime: Runtime) -> Sam2:
    """The network of ``size`` with its weights, on the runtime's device."""
    import torch

    from cleanplate.networks.sam2 import sam2

    name = checkpoint_of(size)
    with torch.device("meta"):
        network = getattr(sam2, name)().to_empty(device="cpu")
    checkpoints.load(network, name, weights)
    return network.to(runtime.device).eval().requires_grad_(False)


def frame_pixels(image: np.ndarray, side: int) -> Tensor:
    """(side, side, 3) in 0..1: a frame of a clip, stretched as the weights expect it there."""
    import torch

    return torch.from_numpy(stretched(image, side).astype(np.float32)) / 255


def stretched(image: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3) uint8, bicubic, the aspect not kept."""
    pillow = _pillow()
    resized = pillow.fromarray(image).resize((side, side), pillow.Resampling.BICUBIC)
    return np.asarray(resized)


def still_pixels(image: np.ndarray, side: int) -> Tensor:
    """(side, side, 3) in 0..1: a single picture, stretched as the weights expect it there."""
    import torch

    planes = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)[None] / 255
    return resized(planes, (side, side), antialias=True)[0].permute(1, 2, 0)


def resized(planes: Tensor, size: tuple[int, int], antialias: bool = False) -> Tensor:
    """(B, C, H, W) at ``size``, bilinear."""
    from torch.nn import functional

    return functional.interpolate(
        planes, size, mode="bilinear", align_corners=False, antialias=antialias
    )


def features_of(network: Sam2, pixels: Tensor, runtime: Runtime) -> Features:
    """What ``network`` sees in (side, side, 3) ``pixels``, in float32."""
    from cleanplate.networks.sam2.sam2 import prepared

    with computing(runtime):
        return network.encode(prepared(pixels.to(runtime.device))).float()


def _pillow() -> Any:
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "SAM 2 needs Pillow, which is not installed; install it with: "
            "pip install 'cleanplate[networks]'."
        ) from error
    return Image
