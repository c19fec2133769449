"""Which frames a person should look at."""

from __future__ import annotations

from cleanplate.tracks.doubts import Series, doubts, due_sentence, of_report, worst_first


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


def test_where_an_object_is_given_up_the_next_prompt_is_due_when_it_began_to_fail() -> None:
    (row,) = doubts(series("vvvvuulllllll"), [])
    assert (row.first, row.last, row.frame, row.due) == (14, 22, 14, 14)
    assert row.reason == "a prompt is due at frame 14, if it is to be seen: lost from there on"
    assert due_sentence(row, "car") == (
        "A prompt for car is due at frame 14: it was given up in frames 14 to 22."
    )
    assert worst_first([*doubts(series("vvlv"), []), row])[0] == row


def test_backward_a_prompt_is_due_at_the_last_frame_without_the_object() -> None:
    (row,) = doubts(series("llllllvvv"), [])
    assert (row.due, row.frame, row.first) == (15, 15, 10)
    assert row.reason.endswith("lost from there back")


def test_no_prompt_is_due_where_the_object_comes_back_or_was_not_in_the_shot() -> None:
    assert [row.due for row in doubts(series("vvhhhhhhvv"), [])] == [None]
    assert [row.due for row in doubts(series("vvvlllllll"), [13])] == [None]
    assert [row.due for row in doubts(series("vvvvvvvll"), [])] == [None], "a moment at the end"


def test_up_to_the_next_prompt_an_object_may_be_given_up() -> None:
    said = series("vvllllllvv")
    states = ["prompt", *said.states[1:8], "prompt", "visible"]
    rows = doubts(Series(1, 10, states, said.confidences, said.areas), [])
    assert [row.due for row in rows] == [12]


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
