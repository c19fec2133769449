"""SAM 2.1 as engines: what is remembered, objects that come and go, the cautious rules."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cleanplate import registry
from cleanplate.checkpoints import store
from cleanplate.engines.track.sam2.cautious import ANCHORS, SETTLED, Caution
from cleanplate.engines.track.sam2.memory import (
    NEIGHBOURS,
    POINTERS,
    Limits,
    Output,
    Remembered,
)
from cleanplate.engines.track.sam2.video import Rules, Video
from cleanplate.errors import InputError
from cleanplate.networks.sam2 import sam2
from cleanplate.protocols import Runtime
from cleanplate.types import Box, Frame, Prompt
from tests.weights import make_sam2_small, named_weights, provide


@pytest.fixture(scope="module", autouse=True)
def stored_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("weights")
        patch.setenv(store.PLACE, str(folder))
        make_sam2_small(patch)
        provide("sam2_1_hiera_tiny")
        yield folder


def tracker(**settings: str) -> Any:
    return registry.create("track", "sam2", {"side": "256"} | settings)


def frame(number: int) -> Frame:
    image = np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)
    return Frame(number, Fraction(number, 24), image)


def mask_of(*ids: int) -> np.ndarray:
    mask = np.zeros((48, 64), np.uint8)
    for place, one in enumerate(ids):
        mask[8:40, 4 + 20 * place : 20 + 20 * place] = one
    return mask


def ids_in(answer: Any) -> list[int]:
    return [state.object_id for state in answer.objects]


def output(trusted: bool = True) -> Output:
    return Output(torch.zeros(8, 8), 0.9, 5.0, torch.zeros(4), torch.zeros(2, 2, 2), trusted)


# --- what is remembered ---


def small_video(rules: Rules) -> tuple[Video, Any]:
    """A video whose network sees 64 px, so that thousands of frames take seconds."""
    network = sam2.sam2_1_hiera_tiny().eval().requires_grad_(False)
    network.load_state_dict(named_weights(network))
    video = Video(network, 64, Runtime(), rules)
    with torch.inference_mode():
        return video, [network.encode(torch.randn(1, 3, 64, 64)) for _ in range(3)]


def rules_of(cautious: bool) -> Rules:
    return Rules(Limits(kept=4), corrections_confirm=True, cautious=cautious)


def tensors_kept(video: Video) -> int:
    tables = [t for o in video.objects.values() for t in (o.memory.confirmed, o.memory.followed)]
    caution = [o.caution.anchors for o in video.objects.values() if o.caution is not None]
    return sum(len(table) for table in (*tables, *caution))


def follow_for(count: int, video: Video, features: list[Any]) -> list[int]:
    """How many outputs two objects keep after each frame; one is prompted again now and then."""
    mask = np.zeros((64, 64), bool)
    mask[10:40, 10:40] = True
    for one in (1, 2):
        video.outline(0, features[0], one, mask)
    video.commit()
    kept = []
    for number in range(1, count):
        video.follow(number, features[number % 3])
        if number % 10 == 0:
            video.outline(number, features[number % 3], 1, mask)
            video.commit()
        kept.append(tensors_kept(video))
        passed = [len(one.passed) for one in video.objects.values()]
        assert max(passed) <= POINTERS
    return kept


def most_kept(cautious: bool) -> int:
    """What two objects of four confirmed frames keep at most."""
    return 2 * (4 + POINTERS + cautious * (ANCHORS + NEIGHBOURS))


@pytest.mark.parametrize("cautious", [False, True])
def test_what_is_kept_does_not_grow_with_the_clip(cautious: bool) -> None:
    video, features = small_video(rules_of(cautious))
    kept = follow_for(80, video, features)
    assert max(kept) <= most_kept(cautious)
    assert max(kept[40:60]) == max(kept[60:])


class Dummy:
    """A network that answers at once, and of which nothing is true but shapes."""

    def __init__(self) -> None:
        self.random = torch.Generator().manual_seed(0)

    def alone(self, seen: Any) -> torch.Tensor:
        return seen.level

    def look_back(self, seen: Any, *_: Any) -> torch.Tensor:
        return seen.level

    def given(self, *_: Any) -> Any:
        return self.answer()

    def answer(self, *_: Any, **__: Any) -> Any:
        masks = torch.randn(1, 3, 16, 16, generator=self.random)
        quality = torch.rand(1, 3, generator=self.random)
        presence = torch.randn(1, generator=self.random) + 1
        pointer = torch.zeros(1, 256)
        return sam2.Answer(
            *(masks[:, 0], quality[:, 0], pointer, presence), masks, quality, pointer[:, None]
        )

    def taken(self, found: Any, index: torch.Tensor) -> Any:
        one = int(index)
        return sam2.Answer(
            *(found.masks[:, one], found.quality[:, one], found.tokens[:, 0]),
            *(found.presence[:, 0], found.masks, found.quality, found.tokens),
        )

    def remember(self, *_: Any) -> torch.Tensor:
        return torch.zeros(1, 64, 4, 4)


@pytest.mark.slow
@pytest.mark.parametrize("cautious", [False, True])
def test_ten_thousand_frames_keep_no_more_than_a_hundred(cautious: bool) -> None:
    video, features = small_video(rules_of(cautious))
    video.network = Dummy()  # type: ignore[assignment]
    kept = follow_for(10_000, video, features)
    assert max(kept) <= most_kept(cautious)
    assert max(kept[5000:]) <= max(kept[:200]) + 2 * cautious * NEIGHBOURS


def test_only_outputs_that_a_later_frame_may_look_at_stay() -> None:
    memory = Remembered(Limits())
    memory.confirm(0, output())
    for number in range(1, 60):
        memory.follow(number, output())
    looked = memory.seen_from(60, backward=False)
    assert [t for t, _, _ in looked.memories] == [0, 54, 55, 56, 57, 58, 59]
    assert [d for d, _ in looked.pointers] == [60, *range(1, POINTERS)]
    assert min(memory.followed) == 59 - (POINTERS - 1)


def test_of_many_confirmed_frames_the_first_and_the_newest_stay() -> None:
    memory = Remembered(Limits(kept=3))
    for number in range(0, 50, 10):
        memory.confirm(number, output())
    assert list(memory.confirmed) == [0, 30, 40]


def test_many_objects_share_one_look_at_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = tracker()
    looks = []
    look = engine.features
    monkeypatch.setattr(engine, "features", lambda image: looks.append(1) or look(image))
    tracking = engine.start(frame(0), mask_of(1, 2, 3))
    for number in range(1, 4):
        tracking.step(frame(number))
    tracking.correct(frame(3), mask_of(7))
    assert len(looks) == 4


# --- objects that come and go ---


@pytest.mark.parametrize("memory", ["published", "cautious"])
def test_objects_may_be_added_corrected_and_removed_at_any_frame(memory: str) -> None:
    tracking = tracker(memory=memory).start(frame(0), mask_of(1))
    assert ids_in(tracking.step(frame(1))) == [1]
    tracking.correct(frame(1), mask_of(0, 5))
    assert ids_in(tracking.step(frame(2))) == [1, 5]
    tracking.remove(1)
    assert ids_in(tracking.step(frame(3))) == [5]
    tracking.correct(frame(3), mask_of(1, 0))
    assert ids_in(tracking.step(frame(2))) == [1, 5]  # back in time
    tracking.remove(1)
    tracking.remove(5)
    assert tracking.step(frame(1)).objects == ()
    with pytest.raises(InputError, match="Object 9 is not tracked; there are: none"):
        tracking.remove(9)


def test_what_a_person_gave_is_what_the_frame_keeps() -> None:
    tracking = tracker().start(frame(0), mask_of(0))
    tracking.step(frame(1))
    tracking.correct(frame(1), mask_of(3))
    again = tracking.step(frame(1))
    assert abs((again.mask == 3) ^ (mask_of(3) == 3)).mean() < 0.01


def test_clicks_begin_an_object_and_a_second_one_looks_at_what_is_remembered() -> None:
    tracking = tracker().start(frame(0), mask_of(0))
    found = tracking.point(frame(0), 4, np.array([[12, 20]]), np.array([1]))
    assert found.shape == (48, 64)
    assert ids_in(tracking.step(frame(1))) == [4]
    corrected = tracking.point(frame(1), 4, np.array([[40, 20]]), np.array([0]))
    assert corrected.dtype == bool
    assert ids_in(tracking.step(frame(2))) == [4]


def test_a_cautious_memory_resumes_exactly() -> None:
    engine = tracker(memory="cautious")
    tracking = engine.start(frame(0), mask_of(1, 2))
    for number in range(1, 5):
        tracking.step(frame(number))
    resumed = engine.resume(tracking.state())
    for number in range(5, 8):
        one, other = tracking.step(frame(number)), resumed.step(frame(number))
        np.testing.assert_array_equal(one.mask, other.mask)
        assert [s.confidence for s in one.objects] == [s.confidence for s in other.objects]


def test_the_side_is_what_the_network_sees() -> None:
    tracking = tracker().start(frame(0), mask_of(1))
    (one,) = tracking.video.objects.values()
    assert one.memory.confirmed[0].memory.shape == (64, 16, 16)
    assert one.memory.confirmed[0].memory.dtype == torch.bfloat16
    with pytest.raises(InputError, match="1024, 768, 512, 256"):
        tracker(side="300")


# --- the cautious rules ---


def square(x: int, y: int = 20, side: int = 10) -> np.ndarray:
    mask = np.zeros((64, 64), bool)
    mask[y : y + side, x : x + side] = True
    return mask


def settled() -> Caution:
    """A thing that has gone two pixels to the right a frame for long enough."""
    caution = Caution()
    caution.told(square(0))
    for number in range(1, SETTLED + 1):
        caution.judge(square(2 * number)[None], np.array([0.9]), 5.0)
    return caution


def test_where_a_thing_was_heading_decides_between_look_alikes() -> None:
    caution = settled()
    here, elsewhere = square(2 * SETTLED + 2), square(0, 50)
    verdict = caution.judge(np.stack([elsewhere, here]), np.array([0.9, 0.85]), 5.0)
    assert verdict.index == 1
    fresh = Caution()
    fresh.told(square(0))
    assert fresh.judge(np.stack([elsewhere, here]), np.array([0.9, 0.85]), 5.0).index == 0


def test_frames_that_are_not_sure_are_not_remembered() -> None:
    caution = settled()
    there = square(2 * SETTLED + 2)[None]
    assert not caution.judge(there, np.array([0.3]), 5.0).trusted
    assert not caution.judge(there, np.array([0.9]), -1.0).trusted
    assert not caution.judge(np.zeros_like(there), np.array([0.9]), 5.0).trusted
    assert caution.judge(there, np.array([0.9]), 5.0).trusted


def test_a_sure_frame_with_a_look_alike_in_it_is_kept_as_an_anchor() -> None:
    caution = settled()
    here = square(2 * SETTLED + 2)
    both = here | square(0, 50)
    assert caution.judge(np.stack([here, both]), np.array([0.95, 0.5]), 5.0).anchor
    assert not caution.judge(np.stack([here, both]), np.array([0.95, 0.5]), 5.0).anchor  # too soon
    alone = settled()
    assert not alone.judge(np.stack([here, here]), np.array([0.95, 0.5]), 5.0).anchor
    for number in range(10):
        caution.anchor(number, output())
    assert list(caution.anchors) == [7, 8, 9]


def test_through_a_long_absence_the_last_sure_frames_stay() -> None:
    memory, caution = Remembered(Limits()), Caution()
    memory.confirm(0, output())
    for number in range(1, 100):
        memory.follow(number, output(trusted=number < 20))
    looked = caution.looked_at(memory, 100, False, memory.seen_from(100, False))
    assert [t for t, _, _ in looked.memories] == [0, 14, 15, 16, 17, 18, 19]
    assert [row for _, _, row in looked.memories] == [6, 5, 4, 3, 2, 1, 0]


# --- segmenting ---


def test_a_box_and_a_click_and_a_rough_mask_give_outlines_of_the_pictures_size() -> None:
    engine = registry.create("segment", "sam2", {"side": "256"})
    encoded = engine.encode(frame(0).image)
    rough = np.zeros((48, 64), bool)
    rough[10:30, 10:30] = True
    for prompt in (Prompt(box=Box(5, 5, 40, 40)), Prompt(mask=rough)):
        found = engine.decode(encoded, prompt)
        assert found.masks.shape[1:] == (48, 64)
        assert found.masks.any()
