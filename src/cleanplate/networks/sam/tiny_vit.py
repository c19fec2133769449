"""TinyViT (5M), the small encoder of MobileSAM and Light HQ-SAM.

Wu et al., "TinyViT", ECCV 2022; Zhang et al., "Faster Segment Anything", 2023. Maps stay
(B, C, H, W); attention sees them as windows of tokens.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.sam.vit import cut, joined, neck

WIDTHS = (64, 128, 160, 320)
DEPTHS = (2, 2, 6, 2)
HEADS = (2, 4, 5, 10)
WINDOWS = (7, 7, 14, 7)


class ConvNorm(nn.Module):
    """Convolution without bias, then batch normalisation."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.c(x))


class PatchEmbed(nn.Module):
    """(B, 3, 1024, 1024) to (B, 64, 256, 256)."""

    def __init__(self) -> None:
        super().__init__()
        half = WIDTHS[0] // 2
        self.seq = nn.Sequential(
            ConvNorm(3, half, 3, 2), nn.GELU(), ConvNorm(half, WIDTHS[0], 3, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.seq(x)


class MBConv(nn.Module):
    """Inverted bottleneck with a residual; the activation comes after the sum."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, 4 * width)
        self.conv2 = ConvNorm(4 * width, 4 * width, 3, groups=4 * width)
        self.conv3 = ConvNorm(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        inner = functional.gelu(self.conv2(functional.gelu(self.conv1(x))))
        return functional.gelu(self.conv3(inner) + x)


class PatchMerging(nn.Module):
    """To the next stage's width, at half the size or (``stride`` 1) the same."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(inputs, outputs)
        self.conv2 = ConvNorm(outputs, outputs, 3, stride, groups=outputs)
        self.conv3 = ConvNorm(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(functional.gelu(self.conv2(functional.gelu(self.conv1(x)))))


class Attention(nn.Module):
    """Attention inside windows, (windows, n, n, C), with a bias for each distance."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window**2))

    def forward(self, x: Tensor) -> Tensor:
        count, window, _, width = x.shape
        # For each head its query, key and value lie together.
        qkv = self.qkv(self.norm(x)).view(count, window**2, self.heads, 3, width // self.heads)
        q, k, v = qkv.permute(3, 0, 2, 1, 4)
        bias = self.attention_biases[:, _offsets(window).to(q.device)].to(q.dtype)
        found = functional.scaled_dot_product_attention(q, k, v, bias)
        return self.proj(found.transpose(1, 2).reshape(count, window, window, width))


@lru_cache
def _offsets(window: int) -> Tensor:
    """(n, n): for each pair of places in a window of n, the row of the table of biases."""
    place = torch.arange(window)
    apart = (place[:, None] - place).abs()
    offsets = apart[:, None, :, None] * window + apart[None, :, None, :]
    return offsets.reshape(window**2, window**2)


class Mlp(nn.Module):
    """Normalisation and two linear maps."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(self.norm(x))))


class Block(nn.Module):
    """Attention in windows, a local convolution, a perceptron."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = Attention(width, heads, window)
        self.mlp = Mlp(width)
        self.local_conv = ConvNorm(width, width, 3, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        last = x.permute(0, 2, 3, 1)
        # Zeros come in before the attention's own normalisation, which turns them into its bias.
        last = last + joined(self.attn(cut(last, self.window)), last.shape[1:3])
        last = self.local_conv(last.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return (last + self.mlp(last)).permute(0, 3, 1, 2)


class Layer(nn.Module):
    """One stage: its blocks, then the way to the next stage if there is one."""

    def __init__(self, stage: int) -> None:
        super().__init__()
        width = WIDTHS[stage]
        self.blocks = nn.ModuleList(
            Block(width, HEADS[stage], WINDOWS[stage]) if stage else MBConv(width)
            for _ in range(DEPTHS[stage])
        )
        if stage + 1 < len(WIDTHS):
            after = WIDTHS[stage + 1]
            # The last stage keeps the size: SAM's decoder wants 64 x 64.
            self.downsample = PatchMerging(width, after, 1 if after == WIDTHS[-1] else 2)
        else:
            self.downsample = None

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViT(nn.Module):
    """The encoder. ``norm_head`` and ``head`` are in the published files and serve nothing here."""

    early_width = WIDTHS[2]

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed()
        self.layers = nn.ModuleList(Layer(stage) for stage in range(len(WIDTHS)))
        self.norm_head = nn.LayerNorm(WIDTHS[-1])
        self.head = nn.Linear(WIDTHS[-1], 1000)
        self.neck = neck(WIDTHS[-1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """``x`` (B, 3, 1024, 1024), normalised.

        Returns:
            The embedding (B, 256, 64, 64), and the output of the second stage, (B, 160, 64, 64),
            which Light HQ-SAM's decoder reads.
        """
        x = self.patch_embed(x)
        early = x
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index == 1:
                early = x
        return self.neck(x), early
