"""What the engine deaot promises beyond the contract: bounded memory, groups, states."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cleanplate import registry
from cleanplate.checkpoints import store
from cleanplate.engines.track._aot_memory import Remembered
from cleanplate.networks import aot, aot_attention
from cleanplate.networks.aot_layers import KeyValue
from cleanplate.protocols import Runtime
from cleanplate.types import Frame, ObjectState, Visibility
from tests.scene import texture
from tests.weights import provide


@pytest.fixture(autouse=True)
def own_store(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.getbasetemp() / "deaot-weights"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv(store.PLACE, str(folder))
    return folder


def engine(precision: str = "float32", model: str = "deaot_t", **settings: str) -> Any:
    provide(model)
    runtime = Runtime(precision=precision)
    return registry.create("track", "deaot", {"model": model, **settings}, runtime)


def frames(count: int, width: int = 96, height: int = 64) -> list[Frame]:
    wide = texture(width + count, height, 5)
    return [
        Frame(n, Fraction(n, 24), np.ascontiguousarray(wide[:, n : n + width]))
        for n in range(count)
    ]


def mask_of(count: int, width: int = 96, height: int = 64) -> np.ndarray:
    """``count`` small squares with ids 2, 4, 6, ..."""
    mask = np.zeros((height, width), np.uint8)
    for number in range(count):
        row, column = divmod(number, 6)
        mask[row * 14 + 2 : row * 14 + 12, column * 15 + 2 : column * 15 + 12] = 2 * number + 2
    return mask


def size_of(state: dict[str, np.ndarray]) -> int:
    return sum(array.nbytes for array in state.values())


def test_what_is_remembered_does_not_grow_with_the_clip() -> None:
    clip = frames(24)
    tracking = engine(gap="2", memory_frames="3").start(clip[0], mask_of(2))
    # Taken for seen, so that every frame may be remembered, whatever made-up weights think.
    seen = [ObjectState(one, 1.0, Visibility.VISIBLE) for one in (2, 4)]
    tracking._judged = lambda labels, shares: seen
    sizes = []
    for frame in clip[1:]:
        tracking.step(frame)
        sizes.append(size_of(tracking.state()))
    assert max(sizes) == sizes[-1] == sizes[8]
    assert sizes[8] > sizes[0]


def _kept(number: int) -> list[KeyValue]:
    return [KeyValue(torch.full((1, 2, 1), float(number)), torch.zeros(1, 2, 1))]


def test_of_confirmed_frames_the_first_and_the_newest_stay() -> None:
    memory = Remembered(ring=2, confirmed_limit=3)
    for number in range(5):
        memory.confirm(_kept(number))
    assert [float(frame[0].key[0, 0, 0]) for frame in memory.confirmed] == [0, 3, 4]


def test_of_sampled_frames_the_newest_stay_and_confirmed_ones_are_not_pushed_out() -> None:
    memory = Remembered(ring=2, confirmed_limit=3)
    memory.confirm(_kept(0))
    for number in range(1, 6):
        memory.pass_on(_kept(number), sample=number != 5)
    ((long, short),) = memory.reading()
    assert long.key[0, :, 0].tolist() == [0, 0, 3, 3, 4, 4]
    assert short.key[0, 0, 0] == 5
    assert memory.tokens == 6


def test_more_objects_than_ten_go_in_groups_and_keep_their_ids() -> None:
    clip, mask = frames(3), mask_of(13)
    tracking = engine().start(clip[0], mask)
    assert len(tracking._video.groups) == 2
    answer = tracking.step(clip[1])
    assert [one.object_id for one in answer.objects] == [2 * n + 2 for n in range(13)]
    assert set(np.unique(answer.mask)) <= {0, *(2 * n + 2 for n in range(13))}


def test_a_correction_may_bring_the_eleventh_object() -> None:
    clip = frames(4)
    tracking = engine().start(clip[0], mask_of(10))
    tracking.step(clip[1])
    more = np.zeros_like(mask_of(10))
    more[50:60, 80:90] = 99
    tracking.correct(clip[1], more)
    assert len(tracking._video.groups) == 2
    assert tracking.step(clip[2]).objects[-1].object_id == 99


def test_states_follow_how_sure_the_network_is_and_how_large_the_object_is() -> None:
    clip = frames(2)
    tracking = engine(patience="3").start(clip[0], mask_of(1))
    labels = np.zeros((64, 96), np.uint8)
    labels[2:12, 2:12] = 1
    usual = np.full(labels.shape, 0.9, np.float32)

    def state(labels: np.ndarray, shares: np.ndarray) -> Visibility:
        return tracking._judged(labels, shares)[0].visibility

    assert state(labels, usual) == Visibility.VISIBLE
    assert state(labels, usual * 0.7) == Visibility.PARTLY_HIDDEN
    little = np.where(np.arange(96) < 4, labels, 0).astype(np.uint8)
    assert state(little, usual) == Visibility.PARTLY_HIDDEN
    assert state(labels, usual * 0.5) == Visibility.HIDDEN
    assert state(np.zeros_like(labels), usual) == Visibility.HIDDEN
    assert state(np.zeros_like(labels), usual) == Visibility.LOST
    assert state(labels, usual) == Visibility.VISIBLE


@pytest.mark.parametrize(("first", "rows", "height", "width"), [(0, 4, 20, 9), (8, 3, 11, 30)])
def test_bands_of_rows_see_what_a_window_sees(
    first: int, rows: int, height: int, width: int
) -> None:
    """Against the definition: each place by itself, its window cut out of a padded map."""
    torch.manual_seed(0)
    attention = aot_attention.WindowAttention(2, 8)
    q, k = (torch.randn(1, 2, height * width, 4) for _ in range(2))
    v = torch.randn(1, 2, height * width, 5)
    with torch.no_grad():
        found = attention.window(q, k, v, (height, width))
        flat = q.transpose(-1, -2).reshape(1, 8, height, width)
        terms = attention.relative_emb_k(flat).view(2, 225, height, width)
        for y in range(first, first + rows):
            for x in range(0, width, 4):
                places = [
                    (y + dy) * width + x + dx
                    if 0 <= y + dy < height and 0 <= x + dx < width
                    else -1
                    for dy in range(-7, 8)
                    for dx in range(-7, 8)
                ]
                inside = torch.tensor([one >= 0 for one in places])
                index = torch.tensor([one for one in places if one >= 0])
                for head in range(2):
                    scores = k[0, head, index] @ q[0, head, y * width + x] / 2
                    scores += terms[head, inside, y, x]
                    wanted = scores.softmax(0) @ v[0, head, index]
                    torch.testing.assert_close(
                        found[0, head, y * width + x], wanted, atol=1e-5, rtol=1e-4
                    )


def test_attention_in_parts_is_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 1, 33, 8), torch.randn(1, 1, 50, 8), torch.randn(1, 1, 50, 12)
    whole = aot_attention.attend(q, k, v)
    monkeypatch.setattr(aot_attention, "_MOST_SCORES", 200)
    torch.testing.assert_close(aot_attention.attend(q, k, v), whole)


def test_bfloat16_sees_nearly_the_same() -> None:
    clip, mask = frames(3), mask_of(3)
    logits = []
    for precision in ("float32", "bfloat16"):
        tracking = engine(precision).start(clip[0], mask)
        tracking.step(clip[1])
        logits.append(tracking._video.groups[0].logits.float()[:4])
    difference = (logits[0] - logits[1]).norm() / logits[0].norm()
    assert float(difference) < 0.05


@pytest.mark.parametrize(
    ("size", "aligned", "seen"),
    [
        ((250, 397), True, (257, 401)),
        ((250, 397), False, (256, 400)),
        ((1080, 1920), True, (577, 1041)),
        ((480, 854), True, (481, 849)),
    ],
)
def test_pictures_are_seen_at_the_published_sizes(
    size: tuple[int, int], aligned: bool, seen: tuple[int, int]
) -> None:
    assert aot.fitted(*size, 1040, aligned) == seen
