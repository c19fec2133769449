"""Gradients of what is written by hand against finite differences, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from cleanplate.networks.e2fgvi import transformer
from cleanplate.networks.e2fgvi.spynet import warp as warp_of_spynet
from cleanplate.networks.layers.correlation import correlation
from cleanplate.networks.layers.deformable import deformable_convolution
from cleanplate.networks.layers.sampling import doubled, warp_features
from cleanplate.networks.layers.winograd import WinogradConv2d
from cleanplate.networks.vinet.layers import warp as warp_of_vinet
from cleanplate.training.losses import ssim


def dice(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def flow(*shape: int) -> Tensor:
    """Flows that keep away from whole pixels, where bilinear sampling has a kink."""
    whole, part = torch.randint(-2, 2, shape), torch.rand(*shape, dtype=torch.float64)
    return (whole + 0.1 + 0.8 * part).requires_grad_()


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def test_deformable_convolution() -> None:
    inputs = (dice(1, 4, 3, 4), flow(1, 36, 3, 4), dice(1, 18, 3, 4), dice(2, 4, 3, 3), dice(2))
    assert gradcheck(deformable_convolution, inputs)


def test_warping_of_features() -> None:
    assert gradcheck(warp_features, (dice(1, 2, 4, 5), flow(1, 2, 4, 5)))


@pytest.mark.parametrize("padding", ["zeros", "border"])
def test_warping_of_pictures(padding: str) -> None:
    picture, moves = dice(1, 2, 4, 5), flow(1, 2, 4, 5)
    assert gradcheck(lambda x, f: warp_of_spynet(x, f, padding), (picture, moves))


def test_doubling() -> None:
    assert gradcheck(lambda x: doubled(x, slice(1, 4), slice(0, 3), 5, 4), (dice(1, 2, 3, 3),))


def test_correlation() -> None:
    inputs = (dice(2, 3, 5, 9), dice(2, 3, 5, 9))
    assert gradcheck(lambda a, b: correlation(a, b, 2), inputs)


def test_structural_similarity() -> None:
    assert gradcheck(ssim, (dice(1, 2, 6, 5), dice(1, 2, 6, 5)))


def test_vinets_warping_has_the_gradient_of_the_exact_one() -> None:
    """It samples in float32 whatever it is given, so it is held to the other one."""
    moves = flow(1, 2, 6, 7).detach().float()
    gradients = []
    for function in (warp_of_vinet, warp_of_spynet):
        x, f = torch.arange(84.0).view(1, 2, 6, 7).sin().requires_grad_(), moves.clone()
        function(x, f.requires_grad_(), "border").square().sum().backward()
        gradients.append((x.grad, f.grad))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_the_quick_convolution_refuses_to_be_trained() -> None:
    with pytest.raises(ValueError, match="serves inference alone"):
        WinogradConv2d(nn.Conv2d(8, 8, 3, padding=1))


def test_what_e2fgvi_keeps_from_filling_a_clip_serves_training_too() -> None:
    transformer._groups.cache_clear()
    part = transformer.Part(0, 0, 2, 2)
    with torch.inference_mode():
        filled = transformer._groups(part, part, torch.device("cpu"))
    learned = transformer._groups(part, part, torch.device("cpu"))
    assert filled is learned
    assert not any(tensor.is_inference() for group in learned for tensor in group)
