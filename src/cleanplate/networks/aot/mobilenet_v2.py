"""MobileNetV2 at an output stride of 16, the small encoder of AOT and DeAOT.

Sandler et al., "MobileNetV2", CVPR 2018; the strides of the last stages are dilations here.
"""

from __future__ import annotations

from torch import Tensor, nn

from cleanplate.networks.layers.frozen import FrozenBatchNorm
from cleanplate.networks.layers.fused import Unit, convolved

WIDTHS = (24, 32, 96, 1280)
_LAST = 18
# Expansion, width, blocks, stride, dilation of the first and of the other blocks of each stage.
_STAGES = (
    (1, 16, 1, 1, (1, 1)),
    (6, 24, 2, 2, (1, 1)),
    (6, 32, 3, 2, (1, 1)),
    (6, 64, 4, 2, (1, 1)),
    (6, 96, 3, 1, (1, 1)),
    (6, 160, 3, 1, (1, 2)),
    (6, 320, 1, 1, (2, 2)),
)


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int, dilation: int = 1, groups: int = 1
) -> Unit:
    return Unit(
        [
            nn.Conv2d(
                *(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, groups),
                bias=False,
            ),
            FrozenBatchNorm(outputs),
            nn.ReLU6(),
        ]
    )


class InvertedResidual(nn.Module):
    """Wide inside, narrow outside."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, dilation: int, expansion: int
    ) -> None:
        super().__init__()
        inner = inputs * expansion
        expand = [_unit(inputs, inner, 1, 1)] if expansion > 1 else []
        self.conv = nn.Sequential(
            *expand,
            _unit(inner, inner, 3, stride, dilation, inner),
            nn.Conv2d(inner, outputs, 1, bias=False),
            FrozenBatchNorm(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        *units, convolution, norm = self.conv
        inner = x
        for unit in units:
            inner = unit(inner)
        return convolved(inner, convolution, norm, x if self.residual else None)


class MobileNetV2(nn.Module):
    """(B, 3, H, W) to maps of 24, 32, 96 and 1280 channels at 1/4, 1/8, 1/16, 1/16."""

    widths = WIDTHS

    def __init__(self) -> None:
        super().__init__()
        features: list[nn.Module] = [_unit(3, 32, 3, 2)]
        inputs = 32
        for expansion, outputs, count, stride, dilations in _STAGES:
            for index in range(count):
                features.append(
                    InvertedResidual(
                        inputs,
                        outputs,
                        1 if index else stride,
                        dilations[1] if index else dilations[0],
                        expansion,
                    )
                )
                inputs = outputs
        features.append(_unit(inputs, WIDTHS[-1], 1, 1))
        self.features = nn.Sequential(*features)

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for first, stop in ((0, 4), (4, 7), (7, 14), (14, _LAST + 1)):
            for index in range(first, stop):
                x = self.features[index](x)
            maps.append(x)
        return maps
