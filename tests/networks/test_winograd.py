"""Convolutions with fewer products give what convolutions give."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from cleanplate.networks.layers import winograd
from cleanplate.networks.layers.winograd import WinogradConv2d, quicken


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("shape", [(1, 8, 5, 6), (1, 8, 31, 31), (3, 16, 9, 22), (2, 64, 90, 161)])
@pytest.mark.parametrize(("padding", "dilation"), [(0, 1), (1, 1), (2, 2), (0, 2), (1, 3)])
def test_every_size_padding_and_dilation_comes_out_alike(
    shape: tuple[int, ...], padding: int, dilation: int, groups: int
) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(shape[1], 12, 3, 1, padding, dilation, groups).requires_grad_(False)
    x = torch.randn(shape)
    torch.testing.assert_close(WinogradConv2d(plain)(x), plain(x), rtol=1e-5, atol=3e-5)


def test_rounding_in_bfloat16_is_at_most_three_times_that_of_the_plain_layer() -> None:
    torch.manual_seed(0)
    exact = nn.Conv2d(128, 128, 3, padding=1).requires_grad_(False).bfloat16().float()
    x = torch.randn(1, 128, 40, 40).relu().bfloat16()
    wanted = exact(x.float())
    plain = exact.bfloat16()
    errors = [float((layer(x) - wanted).std()) for layer in (WinogradConv2d(plain), plain)]
    assert errors[0] < 3 * errors[1]


@pytest.mark.parametrize("unit", [False, True], ids=["without", "with a matrix unit"])
def test_only_what_gains_is_replaced(unit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "has_matrix_unit", lambda: unit)
    layers = nn.Sequential(
        nn.Conv2d(64, 64, 3, padding=1),
        nn.Conv2d(64, 64, 3, padding=2, dilation=2, bias=False),
        nn.Conv2d(64, 64, 3, stride=2),
        nn.Conv2d(64, 64, 1),
        nn.Conv2d(64, 64, 3, groups=2),
        nn.Conv2d(3, 64, 3),
    )
    reduced = nn.Sequential(nn.Conv2d(128, 128, 3), nn.Conv2d(256, 256, 3)).bfloat16()
    for network in (layers, reduced):
        network.requires_grad_(False)
    quicken(layers)
    quicken(reduced)
    assert [isinstance(layer, WinogradConv2d) for layer in layers] == [True] * 2 + [False] * 4
    assert [isinstance(layer, WinogradConv2d) for layer in reduced] == [False, not unit]
