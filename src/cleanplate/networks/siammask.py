"""SiamMask: where an object of the first frame is in a later one, and its outline.

Wang et al., "Fast Online Object Tracking and Segmentation: A Unifying Approach", CVPR 2019, in the
form with a refinement module. Parameters are named and shaped as in the published files.

Pictures are BGR, 0..255, neither shifted nor scaled: an exemplar of 127x127 px, cut once, and a
search region of 255x255 px for each frame. Answers lie on a grid of 25x25 cells, 8 px apart.
What only the chosen cell needs is computed for that cell alone.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from cleanplate.networks.layers.frozen import fold_all
from cleanplate.networks.layers.fused import RELU, Unit, convolved

EXEMPLAR, SEARCH = 127, 255  # px a side
GRID, STRIDE = 25, 8
ANCHORS = 5
COARSE, FINE = 63, 127  # px a side of a mask as the head gives it, and refined
BASE, WIDTH = 64, 256  # channels of the backbone's first layer, and of the heads
_KERNEL = 5  # cells a side of an exemplar's kernel
_EXEMPLAR_CELLS = 7


class Stages(NamedTuple):
    """What the backbone sees, fine to coarse."""

    p0: Tensor
    """(B, 64, 125, 125) of a search region."""
    p1: Tensor
    """(B, 256, 63, 63)."""
    p2: Tensor
    """(B, 512, 31, 31)."""
    p3: Tensor
    """(B, 1024, 31, 31)."""


class Exemplar(NamedTuple):
    """All that is kept of the object: one kernel for each head, (B, 256, 5, 5)."""

    cls: Tensor
    loc: Tensor
    mask: Tensor


class Region(NamedTuple):
    """A search region as the heads see it."""

    stages: Stages
    features: Tensor
    """(B, 256, 31, 31)."""


class SiamMask(nn.Module):
    """See the module."""

    def __init__(self, refine: bool = True) -> None:
        """``refine``: with the refinement module; files of the base model lack it."""
        super().__init__()
        self.features = Features()
        self.rpn_model, self.mask_model = Proposals(), Outlines()
        self.refine_model = Refinement() if refine else None

    def exemplar(self, picture: Tensor) -> Exemplar:
        """The kernels of an object, from (B, 3, 127, 127)."""
        features = self.features(picture).features
        cls, loc, mask = self.rpn_model.cls, self.rpn_model.loc, self.mask_model.mask
        return Exemplar(cls.kernel(features), loc.kernel(features), mask.kernel(features))

    def region(self, picture: Tensor) -> Region:
        """A search region, from (B, 3, 255, 255)."""
        return self.features(picture)

    def locate(self, exemplar: Exemplar, region: Region) -> tuple[Tensor, Tensor]:
        """Where the object may be.

        Returns:
            (B, 10, 25, 25): for each anchor, background, then for each anchor, object; to go
            through a softmax over the two. (B, 20, 25, 25): for each anchor dx, then dy, dw, dh.
        """
        scores = self.rpn_model.cls(exemplar.cls, region.features)
        return scores, self.rpn_model.loc(exemplar.loc, region.features)

    def coarse_mask(self, exemplar: Exemplar, region: Region, row: int, column: int) -> Tensor:
        """(B, 63, 63) logits of the outline at one cell."""
        head = self.mask_model.mask
        found = head.head(head.correlation_at(exemplar.mask, region.features, row, column))
        return found.view(-1, COARSE, COARSE)

    def refined_mask(self, exemplar: Exemplar, region: Region, row: int, column: int) -> Tensor:
        """(B, 127, 127) logits of the outline at one cell, with the backbone's finer stages."""
        assert self.refine_model is not None
        head = self.mask_model.mask
        found = head.correlation_at(exemplar.mask, region.features, row, column)
        return self.refine_model(found, region.stages, row, column)

    def fold(self) -> SiamMask:
        """Make it quick, for good (``fold_all``), and return it."""
        fold_all(self)
        return self


def siammask() -> SiamMask:
    """The layout of the published files."""
    return SiamMask()


