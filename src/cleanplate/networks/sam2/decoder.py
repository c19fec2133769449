"""Prompts and the mask decoder of SAM 2.1: SAM's, with finer features and a score of presence.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024, section 4 and appendix D.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.sam.decoder import Perceptron, TwoWayBlock, TwoWayTransformer
from cleanplate.networks.sam.sam import PositionEmbedding
from cleanplate.networks.sam.vit import LayerNorm2d
from cleanplate.networks.sam2.hiera import WIDTH, Mlp

BOX_CORNERS = 2, 3
"""Labels of the two points that a box becomes."""
STABILITY_DELTA, STABILITY = 0.05, 0.98


class PromptEncoder(nn.Module):
    """Points and masks as tokens and a map."""

    def __init__(self) -> None:
        super().__init__()
        self.pe_layer = PositionEmbedding()
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, WIDTH) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, WIDTH)
        self.mask_downscaling = nn.Sequential(
            *(nn.Conv2d(1, 4, 2, 2), LayerNorm2d(4), nn.GELU()),
            *(nn.Conv2d(4, 16, 2, 2), LayerNorm2d(16), nn.GELU()),
            nn.Conv2d(16, WIDTH, 1),
        )
        self.no_mask_embed = nn.Embedding(1, WIDTH)

    def tokens(self, points: Tensor, labels: Tensor) -> Tensor:
        """Points of P objects, with a padding point behind them, as (P, N + 1, 256).

        Args:
            points: (P, N, 2) in 0..1 of the input's sides, x first, pixel centres included.
            labels: (P, N): 0 background, 1 object, 2 and 3 the corners of a box, -1 no point.
        """
        points = functional.pad(points, (0, 0, 0, 1))
        labels = functional.pad(labels, (0, 1), value=-1).long()
        kinds = [self.not_a_point_embed.weight]
        kinds += [
            weight for embedding in self.point_embeddings for weight in embedding.parameters()
        ]
        return self.pe_layer(points) * (labels >= 0)[..., None] + torch.cat(kinds)[labels + 1]

    def none(self) -> Tensor:
        """(1, 0, 256): no tokens."""
        return self.no_mask_embed.weight.new_zeros(1, 0, WIDTH)

    def dense(self, masks: Tensor | None, count: int, grid: int) -> Tensor:
        """(P, 256, grid, grid): what ``masks``, (P, 1, 4 grid, 4 grid) logits, tell of places."""
        if masks is not None:
            return self.mask_downscaling(masks)
        return self.no_mask_embed.weight.view(1, -1, 1, 1).expand(count, -1, grid, grid)

    def places(self, grid: int) -> Tensor:
        """(1, 256, grid, grid): the embedding of every place of the map."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        centres = (torch.arange(grid, device=matrix.device, dtype=matrix.dtype) + 0.5) / grid
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        return self.pe_layer(torch.stack([x, y], dim=-1)).permute(2, 0, 1)[None]


class Transformer(TwoWayTransformer):
    """SAM's, with the keys that SAM 2 has for its linear maps."""

    def __init__(self) -> None:
        super().__init__()
        for layer in self.layers:
            assert isinstance(layer, TwoWayBlock)
            layer.mlp = Mlp((WIDTH, 2048, WIDTH))  # type: ignore[assignment]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the decoder says of P objects: of mask 0, the one to take alone, and of 1 to 3."""

    masks: Tensor
    """(P, 4, s, s) logits at a quarter of the input's side."""
    quality: Tensor
    """(P, 4) predicted IoU."""
    tokens: Tensor
    """(P, 4, 256)."""
    presence: Tensor
    """(P, 1) logit: above 0 the object is in the picture."""

    def three(self) -> Decoded:
        """Masks 1 to 3: whole, part, smaller part."""
        return Decoded(self.masks[:, 1:], self.quality[:, 1:], self.tokens[:, 1:], self.presence)

    def one(self, dynamic: bool = True) -> Decoded:
        """Mask 0, or with ``dynamic`` the best of the others where mask 0 is not stable."""
        masks, quality = self.masks[:, :1], self.quality[:, :1]
        if dynamic:
            masks, quality = chosen(self.masks, self.quality)
        return Decoded(masks, quality, self.tokens[:, :1], self.presence)


def stability(masks: Tensor) -> Tensor:
    """(...): how little the area of logits (..., H, W) depends on where they are cut."""
    flat = masks.flatten(-2)
    narrow, wide = ((flat > at).sum(dim=-1).float() for at in (STABILITY_DELTA, -STABILITY_DELTA))
    return torch.where(wide > 0, narrow / wide, 1.0)


def chosen(masks: Tensor, quality: Tensor) -> tuple[Tensor, Tensor]:
    """Mask 0 of (P, 4, s, s) where it is stable, else the one of the others of best quality."""
    best = quality[:, 1:].argmax(dim=-1, keepdim=True) + 1
    index = torch.where(stability(masks[:, :1]) >= STABILITY, torch.zeros_like(best), best)
    return masks.take_along_dim(index[..., None, None], 1), quality.take_along_dim(index, 1)


class MaskDecoder(nn.Module):
    """Masks, their predicted quality and whether there is anything, from features and prompts."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = Transformer()
        self.iou_token = nn.Embedding(1, WIDTH)
        self.mask_tokens = nn.Embedding(4, WIDTH)
        self.obj_score_token = nn.Embedding(1, WIDTH)
        self.output_upscaling = nn.Sequential(
            *(nn.ConvTranspose2d(WIDTH, 64, 2, 2), LayerNorm2d(64), nn.GELU()),
            *(nn.ConvTranspose2d(64, 32, 2, 2), nn.GELU()),
        )
        self.conv_s0 = nn.Conv2d(WIDTH, 32, 1)
        self.conv_s1 = nn.Conv2d(WIDTH, 64, 1)
        self.output_hypernetworks_mlps = nn.ModuleList(Perceptron(32) for _ in range(4))
        self.iou_prediction_head = Perceptron(4)
        self.pred_obj_score_head = Perceptron(1)

    def forward(
        self, image: Tensor, places: Tensor, sparse: Tensor, dense: Tensor, fine: tuple[Tensor, ...]
    ) -> Decoded:
        """Decode P prompts.

        Args:
            image: (1 or P, 256, g, g) features.
            places: (1, 256, g, g), from ``PromptEncoder.places``.
            sparse: (P, n, 256) tokens of the prompts.
            dense: (P, 256, g, g) of mask prompts.
            fine: (1, 32, 4g, 4g) and (1, 64, 2g, 2g), from ``conv_s0`` and ``conv_s1``.
        """
        learned = (self.obj_score_token, self.iou_token, self.mask_tokens)
        asking = torch.cat([tokens.weight for tokens in learned])[None].expand(len(sparse), -1, -1)
        tokens, seen = self.transformer(
            (image + dense).flatten(2).transpose(1, 2),
            places.flatten(2).transpose(1, 2),
            torch.cat([asking, sparse], dim=1),
        )
        grid = image.shape[-1]
        first, norm, act, second, _ = self.output_upscaling
        large = act(norm(first(seen.transpose(1, 2).unflatten(-1, (grid, grid))) + fine[1]))
        large = act(second(large) + fine[0])
        masks = tokens[:, 2:6]
        weights = [net(masks[:, index]) for index, net in enumerate(self.output_hypernetworks_mlps)]
        return Decoded(
            torch.einsum("pmc,pchw->pmhw", torch.stack(weights, dim=1), large),
            self.iou_prediction_head(tokens[:, 1]).sigmoid(),
            masks,
            self.pred_obj_score_head(tokens[:, 0]),
        )
