"""The colours of one object and its surroundings, reduced to a few dozen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

_COLOURS = 48
_SAMPLES = 4000  # pixels of the picture, and as many of the object, that the palette is made of
_STRONGEST = 3.0  # log of odds
_STRANGE = 16.0  # from the nearest colour: what is farther was not in the prompted frame
_PRIOR = 0.02  # of a window's area: the weight of what the whole view says of a colour


@dataclass(slots=True, eq=False)
class Palette:
    """Colours, and what each said of the object in the prompted frame."""

    colours: np.ndarray
    """(K, 3) float32 CIELAB in 0..255."""
    odds: np.ndarray
    """(K,) float32: log of how much commoner each is in the object than around it."""

    @classmethod
    def of(cls, lab: np.ndarray, mask: np.ndarray) -> Self:
        """From the prompted frame: (h, w, 3) float32 CIELAB and (h, w) bool, not empty."""
        samples = np.concatenate([_some(lab.reshape(-1, 3)), _some(lab[mask])])
        # Sorted by lightness for a start: the same palette for the same picture, by no dice.
        order = np.argsort(samples[:, 0], kind="stable")
        count = min(_COLOURS, len(samples))
        start = np.empty((len(samples), 1), np.int32)
        start[order, 0] = np.arange(len(samples)) * count // len(samples)
        rule = (cv2.TERM_CRITERIA_MAX_ITER, 10, 0.0)
        _, _, colours = cv2.kmeans(samples, count, start, rule, 1, cv2.KMEANS_USE_INITIAL_LABELS)
        palette = cls(np.asarray(colours, np.float32), np.zeros(count, np.float32))
        names = palette.names(lab)[0].ravel()
        inside = np.bincount(names, mask.ravel(), count) + 1e-3
        outside = np.bincount(names, ~mask.ravel(), count) + 1e-3
        odds = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
        palette.odds = np.clip(odds, -_STRONGEST, _STRONGEST).astype(np.float32)
        return palette

    def names(self, lab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(h, w) int: the place in the palette of the colour nearest to each pixel's; and
        (h, w) bool: whether that is near."""
        flat = lab.reshape(-1, 3)
        apart = (self.colours**2).sum(axis=1) - 2 * flat @ self.colours.T
        nearest = apart.argmin(axis=1)
        distance = apart.min(axis=1) + (flat**2).sum(axis=1)
        size = lab.shape[:2]
        return nearest.reshape(size), (distance < _STRANGE**2).reshape(size)

    def told(self, lab: np.ndarray) -> np.ndarray:
        """(h, w) float32: the log odds of each colour in the prompted frame; 0 if it had none."""
        names, known = self.names(lab)
        return np.where(known, self.odds[names], np.float32(0))

    def shares(
        self,
        before: np.ndarray,
        probability: np.ndarray,
        after: np.ndarray,
        places: np.ndarray,
        reach: int,
    ) -> np.ndarray:
        """Of what had the colour of each pixel near it in the frame before, the object's share.

        Args:
            before, after: (h, w, 3) float32 CIELAB of the frame before and of this one.
            probability: (h, w) float32, the object's in the frame before.
            places: (h, w, 2) float32 (x, y): where each pixel was in the frame before.
            reach: px around that place of which colours are remembered.

        Returns:
            (h, w) float32 in 0..1.
        """
        (old, _), (new, _) = self.names(before), self.names(after)
        count, side = len(self.colours), 2 * reach + 1
        overall = np.bincount(old.ravel(), probability.ravel(), count) / np.maximum(
            np.bincount(old.ravel(), minlength=count), 1
        )
        local = np.empty(new.shape, np.float32)
        prior = _PRIOR * side**2
        for name in np.unique(new):
            at = new == name
            having = (old == name).astype(np.float32)
            found, of_it = (
                _around(array, side, places[at]) for array in (having, having * probability)
            )
            local[at] = (of_it + prior * overall[name]) / (found + prior)
        return local

    def state(self) -> dict[str, np.ndarray]:
        return {"colours": self.colours, "odds": self.odds}

    @classmethod
    def restore(cls, state: dict[str, np.ndarray]) -> Self:
        return cls(state["colours"], state["odds"])


def _some(pixels: np.ndarray) -> np.ndarray:
    chosen = np.linspace(0, len(pixels) - 1, min(len(pixels), _SAMPLES)).astype(int)
    return np.ascontiguousarray(pixels[chosen])


def _around(array: np.ndarray, side: int, places: np.ndarray) -> np.ndarray:
    """(n,) the sums of ``array`` over squares around ``places``, (n, 2) float32 (x, y)."""
    sums = cv2.boxFilter(array, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT)
    height, width = array.shape
    x = np.clip(np.rint(places[:, 0]).astype(np.intp), 0, width - 1)
    y = np.clip(np.rint(places[:, 1]).astype(np.intp), 0, height - 1)
    return sums[y, x]
