"""SAM, HQ-SAM, Light HQ-SAM and MobileSAM: an image encoded once, prompts decoded at will.

Kirillov et al., "Segment Anything", ICCV 2023; Ke et al., "Segment Anything in High Quality",
NeurIPS 2023; Zhang et al., "Faster Segment Anything", 2023. One description serves all: what
differs is the encoder (``vit``, ``tiny_vit``) and HQ-SAM's sixth token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.sam.decoder import WIDTH, MaskDecoder, MaskDecoderHQ
from cleanplate.networks.sam.tiny_vit import TinyViT
from cleanplate.networks.sam.vit import (
    GRID,
    VIT_B,
    VIT_H,
    VIT_L,
    ImageEncoderViT,
    LayerNorm2d,
    Size,
)

SIDE = 1024
"""Of the square that every image is fitted into."""
MASK_SIDE = 256
"""Of the masks that the decoder gives and takes."""
MEAN = (123.675, 116.28, 103.53)
STD = (58.395, 57.12, 57.375)


# --- prompts -----------------------------------------------------------------------------------


class PositionEmbedding(nn.Module):
    """Random Fourier features of places in 0..1."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, WIDTH // 2))

    def forward(self, places: Tensor) -> Tensor:
        """``places`` (..., 2), x first, in 0..1; (..., 256)."""
        turned = (2 * places - 1) @ self.positional_encoding_gaussian_matrix
        turned = 2 * math.pi * turned
        return torch.cat([turned.sin(), turned.cos()], dim=-1)


