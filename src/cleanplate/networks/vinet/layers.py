"""The parts of VINet: gated convolutions, encoder, flow, aggregation, memory, decoder.

Kim, Woo, Lee and Kweon, "Deep Video Inpainting", CVPR 2019; see ``networks.vinet``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.layers.correlation import correlation

_RADIUS = 4  # of the correlation, in px of its scale
_CELLS = (2 * _RADIUS + 1) ** 2


class Features(NamedTuple):
    """What an encoder makes of a picture, coarse to fine."""

    s8: Tensor
    """(B, 128, h/8, w/8), h and w being the size of s1."""
    s4: Tensor
    """(B, 96, h/4, w/4)."""
    s2: Tensor
    """(B, 64, h/2, w/2)."""
    s1: Tensor
    """(B, 32, h, w)."""


class State(NamedTuple):
    """The memory of the ConvLSTM, each (B, 128, h/8, w/8)."""

    hidden: Tensor
    cell: Tensor


class Gated(nn.Module):
    """A convolution whose one half opens and shuts the other."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, 2 * outputs, 3, stride, dilation, dilation, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return _gated(self.conv(x))


class FlatGated(nn.Module):
    """The decoder's: three-dimensional in the file, on a depth of one."""

    def __init__(self, inputs: int, outputs: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv3d(inputs, 2 * outputs, (1, 3, 3), bias=False)
        self._dilation = dilation

    def forward(self, x: Tensor) -> Tensor:
        return _gated(_flat(x, self.conv, self._dilation))


class Enlarging(nn.Module):
    """Twice the size, then a gated convolution, leaky where the others are not."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        conv = nn.Conv3d(inputs, 2 * outputs, (1, 3, 3), bias=False)
        self.conv = nn.Sequential(nn.Identity(), conv)

    def forward(self, x: Tensor) -> Tensor:
        conv = self.conv[1]
        assert isinstance(conv, nn.Conv3d)
        return _gated(_flat(enlarge(x, 2), conv), slope=0.2)


class Encoder(nn.Module):
    """A picture (B, 5, H, W): masked image, ones, mask."""

    def __init__(self, double_size: bool) -> None:
        super().__init__()
        self.ec0 = Gated(5, 32, 2 if double_size else 1)
        self.ec1, self.ec2 = Gated(32, 64, 2), Gated(64, 64)
        self.ec3_1, self.ec3_2 = Gated(64, 96, 2), Gated(96, 96)
        self.ec4_1, self.ec4, self.ec5 = Gated(96, 128, 2), Gated(128, 128), Gated(128, 128)

    def forward(self, x: Tensor) -> Features:
        s1 = self.ec0(x)
        s2 = self.ec2(self.ec1(s1))
        s4 = self.ec3_2(self.ec3_1(s2))
        return Features(self.ec5(self.ec4(self.ec4_1(s4))), s4, s2, s1)


class Bottleneck(nn.Module):
    """[reference, composite] at s8, seen ever more widely."""

    def __init__(self) -> None:
        super().__init__()
        self.bt0, self.bt1 = Gated(256, 128), Gated(128, 128, dilation=2)
        self.bt2, self.bt3 = Gated(128, 128, dilation=4), Gated(128, 128, dilation=8)

    def forward(self, x: Tensor) -> Tensor:
        return self.bt3(self.bt2(self.bt1(self.bt0(x))))


class ConvLSTM(nn.Module):
    """Shi et al., "Convolutional LSTM Network", 2015, without peepholes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(self, x: Tensor, state: State | None) -> State:
        hidden, cell = state or State(torch.zeros_like(x), torch.zeros_like(x))
        take, keep, give, candidate = self.Gates(torch.cat([x, hidden], 1)).chunk(4, 1)
        cell = keep.sigmoid() * cell + take.sigmoid() * candidate.tanh()
        return State(give.sigmoid() * cell.tanh(), cell)


class Decoder(nn.Module):
    """From the hidden state back to a picture; the composites join in on the way."""

    def __init__(self, double_size: bool) -> None:
        super().__init__()
        self._double_size = double_size
        self.dc0, self.dc1 = FlatGated(128, 128), FlatGated(128, 128)
        self.dc1_1, self.dc2_1 = Enlarging(128, 96), FlatGated(192, 96)
        self.dc2_bt1, self.dc2_bt2 = FlatGated(96, 96, 2), FlatGated(96, 96, 4)
        self.dc2_bt3, self.dc2_2 = FlatGated(96, 96, 8), Enlarging(96, 64)
        self.dc3_1, self.dc3_2 = FlatGated(128, 64), FlatGated(64, 64)
        self.dc4, self.dc5 = Enlarging(64, 32), FlatGated(32, 16)
        self.dc6 = nn.Conv3d(16, 3, (1, 3, 3), bias=False)

    def forward(self, hidden: Tensor, s4: Tensor, s2: Tensor) -> Tensor:
        x = self.dc1_1(self.dc1(self.dc0(hidden)))
        x = self.dc2_1(torch.cat([x, s4], 1))
        x = self.dc2_2(self.dc2_bt3(self.dc2_bt2(self.dc2_bt1(x))))
        x = self.dc4(self.dc3_2(self.dc3_1(torch.cat([x, s2], 1))))
        return _flat(self.dc5(enlarge(x, 2) if self._double_size else x), self.dc6)


def _leaky(inputs: int, outputs: int, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, 3, padding=dilation, dilation=dilation)
    return nn.Sequential(conv, nn.LeakyReLU(0.1, inplace=True))


class FineFlow(nn.Module):
    """A correction of the coarse flow from a wide view. Its last layer is leaky, too."""

    def __init__(self) -> None:
        super().__init__()
        plan = [(34, 128, 1), (128, 128, 2), (128, 128, 4), (128, 96, 8), (96, 64, 16)]
        self.convs = nn.Sequential(*(_leaky(*layer) for layer in [*plan, (64, 32, 1), (32, 2, 1)]))

    def forward(self, x: Tensor) -> Tensor:
        return self.convs(x)


class FlowEstimator(nn.Module):
    """A flow from features, correlations and a flow to begin with."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        widths = [inputs, 128, 128, 96, 64, 32]
        self.convs = nn.Sequential(*map(_leaky, widths, widths[1:]))
        self.conv1 = nn.Conv2d(32, 2, 3, padding=1)
        self.convs_fine = FineFlow()

    def forward(self, x: Tensor) -> Tensor:
        x = self.convs(x)
        coarse = self.conv1(x)
        return coarse.float() + self.convs_fine(torch.cat([x, coarse], 1)).float()


class FlowNet(nn.Module):
    """The flow (B, 2, h, w), float32, from reference to source; a correction where one is given."""

    def __init__(self, channels: int, refines: bool = True) -> None:
        super().__init__()
        self.flow_estimator = FlowEstimator(channels + _CELLS + (2 if refines else 0))

    def forward(self, reference: Tensor, source: Tensor, flow: Tensor | None = None) -> Tensor:
        inputs = [reference, correlation(reference, source, _RADIUS)]
        if flow is not None:
            inputs.append(flow.to(reference.dtype))
        return self.flow_estimator(torch.cat(inputs, 1))


class Aggregator(nn.Module):
    """Five maps in, one out: a gated convolution over time that leaves a depth of one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.stAgg = nn.Module()
        self.stAgg.conv = nn.Conv3d(
            channels, 2 * channels, (5, 3, 3), padding=(0, 1, 1), bias=False
        )

    def forward(self, maps: Tensor) -> Tensor:
        """(B, 5 C, h, w), the maps one behind the other, to (B, C, h, w)."""
        # With all of time in one step, this is a convolution of two dimensions.
        weight = self.stAgg.get_parameter("conv.weight").transpose(1, 2).flatten(1, 2)
        return _gated(functional.conv2d(maps, weight, padding=1))


class MaskNet(nn.Module):
    """Where the other may be trusted, from how far two feature maps lie apart."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        last = nn.Conv2d(half, 1, 3, padding=1)
        self.convs = nn.Sequential(_leaky(channels, half), _leaky(half, half), last)

    def forward(self, distance: Tensor) -> Tensor:
        return self.convs(distance).sigmoid()


def warp(source: Tensor, flow: Tensor, outside: str, align_corners: bool = True) -> Tensor:
    """``source`` looked up at (x, y) + flow, bilinearly.

    Args:
        source: (B, C, H, W).
        flow: (B, 2, H, W) float32, x before y, in px.
        outside: ``zeros``, or ``border`` for the nearest pixel inside.
        align_corners: True is exact; see ``VINet``.
    """
    height, width = source.shape[-2:]
    x = torch.linspace(-1, 1, width, device=flow.device)
    y = torch.linspace(-1, 1, height, device=flow.device)[:, None]
    grid = torch.stack(
        [x + flow[:, 0] * (2 / max(width - 1, 1)), y + flow[:, 1] * (2 / max(height - 1, 1))], -1
    )
    found = functional.grid_sample(
        source.float(), grid, padding_mode=outside, align_corners=align_corners
    )
    return found.to(source.dtype)


def enlarge(x: Tensor, times: int) -> Tensor:
    """``x`` (B, C, H, W), bilinearly, so many times as high and wide."""
    return functional.interpolate(x, scale_factor=times, mode="bilinear", align_corners=False)


def _gated(x: Tensor, slope: float = 0) -> Tensor:
    """The first half of the channels, leaky below zero, times the sigmoid of the second."""
    # A sigmoid is positive, so it may be applied before the rectifier as well as behind it.
    product = functional.glu(x, 1)
    return functional.leaky_relu(product, slope) if slope else functional.relu(product)


def _flat(x: Tensor, conv: nn.Conv3d, dilation: int = 1) -> Tensor:
    return functional.conv2d(x, conv.weight.squeeze(2), padding=dilation, dilation=dilation)


def initialise(module: nn.Module) -> None:
    """As published: flows begin anywhere, everything else as gated convolutions like it."""
    if isinstance(module, (FlowNet, MaskNet)):
        return
    if isinstance(module, FlowEstimator):
        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.xavier_uniform_(layer.weight)
                assert layer.bias is not None
                nn.init.uniform_(layer.bias)
    elif isinstance(module, (Gated, FlatGated, Enlarging, Aggregator)):
        for parameter in module.parameters():
            nn.init.kaiming_normal_(parameter, mode="fan_out")
