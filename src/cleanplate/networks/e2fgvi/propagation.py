"""Features carried along the flow, both ways in time. E2FGVI, section 3.2; after BasicVSR++."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from cleanplate.networks.layers.deformable import deformable_convolution
from cleanplate.networks.layers.sampling import warp_features

CHANNELS = 128
_GROUPS = 16
_MOST_OFFSET = 10  # px of features, beyond the flow
_SLOPE = 0.1


def _convolutions(*widths: int) -> nn.Sequential:
    """3x3 convolutions with leaky rectifiers between."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise(widths):
        layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.LeakyReLU(_SLOPE)]
    return nn.Sequential(*layers[:-1])


class Alignment(nn.Module):
    """Takes the features of two earlier steps to where they belong in this one."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(CHANNELS, 2 * CHANNELS, 3, 3))
        self.bias = nn.Parameter(torch.zeros(CHANNELS))
        self.conv_offset = _convolutions(
            3 * CHANNELS + 4, CHANNELS, CHANNELS, CHANNELS, 27 * _GROUPS
        )
        bound = (9 * 2 * CHANNELS) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)
        last = cast(nn.Conv2d, self.conv_offset[-1])
        nn.init.zeros_(last.weight)
        nn.init.zeros_(cast(Tensor, last.bias))

    def forward(self, x: Tensor, extra: Tensor, flow_1: Tensor, flow_2: Tensor) -> Tensor:
        """(B, 128, h, w).

        Args:
            x: (B, 256, h, w) features of the step before and of the one before that.
            extra: (B, 384, h, w) the first of these warped, this frame's, the second warped.
            flow_1, flow_2: (B, 2, h, w) float32 from this frame to those of the two steps.
        """
        raw = self.offsets(extra, flow_1, flow_2).float()
        moves, amounts = raw.split([18 * _GROUPS, 9 * _GROUPS], dim=1)
        # Offsets are (y, x), flows (x, y); the first half of the groups reads the step before.
        flows = torch.stack([flow_1, flow_2], dim=1).flip(2).permute(0, 3, 4, 1, 2)
        spread = torch.tanh(moves).permute(0, 2, 3, 1).unflatten(-1, (2, -1, 2)) * _MOST_OFFSET
        moves = (spread + flows[..., None, :]).flatten(3).permute(0, 3, 1, 2)
        return deformable_convolution(x, moves, torch.sigmoid(amounts), self.weight, self.bias)

    def offsets(self, extra: Tensor, flow_1: Tensor, flow_2: Tensor) -> Tensor:
        """(B, 432, h, w): offsets and modulation before their activations."""
        flows = torch.cat([flow_1, flow_2], dim=1)
        flows = flows.to(extra.dtype, memory_format=torch.channels_last)  # as ``extra`` lies
        return self.conv_offset(torch.cat([extra, flows], dim=1))


class Propagation(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.deform_align = nn.ModuleDict({"backward_": Alignment(), "forward_": Alignment()})
        self.backbone = nn.ModuleDict(
            {
                "backward_": _convolutions(2 * CHANNELS, CHANNELS, CHANNELS),
                "forward_": _convolutions(3 * CHANNELS, CHANNELS, CHANNELS),
            }
        )
        self.fusion = nn.Conv2d(2 * CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor, flow_forward: Tensor, flow_backward: Tensor) -> Tensor:
        """Features that know of all the local frames.

        Args:
            x: (B, L, 128, h, w).
            flow_forward: (B, L - 1, 2, h, w) float32, k from frame k to k + 1.
            flow_backward: the same from frame k + 1 to k.

        Returns:
            (B, L, 128, h, w).
        """
        frames = x.unbind(1)
        alone = [(frame,) for frame in reversed(frames)]
        backward = self._pass("backward_", alone, flow_forward.unbind(1))[::-1]
        both = list(zip(frames, backward, strict=True))
        forward = self._pass("forward_", both, flow_backward.unbind(1))
        pairs = [torch.cat(pair, dim=1) for pair in zip(backward, forward, strict=True)]
        return torch.stack([self.fusion(pair) for pair in pairs], dim=1) + x

    def _pass(
        self, way: str, frames: Sequence[tuple[Tensor, ...]], flows: Sequence[Tensor]
    ) -> list[Tensor]:
        """Each step's result; ``frames`` hold, in the order of the steps, what is known of one.

        The published weights were trained with flow i - 1 at step i in both passes, though going
        backward that is the flow of another pair of frames.
        """
        zeros = torch.zeros_like(frames[0][0])
        results: list[Tensor] = []
        for i, known in enumerate(frames):
            carried = zeros
            if i > 0:
                flow = flows[i - 1]
                second, flow_2, warped_2 = zeros, torch.zeros_like(flow), zeros
                if i > 1:
                    second = results[i - 2]
                    flow_2 = flow + warp_features(flows[i - 2], flow)
                    warped_2 = warp_features(second, flow_2)
                first = results[i - 1]
                extra = torch.cat([warp_features(first, flow), known[0], warped_2], dim=1)
                carried = self.deform_align[way](
                    torch.cat([first, second], dim=1), extra, flow, flow_2
                )
            results.append(carried + self.backbone[way](torch.cat([*known, carried], dim=1)))
        return results
