"""SAM 2.1: outlines anything that a click, a box or a rough mask points at, in sharper detail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import cv2
import numpy as np

from cleanplate.engines import sam2 as pictures
from cleanplate.engines.segment.shared.sam import LOGIT, Decoded, Encoded, SamEngine, SamSettings
from cleanplate.protocols import About, Choice
from cleanplate.settings import setting

if TYPE_CHECKING:
    from torch import Tensor

LIMIT = 32.0  # logits given back as a prompt lie within plus and minus this


@dataclass(frozen=True, slots=True)
class Settings(SamSettings):
    """How large a network, how large a picture, and how many masks."""

    model: str = setting(
        "tiny", "Size: tiny (quick), small, base_plus, large (best).", choices=pictures.SIZES
    )
    side: int = setting(
        1024,
        "Side of the square in which the network sees a picture; less is quicker and coarser.",
        choices=pictures.SIDES,
        unit="px",
    )


class Engine(SamEngine):
    """Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024."""

    about: ClassVar = About(
        "segment",
        "sam2",
        "Outlines anything that a click, a box or a rough mask points at, with fine detail.",
        needs=("torch", "PIL"),
        extra="networks",
        checkpoints=pictures.CHECKPOINTS,
        order=25,
        choices=(
            Choice(
                "Learned: SAM 2.1",
                "Recognises objects, with fine edges.",
            ),
        ),
    )
    Settings: ClassVar = Settings

    @property
    def checkpoint(self) -> str:
        """Name of the weights that the chosen size needs."""
        return pictures.checkpoint_of(self.settings.model)

    def decode_many(
        self,
        encoded: Encoded,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        boxes: np.ndarray | None = None,
        low: np.ndarray | None = None,
        *,
        several: bool = False,
        refined_only: bool = False,
    ) -> Decoded:
        """Masks for P objects of one picture at once; see ``SamEngine.decode_many``.

        ``low`` has a quarter of the side; ``refined_only`` means nothing here.
        """
        torch, device, side = self._torch, self.runtime.device, self.settings.side

        def tensor(values: np.ndarray | None) -> Tensor | None:
            if values is None:
                return None
            return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(device)

        points, labels = with_corners(points, labels, boxes)
        places = None
        if points is not None:  # to pixels of the network's frame first, as published
            scaled = (points / np.array(encoded.size[::-1]) * side).astype(np.float32)
            places = (scaled + np.float32(0.5)) / np.float32(side)
        masks = None if low is None else low.reshape(-1, 1, *low.shape[-2:])
        features = encoded.embedding
        with torch.inference_mode():
            decoded = self._network.decode(
                self._network.alone(features), features, *map(tensor, (places, labels, masks))
            )
            decoded = decoded.three() if several else decoded.one()
            full = pictures.resized(decoded.masks, encoded.size)
            small = decoded.masks.clamp(-LIMIT, LIMIT)
            return Decoded(*(tensor.cpu().numpy() for tensor in (small, full, decoded.quality)))

    def mask_prompt(self, mask: np.ndarray) -> np.ndarray:
        """(s, s) float32, a quarter of the side: a binary ``mask`` (H, W) as SAM takes masks."""
        side = self.settings.side
        frame = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        inside = cv2.resize(frame, (side // 4, side // 4), interpolation=cv2.INTER_AREA)
        return (2 * inside - 1) * LOGIT

    def _loaded(self) -> Any:
        return pictures.loaded(self.settings.model, self.settings.weights, self.runtime)

    def _encode(self, image: np.ndarray) -> Encoded:
        pixels = pictures.still_pixels(image, self.settings.side)
        return Encoded(pictures.features_of(self._network, pixels, self.runtime), image.shape[:2])


def with_corners(
    points: np.ndarray | None, labels: np.ndarray | None, boxes: np.ndarray | None
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Points and labels with those that boxes (P, 4) become before them."""
    if boxes is None:
        return points, labels
    corners = np.asarray(boxes, np.float64).reshape(-1, 2, 2)
    kinds = np.tile([2, 3], (len(corners), 1))
    if points is None or labels is None:
        return corners, kinds
    return np.concatenate([corners, points], axis=1), np.concatenate([kinds, labels], axis=1)
