"""One object followed by SiamMask: its exemplar and where it was, and no more.

``Follower.look`` is the published step. It says where the object seems to be and changes nothing,
so that whoever asks may disbelieve it: ``accept`` takes a sighting as the new place.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from cleanplate.engines.track.shared.siammask.geometry import (
    OUTSIDE,
    Place,
    Tuning,
    choose,
    crop,
    exemplar_side,
    place_of,
    rotated_box,
    search_side,
    spread,
)
from cleanplate.networks.siammask import EXEMPLAR, SEARCH, Exemplar, SiamMask


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """Where an object seems to be in one frame."""

    place: Place
    """Its upright box, inside the picture."""
    score: float
    """0..1."""
    mask: np.ndarray
    """(H, W) bool; empty where no outline was asked for."""
    probability: np.ndarray
    """(H, W) float32, -1 beyond what was looked at."""
    box: np.ndarray
    """(4, 2) float32: the rotated box around the mask, else the corners of the upright one."""
    cell: tuple[int, int]
    """Row and column of the grid."""


class Follower:
    """One object in one direction of time."""

    def __init__(
        self, network: SiamMask, tuning: Tuning, place: Place, fill: np.ndarray, exemplar: Exemplar
    ) -> None:
        """Args: ``fill`` (3,) float64, BGR: what is shown beyond the border."""
        self._network, self._tuning = network, tuning
        self.place, self._fill, self._exemplar = place, fill, exemplar

    @classmethod
    def start(cls, network: SiamMask, tuning: Tuning, image: np.ndarray, place: Place) -> Follower:
        """Learn the object at ``place`` of an image (H, W, 3) uint8 RGB."""
        picture = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
        fill = picture.mean(axis=(0, 1))
        square = crop(picture, place.x, place.y, exemplar_side(place), EXEMPLAR, fill)
        with torch.inference_mode():
            exemplar = network.exemplar(_tensor(square, network))
        return cls(network, tuning, place, fill, exemplar)

    @classmethod
    def start_on(
        cls, network: SiamMask, tuning: Tuning, image: np.ndarray, mask: np.ndarray
    ) -> Follower:
        """Learn the object under ``mask`` (H, W) bool, which is not empty."""
        return cls.start(network, tuning, image, place_of(mask))

    @torch.inference_mode()
    def look(
        self,
        image: np.ndarray,
        outline: bool = True,
        around: tuple[float, float] | None = None,
    ) -> Sighting:
        """Where the object seems to be.

        Args:
            image: (H, W, 3) uint8 RGB.
            outline: whether its mask is wanted.
            around: where to look, every place alike; None is around its last place.
        """
        height, width = image.shape[:2]
        before = self.place
        if around is not None:
            before = Place(*around, before.width, before.height)
        side = search_side(before)
        square = crop(image, before.x, before.y, side, SEARCH, self._fill[::-1])
        region = self._network.region(_tensor(square[..., ::-1], self._network))
        scores, offsets = self._network.locate(self._exemplar, region)
        choice = choose(
            _array(scores[0]), _array(offsets[0]), before, self._tuning, around is not None
        )
        place = choice.place.clamped(width, height)
        if not outline:
            nowhere = np.full((height, width), OUTSIDE, np.float32)
            cell = choice.row, choice.column
            return Sighting(place, choice.score, nowhere > 0, nowhere, place.corners, cell)
        refines = self._network.refine_model is not None
        draw = self._network.refined_mask if refines else self._network.coarse_mask
        logits = draw(self._exemplar, region, choice.row, choice.column)[0]
        probability = spread(_array(logits.float().sigmoid()), before, choice, height, width)
        mask = probability > self._tuning.threshold
        # The published tracker takes the place's corners before it is drawn into the picture.
        box = rotated_box(mask, choice.place)
        return Sighting(place, choice.score, mask, probability, box, (choice.row, choice.column))

    def accept(self, sighting: Sighting) -> None:
        """Go on from there."""
        self.place = sighting.place

    def state(self) -> dict[str, np.ndarray]:
        """All that ``restore`` needs."""
        place = self.place
        kept = {name: _array(kernel) for name, kernel in self._exemplar._asdict().items()}
        kept["place"] = np.array([place.x, place.y, place.width, place.height])
        return kept | {"fill": self._fill.copy()}

    @classmethod
    def restore(cls, network: SiamMask, tuning: Tuning, state: dict[str, np.ndarray]) -> Follower:
        like = next(network.parameters())
        kernels = (torch.from_numpy(state[name]) for name in Exemplar._fields)
        exemplar = Exemplar(*(kernel.to(like.device, like.dtype) for kernel in kernels))
        place = Place(*(float(v) for v in state["place"]))
        return cls(network, tuning, place, state["fill"], exemplar)


def _tensor(square: np.ndarray, network: SiamMask) -> Tensor:
    like = next(network.parameters())
    picture = torch.from_numpy(np.ascontiguousarray(square)).permute(2, 0, 1)[None]
    return picture.to(like.device, like.dtype, memory_format=torch.channels_last)


def _array(value: Tensor) -> np.ndarray:
    return value.float().cpu().numpy()
