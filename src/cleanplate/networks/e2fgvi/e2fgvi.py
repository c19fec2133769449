"""E2FGVI and E2FGVI-HQ. Li et al., "Towards An End-to-End Framework for Flow-Guided Video
Inpainting", CVPR 2022. Keys as published.

Frames whose holes are grey become features at a quarter of the size; those of the local frames,
which follow each other, are carried along the flow; with those of reference frames from farther
away they become tokens, which pass the transformer and are decoded to pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.e2fgvi.propagation import CHANNELS, Propagation
from cleanplate.networks.e2fgvi.spynet import Pyramid, SPyNet
from cleanplate.networks.e2fgvi.transformer import (
    BLOCKS,
    DIM,
    STRIDE,
    WINDOW,
    Block,
    Part,
    folded,
    patches_of,
    whole_of,
)
from cleanplate.networks.layers.sampling import doubled

SIZE = (240, 432)
"""Height and width that both were trained on, and the only one of E2FGVI."""
MULTIPLE = (4 * STRIDE * WINDOW[0], 4 * STRIDE * WINDOW[1])
"""Height and width must be multiples of these."""
_SLOPE = 0.2
_PATCH = 7 * 7
_MARGIN = 4  # features around a crop that its decoding depends on


class Encoder(nn.Module):
    """(n, 3, H, W) to (n, 128, H/4, W/4)."""

    # inputs, outputs, stride, groups; from the sixth on the input is joined by the fourth's output.
    LAYERS = (
        (3, 64, 2, 1),
        (64, 64, 1, 1),
        (64, 128, 2, 1),
        (128, 256, 1, 1),
        (256, 384, 1, 1),
        (640, 512, 1, 2),
        (768, 384, 1, 4),
        (640, 256, 1, 8),
        (512, 128, 1, 1),
    )

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, stride, groups in self.LAYERS:
            layers.append(nn.Conv2d(inputs, outputs, 3, stride, padding=1, groups=groups))
            layers.append(nn.LeakyReLU(_SLOPE, inplace=True))
        self.layers = nn.ModuleList(layers)

    def forward(self, x: Tensor) -> Tensor:
        kept = x
        pairs = zip(self.layers[::2], self.layers[1::2], self.LAYERS, strict=True)
        for number, (convolution, activation, (*_, groups)) in enumerate(pairs):
            if number == 4:
                kept = x
            if number > 4:
                halves = zip(kept.chunk(groups, 1), x.chunk(groups, 1), strict=True)
                x = torch.cat([run for pair in halves for run in pair], dim=1)
            x = activation(convolution(x))
        return x


class _Upsampled(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)


class SoftSplit(nn.Module):
    """Features to tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(CHANNELS * _PATCH, DIM)

    def forward(self, features: Tensor) -> Tensor:
        """(n, 128, h, w) to (n, rows, columns, 512)."""
        return patches_of(features, self.embedding.weight, self.embedding.bias)


