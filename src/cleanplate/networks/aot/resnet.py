"""ResNet-50 without its last stage, an encoder of AOT and DeAOT. He et al., CVPR 2016."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.layers.frozen import FrozenBatchNorm
from cleanplate.networks.layers.fused import RELU, convolved

WIDTHS = (256, 512, 1024, 1024)


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride), 1x1, and the way around them."""

    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        outputs = 4 * inner
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = FrozenBatchNorm(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = FrozenBatchNorm(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = FrozenBatchNorm(outputs)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), FrozenBatchNorm(outputs)
            )
            if stride > 1 or inputs != outputs
            else None
        )

    def forward(self, x: Tensor) -> Tensor:
        around = x
        if self.downsample is not None:
            around = convolved(x, self.downsample[0], self.downsample[1])
        x = convolved(x, self.conv1, self.bn1, activation=RELU)
        x = convolved(x, self.conv2, self.bn2, activation=RELU)
        return convolved(x, self.conv3, self.bn3, around, RELU)


def _stage(inputs: int, inner: int, count: int, stride: int) -> nn.Sequential:
    first = Bottleneck(inputs, inner, stride)
    return nn.Sequential(first, *(Bottleneck(4 * inner, inner, 1) for _ in range(count - 1)))


class ResNet50(nn.Module):
    """(B, 3, H, W) to maps of 256, 512, 1024 and 1024 channels at 1/4, 1/8, 1/16, 1/16."""

    widths = WIDTHS

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = FrozenBatchNorm(64)
        self.layer1 = _stage(64, 64, 3, 1)
        self.layer2 = _stage(256, 128, 4, 2)
        self.layer3 = _stage(512, 256, 6, 2)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = convolved(x, self.conv1, self.bn1, activation=RELU)
        x = functional.max_pool2d(x, 3, 2, 1)
        quarter = self.layer1(x)
        eighth = self.layer2(quarter)
        sixteenth = self.layer3(eighth)
        return [quarter, eighth, sixteenth, sixteenth]
