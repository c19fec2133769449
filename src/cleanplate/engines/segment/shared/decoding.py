"""What is used of a promptable network besides the protocol: many prompts decoded at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Masks of P objects as SAM gives them."""

    low: np.ndarray
    """(P, C, 256, 256) float32 logits; one of them can be given back as a prompt."""
    logits: np.ndarray
    """(P, C, H, W) float32 at the picture's size; the mask is where they are above 0."""
    quality: np.ndarray
    """(P, C) float32: SAM's own estimate of each mask's IoU; trained weights give 0 to 1.05."""


class DecodesMany(Protocol):
    """Outlines several objects of one picture at once; ``shared.sam.SamEngine`` does."""

    def encode(self, image: np.ndarray) -> Any:
        """Look at ``image`` ((H, W, 3) uint8 RGB) once."""
        ...

    def decode_many(
        self,
        encoded: Any,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        boxes: np.ndarray | None = None,
        low: np.ndarray | None = None,
        *,
        several: bool = False,
    ) -> Decoded:
        """Masks for P objects: ``points`` (P, N, 2), ``labels`` (P, N), ``boxes`` (P, 4), in px.

        ``low`` are logits of an earlier answer; ``several`` asks for three masks for each object.
        """
        ...
