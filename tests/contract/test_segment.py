"""What every segment engine promises. See ``cleanplate.protocols.Segmenter``."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.types import Box, Candidates, Prompt
from tests.scene import texture
from tests.weights import provide


@pytest.fixture(params=registry.names("segment"), scope="module")
def engine(request: pytest.FixtureRequest) -> Any:
    about = registry.find("segment", request.param).about
    lacking = registry.missing(about)
    if lacking:
        pytest.skip(f"The engine {request.param} needs {', '.join(lacking)}, not installed")
    for name in about.checkpoints[:1]:
        provide(name)
    return registry.create("segment", request.param)


def picture(width: int = 120, height: int = 80, seed: int = 0) -> np.ndarray:
    """A yellow box on smooth colours."""
    image = texture(width, height, seed)
    image[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = (230, 210, 30)
    image.flags.writeable = False
    return image


def segment(engine: Any, image: np.ndarray, prompt: Prompt) -> Candidates:
    return engine.decode(engine.encode(image), prompt)


def assert_valid(found: Candidates, size: tuple[int, int]) -> None:
    assert found.masks.dtype == bool
    assert found.masks.ndim == 3
    assert found.masks.shape[1:] == size
    assert len(found.masks) == len(found.confidences) >= 1
    assert found.confidences.dtype == np.float32
    assert (found.confidences >= 0).all()
    assert (found.confidences <= 1).all()
    assert (np.diff(found.confidences) <= 0).all()
    assert all(mask.any() for mask in found.masks)


def test_the_engine_says_what_it_is(engine: Any) -> None:
    assert engine.about.task == "segment"
    assert engine.about.name in registry.names("segment")
    assert engine.about.summary.endswith(".")


@pytest.mark.parametrize(
    "box",
    [
        Box(25, 15, 95, 65),
        Box(0, 0, 40, 30),
        Box(100, 60, 120, 80),
        Box(0, 0, 120, 80),
        Box(50, 40, 51, 41),
        Box(20, 40, 100, 41),
    ],
    ids=str,
)
def test_a_box_gives_masks_of_the_picture_within_the_box_and_a_tenth_around(
    engine: Any, box: Box
) -> None:
    image = picture()
    found = segment(engine, image, Prompt(box=box))
    assert_valid(found, (80, 120))
    outside = np.ones((80, 120), bool)
    right, down = round(box.width / 10), round(box.height / 10)
    rows = slice(max(0, box.y0 - down), box.y1 + down)
    outside[rows, max(0, box.x0 - right) : box.x1 + right] = False
    assert not found.masks[:, outside].any()


def test_a_box_partly_outside_is_clipped(engine: Any) -> None:
    image = picture()
    over = segment(engine, image, Prompt(box=Box(-30, -20, 60, 50)))
    clipped = segment(engine, image, Prompt(box=Box(0, 0, 60, 50)))
    np.testing.assert_array_equal(over.masks, clipped.masks)


@pytest.mark.parametrize("box", [Box(120, 10, 140, 30), Box(-20, -20, 0, 0), Box(5, 80, 9, 99)])
def test_a_box_wholly_outside_is_refused_in_one_sentence(engine: Any, box: Box) -> None:
    with pytest.raises(InputError, match="lies outside the picture of 120x80; give"):
        segment(engine, picture(), Prompt(box=box))


def test_a_mask_of_another_size_is_refused_with_both_sizes(engine: Any) -> None:
    with pytest.raises(InputError, match="119x80 and the picture 120x80"):
        segment(engine, picture(), Prompt(mask=np.ones((80, 119), bool)))


def test_an_empty_prompt_is_refused(engine: Any) -> None:
    with pytest.raises(InputError, match="prompt is empty"):
        segment(engine, picture(), Prompt())


def test_a_picture_that_is_no_picture_is_refused(engine: Any) -> None:
    with pytest.raises(InputError, match="float32"):
        engine.encode(np.zeros((80, 120, 3), np.float32))
    with pytest.raises(InputError, match=r"\(80, 120\)"):
        engine.encode(np.zeros((80, 120), np.uint8))


@pytest.mark.parametrize(("width", "height"), [(16, 16), (17, 31), (501, 19), (1, 1)])
def test_small_and_odd_pictures_work(engine: Any, width: int, height: int) -> None:
    image = picture(width, height)
    box = Box(width // 4, height // 4, width * 3 // 4 + 1, height * 3 // 4 + 1)
    assert_valid(segment(engine, image, Prompt(box=box)), (height, width))


def test_one_encoded_picture_serves_many_prompts_in_any_order(engine: Any) -> None:
    encoded = engine.encode(picture())
    prompts = [Prompt(box=Box(25, 15, 95, 65)), Prompt(box=Box(0, 0, 40, 30))]
    there = [engine.decode(encoded, prompt) for prompt in prompts]
    back = [engine.decode(encoded, prompt) for prompt in prompts[::-1]][::-1]
    for one, other in zip(there, back, strict=True):
        np.testing.assert_array_equal(one.masks, other.masks)
        np.testing.assert_array_equal(one.confidences, other.confidences)


def test_two_pictures_at_once_do_not_mix(engine: Any) -> None:
    prompt = Prompt(box=Box(25, 15, 95, 65))
    encoded = [engine.encode(picture(seed=seed)) for seed in (1, 2)]
    together = [engine.decode(one, prompt) for one in encoded]
    for seed, found in zip((1, 2), together, strict=True):
        alone = segment(engine, picture(seed=seed), prompt)
        np.testing.assert_array_equal(found.masks, alone.masks)


def test_the_picture_and_the_mask_given_are_not_changed(engine: Any) -> None:
    image = picture()
    before = image.copy()
    mask = np.zeros((80, 120), bool)
    mask[20:60, 30:90] = True
    given = mask.copy()
    found = segment(engine, image, Prompt(mask=mask))
    found.masks[...] = False
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(mask, given)