def siammask_base() -> SiamMask:
    """The layout without refinement."""
    return SiamMask(refine=False)


class Features(nn.Module):
    """The backbone and the reduction behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.features = ResNet()
        self.downsample = nn.Module()
        self.downsample.downsample = nn.Sequential(
            nn.Conv2d(16 * BASE, WIDTH, 1, bias=False), nn.BatchNorm2d(WIDTH)
        )

    def forward(self, picture: Tensor) -> Region:
        stages = self.features(picture)
        features = self.downsample.get_submodule("downsample")(stages.p3)
        side = features.shape[-1]
        if side < 20:  # an exemplar: only its middle is the object
            cut = (side - _EXEMPLAR_CELLS) // 2
            features = features[..., cut:-cut, cut:-cut]
        return Region(stages, features)


class ResNet(nn.Module):
    """ResNet-50 without its last stage, with little padding and a stride of 8."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, BASE, 7, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(BASE)
        self.layer1 = _stage(BASE, BASE, 3, stride=1, dilation=1, shortcut=1)
        self.layer2 = _stage(4 * BASE, 2 * BASE, 4, stride=2, dilation=1, shortcut=3)
        self.layer3 = _stage(8 * BASE, 4 * BASE, 6, stride=1, dilation=2, shortcut=3)

    def forward(self, picture: Tensor) -> Stages:
        p0 = convolved(picture, self.conv1, self.bn1, activation=RELU)
        p1 = self.layer1(functional.max_pool2d(p0, 3, 2, 1))
        p2 = self.layer2(p1)
        return Stages(p0, p1, p2, self.layer3(p2))


def _stage(
    inputs: int, width: int, blocks: int, stride: int, dilation: int, shortcut: int
) -> nn.Sequential:
    first = Bottleneck(inputs, width, stride, 1, shortcut)
    rest = (Bottleneck(4 * width, width, 1, dilation) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)


class Bottleneck(nn.Module):
    """``shortcut``: side of the kernel that carries the input past the block; 0 for none."""

    def __init__(
        self, inputs: int, width: int, stride: int, dilation: int, shortcut: int = 0
    ) -> None:
        super().__init__()
        padding = dilation if dilation > 1 else 2 - stride
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = None
        if shortcut:
            around = padding if shortcut > 1 else 0
            conv = nn.Conv2d(inputs, 4 * width, shortcut, stride, around, bias=False)
            self.downsample = nn.Sequential(conv, nn.BatchNorm2d(4 * width))

    def forward(self, x: Tensor) -> Tensor:
        past = x
        if self.downsample is not None:
            past = convolved(x, self.downsample[0], self.downsample[1])
        x = convolved(x, self.conv1, self.bn1, activation=RELU)
        x = convolved(x, self.conv2, self.bn2, activation=RELU)
        return convolved(x, self.conv3, self.bn3, past, RELU)


class Answer(nn.ModuleList):
    """Two layers on each cell alone."""

    def forward(self, x: Tensor) -> Tensor:
        first, norm, _, last = self
        return convolved(convolved(x, first, norm, activation=RELU), last)


