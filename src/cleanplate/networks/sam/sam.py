"""SAM, HQ-SAM, Light HQ-SAM and MobileSAM: an image encoded once, prompts decoded at will.

Kirillov et al., "Segment Anything", ICCV 2023; Ke et al., "Segment Anything in High Quality",
NeurIPS 2023; Zhang et al., "Faster Segment Anything", 2023. One description serves all: what
differs is the encoder (``sam_vit``, ``tiny_vit``) and HQ-SAM's sixth token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.sam.tiny_vit import TinyViT
from cleanplate.networks.sam.vit import (
    GRID,
    VIT_B,
    VIT_H,
    VIT_L,
    ImageEncoderViT,
    LayerNorm2d,
    Mlp,
    Size,
)

SIDE = 1024
"""Of the square that every image is fitted into."""
MASK_SIDE = 256
"""Of the masks that the decoder gives and takes."""
WIDTH = 256
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
        given = [one for one in (boxes, points, masks) if one is not None]
        count = len(given[0]) if given else 1
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
        return torch.cat([weight for one in self.point_embeddings for weight in one.parameters()])

    def grid(self) -> Tensor:
        """(1, 256, 64, 64): the embedding of every place of the map."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        centres = (torch.arange(GRID, device=matrix.device, dtype=matrix.dtype) + 0.5) / GRID
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        return self.pe_layer(torch.stack([x, y], dim=-1)).permute(2, 0, 1)[None]


# --- the decoder -------------------------------------------------------------------------------


