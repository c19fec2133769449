"""What was filled from nothing is told in stretches of frames, also by a job that was resumed."""

from __future__ import annotations

from pathlib import Path

from cleanplate.jobs.stages.unseen import UnseenShares


def test_stretches_are_of_frames_close_together_with_the_largest_share(tmp_path: Path) -> None:
    shares = UnseenShares(tmp_path / "unseen.jsonl")
    for frame, share in ((3, 0.5), (4, 0.05), (5, 0.2), (20, 0.9), (21, 0.04), (5, 0.7)):
        shares.tell(frame, share)
    found = shares.stretches(0, 30)
    assert [(one["first"], one["last"], one["share"]) for one in found] == [
        (3, 5, 0.7),
        (20, 20, 0.9),
    ]
    assert shares.stretches(6, 20) == []


def test_what_an_earlier_run_told_is_known(tmp_path: Path) -> None:
    UnseenShares(tmp_path / "unseen.jsonl").tell(7, 0.4)
    again = UnseenShares(tmp_path / "unseen.jsonl")
    again.tell(8, 0.3)
    assert [(one["first"], one["last"]) for one in again.stretches(0, 10)] == [(7, 8)]
