"""A live picture from its source to its sink: counts that add up, and nothing that flashes."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate.errors import InputError
from cleanplate.live.line import Line, LiveOrder
from cleanplate.media.addresses import sink_address, source_address
from cleanplate.media.live_sink import open_sink
from cleanplate.media.live_source import LiveSource
from cleanplate.settings.groups import settings_from
from cleanplate.types import Box, Prompt
from tests.live import scenes


def play(
    source: Path,
    sink: Path | None,
    *prompts: Prompt,
    latency: float | None = None,
    simulate: bool = False,
    engine_settings: dict[str, dict[str, str]] | None = None,
    **values: Any,
) -> dict[str, Any]:
    """Play ``source`` into ``sink``; the summary. Nothing is dropped unless a latency is given."""
    target = None if sink is None else sink_address(str(sink))

    def make(playing: LiveSource) -> Any:
        assert target is not None
        return open_sink(target, playing.frame_rate, playing.sound_stream)

    settings = settings_from({"inpainter": "plate", **values}, engine_settings)
    order = LiveOrder(
        LiveSource(source_address(str(source))),
        None if target is None else make,
        prompts,
        settings,
        latency,
        simulate,
    )
    return Line(order).run()


def check_counts(summary: dict[str, Any]) -> None:
    assert summary["frames_in"] == summary["frames_out"] + summary["dropped"]
    assert summary["degraded"] <= summary["frames_out"]
    assert sum(summary["dropped_because"].values()) == summary["dropped"]


def sign_prompt(where: tuple[int, int] = (70, 50), at: int = 0) -> Prompt:
    return Prompt(box=scenes.box_at(where), at=at)


def test_a_file_is_played_into_a_file_with_its_target_gone(tmp_path: Path) -> None:
    images, truths = scenes.compose(30)
    source = scenes.write(tmp_path / "in.mkv", images, sound=True)
    summary = play(source, tmp_path / "out.mkv", sign_prompt())
    check_counts(summary)
    assert summary["frames_out"] == 30
    shown = scenes.read(tmp_path / "out.mkv")
    assert len(shown) == 30
    assert not any(scenes.is_shown(image, (70, 50)) for image in shown)
    away = np.abs(shown[9][:30].astype(int) - truths[9][:30]).mean()
    assert away < 10  # chroma is halved


def test_the_sound_goes_through_in_step(tmp_path: Path) -> None:
    import av

    images, _ = scenes.compose(50)
    source = scenes.write(tmp_path / "in.mkv", images, sound=True)
    play(source, tmp_path / "out.mkv", sign_prompt())
    with av.open(str(tmp_path / "out.mkv")) as made, av.open(str(source)) as given:
        spans = []
        for container in (made, given):
            stamps = [
                float(p.pts * p.time_base) for p in container.demux(audio=0) if p.pts is not None
            ]
            spans.append((stamps[0], stamps[-1]))
    assert spans[0] == pytest.approx(spans[1], abs=0.05)


def test_played_as_if_live_every_frame_is_shown_or_counted_as_dropped(tmp_path: Path) -> None:
    images, _ = scenes.compose(40)
    source = scenes.write(tmp_path / "in.mkv", images)
    summary = play(source, None, sign_prompt(), latency=0.2, simulate=True)
    check_counts(summary)
    assert summary["frames_in"] == 40
    assert summary["seconds"] >= 39 / 25
    assert summary["delay_ms"]["p50"] < 200


def test_an_engine_that_needs_later_frames_is_refused_with_those_that_do_not(
    tmp_path: Path,
) -> None:
    source = scenes.write(tmp_path / "in.mkv", scenes.compose(2)[0])
    with pytest.raises(InputError, match=r"e2fgvi needs .* work live are flowfill,.*plate, telea"):
        play(source, None, inpainter="e2fgvi")
    with pytest.raises(InputError, match=r"flowfill needs \d+ later frames"):
        play(
            source,
            None,
            inpainter="flowfill",
            engine_settings={"flowfill": {"causal": "false"}},
        )


def test_a_prompt_in_a_later_frame_is_followed_from_there(tmp_path: Path) -> None:
    images, _ = scenes.compose(24)
    source = scenes.write(tmp_path / "in.mkv", images)
    play(source, tmp_path / "out.mkv", sign_prompt(at=10))
    shown = [scenes.is_shown(image, (70, 50)) for image in scenes.read(tmp_path / "out.mkv")]
    assert shown == [True] * 10 + [False] * 14


def test_a_folder_of_images_is_played_at_the_rate_given(tmp_path: Path) -> None:
    import cv2

    folder = tmp_path / "frames"
    folder.mkdir()
    for n, image in enumerate(scenes.compose(6)[0]):
        cv2.imwrite(str(folder / f"{n:03d}.png"), image[..., ::-1])
    source = LiveSource(source_address(str(folder)), Fraction(10))
    times = [picture.time for picture in source.events()]
    assert times == [Fraction(n, 10) for n in range(6)]


def test_two_targets_are_followed_and_filled(tmp_path: Path) -> None:
    images, _ = scenes.compose(12)
    other = scenes.SIGN[::-1]
    for image in images:
        image[4:32, 10:54] = other
    source = scenes.write(tmp_path / "in.mkv", images)
    second = Prompt(box=Box(10, 4, 54, 32), object_id=2)
    play(source, tmp_path / "out.mkv", sign_prompt(), second)
    for image in scenes.read(tmp_path / "out.mkv"):
        assert not scenes.is_shown(image, (70, 50))
        assert np.abs(image[4:32, 10:54].astype(int) - other).mean() > 30


def test_stopped_in_the_middle_the_counts_still_add_up(tmp_path: Path) -> None:
    source = scenes.write(tmp_path / "in.mkv", scenes.compose(30)[0])
    order = LiveOrder(
        LiveSource(source_address(str(source)), loops=0),
        None,
        (sign_prompt(),),
        settings_from({"inpainter": "plate"}),
        latency=None,
    )
    line = Line(order)
    line.watchers.append(lambda picture: line.stop() if picture.index == 12 else None)
    summary = line.run()
    check_counts(summary)
    assert summary["frames_out"] >= 12
    assert summary["dropped_because"].keys() <= {"stopped"}