class PromptEncoder(nn.Module):
    """Points, boxes and masks as tokens and a map."""

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

    def forward(
        self,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Prompts of P objects, in pixels of the 1024 frame.

        Args:
            points: (P, N, 2) float, x first.
            labels: (P, N): 1 object, 0 background, -1 no point.
            boxes: (P, 4) float, x0 y0 x1 y1.
            masks: (P, 1, 256, 256) logits.

        Returns:
            Tokens (P, n, 256), and a map (P, 256, 64, 64).
        """
        tokens = []
        if points is not None and labels is not None:
            if boxes is None:  # without a box a place is held for one
                points = functional.pad(points, (0, 0, 0, 1))
                labels = functional.pad(labels, (0, 1), value=-1)
            tokens.append(self._points(points, labels))
        if boxes is not None:
            corners = self.pe_layer((boxes.view(-1, 2, 2) + 0.5) / SIDE)
            tokens.append(corners + self._kinds()[2:])
        prompts = [prompt for prompt in (boxes, points, masks) if prompt is not None]
        count = len(prompts[0]) if prompts else 1
        if masks is not None:
            dense = self.mask_downscaling(masks)
        else:
            dense = self.no_mask_embed.weight.view(1, -1, 1, 1).expand(count, -1, GRID, GRID)
        none = self.no_mask_embed.weight.new_zeros(count, 0, WIDTH)
        return torch.cat(tokens, dim=1) if tokens else none, dense

    def _points(self, points: Tensor, labels: Tensor) -> Tensor:
        kinds = torch.cat([self.not_a_point_embed.weight, self._kinds()[:2]])
        places = self.pe_layer((points + 0.5) / SIDE)
        return places * (labels >= 0)[..., None] + kinds[labels.long() + 1]

    def _kinds(self) -> Tensor:
        """(4, 256): background, object, the two corners of a box."""
        return torch.cat(
            [weight for embedding in self.point_embeddings for weight in embedding.parameters()]
        )

    def grid(self) -> Tensor:
        """(1, 256, 64, 64): the embedding of every place of the map."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        centres = (torch.arange(GRID, device=matrix.device, dtype=matrix.dtype) + 0.5) / GRID
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        return self.pe_layer(torch.stack([x, y], dim=-1)).permute(2, 0, 1)[None]


# --- the whole ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Encoded:
    """All that prompts need to know of an image."""

    embedding: Tensor
    """(1, 256, 64, 64)."""
    detail: Tensor | None
    """(1, 32, 256, 256) for HQ-SAM."""

    def float(self) -> Encoded:
        """The same in float32."""
        return Encoded(self.embedding.float(), None if self.detail is None else self.detail.float())


class Sam(nn.Module):
    """Encoder, prompts and decoder, with the keys of the published files."""

    def __init__(self, size: Size | None, high_quality: bool) -> None:
        """``size`` of the encoder, None for TinyViT."""
        super().__init__()
        self.image_encoder = TinyViT() if size is None else ImageEncoderViT(size)
        self.prompt_encoder = PromptEncoder()
        width = self.image_encoder.early_width
        self.mask_decoder = MaskDecoderHQ(width) if high_quality else MaskDecoder()

    def encode(self, image: Tensor) -> Encoded:
        """``image`` (1, 3, 1024, 1024), from ``prepared``."""
        embedding, early = self.image_encoder(image)
        decoder = self.mask_decoder
        detail = decoder.detail(embedding, early) if isinstance(decoder, MaskDecoderHQ) else None
        return Encoded(embedding, detail)

    def decode(
        self,
        encoded: Encoded,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        masks: Tensor | None = None,
        *,
        several: bool = False,
        refined_only: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Masks for the prompts of P objects; see ``PromptEncoder`` for the arguments.

        Args:
            several: three masks of different extent in place of one; HQ-SAM gives the one of the
                best predicted quality.
            refined_only: HQ-SAM's own logits alone, not added to SAM's.

        Returns:
            Logits (P, C, 256, 256) and predicted quality (P, C); C is 3 for SAM with ``several``.
        """
        sparse, dense = self.prompt_encoder(points, labels, boxes, masks)
        logits, quality = self.mask_decoder(
            encoded.embedding, self.prompt_encoder.grid(), sparse, dense, encoded.detail
        )
        plain = slice(1, 4) if several else slice(0, 1)
        base, quality = logits[:, plain], quality[:, plain]
        if encoded.detail is None:
            return base, quality
        best = quality.argmax(dim=1, keepdim=True)
        base = base.take_along_dim(best[..., None, None], dim=1)
        refined = logits[:, 4:]
        return refined if refined_only else base + refined, quality.take_along_dim(best, dim=1)


def prepared(image: Tensor) -> Tensor:
    """(h, w, 3) values 0..255, already at the size of ``fitted``, as (1, 3, 1024, 1024)."""
    mean, std = image.new_tensor(MEAN), image.new_tensor(STD)
    planes = ((image - mean) / std).permute(2, 0, 1)[None]
    return functional.pad(planes, (0, SIDE - planes.shape[3], 0, SIDE - planes.shape[2]))


def fitted(height: int, width: int) -> tuple[int, int]:
    """Height and width at which an image fills the 1024 frame along its longer side."""
    scale = SIDE / max(height, width)
    return int(height * scale + 0.5), int(width * scale + 0.5)


def enlarged(logits: Tensor, height: int, width: int) -> Tensor:
    """(P, C, 256, 256) logits at the size of the original image, (P, C, height, width)."""
    down, across = fitted(height, width)
    # Two steps, as published: one combined resize gives other borders.
    full = functional.interpolate(logits, (SIDE, SIDE), mode="bilinear", align_corners=False)
    return functional.interpolate(
        full[..., :down, :across], (height, width), mode="bilinear", align_corners=False
    )


def sam_vit_b() -> Sam:
    """SAM with ViT-B, 91 million parameters."""
    return Sam(VIT_B, high_quality=False)


def sam_vit_l() -> Sam:
    """SAM with ViT-L, 308 million parameters."""
    return Sam(VIT_L, high_quality=False)


def sam_vit_h() -> Sam:
    """SAM with ViT-H, 636 million parameters."""
    return Sam(VIT_H, high_quality=False)


def sam_hq_vit_b() -> Sam:
    """HQ-SAM with ViT-B."""
    return Sam(VIT_B, high_quality=True)


def sam_hq_vit_l() -> Sam:
    """HQ-SAM with ViT-L."""
    return Sam(VIT_L, high_quality=True)


def sam_hq_vit_h() -> Sam:
    """HQ-SAM with ViT-H."""
    return Sam(VIT_H, high_quality=True)


def sam_hq_vit_tiny() -> Sam:
    """Light HQ-SAM: HQ-SAM with TinyViT."""
    return Sam(None, high_quality=True)


def mobile_sam() -> Sam:
    """MobileSAM: SAM with TinyViT."""
    return Sam(None, high_quality=False)
