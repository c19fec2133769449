"""What SAM 2.1 remembers of a frame, and how a later frame looks at it.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024, section 4 and appendix D.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.sam.vit import LayerNorm2d
from cleanplate.networks.sam2.hiera import WIDTH
from cleanplate.networks.sam2.positions import rotated, rotations, sine_map

MEMORY_WIDTH = 64


# --- remembering -------------------------------------------------------------------------------


class MaskDownsampler(nn.Module):
    """(B, 1, S, S) to (B, 256, S / 16, S / 16)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in ((1, 4), (4, 16), (16, 64), (64, 256)):
            layers += [nn.Conv2d(inputs, outputs, 3, 2, 1), LayerNorm2d(outputs), nn.GELU()]
        self.encoder = nn.Sequential(*layers, nn.Conv2d(256, WIDTH, 1))

    def forward(self, mask: Tensor) -> Tensor:
        """(P, 1, S, S) scaled masks to (P, 256, S / 16, S / 16)."""
        return self.encoder(mask)


class Mixer(nn.Module):
    """A block of ConvNeXt (Liu et al., CVPR 2022)."""

    def __init__(self) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(WIDTH, WIDTH, 7, padding=3, groups=WIDTH)
        self.norm = LayerNorm2d(WIDTH)
        self.pwconv1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.pwconv2 = nn.Linear(4 * WIDTH, WIDTH)
        self.gamma = nn.Parameter(torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """(P, 256, g, g); the same shape again."""
        tokens = self.norm(self.dwconv(x)).permute(0, 2, 3, 1)
        mixed = self.pwconv2(functional.gelu(self.pwconv1(tokens)))
        return x + (self.gamma * mixed).permute(0, 3, 1, 2)


class Fuser(nn.Module):
    """Two such blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([Mixer(), Mixer()])

    def forward(self, x: Tensor) -> Tensor:
        """(P, 256, g, g); the same shape again."""
        for layer in self.layers:
            x = layer(x)
        return x


class MemoryEncoder(nn.Module):
    """A frame's features and its mask in 64 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.mask_downsampler = MaskDownsampler()
        self.pix_feat_proj = nn.Conv2d(WIDTH, WIDTH, 1)
        self.fuser = Fuser()
        self.out_proj = nn.Conv2d(WIDTH, MEMORY_WIDTH, 1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """``features`` (1 or B, 256, g, g), ``mask`` (B, 1, 16g, 16g) in -10..10; (B, 64, g, g)."""
        seen = self.pix_feat_proj(features) + self.mask_downsampler(mask)
        return self.out_proj(self.fuser(seen))


# --- looking back ------------------------------------------------------------------------------


class RotaryAttention(nn.Module):
    """Attention of one head whose queries and keys are turned by their places."""

    def __init__(self, key_width: int = WIDTH) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.k_proj = nn.Linear(key_width, WIDTH)
        self.v_proj = nn.Linear(key_width, WIDTH)
        self.out_proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, unplaced: int = 0) -> Tensor:
        """Tokens (B, n, 256) look at keys (B, m, w); the last ``unplaced`` keys have no place."""
        q, k, v = self.q_proj(q), self.k_proj(k), self.v_proj(v)
        table = rotations(round(q.shape[1] ** 0.5), WIDTH, str(q.device))
        placed = k.shape[1] - unplaced
        k = torch.cat([rotated(k[:, :placed], table), k[:, placed:]], dim=1)
        # One head, said out loud: four axes are what the quick kernels take.
        q, k, v = (part[:, None] for part in (rotated(q, table), k, v))
        return self.out_proj(functional.scaled_dot_product_attention(q, k, v)[:, 0])


class MemoryLayer(nn.Module):
    """The frame looks at itself, then at what is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = RotaryAttention()
        self.cross_attn_image = RotaryAttention(MEMORY_WIDTH)
        self.linear1 = nn.Linear(WIDTH, 2048)
        self.linear2 = nn.Linear(2048, WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.norm3 = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, memory: Tensor, keys: Tensor, pointers: int) -> Tensor:
        """One round of looking at the frame itself and at what is remembered.

        Args:
            x: (B, g^2, 256) tokens of the frame.
            memory: (B, m, 64) tokens.
            keys: (B, m, 64), the memory with its positions: what is compared.
            pointers: how many of the last tokens belong to pointers, which have no place.

        Returns:
            (B, g^2, 256).
        """
        normed = self.norm1(x)
        x = x + self.self_attn(normed, normed, normed)
        x = x + self.cross_attn_image(self.norm2(x), keys, memory, pointers)
        return x + self.linear2(functional.relu(self.linear1(self.norm3(x))))


class MemoryAttention(nn.Module):
    """Four such layers."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(MemoryLayer() for _ in range(4))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, features: Tensor, memory: Tensor, positions: Tensor, pointers: int) -> Tensor:
        """The features of a frame, in the light of what is remembered.

        Args:
            features: (B, 256, g, g).
            memory: (B, m, 64) tokens: g^2 of each remembered frame, then those of pointers.
            positions: (1 or B, m, 64), added where memory is looked for but not where it is read.
            pointers: how many of the last tokens belong to pointers, which have no place.

        Returns:
            (B, 256, g, g).
        """
        grid = features.shape[-1]
        code = sine_map(WIDTH, grid, grid, str(features.device))
        x = (features + 0.1 * code).flatten(2).transpose(1, 2)
        keys = memory + positions
        for layer in self.layers:
            x = layer(x, memory, keys, pointers)
        return self.norm(x).transpose(1, 2).unflatten(2, (grid, grid))
