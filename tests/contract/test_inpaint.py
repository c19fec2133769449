"""What every inpaint engine promises. See ``cleanplate.protocols.Inpainter``."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice, zip_longest
from typing import Any

import cv2
import numpy as np
import pytest

from cleanplate import registry
from cleanplate.errors import MaskError
from cleanplate.types import Frame, MaskedFrame
from tests.weights import provide

SHORT = {
    "flowfill": {"window": "4"},
    "unblend": {"study": "10", "fill": "telea"},
    "e2fgvi": {"reach": "10"},
    "e2fgvi_hq": {"reach": "10"},
    "vinet": {"size": "0", "pre_roll": "3"},
}  # so that a short clip fills the window several times
VARIANTS = {
    "unblend": [{}],
    "vinet": [{"size": "0", "lookahead": "0"}],
    "lama": [{"steady": "false"}],
    "flowfill": [
        {"window": "4", "causal": "true"},
        {"window": "4", "quality": "fast"},
        {"window": "1", "quality": "best"},
        {"window": "4", "quality": "fast", "unseen": "texture", "grain": "true"},
        {"window": "4", "quality": "fast", "unseen": "lama"},
    ],
}
CASES = [
    (name, settings)
    for name in registry.names("inpaint")
    for settings in [SHORT.get(name, {}), *VARIANTS.get(name, [])]
]


def _title(case: tuple[str, dict[str, str]]) -> str:
    return " ".join([case[0], *(f"{field}={value}" for field, value in case[1].items())])


@pytest.fixture(params=CASES, ids=_title)
def engine(request: pytest.FixtureRequest) -> Any:
    name, settings = request.param
    about = registry.find("inpaint", name).about
    lacking = registry.missing(about)
    if lacking:
        pytest.skip(f"The engine {name} needs {', '.join(lacking)}, which is not installed")
    for checkpoint in about.checkpoints[:1]:
        provide(checkpoint)
    if settings.get("unseen") == "lama":
        pytest.importorskip("torch")
        provide("lama")
    return registry.create("inpaint", name, settings)


def scenery(width: int, height: int, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX)


def clip(
    count: int = 24,
    width: int = 72,
    height: int = 48,
    *,
    seed: int = 0,
    hole: tuple[int, int, int, int] | None = (20, 10, 40, 30),
    speed: int = 1,
) -> list[MaskedFrame]:
    """A pan to the right over still scenery, 1 px a frame; the hole stays in the picture."""
    wide = scenery(width + count * speed, height, seed)
    frames = []
    for n in range(count):
        image = np.ascontiguousarray(wide[:, n * speed : n * speed + width])
        mask = np.zeros((height, width), np.uint8)
        if hole:
            x0, y0, x1, y1 = hole
            mask[y0:y1, x0:x1] = 1
            image[y0:y1, x0:x1] = 255
        image.flags.writeable = False
        frames.append(MaskedFrame(Frame(n + 5, Fraction(n, 24) + Fraction(1, 3), image), mask))
    return frames


def with_mask(masked: MaskedFrame, box: tuple[slice, slice] | None) -> MaskedFrame:
    mask = np.zeros_like(masked.mask)
    if box is not None:
        mask[box] = 3
    return replace(masked, mask=mask)


def check_promises(frames: list[MaskedFrame], filled: list[Frame]) -> None:
    for given, got in zip_longest(frames, filled):
        assert got.index == given.frame.index
        assert got.time == given.frame.time
        assert got.shot == given.frame.shot
        assert got.image.shape == given.frame.image.shape
        assert got.image.dtype == np.uint8
        outside = given.mask == 0
        assert np.array_equal(got.image[outside], given.frame.image[outside])
        if outside.all():
            assert got is given.frame
        else:
            assert not got.image.flags.writeable


def same(one: list[Frame], other: list[Frame]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True)
    )


def test_frames_come_out_as_they_went_in_and_only_the_hole_changes(engine: Any) -> None:
    frames = clip()
    filled = list(engine.inpaint(frames))
    check_promises(frames, filled)
    assert all((got.image[12:28, 22:38] < 255).any() for got in filled)


def test_a_frame_with_an_empty_mask_is_returned_itself(engine: Any) -> None:
    frames = clip(8, hole=None)
    for given, got in zip(frames, engine.inpaint(frames), strict=True):
        assert got is given.frame


def test_no_frames_give_no_frames(engine: Any) -> None:
    assert list(engine.inpaint([])) == []


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_two_or_three_frames_are_enough(engine: Any, count: int) -> None:
    frames = clip(count)
    check_promises(frames, list(engine.inpaint(frames)))


HOLES: dict[str, Any] = {
    "everything": (slice(None), slice(None)),
    "one pixel": (slice(20, 21), slice(30, 31)),
    "the corner pixel": (slice(0, 1), slice(0, 1)),
    "the left border": (slice(None), slice(0, 12)),
    "the bottom right corner": (slice(30, None), slice(50, None)),
    "all but one pixel": (slice(1, None), slice(None)),
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES.keys())
def test_any_hole_is_filled(engine: Any, hole: Any) -> None:
    frames = [with_mask(masked, hole) for masked in clip(9, hole=None)]
    check_promises(frames, list(engine.inpaint(frames)))


def test_a_fully_masked_frame_among_clear_ones_is_filled(engine: Any) -> None:
    frames = clip(9, hole=None)
    frames[4] = with_mask(frames[4], HOLES["everything"])
    check_promises(frames, list(engine.inpaint(frames)))


def test_a_mask_only_in_the_last_frame_is_filled(engine: Any) -> None:
    frames = clip(13, hole=None)
    frames[-1] = clip(13)[-1]
    filled = list(engine.inpaint(frames))
    check_promises(frames, filled)
    assert (filled[-1].image[12:28, 22:38] < 255).any()


@pytest.mark.parametrize(
    ("width", "height"), [(16, 16), (17, 31), (73, 49), (101, 16), (9, 5), (1, 1), (2, 40)]
)
def test_any_size_works(engine: Any, width: int, height: int) -> None:
    hole = (
        width // 3,
        height // 3,
        width // 3 + max(width // 4, 1),
        height // 3 + max(height // 4, 1),
    )
    frames = clip(7, width, height, hole=hole)
    check_promises(frames, list(engine.inpaint(frames)))


def test_the_same_input_gives_the_same_output(engine: Any) -> None:
    frames = clip(16)
    assert same(list(engine.inpaint(frames)), list(engine.inpaint(frames)))


def test_the_pixels_under_the_mask_are_never_read(engine: Any) -> None:
    frames = clip(14)
    altered = []
    for masked in frames:
        image = masked.frame.image.copy()
        image[masked.mask != 0] = (7, 200, 90)
        altered.append(replace(masked, frame=replace(masked.frame, image=image)))
    assert same(list(engine.inpaint(frames)), list(engine.inpaint(altered)))


def test_the_inputs_are_left_as_they_were(engine: Any) -> None:
    frames = clip(6)
    before = [(m.frame.image.copy(), m.mask.copy()) for m in frames]
    list(engine.inpaint(frames))
    for masked, (image, mask) in zip(frames, before, strict=True):
        assert np.array_equal(masked.frame.image, image)
        assert np.array_equal(masked.mask, mask)


def test_two_clips_interleaved_do_not_mix(engine: Any) -> None:
    one, other = clip(15), clip(15, seed=9, speed=2)
    alone = list(engine.inpaint(one)), list(engine.inpaint(other))
    pairs = list(zip(engine.inpaint(one), engine.inpaint(other), strict=True))
    assert same([p[0] for p in pairs], alone[0])
    assert same([p[1] for p in pairs], alone[1])


def test_no_fill_crosses_a_cut(engine: Any) -> None:
    length = 7  # of each shot: what is let through is let through next to the cut
    first, second = clip(length), clip(length, seed=7)

    def joined(before: list[MaskedFrame], after: list[MaskedFrame]) -> list[MaskedFrame]:
        late = [
            replace(m, frame=replace(m.frame, shot=1, index=m.frame.index + length)) for m in after
        ]
        return before + late

    plain = list(engine.inpaint(joined(first, second)))
    check_promises(joined(first, second), plain)
    other_first = list(engine.inpaint(joined(clip(length, seed=3), second)))
    assert same(plain[length:], other_first[length:])
    other_second = list(islice(engine.inpaint(joined(first, clip(length, seed=4))), length))
    assert same(plain[:length], other_second)


def test_a_region_that_jumps_is_filled(engine: Any) -> None:
    picture = scenery(200, 120)
    frames = []
    for n, masked in enumerate(clip(16, hole=None)):
        x, y = (7 * n) % 90, (11 * n) % 50
        image = np.ascontiguousarray(picture[y : y + 48, x : x + 72])
        moved = replace(masked, frame=replace(masked.frame, image=image), origin=(x, y))
        frames.append(with_mask(moved, (slice(12, 30), slice(20, 40))))
    check_promises(frames, list(engine.inpaint(frames)))


def test_nothing_later_than_the_lookahead_matters(engine: Any) -> None:
    if engine.lookahead is None:
        pytest.skip("This engine looks at the whole shot")
    frames, other = clip(30), clip(30, seed=5)
    plain = list(islice(engine.inpaint(frames), 11))
    for last in (0, 5, 10):
        known = last + engine.lookahead + 1
        if known >= len(frames):
            continue
        mixed = frames[:known] + other[known:]
        changed = list(islice(engine.inpaint(mixed), last + 1))
        assert same(plain[: last + 1], changed)


def test_what_is_said_to_work_live_waits_for_no_later_frame(engine: Any) -> None:
    if engine.about.live is None:
        pytest.skip("This engine does not work live")
    assert registry.create("inpaint", engine.about.name, engine.about.live).lookahead == 0


def test_nothing_earlier_than_the_lookback_matters(engine: Any) -> None:
    if engine.lookback is None:
        pytest.skip("This engine looks at all of the shot before a frame")
    frames, other = clip(30), clip(30, seed=5)
    plain = list(engine.inpaint(frames))
    for first in (1, 13, 29):
        forgotten = first - engine.lookback
        if forgotten <= 0:
            continue
        mixed = other[:forgotten] + frames[forgotten:]
        assert same(plain[first:], list(engine.inpaint(mixed))[first:])


class Tape:
    """A source that counts how many of its images are alive whenever one more is asked for."""

    def __init__(self, frames: list[MaskedFrame]) -> None:
        self._frames = frames
        self._images: list[weakref.ref[np.ndarray]] = []
        self.pulled = 0
        self.most = 0

    def alive(self) -> int:
        return sum(image() is not None for image in self._images)

    def _fresh(self, masked: MaskedFrame) -> MaskedFrame:
        image = masked.frame.image.copy()
        self._images.append(weakref.ref(image))
        self.pulled += 1
        self.most = max(self.most, self.alive())
        return replace(masked, frame=replace(masked.frame, image=image))

    def __iter__(self) -> Iterator[MaskedFrame]:
        return map(self._fresh, self._frames)


def test_no_more_frames_are_alive_than_the_window_holds(engine: Any) -> None:
    if engine.window is None:
        pytest.skip("This engine holds a whole shot")
    frames = clip(60)
    frames[20:30] = [with_mask(m, None) for m in frames[20:30]]
    frames[40:] = [replace(m, frame=replace(m.frame, shot=1)) for m in frames[40:]]
    tape = Tape(frames)
    for frame in engine.inpaint(tape):
        del frame
    on_its_way_in = 1
    assert tape.most <= engine.window + on_its_way_in


def test_input_is_pulled_only_when_an_output_is_wanted(engine: Any) -> None:
    tape = Tape(clip(40))
    stream = engine.inpaint(tape)
    assert tape.pulled == 0
    ahead = len(clip(40)) - 1 if engine.lookahead is None else engine.lookahead
    for number in range(20):
        next(stream)
        assert tape.pulled <= number + ahead + 1
    stream.close()


def test_closing_early_frees_everything(engine: Any) -> None:
    threads = threading.active_count()
    tape = Tape(clip(40))
    stream = engine.inpaint(tape)
    for _ in range(3):
        next(stream)
    stream.close()
    del stream
    gc.collect()
    assert tape.alive() == 0
    assert threading.active_count() == threads


def test_an_engine_keeps_nothing_after_a_clip(engine: Any) -> None:
    tape = Tape(clip(12))
    list(engine.inpaint(tape))
    gc.collect()
    assert tape.alive() == 0


def test_a_mask_of_another_size_is_refused_with_both_sizes(engine: Any) -> None:
    frames = clip(3)
    frames[1] = replace(frames[1], mask=np.ones((48, 71), np.uint8))
    with pytest.raises(MaskError, match=r"71x48.*72x48"):
        list(engine.inpaint(frames))


def test_an_image_of_another_size_is_refused_with_both_sizes(engine: Any) -> None:
    frames = clip(2) + clip(1, width=60)
    with pytest.raises(MaskError, match=r"60x48.*72x48"):
        list(engine.inpaint(frames))
