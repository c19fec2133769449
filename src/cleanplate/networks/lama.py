"""LaMa (big-lama): fills holes in pictures with layers that see the whole picture at once.

Suvorov et al., "Resolution-robust Large Mask Inpainting with Fourier Convolutions", WACV 2022.
Modules stand where the published keys, ``generator.model.<index>``, have them.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

BLOCKS = 18
BASE = 64
"""Channels at the picture's own size; each halving doubles them."""
LOCAL, GLOBAL = 128, 384
"""Channels that see their surroundings, and channels that see the whole picture."""
MULTIPLE = 8
"""Sides of pictures are multiples of this."""
SMALLEST = 16
"""px: at an eighth of less there is nothing to mirror."""

Pair = tuple[Tensor, Tensor]


def mirrored(
    inputs: int, outputs: int, side: int, stride: int = 1, edge: int | None = None
) -> nn.Conv2d:
    """A convolution that sees the picture mirrored beyond its edges, by ``edge`` pixels."""
    edge = side // 2 if edge is None else edge
    mode = "reflect" if edge else "zeros"
    return nn.Conv2d(inputs, outputs, side, stride, edge, padding_mode=mode, bias=False)


class Spectrum(nn.Module):
    """A 1 x 1 convolution over the frequencies of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), each channel mixed with the others at every frequency; float32."""
        width = x.shape[3]
        waves = torch.fft.rfft2(x.float(), norm="ortho")
        # Real and imaginary parts alternate along the channels.
        parts = torch.view_as_real(waves).permute(0, 1, 4, 2, 3).flatten(1, 2)
        parts = functional.relu(self.bn(self.conv_layer(parts)))
        parts = parts.float().unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2).contiguous()
        rows = torch.fft.ifft(torch.view_as_complex(parts), dim=2, norm="ortho")
        return torch.fft.irfft(_real_at_the_ends(rows, width), width, dim=3, norm="ortho")


def _real_at_the_ends(rows: Tensor, width: int) -> Tensor:
    """Without imaginary parts in the columns that have none in the spectrum of real rows.

    What a layer has changed need not be the spectrum of a picture; a CPU ignores these parts, and
    a GPU may not (pytorch 104867): the grid that LaMa is known to leave on large pictures.
    """
    if rows.device.type == "cpu":
        return rows
    rows = rows.clone()
    rows[..., 0].imag.zero_()
    if width % 2 == 0:
        rows[..., -1].imag.zero_()
    return rows


