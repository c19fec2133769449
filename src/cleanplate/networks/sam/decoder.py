"""SAM's mask decoder: prompts and picture look at each other, both ways; HQ-SAM's sixth token.

Kirillov et al., "Segment Anything", ICCV 2023, appendix A; Ke et al., "Segment Anything in High
Quality", NeurIPS 2023, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.sam.vit import GRID, LayerNorm2d, Mlp

WIDTH = 256
"""Channels of tokens and of the picture's embedding."""


class Attention(nn.Module):
    """Attention with projections, inside at ``width // shrink`` channels."""

    def __init__(self, shrink: int = 1) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH // shrink)
        self.k_proj = nn.Linear(WIDTH, WIDTH // shrink)
        self.v_proj = nn.Linear(WIDTH, WIDTH // shrink)
        self.out_proj = nn.Linear(WIDTH // shrink, WIDTH)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(P, t, 256): what the queries ``q`` (P, t, 256) read from keys and values (P, n, 256)."""
        q, k, v = (
            tokens.unflatten(-1, (8, -1)).transpose(1, 2)
            for tokens in (self.q_proj(q), self.k_proj(k), self.v_proj(v))
        )
        attended = functional.scaled_dot_product_attention(q, k, v)
        return self.out_proj(attended.transpose(1, 2).flatten(2))


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
        """The tokens and the image after the block, of the shapes of ``tokens`` and ``image``.

        Args:
            tokens: (P, t, 256).
            image: (P, n, 256), the map as n places.
            prompts: (P, t, 256), the first tokens: added to each token's query and key.
            places: (1, n, 256), the position embedding of the map.
        """
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
        """The tokens (P, t, 256) and the image (P, n, 256) after two blocks.

        ``image`` is (P, n, 256), ``places`` (1, n, 256), ``prompts`` (P, t, 256).
        """
        tokens = prompts
        for layer in self.layers:
            tokens, image = layer(tokens, image, prompts, places)
        attended = self.final_attn_token_to_image(tokens + prompts, image + places, image)
        return self.norm_final_attn(tokens + attended), image


class Perceptron(nn.Module):
    """Three linear maps with ReLU between."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, size) for size in (WIDTH, WIDTH, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(..., 256) to (..., outputs)."""
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
        first = self.own_tokens().expand(len(sparse), -1, -1)
        source = (image + dense).flatten(2).transpose(1, 2)
        tokens, seen = self.transformer(
            source, places.flatten(2).transpose(1, 2), torch.cat([first, sparse], dim=1)
        )
        large = self.output_upscaling(seen.transpose(1, 2).reshape(-1, WIDTH, GRID, GRID))
        weights = [
            perceptron(tokens[:, 1 + index])
            for index, perceptron in enumerate(self.output_hypernetworks_mlps)
        ]
        masks = torch.einsum("pmc,pchw->pmhw", torch.stack(weights, dim=1), large)
        if detail is not None:
            masks = torch.cat([masks, self.refined(tokens, large, detail)], dim=1)
        return masks, self.iou_prediction_head(tokens[:, 0])

    def refined(self, tokens: Tensor, large: Tensor, detail: Tensor) -> Tensor:
        """HQ-SAM's own logits (P, 1, 256, 256); SAM's decoder has none. See ``MaskDecoderHQ``."""
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
        """(1, t + 1, 256): SAM's, then the token for borders."""
        return torch.cat([super().own_tokens(), self.hf_token.weight[None]], dim=1)

    def detail(self, image: Tensor, early: Tensor) -> Tensor:
        """(1, 32, 256, 256), once an image: fine and late features together."""
        return self.embedding_encoder(image) + self.compress_vit_feat(early)

    def refined(self, tokens: Tensor, large: Tensor, detail: Tensor) -> Tensor:
        """(P, 1, 256, 256): HQ-SAM's own logits."""
        weights = self.hf_mlp(tokens[:, 5])
        features = self.embedding_maskfeature(large) + detail
        return torch.einsum("pc,pchw->phw", weights, features)[:, None]
