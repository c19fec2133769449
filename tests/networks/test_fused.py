"""A convolution in one pass with what follows it gives what the layers give one by one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cleanplate.networks.layers.fused import NONE, RELU, RELU6, convolved
from cleanplate.networks.layers.winograd import WinogradConv2d

ACTIVATIONS = {NONE: nn.Identity(), RELU: nn.ReLU(), RELU6: nn.ReLU6()}


def layer(kernel: int, groups: int) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(16, 16, kernel, padding=kernel // 2, groups=groups).requires_grad_(False)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize(("kernel", "groups"), [(1, 1), (3, 1), (3, 16)])
@pytest.mark.parametrize("precision", ["float32", "autocast", "bfloat16"])
def test_one_pass_is_what_the_layers_are(
    activation: str, joined: bool, kernel: int, groups: int, precision: str
) -> None:
    convolution, x = layer(kernel, groups), torch.randn(2, 16, 9, 14) * 4
    past = torch.randn(2, 16, 9, 14) if joined else None
    wanted = ACTIVATIONS[activation](convolution(x) + (0 if past is None else past))
    relative, absolute = (1e-5, 1e-5) if precision == "float32" else (0.05, 0.1)
    if precision == "bfloat16":
        convolution, x = convolution.bfloat16(), x.bfloat16()
        past = None if past is None else past.bfloat16()
    given = x.clone()
    with torch.inference_mode(), torch.autocast("cpu", enabled=precision == "autocast"):
        found = convolved(x, convolution, None, past, activation)
        unfolded = convolved(x, convolution, nn.Sequential(), past, activation)
    assert torch.equal(x, given)
    torch.testing.assert_close(found.float(), wanted, rtol=relative, atol=absolute)
    torch.testing.assert_close(unfolded.float(), wanted, rtol=relative, atol=absolute)


def test_where_gradients_are_wanted_they_come() -> None:
    convolution, x = nn.Conv2d(16, 16, 1), torch.randn(1, 16, 5, 5)
    convolved(x, convolution, None, x, RELU).sum().backward()
    assert convolution.weight.grad is not None


def test_a_layer_with_fewer_products_is_followed_by_the_same() -> None:
    plain, x = layer(3, 1), torch.randn(1, 16, 9, 14)
    with torch.inference_mode():
        found = convolved(x, WinogradConv2d(plain), None, x, RELU)
        torch.testing.assert_close(found, convolved(x, plain, None, x, RELU), rtol=1e-4, atol=1e-4)
