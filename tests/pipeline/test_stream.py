"""The line of a stream: no end is known, memory is bounded, and a file gives the same."""

from __future__ import annotations

import gc
import itertools
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.arrays.masks import object_boxes
from cleanplate.arrays.regions import NONE, Margins
from cleanplate.media.composite import Patch
from cleanplate.pipeline.fill import MaskedPicture, fill
from cleanplate.pipeline.regions import LOOKBACK, CausalRegions, PlannedRegions, plan_causal
from cleanplate.types import Box

WIDTH, HEIGHT, COUNT = 48, 40, 5000
MARGINS = Margins(0.5, 6)


@dataclass(frozen=True, eq=False)
class StreamPicture:
    """A picture that media has no part in."""

    index: int
    image: np.ndarray

    @property
    def time(self) -> Fraction:
        return Fraction(self.index, 25)

    def rgb(self, box: Box | None = None) -> np.ndarray:
        return self.image if box is None else self.image[box.slices]


def paste(picture: StreamPicture, patches: list[Patch]) -> StreamPicture:
    image = picture.image.copy()
    for patch in patches:
        inside = patch.alpha > 0
        image[patch.box.slices][inside] = patch.image[inside]
    return replace(picture, image=image)


def shot_of(index: int) -> int:
    """Cuts at uneven distances, some of them a few frames apart."""
    return index // 700 + (index % 700 >= 320) + (index % 700 >= 323)


def mask_of(index: int) -> np.ndarray:
    """Two things: one comes and goes and grows out of its room, one stays away for long."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    if index % 90 < 60:
        x, size = 4 + index % 90 // 3, 5 + index % 90 // 6
        mask[8 : 8 + size, x : x + size] = 1
    if index % 400 > 330:
        mask[30:36, 36:44] = 2
    return mask


def scenery(shot: int) -> np.ndarray:
    coarse = np.random.default_rng(shot).integers(0, 256, (12, 16, 3))
    return np.kron(coarse, np.ones((5, 5, 1))).astype(np.uint8)


def stream(first: int = 0) -> Iterator[MaskedPicture[StreamPicture]]:
    """Pictures without an end: each shot pans over scenery of its own."""
    for index in itertools.count(first):
        shot = shot_of(index)
        shift = index % 20
        image = scenery(shot % 50)[5 : 5 + HEIGHT, shift : shift + WIDTH].copy()
        yield MaskedPicture(StreamPicture(index, image), mask_of(index), shot)


def boxes(count: int) -> dict[int, np.ndarray]:
    rows = {i: np.full((count, 4), NONE, np.int32) for i in (1, 2)}
    for index in range(count):
        for object_id, box in object_boxes(mask_of(index)).items():
            rows[object_id][index] = box.x0, box.y0, box.x1, box.y1
    return rows


def engine(name: str):
    settings = {"window": "2", "causal": "yes", "quality": "fast"} if name == "flowfill" else {}
    return registry.create("inpaint", name, settings)


@pytest.mark.parametrize(("name", "count"), [("telea", COUNT), ("flowfill", 800)])
def test_a_stream_without_an_end_is_filled_as_a_file_of_the_same_frames(
    name: str, count: int
) -> None:
    inpainter = engine(name)
    regions = CausalRegions((HEIGHT, WIDTH), MARGINS, inpainter.lookback)
    live = fill(stream(), regions, inpainter, 2, compose=paste)
    shots = np.array([shot_of(index) for index in range(count)])
    plan = plan_causal(boxes(count), shots, (HEIGHT, WIDTH), MARGINS, inpainter.lookback)
    planned = PlannedRegions(plan, inpainter.lookback)
    file = fill(stream(), planned, inpainter, 2, 0, count, paste)
    filled = 0
    for (picture, streamed), source in zip(zip(file, live, strict=False), stream(), strict=False):
        assert picture.index == streamed.index == source.picture.index
        assert np.array_equal(picture.image, streamed.image), f"frame {picture.index} differs"
        outside = source.mask == 0
        assert np.array_equal(streamed.image[outside], source.picture.image[outside])
        filled += not np.array_equal(streamed.image, source.picture.image)
    live.close()
    assert filled > count / 2


def test_a_stream_holds_few_pictures_however_long_it_is() -> None:
    inpainter = engine("telea")
    regions = CausalRegions((HEIGHT, WIDTH), MARGINS, inpainter.lookback)
    alive: weakref.WeakSet[StreamPicture] = weakref.WeakSet()

    def watched() -> Iterator[MaskedPicture[StreamPicture]]:
        for masked in stream():
            alive.add(masked.picture)
            yield masked

    most = 0
    live = fill(watched(), regions, inpainter, 2, compose=paste)
    for picture in itertools.islice(live, COUNT):
        del picture
        most = max(most, len(alive))
    live.close()
    gc.collect()
    assert most <= LOOKBACK + 4
    assert len(alive) <= 1


def test_a_stream_that_ends_gives_as_many_pictures_as_came() -> None:
    inpainter = engine("telea")
    regions = CausalRegions((HEIGHT, WIDTH), MARGINS, inpainter.lookback)
    source = itertools.islice(stream(), 37)
    assert [p.index for p in fill(source, regions, inpainter, 2, compose=paste)] == [*range(37)]


def test_a_file_goes_on_in_the_middle_as_if_it_had_begun_at_the_start() -> None:
    inpainter = engine("telea")
    shots = np.array([shot_of(index) for index in range(400)])
    plan = plan_causal(boxes(400), shots, (HEIGHT, WIDTH), MARGINS, inpainter.lookback)

    def line(start: int) -> Iterator[StreamPicture]:
        regions = PlannedRegions(plan, inpainter.lookback, start)
        return fill(stream(start), regions, inpainter, 2, start, 400, paste)

    whole = [picture.image for picture in line(0)]
    for start in (137, 320, 399):
        rest = [picture.image for picture in line(start)]
        assert all(np.array_equal(a, b) for a, b in zip(whole[start:], rest, strict=True))


def test_a_region_is_opened_anew_when_its_mask_outgrows_it() -> None:
    regions = CausalRegions((400, 400), MARGINS, 3)
    opened = []
    for index in range(60):
        size = 20 + 4 * index
        opened += regions.see(index, {1: (10, 10, 10 + size, 10 + size)}, 0)
    assert len(opened) > 2
    for before, after in itertools.pairwise(opened):
        assert before.stop == after.opens
        assert after.start == max(0, after.opens - 3)
        assert after.width > before.width


def test_a_region_of_a_stream_ends_at_a_cut_and_when_nothing_is_seen_for_a_while() -> None:
    regions = CausalRegions((400, 400), MARGINS, 3)
    (first,) = regions.see(0, {1: (10, 10, 30, 30)}, 0)
    (second,) = regions.see(1, {1: (10, 10, 30, 30)}, 1)
    assert first.stop == 1
    assert second.start == 1
    for index in range(2, 200):
        regions.see(index, {}, 1)
    assert second.stop is not None
    assert regions.open_regions == []
