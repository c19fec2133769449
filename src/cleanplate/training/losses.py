"""What the networks are trained to make small.

E2FGVI: Li et al., CVPR 2022, section 3.4, in the form that its project trains with. VINet: Kim et
al., CVPR 2019, section 3.4. Pictures are in -1..1, masks 1 in the hole; each loss is a scalar.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from cleanplate.networks.vinet.layers import warp

_WINDOW, _SIGMA = 11, 1.5  # of SSIM
_C1, _C2 = 0.01**2, 0.03**2
_DOUBT = 50.0  # how quickly trust in a carried pixel falls with its error
_SURE = 0.02  # squared error of a carried pixel below which the flow is taken for true


# --- E2FGVI -----------------------------------------------------------------------------------


def real_loss(scores: Tensor) -> Tensor:
    """The hinge of the discriminator's ``scores``, of any shape, of real clips."""
    return functional.relu(1 - scores).mean()


def fake_loss(scores: Tensor) -> Tensor:
    """The hinge of the discriminator's ``scores``, of any shape, of filled clips."""
    return functional.relu(1 + scores).mean()


def adversarial_loss(scores: Tensor) -> Tensor:
    """What the generator wants of the discriminator's ``scores`` of filled clips: high ones."""
    return -scores.mean()


def masked_loss(pictures: Tensor, truth: Tensor, mask: Tensor, share: Tensor | float) -> Tensor:
    """The mean distance where ``mask`` is, as if all other pixels were not there.

    Args:
        pictures, truth: (B, T, 3, H, W).
        mask: (B, T, 1, H, W), 1 where it counts.
        share: the mean of ``mask`` over the whole batch, of which this may be a part; above 0.
    """
    return functional.l1_loss(pictures * mask, truth * mask) / share


def flow_loss(flows: Sequence[Tensor], truths: Sequence[Tensor]) -> Tensor:
    """The mean distance of ``flows`` from ``truths``, of alike shapes, summed over the pairs."""
    distances = [functional.l1_loss(*pair) for pair in zip(flows, truths, strict=True)]
    return torch.stack(distances).sum()


# --- VINet ------------------------------------------------------------------------------------


def ssim(pictures: Tensor, truth: Tensor) -> Tensor:
    """The mean structural similarity of two (B, C, H, W), at most 1.

    Wang et al., "Image Quality Assessment", 2004: a Gaussian window of 11, sigma 1.5, zeros
    outside, on values as they are.
    """
    line = torch.arange(_WINDOW, dtype=pictures.dtype, device=pictures.device) - _WINDOW // 2
    line = torch.exp(-(line**2) / (2 * _SIGMA**2))
    line = line / line.sum()
    channels = pictures.shape[1]
    window = (line[:, None] * line).expand(channels, 1, _WINDOW, _WINDOW)

    def blur(x: Tensor) -> Tensor:
        return functional.conv2d(x, window, padding=_WINDOW // 2, groups=channels)

    a, b = blur(pictures), blur(truth)
    aa, bb = blur(pictures**2) - a**2, blur(truth**2) - b**2
    ab = blur(pictures * truth) - a * b
    likeness = (2 * a * b + _C1) * (2 * ab + _C2) / ((a**2 + b**2 + _C1) * (aa + bb + _C2))
    return likeness.mean()


def warping_loss(picture: Tensor, truth: Tensor, earlier: Tensor, flow: Tensor) -> Tensor:
    """How far ``picture`` is from an earlier truth that is carried to it, where that one fits.

    Args:
        picture, truth: (B, 3, H, W), of one time.
        earlier: (B, 3, H, W), the truth of an earlier time.
        flow: (B, 2, H, W) px, where a pixel of ``truth`` is found in ``earlier``.
    """
    carried = warp(earlier, flow, "border")
    # The sum of the errors of the channels, squared: as published, they may cancel.
    fits = torch.exp(-_DOUBT * (truth - carried).sum(1, keepdim=True) ** 2)
    return functional.l1_loss(picture * fits, carried * fits)


def applied_flow_losses(
    applied: Tensor, flow: Tensor, truths: tuple[Tensor, Tensor], pictures: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Of the flow by which the network carries its picture: error, error of the truth carried by
    it, and of the picture against the one before carried by it; where ``flow`` can be trusted.

    Args:
        applied: (B, 2, H, W) px, the network's.
        flow: (B, 2, H, W) px, the true one, from the later to the earlier.
        truths, pictures: (B, 3, H, W) each, earlier and later.
    """
    (before, truth), (picture_before, picture) = truths, pictures
    apart = ((truth - warp(before, flow, "border")) ** 2).sum(1, keepdim=True)
    sure = (apart < _SURE).to(truth.dtype)
    moved = warp(picture_before, applied, "border").detach()
    return (
        functional.l1_loss(applied * sure, flow * sure),
        functional.l1_loss(warp(before, applied, "border") * sure, truth * sure),
        functional.l1_loss(picture * sure, moved * sure),
    )