class SpectralTransform(nn.Module):
    """What each place learns from the whole picture."""

    def __init__(self) -> None:
        super().__init__()
        half = GLOBAL // 2
        self.conv1 = nn.Sequential(
            nn.Conv2d(GLOBAL, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU()
        )
        self.fu = Spectrum(half)
        self.conv2 = nn.Conv2d(half, GLOBAL, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 384, H, W), with what the whole picture says added to each place."""
        reduced = self.conv1(x)
        return self.conv2(reduced + self.fu(reduced))


class FastFourierConvolution(nn.Module):
    """Local and global channels, each made of both (section 2.1)."""

    def __init__(self) -> None:
        super().__init__()
        self.convl2l = mirrored(LOCAL, LOCAL, 3)
        self.convl2g = mirrored(LOCAL, GLOBAL, 3)
        self.convg2l = mirrored(GLOBAL, LOCAL, 3)
        self.convg2g = SpectralTransform()

    def forward(self, x: Pair) -> Pair:
        """Local (B, 128, H, W) and global (B, 384, H, W) channels; the same shapes again."""
        near, far = x
        return (
            self.convl2l(near) + self.convg2l(far),
            self.convl2g(near) + self.convg2g(far),
        )


class Plain(nn.Module):
    """The convolutions of a layer that takes no global channels."""

    def __init__(self, inputs: int, outputs: int, side: int, stride: int, far: int = 0) -> None:
        super().__init__()
        # A stride of 1 stands behind a padding of its own.
        self.convl2l = mirrored(inputs, outputs, side, stride, None if stride > 1 else 0)
        if far:
            self.convl2g = mirrored(inputs, far, side, stride)


class Layer(nn.Module):
    """A convolution with its normalisation and rectifier; no global channels."""

    def __init__(self, inputs: int, outputs: int, side: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.ffc = Plain(inputs, outputs, side, stride)
        self.bn_l = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        return functional.relu(self.bn_l(self.ffc.convl2l(x)))


class Parting(nn.Module):
    """The layer from which on there are local and global channels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.ffc = Plain(inputs, LOCAL, 3, 2, GLOBAL)
        self.bn_l = nn.BatchNorm2d(LOCAL)
        self.bn_g = nn.BatchNorm2d(GLOBAL)

    def forward(self, x: Tensor) -> Pair:
        """(B, inputs, H, W) to local and global channels, (B, 128 and 384, H / 2, W / 2)."""
        near, far = self.bn_l(self.ffc.convl2l(x)), self.bn_g(self.ffc.convl2g(x))
        return functional.relu(near), functional.relu(far)


class FourierLayer(nn.Module):
    """A fast Fourier convolution with normalisations and rectifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.ffc = FastFourierConvolution()
        self.bn_l = nn.BatchNorm2d(LOCAL)
        self.bn_g = nn.BatchNorm2d(GLOBAL)

    def forward(self, x: Pair) -> Pair:
        """Local (B, 128, H, W) and global (B, 384, H, W) channels; the same shapes again."""
        near, far = self.ffc(x)
        return functional.relu(self.bn_l(near)), functional.relu(self.bn_g(far))


class Block(nn.Module):
    """Two such layers around which the input is added."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = FourierLayer()
        self.conv2 = FourierLayer()

    def forward(self, x: Pair) -> Pair:
        """Local (B, 128, H, W) and global (B, 384, H, W) channels; the same shapes again."""
        near, far = self.conv2(self.conv1(x))
        return x[0] + near, x[1] + far


class Joining(nn.Module):
    """Local channels first, then global ones."""

    def forward(self, x: Pair) -> Tensor:
        """Local (B, 128, H, W) and global (B, 384, H, W) channels as (B, 512, H, W)."""
        return torch.cat(x, dim=1)


def _doubled(inputs: int) -> list[nn.Module]:
    """Twice the size at half the channels."""
    outputs = inputs // 2
    return [
        nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, 1),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


class Generator(nn.Module):
    """From a picture with a hole to a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            *(nn.ReflectionPad2d(3), Layer(4, BASE, 7, 1)),
            *(Layer(BASE, 2 * BASE), Layer(2 * BASE, 4 * BASE), Parting(4 * BASE)),
            *(Block() for _ in range(BLOCKS)),
            Joining(),
            *(*_doubled(8 * BASE), *_doubled(4 * BASE), *_doubled(2 * BASE)),
            *(nn.ReflectionPad2d(3), nn.Conv2d(BASE, 3, 7), nn.Sigmoid()),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``x`` (B, 4, H, W): RGB in 0..1, 0 in the hole, and the hole as 0 and 1; (B, 3, H, W)."""
        return self.model(x)


class Lama(nn.Module):
    """The generator under the prefix of the published keys."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = Generator()

    def forward(self, image: Tensor, hole: Tensor) -> Tensor:
        """All of the picture as the network sees it, the known part too.

        Args:
            image: (B, 3, H, W) RGB in 0..1; H and W multiples of 8, 16 at least.
            hole: (B, 1, H, W), 1 where to fill and 0 elsewhere.

        Returns:
            (B, 3, H, W) in 0..1.
        """
        return self.generator(torch.cat([image * (1 - hole), hole], dim=1))


def lama() -> Lama:
    """big-lama, as published."""
    return Lama()
