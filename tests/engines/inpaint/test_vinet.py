"""What the engine vinet promises beyond the contract of all inpainters."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.engines.inpaint.vinet.order import Order
from cleanplate.errors import InputError
from cleanplate.protocols import Runtime
from cleanplate.types import Frame, MaskedFrame

torch: Any = pytest.importorskip("torch", reason="The engine vinet needs torch")

from cleanplate.engines.inpaint.vinet.pictures import Scale, moved  # noqa: E402
from cleanplate.networks.layers.correlation import correlation  # noqa: E402
from cleanplate.networks.vinet.layers import Encoder  # noqa: E402
from cleanplate.networks.vinet.vinet import VINet, vinet_256, vinet_512  # noqa: E402
from tests.weights import named_weights, save  # noqa: E402

LIVE = {"size": "0", "lookahead": "0"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(save(vinet_512(), tmp_path_factory.mktemp("vinet") / "vinet.pth"))


def engine(weights: str, settings: dict[str, str], **runtime: Any) -> Any:
    return registry.create("inpaint", "vinet", settings | {"weights": weights}, Runtime(**runtime))


def clip(count: int, width: int = 64, height: int = 48, seed: int = 0) -> list[MaskedFrame]:
    """A pan of 1 px a frame, with a hole that stays."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width + count, 3), np.uint8)
    wide = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)
    mask = np.zeros((height, width), np.uint8)
    mask[16:32, 20:40] = 2
    images = [np.ascontiguousarray(wide[:, n : n + width]) for n in range(count)]
    return [MaskedFrame(Frame(n, Fraction(n, 25), i), mask) for n, i in enumerate(images)]


def cleared(masked: MaskedFrame) -> MaskedFrame:
    return replace(masked, mask=np.zeros_like(masked.mask))


def test_the_network_has_the_tensors_of_the_published_file() -> None:
    for network in (vinet_512(), vinet_256()):
        assert len(network.state_dict()) == 166
        assert sum(p.numel() for p in network.parameters()) == 14_115_364


def test_offline_steps_rehearse_backwards_and_mirror_at_both_ends() -> None:
    order = Order(lookahead=6, pre_roll=3)
    steps = order.steps(20)
    assert [order.frame(step) for step in range(6)] == [2, 1, 0, 0, 1, 2]
    assert order.neighbours(0, steps) == (3, 0, 0, 3)
    assert order.neighbours(12, steps) == (3, 6, 12, 15)
    assert order.neighbours(steps - 1, steps) == (13, 16, 16, 13)
    assert order.neighbours(steps - 4, steps) == (10, 13, 19, 16)


def test_a_live_order_never_names_a_later_frame_than_it_may() -> None:
    assert Order(0, 0).neighbours(10, 11) == (4, 7, 7, 4)
    assert Order(3, 0).neighbours(10, 99) == (4, 7, 13, 10)
    for lookahead in range(6):
        for step in range(15):
            beside = Order(lookahead, 0).neighbours(step, 99)
            assert min(beside) >= 0
            assert max(beside) <= step + lookahead


def by_displacement(reference: Any, source: Any, radius: int) -> Any:
    height, width = reference.shape[-2:]
    around = torch.nn.functional.pad(source, (radius,) * 4)
    places = range(2 * radius + 1)
    cells = [
        (reference * around[:, :, y : y + height, x : x + width]).mean(1)
        for y in places
        for x in places
    ]
    return torch.stack(cells, 1)


@pytest.mark.parametrize("size", [(8, 16), (5, 7), (13, 9), (1, 1)])
def test_correlation_by_tiles_is_correlation_by_displacements(size: tuple[int, int]) -> None:
    one, other = (torch.randn(2, 6, *size, dtype=torch.float64, requires_grad=True) for _ in "ab")
    tiles, plain = correlation(one, other, 4), by_displacement(one, other, 4)
    torch.testing.assert_close(tiles, plain)
    weight = torch.randn_like(plain)
    for got, want in zip(
        torch.autograd.grad(tiles, (one, other), weight),
        torch.autograd.grad(plain, (one, other), weight),
        strict=True,
    ):
        torch.testing.assert_close(got, want)


def test_a_step_can_be_trained() -> None:
    network = VINet(double_size=False)
    network.load_state_dict(named_weights(network))
    frames, masks = torch.rand(1, 3, 5, 16, 24), torch.zeros(1, 1, 5, 16, 24)
    network(frames, masks, torch.rand(1, 5, 16, 24)).image.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


