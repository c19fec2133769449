"""I3D, whose features VFID compares. Carreira and Zisserman, "Quo Vadis?", CVPR 2017.

Inception-v1 inflated to three dimensions, RGB, named and keyed as the published
``i3d_rgb_imagenet.pt``. Padding is TensorFlow's "same" everywhere, and poolings pad with zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

FEATURES = 1024

# Channels of the four branches of each mixed block: 1x1x1; 1x1x1, 3x3x3; 1x1x1, 3x3x3; pool, 1x1x1.
_MIXED = {
    "Mixed_3b": (192, (64, 96, 128, 16, 32, 32)),
    "Mixed_3c": (256, (128, 128, 192, 32, 96, 64)),
    "Mixed_4b": (480, (192, 96, 208, 16, 48, 64)),
    "Mixed_4c": (512, (160, 112, 224, 24, 64, 64)),
    "Mixed_4d": (512, (128, 128, 256, 24, 64, 64)),
    "Mixed_4e": (512, (112, 144, 288, 32, 64, 64)),
    "Mixed_4f": (528, (256, 160, 320, 32, 128, 128)),
    "Mixed_5b": (832, (256, 160, 320, 32, 128, 128)),
    "Mixed_5c": (832, (384, 192, 384, 48, 128, 128)),
}

Triple = tuple[int, int, int]


def same_padding(x: Tensor, kernel: Triple, stride: Triple) -> Tensor:
    """``x`` (B, C, T, H, W) zero-padded as TensorFlow's "same" does, smaller half first."""
    pads: list[int] = []
    for size, k, s in zip(x.shape[:1:-1], kernel[::-1], stride[::-1], strict=True):
        total = max(k - s, 0) if size % s == 0 else max(k - size % s, 0)
        pads += [total // 2, total - total // 2]
    return functional.pad(x, pads)


class Unit3D(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.kernel: Triple = (kernel, kernel, kernel)
        self.stride: Triple = (stride, stride, stride)
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) to (B, outputs, T / stride, H / stride, W / stride), rounded up."""
        return functional.relu(self.bn(self.conv3d(same_padding(x, self.kernel, self.stride))))


class MaxPool(nn.Module):
    """Max pooling over what "same" padding with zeros leaves."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same, each of the last three divided by its stride, rounded up."""
        return functional.max_pool3d(
            same_padding(x, self.kernel, self.stride), self.kernel, self.stride
        )


class Mixed(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs: int, outputs: tuple[int, ...]) -> None:
        super().__init__()
        self.b0 = Unit3D(inputs, outputs[0])
        self.b1a, self.b1b = Unit3D(inputs, outputs[1]), Unit3D(outputs[1], outputs[2], 3)
        self.b2a, self.b2b = Unit3D(inputs, outputs[3]), Unit3D(outputs[3], outputs[4], 3)
        self.b3a, self.b3b = MaxPool((3, 3, 3), (1, 1, 1)), Unit3D(inputs, outputs[5])

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T, H, W) to (B, the sum of the branches' widths, T, H, W)."""
        branches = (self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x)))
        return torch.cat(branches, dim=1)


class Logits(nn.Module):
    """The classifier: in the published file, and not part of the feature."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(FEATURES, classes, 1)


class I3D(nn.Module):
    """The network up to Mixed_5c."""

    def __init__(self, classes: int = 400) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = Unit3D(3, 64, 7, 2)
        self.MaxPool3d_2a_3x3 = MaxPool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit3D(64, 64)
        self.Conv3d_2c_3x3 = Unit3D(64, 192, 3)
        self.MaxPool3d_3a_3x3 = MaxPool((1, 3, 3), (1, 2, 2))
        for name in ("Mixed_3b", "Mixed_3c"):
            self.add_module(name, Mixed(*_MIXED[name]))
        self.MaxPool3d_4a_3x3 = MaxPool((3, 3, 3), (2, 2, 2))
        for name in ("Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f"):
            self.add_module(name, Mixed(*_MIXED[name]))
        self.MaxPool3d_5a_2x2 = MaxPool((2, 2, 2), (2, 2, 2))
        for name in ("Mixed_5b", "Mixed_5c"):
            self.add_module(name, Mixed(*_MIXED[name]))
        self.logits = Logits(classes)

    def forward(self, clip: Tensor) -> Tensor:
        """The feature of each clip.

        Args:
            clip: (B, 3, T, H, W) RGB in 0..1.

        Returns:
            (B, 1024): Mixed_5c averaged over time, height and width.
        """
        x = clip
        for name, layer in self.named_children():
            if name != "logits":
                x = layer(x)
        return x.mean(dim=(2, 3, 4))
