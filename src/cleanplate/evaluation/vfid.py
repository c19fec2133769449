"""VFID: the Frechet distance between I3D features of true and filled clips.

Wang et al., "Video-to-Video Synthesis", 2018; as E2FGVI's evaluation computes it.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate import checkpoints
from cleanplate.errors import MissingDependencyError


class Features:
    """I3D with a checkpoint's weights."""

    def __init__(self, checkpoint: Path, as_published: bool = True) -> None:
        """Load the network.

        Args:
            checkpoint: ``i3d_rgb_imagenet.pt``.
            as_published: normalise by each clip's own statistics, as the published figures were
                computed; False uses the running statistics, as a network in evaluation should.

        Raises:
            WeightsError: the file is not that checkpoint.
            MissingDependencyError: torch is not installed.
        """
        try:
            self._torch: Any = importlib.import_module("torch")
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                "VFID needs torch, which is not installed; install it with: "
                "pip install 'cleanplate[networks]'."
            ) from error
        from cleanplate.networks.i3d import I3D

        self._network = I3D()
        checkpoints.load(self._network, "i3d", str(checkpoint))
        self._network.train(as_published)

    def of(self, images: Iterable[np.ndarray]) -> np.ndarray:
        """(1024,) float64: the feature of a clip of (H, W, 3) uint8 RGB images."""
        clip = np.stack(list(images)).astype(np.float32).transpose(3, 0, 1, 2)[None] / 255
        with self._torch.no_grad():
            feature = self._network(self._torch.from_numpy(np.ascontiguousarray(clip)))
        return feature[0].numpy().astype(np.float64)


def frechet_distance(real: np.ndarray, fake: np.ndarray) -> float:
    """The distance between two sets of features, each (n, d) with a row an observation, n > 1.

    ``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))``; the trace of the root is found from
    eigenvalues, which stays exact when there are fewer clips than features.
    """
    mean = np.sum((real.mean(axis=0) - fake.mean(axis=0)) ** 2)
    real_deviations, fake_deviations = (
        features - features.mean(axis=0) for features in (real, fake)
    )
    # The eigenvalues of S1 S2 are the squared singular values of the product of the deviations;
    # their triangular factors have the same, and are no larger than d x d.
    scale = np.sqrt((len(real) - 1) * (len(fake) - 1))
    factors = [np.linalg.qr(deviations).R for deviations in (real_deviations, fake_deviations)]
    roots = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum() / scale
    traces = np.sum(real_deviations**2) / (len(real) - 1) + np.sum(fake_deviations**2) / (
        len(fake) - 1
    )
    return float(mean + traces - 2 * roots)