class Head(nn.Module):
    """The object slid over the region, channel by channel, and what follows from it."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv_kernel, self.conv_search = _unpadded(), _unpadded()
        self.head = Answer(
            [
                nn.Conv2d(WIDTH, WIDTH, 1, bias=False),
                nn.BatchNorm2d(WIDTH),
                nn.ReLU(inplace=True),
                nn.Conv2d(WIDTH, outputs, 1),
            ]
        )

    def kernel(self, features: Tensor) -> Tensor:
        """(B, 256, 7, 7) of an exemplar to (B, 256, 5, 5)."""
        return self.conv_kernel(features)

    def correlation(self, kernel: Tensor, features: Tensor) -> Tensor:
        """(B, 256, 25, 25) from the (B, 256, 31, 31) of a region."""
        x = self.conv_search(features)
        batch, channels, height, width = x.shape
        each = kernel.reshape(batch * channels, 1, _KERNEL, _KERNEL)
        found = functional.conv2d(
            x.reshape(1, batch * channels, height, width), each, groups=batch * channels
        )
        return found.view(batch, channels, *found.shape[-2:])

    def correlation_at(self, kernel: Tensor, features: Tensor, row: int, column: int) -> Tensor:
        """(B, 256, 1, 1): one cell of ``correlation``."""
        reach = _KERNEL + 2
        x = self.conv_search(features[..., row : row + reach, column : column + reach])
        return (x.float() * kernel.float()).sum((2, 3), keepdim=True).to(x.dtype)

    def forward(self, kernel: Tensor, features: Tensor) -> Tensor:
        return self.head(self.correlation(kernel, features))


def _unpadded() -> Unit:
    conv = nn.Conv2d(WIDTH, WIDTH, 3, bias=False)
    return Unit([conv, nn.BatchNorm2d(WIDTH), nn.ReLU(inplace=True)])


class Proposals(nn.Module):
    """Where the object is."""

    def __init__(self) -> None:
        super().__init__()
        self.cls, self.loc = Head(2 * ANCHORS), Head(4 * ANCHORS)


class Outlines(nn.Module):
    """What it covers."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = Head(COARSE * COARSE)


class Refinement(nn.Module):
    """One cell's outline, made finer with what the backbone saw around that cell."""

    def __init__(self) -> None:
        super().__init__()
        self.v0, self.v1, self.v2 = (
            _pair(BASE, 16, 4),
            _pair(4 * BASE, 64, 16),
            _pair(8 * BASE, 128, 32),
        )
        self.h2, self.h1, self.h0 = _pair(32, 32, 32), _pair(16, 16, 16), _pair(4, 4, 4)
        self.deconv = nn.ConvTranspose2d(WIDTH, 32, 15, 15)
        self.post0 = nn.Conv2d(32, 16, 3, padding=1)
        self.post1 = nn.Conv2d(16, 4, 3, padding=1)
        self.post2 = nn.Conv2d(4, 1, 3, padding=1)

    def forward(self, cell: Tensor, stages: Stages, row: int, column: int) -> Tensor:
        """(B, 127, 127) from the correlation (B, 256, 1, 1) of a cell."""
        p2 = _window(stages.p2, row - 4, column - 4, 15)
        p1 = _window(stages.p1, 2 * row - 8, 2 * column - 8, 31)
        p0 = _window(stages.p0, 4 * row - 16, 4 * column - 16, 61)
        x = self.post0(_to(self.h2(self._spread(cell)) + self.v2(p2), 31))
        x = self.post1(_to(self.h1(x) + self.v1(p1), 61))
        return self.post2(_to(self.h0(x) + self.v0(p0), FINE))[:, 0]

    def _spread(self, cell: Tensor) -> Tensor:
        """(B, 32, 15, 15): ``deconv`` of one place alone, which is a product of matrices."""
        weight, bias = self.deconv.weight, self.deconv.bias
        assert bias is not None
        return (cell.flatten(1) @ weight.flatten(1)).view(-1, *weight.shape[1:]) + bias[
            :, None, None
        ]


class Pair(nn.ModuleList):
    """Two rectified layers."""

    def forward(self, x: Tensor) -> Tensor:
        first, _, second, _ = self
        return convolved(convolved(x, first, activation=RELU), second, activation=RELU)


def _pair(inputs: int, between: int, outputs: int) -> Pair:
    return Pair(
        [
            nn.Conv2d(inputs, between, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(between, outputs, 3, padding=1),
            nn.ReLU(inplace=True),
        ]
    )


def _to(x: Tensor, side: int) -> Tensor:
    return functional.interpolate(x, size=(side, side), mode="nearest")


def _window(x: Tensor, top: int, left: int, side: int) -> Tensor:
    """(B, C, side, side) of ``x`` from (top, left), zeros where it leaves ``x``."""
    height, width = x.shape[-2:]
    above, before = max(-top, 0), max(-left, 0)
    below, behind = max(top + side - height, 0), max(left + side - width, 0)
    inside = x[..., top + above : top + side - below, left + before : left + side - behind]
    return functional.pad(inside, (before, behind, above, below))
