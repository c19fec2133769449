"""Less work where the machine is too slow, in a fixed order, and more again when there is time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.live.effort import Effort, Level
from cleanplate.live.filling import Hurried, blurred, causal_names
from cleanplate.live.presets import PRESETS, chosen
from cleanplate.live.stats import Stats
from cleanplate.protocols import Runtime
from cleanplate.settings.groups import settings_from
from cleanplate.types import Frame, MaskedFrame
from tests.scene import texture


def played(effort: Effort, count: int, delay: float, start: int = 0) -> list[Level]:
    """The levels of ``count`` frames at 25 a second that each take ``delay`` seconds."""
    levels = []
    for n in range(start, start + count):
        levels.append(effort.level)
        effort.worked("fill", delay)
        effort.finished(n / 25, n / 25, n / 25 + delay)
    return levels


def test_late_frames_lead_down_the_levels_in_their_order_and_no_further() -> None:
    levels = played(Effort(0.1), 60, 0.3)
    assert sorted(levels) == levels
    assert set(levels) == set(Level)


def test_full_work_comes_back_when_there_is_time() -> None:
    effort = Effort(0.1)
    played(effort, 60, 0.3)
    levels = played(effort, 250, 0.01, start=60)
    assert levels[-1] is Level.FULL


def test_a_machine_in_time_does_full_work_throughout() -> None:
    assert set(played(Effort(0.1), 100, 0.03)) == {Level.FULL}


def test_without_a_deadline_nothing_is_left_out() -> None:
    assert set(played(Effort(None), 60, 5.0)) == {Level.FULL}


def masked(n: int) -> MaskedFrame:
    image = texture(96, 64).copy()
    image[20:40, 30:60] = (255, 0, 255)
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 30:60] = 1
    return MaskedFrame(Frame(n, Fraction(n, 25), image), mask)


@pytest.mark.parametrize("name", ["plate", "telea", "flowfill"])
def test_at_no_level_is_the_object_shown(name: str) -> None:
    settings = {"causal": "true", "window": "4"} if name == "flowfill" else None
    hurried = Hurried(registry.create("inpaint", name, settings, Runtime()))

    def arriving() -> Any:
        for n in range(15):
            hurried.levels.append((n, Level(n % 5)))
            yield masked(n)

    filled = list(hurried.inpaint(arriving()))
    assert [frame.index for frame in filled] == list(range(15))
    for frame in filled:
        there = frame.image[20:40, 30:60].astype(int)
        assert np.abs(there - (255, 0, 255)).mean() > 60
        assert np.array_equal(frame.image[:20], masked(0).frame.image[:20])


def test_a_blurred_hole_is_smooth_and_the_rest_is_untouched() -> None:
    given = masked(0)
    frame = blurred(given)
    outside = given.mask == 0
    assert np.array_equal(frame.image[outside], given.frame.image[outside])
    full = MaskedFrame(given.frame, np.ones((64, 96), np.uint8))
    assert (blurred(full).image == 128).all()


def test_those_that_work_live_are_those_whose_lookahead_can_be_0() -> None:
    names = causal_names()
    assert {"plate", "telea", "flowfill", "vinet"} <= set(names)
    assert not {"e2fgvi", "e2fgvi_hq", "unblend"} & set(names)


def test_a_preset_names_engines_and_settings_that_there_are_and_yields_to_what_is_given() -> None:
    for preset in PRESETS:
        values, fields = chosen(preset, {"inpainter": "flowfill"}, set(), {})
        settings = settings_from(values, fields)
        engines = settings.engines
        for task, name in (
            ("segment", engines.segmenter),
            ("track", engines.tracker),
            ("inpaint", engines.inpainter),
        ):
            engine = registry.find(task, name)  # type: ignore[arg-type]
            engine.Settings(
                **{
                    key: type(getattr(engine.Settings(), key))(value)
                    for key, value in fields.get(name, {}).items()
                }
            )
        values, _ = chosen(preset, {"inpainter": "telea"}, {"inpainter"}, {})
        assert values["inpainter"] == "telea"
    with pytest.raises(InputError, match=r"no preset 'x'; there are: siammask-hqsam-vinet"):
        chosen("x", {}, set(), {})


def test_delays_are_counted_in_constant_memory_and_read_as_percentiles() -> None:
    stats = Stats()
    for n in range(1000):
        stats.came()
        stats.shown(n / 1000, "")
    assert stats.delay(50) == pytest.approx(0.5, abs=0.01)
    assert stats.delay(95) == pytest.approx(0.95, abs=0.01)
    assert stats.summary()["delay_ms"]["max"] == 999.0
