"""The losses against plain numpy forms of their formulas, which share nothing with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cleanplate.training import losses
from cleanplate.training.configuration import LossSettings
from cleanplate.training.e2fgvi import Filled, discriminator_terms, generator_terms


def dice(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, shape)


class Judge(torch.nn.Module):
    """Says of a clip what its mean brightness is, three times over."""

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        return 3 * clips.mean(dim=(2, 3, 4))


def test_each_loss_of_the_generator_is_the_one_of_the_formula() -> None:
    pictures, frames = dice(2, 4, 3, 8, 12), dice(2, 4, 3, 8, 12, seed=1)
    masks = (dice(2, 4, 1, 8, 12, seed=2) > 0.3).astype(float)
    composed = frames * (1 - masks) + masks * pictures
    flows = [dice(2, 2, 2, 2, 3, seed=seed) for seed in (3, 4)]
    truths = [dice(2, 2, 2, 2, 3, seed=seed) for seed in (5, 6)]
    filled = Filled(
        torch.tensor(pictures),
        torch.tensor(composed),
        tuple(map(torch.tensor, flows)),  # type: ignore[arg-type]
    )
    weights = LossSettings(hole=2.0, valid=3.0, flow=0.5, adversarial=0.25)
    terms = generator_terms(
        filled,
        torch.tensor(frames),
        torch.tensor(masks),
        tuple(map(torch.tensor, truths)),  # type: ignore[arg-type]
        float(masks.mean()),
        weights,
        Judge(),
    )
    apart = np.abs(pictures - frames).mean(axis=2, keepdims=True)  # over the channels
    want = {
        "hole": 2 * (apart * masks).sum() / masks.sum(),
        "valid": 3 * (apart * (1 - masks)).sum() / (1 - masks).sum(),
        "flow": 0.5 * sum(np.abs(a - b).mean() for a, b in zip(flows, truths, strict=True)),
        "adversarial": -0.25 * 3 * composed.mean(),
    }
    want["total"] = sum(want.values())
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(want, rel=1e-9)


def test_the_discriminator_wants_real_clips_over_one_and_filled_ones_under_minus_one() -> None:
    frames, composed = dice(2, 4, 3, 6, 6) + 0.2, dice(2, 4, 3, 6, 6, seed=1) - 0.2
    terms = discriminator_terms(Judge(), torch.tensor(frames), torch.tensor(composed))
    real = np.maximum(0, 1 - 3 * frames.mean(axis=(2, 3, 4))).mean()
    fake = np.maximum(0, 1 + 3 * composed.mean(axis=(2, 3, 4))).mean()
    want = {"real": real, "fake": fake, "discriminator": (real + fake) / 2}
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(want, rel=1e-9)


def test_ssim_is_the_one_of_the_paper_pixel_by_pixel() -> None:
    one, other = dice(1, 2, 9, 10), dice(1, 2, 9, 10, seed=1)
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window = np.outer(line, line) / line.sum() ** 2
    padded = [np.pad(image, ((0, 0), (0, 0), (5, 5), (5, 5))) for image in (one, other)]
    values = []
    for channel in range(2):
        for y in range(9):
            for x in range(10):
                a, b = (image[0, channel, y : y + 11, x : x + 11] for image in padded)
                mean_a, mean_b = (window * a).sum(), (window * b).sum()
                spread_a = (window * a * a).sum() - mean_a**2
                spread_b = (window * b * b).sum() - mean_b**2
                both = (window * a * b).sum() - mean_a * mean_b
                values.append(
                    (2 * mean_a * mean_b + 1e-4)
                    * (2 * both + 9e-4)
                    / ((mean_a**2 + mean_b**2 + 1e-4) * (spread_a + spread_b + 9e-4))
                )
    found = losses.ssim(torch.tensor(one), torch.tensor(other))
    assert float(found) == pytest.approx(np.mean(values), rel=1e-9)


def test_a_picture_that_moves_with_the_flow_has_no_warping_loss() -> None:
    earlier = torch.tensor(dice(1, 3, 8, 9)).float()
    truth = torch.roll(earlier, 2, dims=3)
    truth[..., :2] = earlier[..., :1]  # as a border goes on
    flow = torch.zeros(1, 2, 8, 9)
    flow[:, 0] = -2  # where it was before
    assert float(losses.warping_loss(truth, truth, earlier, flow)) == pytest.approx(0, abs=1e-6)
    brighter = losses.warping_loss(truth + 0.5, truth, earlier, flow)
    assert float(brighter) == pytest.approx(0.5, rel=1e-4)


def test_the_flow_that_carried_a_picture_is_held_to_the_true_one() -> None:
    before = torch.tensor(dice(1, 3, 8, 9)).float() / 50
    flow, applied = torch.zeros(1, 2, 8, 9), torch.full((1, 2, 8, 9), 0.25)
    apart, _, _ = losses.applied_flow_losses(applied, flow, (before, before), (before, before))
    assert float(apart) == pytest.approx(0.25)
    picture = before.clone().requires_grad_()
    still = losses.applied_flow_losses(flow, flow, (before, before), (picture, before + 1))
    assert float(still[1].detach()) == pytest.approx(0, abs=1e-6)
    assert float(still[2].detach()) == pytest.approx(1, rel=1e-5)
    assert not still[2].requires_grad  # the picture before is not moved by it
