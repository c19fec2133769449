"""What the segmenter keeps of a picture: itself, small, and the graph of its patches."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate.engines.segment.grabcut import superpixels, walker
from cleanplate.engines.segment.grabcut.views import View
from cleanplate.types import Box


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """One picture, looked at."""

    image: np.ndarray
    """(H, W, 3) uint8 RGB, as given."""
    view: View
    """All of it, small."""
    lab: np.ndarray
    """(h, w, 3) float32 CIE Lab of the view, smoothed within its edges."""
    steepness: np.ndarray
    """(h, w) float32, gradient of lab."""
    graph: walker.Graph

    @property
    def labels(self) -> np.ndarray:
        """(h, w) int32, the patch of each small pixel."""
        return self.graph.patches.labels


def look(image: np.ndarray, side: int, patches: int) -> Encoded:
    """Look at ``image`` ((H, W, 3) uint8 RGB) in ``side`` px on its long side."""
    view = View.of(image, Box(0, 0, image.shape[1], image.shape[0]), side)
    smooth = cv2.bilateralFilter(view.image, 5, 20, 3)
    lab = cv2.cvtColor(smooth.astype(np.float32) / 255, cv2.COLOR_RGB2Lab)
    graph = walker.connect(superpixels.cut(lab, patches))
    return Encoded(image, view, lab, superpixels.gradient(lab), graph)