def test_each_frame_is_encoded_once_while_the_region_stays(
    weights: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = 0
    forward = Encoder.forward

    def counted(self: Encoder, x: Any) -> Any:
        nonlocal count
        count += 1
        return forward(self, x)

    monkeypatch.setattr(Encoder, "forward", counted)
    frames = clip(16)
    list(engine(weights, {"size": "0", "pre_roll": "2"}).inpaint(frames))
    steps = 16 + 2
    assert count == 2 * steps + len(frames)  # reference and feedback are new at each step


def test_a_clear_clip_costs_no_network(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = engine(weights, {})
    monkeypatch.setattr(VINet, "step", None)
    monkeypatch.setattr(Encoder, "forward", None)
    frames = [cleared(masked) for masked in clip(9)]
    assert [f.image for f in made.inpaint(frames)] == [m.frame.image for m in frames]


def test_frames_of_any_size_come_back_from_the_published_square(weights: str) -> None:
    frames = clip(2, width=50, height=37)
    for given, got in zip(
        frames, engine(weights, {"size": "64", "pre_roll": "0"}).inpaint(frames), strict=True
    ):
        outside = given.mask == 0
        assert np.array_equal(got.image[outside], given.frame.image[outside])
        assert not np.array_equal(got.image, given.frame.image)


def test_an_image_moves_as_its_region_does() -> None:
    image, under = torch.arange(12.0).view(1, 1, 3, 4), torch.full((1, 1, 3, 4), -1.0)
    assert moved(image, (0, 0), under) is image
    assert moved(image, (1, -1), under)[0, 0].tolist() == [
        [-1, 4, 5, 6],
        [-1, 8, 9, 10],
        [-1, -1, -1, -1],
    ]
    assert moved(image, (4, 0), under) is under


def test_a_frame_seen_from_a_moved_region_shows_the_same_places() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (80, 90, 3), np.uint8)
    masked = MaskedFrame(
        Frame(0, Fraction(0), picture[10:58, 20:84]), np.zeros((48, 64), np.uint8), (20, 10)
    )
    seen, hole = Scale.of(48, 64, 0, 16, grow=False).picture(masked, (26, 4))
    assert np.array_equal(seen[~hole], picture[4:52, 26:90, ::-1][~hole])
    assert hole[:6].all()
    assert hole[:, 58:].all()
    assert not hole[6:, :58].any()


def test_a_region_that_jumps_changes_little_of_a_still_background(weights: str) -> None:
    """The previous image moves along, so the fill after the jump is like the one without."""
    picture = clip(1, width=160, height=96)[0].frame.image

    def at(places: list[tuple[int, int]]) -> list[np.ndarray]:
        mask = np.zeros((96, 160), np.uint8)
        mask[40:56, 70:90] = 1
        frames = [
            MaskedFrame(
                Frame(n, Fraction(n, 25), picture[y : y + 64, x : x + 96]),
                mask[y : y + 64, x : x + 96],
                (x, y),
            )
            for n, (x, y) in enumerate(places)
        ]
        filled = engine(weights, LIVE).inpaint(frames)
        return [
            f.image[40 - y : 56 - y, 70 - x : 90 - x]
            for f, (x, y) in zip(filled, places, strict=True)
        ]

    still = at([(32, 16)] * 9)
    jumped = at([(32, 16)] * 6 + [(48, 16)] * 3)
    assert np.array_equal(still[5], jumped[5])
    apart = np.abs(still[6].astype(int) - jumped[6]).mean()
    alone = np.abs(still[6].astype(int) - at([(48, 16)])[0]).mean()
    assert apart < alone


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_lower_precision_changes_little(weights: str, precision: str) -> None:
    frames = clip(8)
    full = list(engine(weights, LIVE).inpaint(frames))
    half = list(engine(weights, LIVE, precision=precision).inpaint(frames))
    hole = frames[0].mask != 0
    apart = np.stack([a.image[hole] for a in full]) - np.stack(
        [b.image[hole].astype(float) for b in half]
    )
    assert 10 * np.log10(255**2 / np.mean(apart**2)) > 30


def test_memory_that_is_too_small_is_refused_with_a_way_out(weights: str) -> None:
    frames = clip(2, width=640, height=480)
    with pytest.raises(InputError, match=r"at 640x480, but .* set size to at most \d+"):
        list(engine(weights, {"size": "0"}, memory=600 << 20).inpaint(frames))
    with pytest.raises(InputError, match="allow more memory"):
        list(engine(weights, {"size": "0"}, memory=1 << 20).inpaint(frames))


def test_a_size_that_does_not_fit_is_refused(weights: str) -> None:
    with pytest.raises(InputError, match="500; it must be a multiple of 16, such as 496 or 512"):
        engine(weights, {"size": "500"})