class Attention(nn.Module):
    """Attention with projections, inside at ``width // shrink`` channels."""

    def __init__(self, shrink: int = 1) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH // shrink)
        self.k_proj = nn.Linear(WIDTH, WIDTH // shrink)
        self.v_proj = nn.Linear(WIDTH, WIDTH // shrink)
        self.out_proj = nn.Linear(WIDTH // shrink, WIDTH)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = (
            one.unflatten(-1, (8, -1)).transpose(1, 2)
            for one in (self.q_proj(q), self.k_proj(k), self.v_proj(v))
        )
        found = functional.scaled_dot_product_attention(q, k, v)
        return self.out_proj(found.transpose(1, 2).flatten(2))


class TwoWayBlock(nn.Module):
    """Tokens look at each other and at the image, and the image at them."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.cross_attn_token_to_image = Attention(2)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.mlp = Mlp(WIDTH, 2048, nn.ReLU)
        self.norm3 = nn.LayerNorm(WIDTH)
        self.cross_attn_image_to_token = Attention(2)
        self.norm4 = nn.LayerNorm(WIDTH)

    def forward(
        self, tokens: Tensor, image: Tensor, prompts: Tensor, places: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.first:
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            q = tokens + prompts
            tokens = tokens + self.self_attn(q, q, tokens)
        tokens = self.norm1(tokens)
        k = image + places
        tokens = tokens + self.cross_attn_token_to_image(tokens + prompts, k, image)
        tokens = self.norm2(tokens)
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = image + self.cross_attn_image_to_token(k, tokens + prompts, tokens)
        return tokens, self.norm4(image)


class TwoWayTransformer(nn.Module):
    """Two such blocks, and a last look of the tokens at the image."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([TwoWayBlock(first=True), TwoWayBlock(first=False)])
        self.final_attn_token_to_image = Attention(2)
        self.norm_final_attn = nn.LayerNorm(WIDTH)

    def forward(self, image: Tensor, places: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """``image`` (P, n, 256), ``places`` (1, n, 256), ``prompts`` (P, t, 256)."""
        tokens = prompts
        for layer in self.layers:
            tokens, image = layer(tokens, image, prompts, places)
        found = self.final_attn_token_to_image(tokens + prompts, image + places, image)
        return self.norm_final_attn(tokens + found), image


class Perceptron(nn.Module):
    """Three linear maps with ReLU between."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, size) for size in (WIDTH, WIDTH, outputs))

    def forward(self, x: Tensor) -> Tensor:
        first, second, last = self.layers
        return last(functional.relu(second(functional.relu(first(x)))))


def _enlarge(inputs: int, middle: int, outputs: int) -> list[nn.Module]:
    """Four times larger in two steps."""
    return [
        *(nn.ConvTranspose2d(inputs, middle, 2, 2), LayerNorm2d(middle), nn.GELU()),
        nn.ConvTranspose2d(middle, outputs, 2, 2),
    ]


class MaskDecoder(nn.Module):
    """Masks and their predicted quality from an image's embedding and prompts."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer()
        self.iou_token = nn.Embedding(1, WIDTH)
        self.mask_tokens = nn.Embedding(4, WIDTH)
        self.output_upscaling = nn.Sequential(*_enlarge(WIDTH, 64, 32), nn.GELU())
        self.output_hypernetworks_mlps = nn.ModuleList(Perceptron(32) for _ in range(4))
        self.iou_prediction_head = Perceptron(4)

    def own_tokens(self) -> Tensor:
        """(1, t, 256): the tokens that stand before those of the prompts."""
        return torch.cat([self.iou_token.weight, self.mask_tokens.weight])[None]

    def forward(
        self, image: Tensor, places: Tensor, sparse: Tensor, dense: Tensor, detail: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Decode P prompts for one image.

        Args:
            image: (1, 256, 64, 64), the embedding.
            places: (1, 256, 64, 64), from ``PromptEncoder.grid``.
            sparse: (P, n, 256), ``dense`` (P, 256, 64, 64): the prompts.
            dense: see ``sparse``.
            detail: (1, 32, 256, 256), what HQ-SAM adds; None for SAM.

        Returns:
            Logits (P, 4, 256, 256), or (P, 5, ...) with HQ-SAM's mask last; quality (P, 4).
        """
        own = self.own_tokens().expand(len(sparse), -1, -1)
        source = (image + dense).flatten(2).transpose(1, 2)
        tokens, seen = self.transformer(
            source, places.flatten(2).transpose(1, 2), torch.cat([own, sparse], dim=1)
        )
        large = self.output_upscaling(seen.transpose(1, 2).reshape(-1, WIDTH, GRID, GRID))
        weights = [
            one(tokens[:, 1 + index]) for index, one in enumerate(self.output_hypernetworks_mlps)
        ]
        masks = torch.einsum("pmc,pchw->pmhw", torch.stack(weights, dim=1), large)
        if detail is not None:
            masks = torch.cat([masks, self.refined(tokens, large, detail)], dim=1)
        return masks, self.iou_prediction_head(tokens[:, 0])

    def refined(self, tokens: Tensor, large: Tensor, detail: Tensor) -> Tensor:
        raise NotImplementedError("SAM's decoder has no detail; HQ-SAM's has")


class MaskDecoderHQ(MaskDecoder):
    """SAM's decoder with a token of its own for borders (HQ-SAM, section 3)."""

    def __init__(self, early_width: int) -> None:
        super().__init__()
        self.hf_token = nn.Embedding(1, WIDTH)
        self.hf_mlp = Perceptron(32)
        self.compress_vit_feat = nn.Sequential(*_enlarge(early_width, WIDTH, 32))
        self.embedding_encoder = nn.Sequential(*_enlarge(WIDTH, 64, 32))
        self.embedding_maskfeature = nn.Sequential(
            *(nn.Conv2d(32, 64, 3, padding=1), LayerNorm2d(64), nn.GELU()),
            nn.Conv2d(64, 32, 3, padding=1),
        )

    def own_tokens(self) -> Tensor:
        return torch.cat([super().own_tokens(), self.hf_token.weight[None]], dim=1)

    def detail(self, image: Tensor, early: Tensor) -> Tensor:
        """(1, 32, 256, 256), once an image: fine and late features together."""
        return self.embedding_encoder(image) + self.compress_vit_feat(early)

    def refined(self, tokens: Tensor, large: Tensor, detail: Tensor) -> Tensor:
        """(P, 1, 256, 256): HQ-SAM's own logits."""
        weights = self.hf_mlp(tokens[:, 5])
        features = self.embedding_maskfeature(large) + detail
        return torch.einsum("pc,pchw->phw", weights, features)[:, None]


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
        found, quality = self.mask_decoder(
            encoded.embedding, self.prompt_encoder.grid(), sparse, dense, encoded.detail
        )
        plain = slice(1, 4) if several else slice(0, 1)
        base, quality = found[:, plain], quality[:, plain]
        if encoded.detail is None:
            return base, quality
        best = quality.argmax(dim=1, keepdim=True)
        base = base.take_along_dim(best[..., None, None], dim=1)
        refined = found[:, 4:]
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
    return Sam(VIT_B, high_quality=False)


def sam_vit_l() -> Sam:
    return Sam(VIT_L, high_quality=False)


def sam_vit_h() -> Sam:
    return Sam(VIT_H, high_quality=False)


def sam_hq_vit_b() -> Sam:
    return Sam(VIT_B, high_quality=True)


def sam_hq_vit_l() -> Sam:
    return Sam(VIT_L, high_quality=True)


def sam_hq_vit_h() -> Sam:
    return Sam(VIT_H, high_quality=True)


def sam_hq_vit_tiny() -> Sam:
    return Sam(None, high_quality=True)


def mobile_sam() -> Sam:
    return Sam(None, high_quality=False)
