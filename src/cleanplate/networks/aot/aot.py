"""AOT and DeAOT in all published sizes: up to ten objects carried from frame to frame at once.

Yang et al., NeurIPS 2021; Yang and Yang, NeurIPS 2022. The network keeps nothing: memories are
given to it and come back from it (``aot_layers``); the video around it is the engine's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.aot.attention import Size, as_map, as_tokens
from cleanplate.networks.aot.layers import WIDTH, AotLayer, DeAotLayer, KeyValue, Seen
from cleanplate.networks.aot.mobilenet_v2 import MobileNetV2
from cleanplate.networks.aot.resnet import ResNet50
from cleanplate.networks.aot.swin import SwinB
from cleanplate.networks.layers.frozen import fold_all
from cleanplate.networks.layers.fused import convolved

OBJECTS = 10
"""Most objects of one pass."""
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)

Memory = list[tuple[KeyValue, KeyValue]]
"""For each layer its long-term and its short-term memory."""


@dataclass(frozen=True, slots=True)
class Variant:
    """What differs between the published sizes."""

    gated: bool
    """DeAOT; AOT else."""
    encoder: type[MobileNetV2] | type[ResNet50] | type[SwinB]
    layers: int
    align_corners: bool = True


# --- parts -------------------------------------------------------------------------------------


def position_embedding(size: Size) -> Tensor:
    """(1, 256, height, width): sines of the row, then of the column (section 6.3 of the notes)."""
    features = WIDTH // 2
    frequency = 10000 ** (2 * (torch.arange(features) // 2) / features)

    def axis(length: int) -> Tensor:
        place = torch.arange(length, dtype=torch.float32)
        turned = (place / (length - 1 + 1e-6) * 2 * math.pi)[:, None] / frequency
        return torch.stack([turned[:, 0::2].sin(), turned[:, 1::2].cos()], dim=2).flatten(1)

    rows, columns = axis(size[0]), axis(size[1])
    both = torch.cat(
        [rows[:, None].expand(-1, size[1], -1), columns[None].expand(size[0], -1, -1)], dim=2
    )
    return both.permute(2, 0, 1)[None]


class GroupNorm1d(nn.Module):
    """Two groups over channels and all positions of (B, T, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.gn = nn.GroupNorm(2, 2 * WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.gn(x.transpose(1, 2)).transpose(1, 2)


class Propagation(nn.Module):
    """The stack of layers (long short-term transformer)."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        count = variant.layers
        if variant.gated:
            layers = [DeAotLayer(first=index == 0) for index in range(count)]
            self.decoder_norms = nn.ModuleList([GroupNorm1d()])
        else:
            layers = [AotLayer() for _ in range(count)]
            self.decoder_norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(count))
            self.mask_token = nn.Parameter(torch.zeros(1, 1, WIDTH))  # in the files, never used
        self.layers = nn.ModuleList(layers)


class ConvNorm(nn.Module):
    """Convolution and group norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
        self.gn = nn.GroupNorm(8, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.gn(convolved(x, self.conv)), inplace=True)


class Decoder(nn.Module):
    """From tokens at 1/16 to logits at 1/4, the encoder's maps added on the way."""

    def __init__(self, inputs: int, widths: tuple[int, ...], align_corners: bool) -> None:
        super().__init__()
        self.align_corners = align_corners
        self.conv_in = ConvNorm(inputs, WIDTH, 1)
        self.conv_16x = ConvNorm(WIDTH, WIDTH, 3)
        self.conv_8x = ConvNorm(WIDTH, WIDTH // 2, 3)
        self.conv_4x = ConvNorm(WIDTH // 2, WIDTH // 2, 3)
        self.conv_out = nn.Conv2d(WIDTH // 2, OBJECTS + 1, 1)
        self.adapter_16x = nn.Conv2d(widths[2], WIDTH, 1)
        self.adapter_8x = nn.Conv2d(widths[1], WIDTH, 1)
        self.adapter_4x = nn.Conv2d(widths[0], WIDTH // 2, 1)

    def forward(self, x: Tensor, maps: list[Tensor]) -> Tensor:
        x = self.conv_16x(convolved(maps[2], self.adapter_16x, past=self.conv_in(x)))
        x = self.conv_8x(convolved(maps[1], self.adapter_8x, past=self._enlarged(x, maps[1])))
        x = self.conv_4x(convolved(maps[0], self.adapter_4x, past=self._enlarged(x, maps[0])))
        return self.conv_out(x)

    def _enlarged(self, x: Tensor, like: Tensor) -> Tensor:
        return functional.interpolate(
            x, like.shape[2:], mode="bilinear", align_corners=self.align_corners
        )


# --- the whole ---------------------------------------------------------------------------------


class Aot(nn.Module):
    """Encoder, identity bank, propagation, decoder, with the keys of the published files."""

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        self.encoder = variant.encoder()
        widths = self.encoder.widths
        self.encoder_projector = nn.Conv2d(widths[-1], WIDTH, 1)
        self.LSTT = Propagation(variant)
        inputs = 2 * WIDTH if variant.gated else WIDTH * (variant.layers + 1)
        self.decoder = Decoder(inputs, widths, variant.align_corners)
        kernel = (17, 8) if variant.align_corners else (16, 0)
        self.patch_wise_id_bank = nn.Conv2d(OBJECTS + 1, WIDTH, kernel[0], 16, kernel[1])
        if variant.gated:
            self.id_norm = nn.LayerNorm(WIDTH)

    def fold(self) -> Aot:
        """Make it quick, for good (``fold_all``), and return it."""
        fold_all(self)
        return self

    def encode(self, image: Tensor) -> list[Tensor]:
        """Maps of (B, 3, H, W) normalised RGB at 1/4, 1/8, 1/16, and 256 channels at 1/16."""
        maps = self.encoder(image)
        return [*maps[:3], convolved(maps[3], self.encoder_projector)]

    def identity(self, labels: Tensor) -> Tensor:
        """(B, T, 256): the embedding of (B, H, W) ids 0..10 at the network's size."""
        kind = self.patch_wise_id_bank.weight.dtype
        hot = torch.zeros(*labels.shape, OBJECTS + 1, dtype=kind, device=labels.device)
        hot.scatter_(-1, labels[..., None].long(), 1)
        embedded = as_tokens(self.patch_wise_id_bank(hot.permute(0, 3, 1, 2)))
        return self.id_norm(embedded) if self.variant.gated else embedded

    def propagate(
        self,
        maps: list[Tensor],
        places: Tensor,
        memory: Memory | None,
        identity: Tensor | None = None,
    ) -> tuple[list[Tensor], list[Seen]]:
        """Every layer's output (B, T, C), as the decoder takes it, and what each layer saw.

        Args:
            maps: from ``encode``.
            places: (1, T, 256), from ``places``.
            memory: for each layer long-term and short-term; None: the frame is its own memory,
                with ``identity``.
            identity: from ``identity``.
        """
        x, size = as_tokens(maps[3]), (maps[3].shape[2], maps[3].shape[3])
        if self.variant.gated:
            x = torch.cat([x, torch.zeros_like(x)], dim=-1)
        outputs, views = [], []
        for index, layer in enumerate(self.LSTT.layers):
            x, seen = layer(x, places, size, None if memory is None else memory[index], identity)
            outputs.append(x)
            views.append(seen)
        norms = self.LSTT.decoder_norms
        if self.variant.gated:
            outputs[-1] = norms[0](outputs[-1])
        else:
            outputs = [norm(one) for norm, one in zip(norms, outputs, strict=True)]
        return outputs, views

    def remembered(self, views: list[Seen], identity: Tensor) -> list[KeyValue]:
        """What each layer is to keep of a frame whose objects are where ``identity`` says."""
        return [
            layer.remembered(seen, identity)  # type: ignore[operator]
            for layer, seen in zip(self.LSTT.layers, views, strict=True)
        ]

    def decode(self, maps: list[Tensor], outputs: list[Tensor]) -> Tensor:
        """(B, 11, H / 4, W / 4) logits: background, then the ten objects."""
        size = (maps[3].shape[2], maps[3].shape[3])
        if self.variant.gated:
            return self.decoder(as_map(outputs[-1], size), maps)
        joint = [maps[3], *(as_map(one, size) for one in outputs)]
        return self.decoder(torch.cat(joint, dim=1), maps)

    def places(self, maps: list[Tensor]) -> Tensor:
        """(1, T, 256): the position embedding for maps of this size."""
        size = (maps[3].shape[2], maps[3].shape[3])
        return as_tokens(position_embedding(size)).to(maps[3])


def fitted(height: int, width: int, longest: float, align_corners: bool) -> Size:
    """The size at which the network sees a picture (section 3 of the notes); never enlarged."""
    scale = min(1.0, longest / max(height, width))
    sides = int(height * scale), int(width * scale)
    extra = 1 if align_corners else 0
    # Python rounds half to even, as numpy does.
    rounded = [max(1, round((side - extra) / 16)) * 16 + extra for side in sides]
    return rounded[0], rounded[1]


def _mobile(gated: bool, layers: int) -> Variant:
    return Variant(gated, MobileNetV2, layers)


def aot_t() -> Aot:
    return Aot(_mobile(False, 1))


def aot_s() -> Aot:
    return Aot(_mobile(False, 2))


def aot_b() -> Aot:
    return Aot(_mobile(False, 3))


def aot_l() -> Aot:
    return Aot(_mobile(False, 3))


def r50_aotl() -> Aot:
    return Aot(Variant(False, ResNet50, 3))


def swinb_aotl() -> Aot:
    return Aot(Variant(False, SwinB, 3, align_corners=False))


def deaot_t() -> Aot:
    return Aot(_mobile(True, 1))


def deaot_s() -> Aot:
    return Aot(_mobile(True, 2))


def deaot_b() -> Aot:
    return Aot(_mobile(True, 3))


def deaot_l() -> Aot:
    return Aot(_mobile(True, 3))


def r50_deaotl() -> Aot:
    return Aot(Variant(True, ResNet50, 3))


def swinb_deaotl() -> Aot:
    return Aot(Variant(True, SwinB, 3, align_corners=False))