class SoftComposition(nn.Module):
    """Tokens to features. HQ has a convolution where the other one has a learned picture."""

    def __init__(self, high_quality: bool) -> None:
        super().__init__()
        self.embedding = nn.Linear(DIM, CHANNELS * _PATCH)
        if high_quality:
            self.bias_conv = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        else:
            self.bias = nn.Parameter(torch.zeros(CHANNELS, *(side // 4 for side in SIZE)))
        self._high_quality = high_quality

    def forward(self, tokens: Tensor, part: Part, whole: Part) -> Tensor:
        """(n, rows, columns, 512), those of ``part``, to (n, 128, 3 rows, 3 columns)."""
        features = folded(tokens, self.embedding.weight, self.embedding.bias, part, whole)
        if self._high_quality:
            return self.bias_conv(features)
        return features + self.bias[:, *part.tokens(STRIDE)]


class Crop(NamedTuple):
    """A rectangle of features: rows ``top`` to ``bottom``, columns ``left`` to ``right``."""

    top: int
    left: int
    bottom: int
    right: int

    def grown(self, by: int, height: int, width: int) -> Crop:
        """With ``by`` more on each side, inside a map of ``height`` and ``width``."""
        return Crop(
            max(self.top - by, 0),
            max(self.left - by, 0),
            min(self.bottom + by, height),
            min(self.right + by, width),
        )

    def slices(self, scale: int = 1) -> tuple[slice, slice]:
        """Its rows and columns in a map ``scale`` times as fine."""
        return (
            slice(self.top * scale, self.bottom * scale),
            slice(self.left * scale, self.right * scale),
        )

    def part(self, height: int, width: int) -> Part:
        """The windows on which its decoding depends: patches reach one token, the feed-forward
        network two more."""
        near = self.grown(_MARGIN + 1 + 3 * STRIDE + STRIDE, height, width)
        rows, columns = (STRIDE * side for side in WINDOW)
        return Part(
            near.top // rows,
            near.left // columns,
            -(-near.bottom // rows),
            -(-near.right // columns),
        )


class Decoder(nn.ModuleList):
    """(n, 128, h, w) to pictures (n, 3, 4 h, 4 w) before the last tanh."""

    def __init__(self) -> None:
        super().__init__(
            [
                _Upsampled(CHANNELS, CHANNELS),
                nn.LeakyReLU(_SLOPE, inplace=True),
                nn.Conv2d(CHANNELS, 64, 3, padding=1),
                nn.LeakyReLU(_SLOPE, inplace=True),
                _Upsampled(64, 64),
                nn.LeakyReLU(_SLOPE, inplace=True),
                nn.Conv2d(64, 3, 3, padding=1),
            ]
        )

    def forward(self, x: Tensor, crop: Crop, height: int, width: int) -> Tensor:
        """``x`` are the features of ``crop`` in a map of ``height`` and ``width``."""
        scale = 1
        for layer in self:
            if isinstance(layer, _Upsampled):
                x = doubled(x, *crop.slices(scale), scale * height, scale * width)
                scale *= 2
                layer = layer.conv
            x = layer(x)
        return x


class E2FGVI(nn.Module):
    """Both variants; ``high_quality`` is the one for any size.

    Weights may be reduced to bfloat16 or float16 with ``reduce``: the flow, the places that
    features are sampled at, and what softmax and normalisation sum up stay float32.
    """

    def __init__(self, high_quality: bool = False) -> None:
        super().__init__()
        self.high_quality = high_quality
        self.encoder = Encoder()
        self.feat_prop_module = Propagation()
        self.ss, self.sc = SoftSplit(), SoftComposition(high_quality)
        self.transformer = nn.ModuleList(Block() for _ in range(BLOCKS))
        self.decoder = Decoder()
        self.update_spynet = SPyNet()

    def reduce(self, dtype: torch.dtype) -> E2FGVI:
        """Compute in ``dtype`` all but the flow."""
        for name, part in self.named_children():
            if name != "update_spynet":
                part.to(dtype)
        return self

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames that the variant for one size takes."""
        _, height, width = self.sc.bias.shape
        return 4 * height, 4 * width

    @property
    def dtype(self) -> torch.dtype:
        return self.ss.embedding.weight.dtype

    def encode(self, frames: Tensor) -> Tensor:
        """Features (n, 128, H/4, W/4) of ``frames`` (n, 3, H, W) in -1..1, 0 in the holes."""
        self._check_size(*frames.shape[-2:])
        frames = frames.to(self.dtype, memory_format=torch.channels_last)
        return self.encoder(frames)

    def _check_size(self, height: int, width: int) -> None:
        if self.high_quality and (height % MULTIPLE[0] or width % MULTIPLE[1]):
            raise ValueError(
                f"Frames are {width}x{height}; E2FGVI-HQ takes widths that are multiples of "
                f"{MULTIPLE[1]} and heights that are multiples of {MULTIPLE[0]}: pad them."
            )
        if not self.high_quality and (height, width) != self.size:
            raise ValueError(
                f"Frames are {width}x{height}; E2FGVI takes {self.size[1]}x{self.size[0]} only: "
                "scale them, or use E2FGVI-HQ."
            )

    def pyramid(self, frames: Tensor) -> Pyramid:
        """What ``update_spynet.flow`` needs of ``frames`` (n, 3, H, W) in -1..1, at a quarter."""
        quarter = [side // 4 for side in frames.shape[-2:]]
        small = functional.interpolate(
            (frames.float() + 1) / 2, quarter, mode="bilinear", align_corners=True
        )
        return self.update_spynet.pyramid(small)

    def transform(self, tokens: Tensor, part: Part, queries: Sequence[int] | None = None) -> Tensor:
        """Tokens in ``part`` after all blocks.

        Args:
            tokens: (B, T, rows, columns, 512); all of them take part.
            part: the windows wanted.
            queries: the frames wanted; None is all.
        """
        *blocks, last = self.transformer
        for block in blocks:
            tokens = block(tokens)
        return last(tokens, part, queries)

    def decode(self, tokens: Tensor, features: Tensor, part: Part, crop: Crop) -> Tensor:
        """Pictures (n, 3, 4 crop height, 4 crop width), float32 in -1..1.

        Args:
            tokens: (n, rows, columns, 512) those of ``part`` after the transformer.
            features: (n, 128, h, w) what the tokens were made of.
            part: holds at least ``crop.part(h, w)``.
            crop: what is wanted.
        """
        height, width = features.shape[-2:]
        near = crop.grown(_MARGIN, height, width)
        corner = [side.start for side in part.tokens(STRIDE)]
        composed = self.sc(tokens, part, whole_of_features(height, width))
        inside = Crop(*(side - corner[i % 2] for i, side in enumerate(near)))
        x = composed[:, :, *inside.slices()] + features[:, :, *near.slices()]
        picture = self.decoder(x, near, height, width)
        wanted = Crop(*(side - near[i % 2] for i, side in enumerate(crop)))
        return torch.tanh(picture[:, :, *wanted.slices(4)].float())

    def forward(self, frames: Tensor, local: int) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The published interface.

        Args:
            frames: (B, T, 3, H, W) RGB in -1..1, 0 in the holes: the ``local`` ones, which follow
                each other, then the references.
            local: how many are local.

        Returns:
            pictures (B * T, 3, H, W) in -1..1, and the flows of neighbouring local frames, forward
            and backward, (B, local - 1, 2, H/4, W/4) each.
        """
        batch, count = frames.shape[:2]
        features = self.encode(frames.flatten(0, 1)).unflatten(0, (batch, count))
        flows = self.flows(frames[:, :local])
        carried = self.feat_prop_module(features[:, :local], *flows)
        features = torch.cat([carried, features[:, local:]], dim=1).flatten(0, 1)
        tokens = self.ss(features).unflatten(0, (batch, count))
        part = whole_of(tokens)
        tokens = self.transform(tokens, part).flatten(0, 1)
        crop = Crop(0, 0, *features.shape[-2:])
        return self.decode(tokens, features, part, crop), flows

    def flows(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Flows (B, L - 1, 2, H/4, W/4) from each of ``frames`` (B, L, 3, H, W) to the next, and
        from each to the one before."""
        batch, count = frames.shape[:2]
        quarter = [side // 4 for side in frames.shape[-2:]]
        if count == 1:
            none = frames.new_zeros(batch, 0, 2, *quarter, dtype=torch.float32)
            return none, none
        pyramids = [self.pyramid(part.flatten(0, 1)) for part in (frames[:, :-1], frames[:, 1:])]
        pairs = (pyramids, pyramids[::-1])
        forward, backward = (
            self.update_spynet.flow(*pair).unflatten(0, (batch, count - 1)) for pair in pairs
        )
        return forward, backward


def whole_of_features(height: int, width: int) -> Part:
    """All windows over features of ``height`` and ``width``."""
    return Part(0, 0, height // (STRIDE * WINDOW[0]), width // (STRIDE * WINDOW[1]))


def e2fgvi() -> E2FGVI:
    """The network of E2FGVI-CVPR22.pth."""
    return E2FGVI()


def e2fgvi_hq() -> E2FGVI:
    """The network of E2FGVI-HQ-CVPR22.pth."""
    return E2FGVI(high_quality=True)
