"""Which tracker ``auto`` takes follows from what is here and from how a thing was pointed at."""

from __future__ import annotations

from pathlib import Path

import pytest

from cleanplate import runtime
from cleanplate.checkpoints import store
from cleanplate.prompts.outliner import chosen_segmenter
from cleanplate.settings.groups import EngineSettings, Settings
from cleanplate.tracks.choice import chosen_trackers, prompted_trackers, reasons
from cleanplate.tracks.marks import Anchor, Kind, Marks, TrackedObject
from cleanplate.types import Box, Point, Prompt

BOX, POINT = Box(2, 2, 20, 20), Point(8, 8)
BOXED = Anchor(Kind.PROMPT, "a", box=BOX)
PICKED = Anchor(Kind.PROMPT, "b", points=(POINT,))


@pytest.fixture(autouse=True)
def empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without weights, on which torch counts as installed."""
    monkeypatch.setenv(store.PLACE, str(tmp_path))
    monkeypatch.setattr(runtime.registry, "missing", lambda about: [])


@pytest.fixture
def with_weights() -> None:
    """SAM 2.1 tiny is here; nothing of this loads it."""
    store.path_of("sam2_1_hiera_tiny").write_bytes(b"PK")


def _marks(*anchors: dict[int, Anchor]) -> Marks:
    marks = Marks(span=(0, 60))
    for number, kept in enumerate(anchors, 1):
        marks = marks.with_object(TrackedObject(number, f"{number}", "#000000"))
        marks = marks.with_anchors(number, kept)
    return marks


def _names(marks: Marks, settings: Settings) -> list[str]:
    return [chosen.name for chosen in chosen_trackers(marks, settings).values()]


def test_without_weights_nothing_changes() -> None:
    marks, settings = _marks({0: BOXED}, {0: PICKED}), Settings()
    assert _names(marks, settings) == ["planar", "planar"]
    assert chosen_segmenter(Prompt(points=(POINT,)), settings) == "grabcut"
    assert prompted_trackers((Prompt(points=(POINT,)),), settings) == {"planar"}
    assert reasons(chosen_trackers(marks, settings), settings) == []


@pytest.mark.usefixtures("with_weights")
def test_with_weights_what_is_picked_is_followed_by_sam2_and_a_box_by_planar() -> None:
    marks, settings = _marks({0: BOXED, 9: PICKED}, {0: PICKED, 9: BOXED}), Settings()
    assert _names(marks, settings) == ["planar", "sam2"]
    assert chosen_segmenter(Prompt(points=(POINT,)), settings) == "sam2"
    assert chosen_segmenter(Prompt(box=BOX), settings) == "box"
    prompts = (Prompt(points=(POINT,)), Prompt(box=BOX))
    assert prompted_trackers(prompts, settings) == {"planar", "sam2"}
    (sentence,) = reasons(chosen_trackers(marks, settings), settings)
    assert sentence.startswith("Object 2 was picked by points and SAM 2.1 is here, so sam2 tracks")


@pytest.mark.usefixtures("with_weights")
def test_what_is_named_is_taken_whatever_is_here() -> None:
    named = Settings(engines=EngineSettings(tracker="planar", segmenter="grabcut"))
    assert _names(_marks({0: PICKED}), named) == ["planar"]
    assert chosen_segmenter(Prompt(points=(POINT,)), named) == "grabcut"
    assert _names(_marks({0: PICKED}), Settings(engines=EngineSettings(static=True))) == ["fixed"]
