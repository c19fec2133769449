"""Which frames a person should look at."""

from __future__ import annotations

from cleanplate.projects.project import Project
from cleanplate.tracks.doubts import Series, doubts, of_report, worst_first
from tests.projects import stage


def series(words: str, areas: list[int] | None = None, sure: float = 0.9) -> Series:
    """``v`` visible, ``p`` partly hidden, ``h`` hidden, ``l`` lost, ``u`` unsure."""
    states = {"v": "visible", "u": "visible", "p": "partly hidden", "h": "hidden", "l": "lost"}
    confidences = [{"u": 0.3, "h": 0.1, "l": 0.0}.get(word, sure) for word in words]
    return Series(1, 10, [states[w] for w in words], confidences, areas or [100] * len(words))


def test_a_clip_without_doubts_has_no_rows() -> None:
    assert doubts(series("vvvvvvvv"), []) == []


def test_neighbouring_doubtful_frames_are_one_row_that_shows_its_worst() -> None:
    (row,) = doubts(series("vvphhllvvv"), [])
    assert (row.first, row.last, row.frame) == (12, 17, 15)
    assert row.reason.startswith("lost")


def test_a_row_ends_with_its_shot_and_says_that_the_object_is_not_in_the_next() -> None:
    before, after = doubts(series("vvvhhlll"), [15])
    assert (before.first, before.last) == (13, 14)
    assert (after.first, after.last) == (15, 17)
    assert after.reason == "not found after the cut to another shot at frame 15"


def test_a_jump_of_the_area_is_told_with_its_size() -> None:
    (row,) = doubts(series("vvvv", [100, 100, 20, 20]), [])
    assert (row.first, row.last) == (12, 12)
    assert row.reason == "its area fell by 80% in one frame"
    assert doubts(series("vvvv", [100, 100, 20, 20]), [12]) == [], "a cut explains it"


def test_coming_back_after_a_while_is_told() -> None:
    rows = doubts(series("vhhhhvvv"), [])
    assert rows[0].last == 15
    assert doubts(series("vhvvv"), [])[0].last == 11, "a moment is nothing to tell"


def test_lost_comes_before_hidden_before_what_is_unsure_or_partly_hidden() -> None:
    found = doubts(series("vuvvpvvhvvlv", sure=0.9), [])
    assert [row.frame for row in worst_first(found)] == [20, 17, 11, 14]


def test_a_report_s_frames_have_the_same_rows() -> None:
    words = {"v": "visible", "l": "lost"}
    frames = [
        {
            "frame": 5 + place,
            "objects": [{"object": 3, "confidence": 0.5, "state": words[word], "area": 100}],
        }
        for place, word in enumerate("vvlllv")
    ]
    for frame in frames:
        frame["objects"][0]["confidence"] = 0.9 if frame["objects"][0]["state"] == "visible" else 0
    (row,) = of_report(frames, [])
    assert (row.object_id, row.first, row.last) == (3, 7, 10)


def test_an_object_that_leaves_is_listed_and_looking_right_takes_it_off(followed: Project) -> None:
    rows = [row for row in followed.doubtful() if row.object_id == 2]
    assert rows
    worst = rows[0]
    assert worst.last == stage.COUNT - 1
    assert stage.LEAVES - 12 <= worst.first <= stage.LEAVES + 2
    assert "lost" in worst.reason or "hidden" in worst.reason
    followed.dismiss(worst.id)
    assert worst.id not in {row.id for row in followed.doubtful()}
    followed.undo()
    assert worst.id in {row.id for row in followed.doubtful()}
    followed.approve(worst.frame, 2)
    assert not [row for row in followed.doubtful() if row.object_id == 2 and row.last == worst.last]


def test_doubts_are_listed_worst_first(followed: Project) -> None:
    badness = [row.badness for row in followed.doubtful()]
    assert badness == sorted(badness, reverse=True)
