"""What is told of the time that a job takes."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from cleanplate.app import jobs
from cleanplate.app.jobs import Job
from cleanplate.app.speeds import Speeds
from cleanplate.app.worker import reporter as reporting
from cleanplate.app.worker.reporter import Reporter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time; its only item is set by the test."""
    now = [100.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(reporting, "print", lambda *_, **__: None, raising=False)
    return now


def made(tmp_path: Path, **args: object) -> tuple[Reporter, Job]:
    (tmp_path / "jobs").mkdir()
    job = Job("one", "remove", dict(args))
    job.state = jobs.RUNNING
    return Reporter(tmp_path, job), job


def test_progress_moves_between_bursts_of_frames_and_never_falls(
    tmp_path: Path, clock: list[float]
) -> None:
    """An engine that gives 15 frames every 15 seconds, at a second a frame as was foreseen."""
    reporter, job = made(tmp_path, seconds_per_frame=1.0)
    reporter.start("inpaint", 60)
    parts, lefts = [], []
    for second in range(1, 60):
        clock[0] = 100.0 + second
        if second % 15 == 0:
            for _ in range(15):
                reporter.advance()
        reporter._publish()
        assert job.part is not None
        assert job.left is not None
        parts.append(job.part)
        lefts.append(job.left)
        true = 60 - second
        if true > 10:
            assert abs(job.left - true) <= 0.3 * true, (second, job.left)
    assert all(later > one for one, later in itertools.pairwise(parts))


def test_a_wrong_forecast_is_mended_by_what_is_measured(tmp_path: Path, clock: list[float]) -> None:
    reporter, job = made(tmp_path, seconds_per_frame=1.0)
    reporter.start("inpaint", 100)
    for second in range(1, 161):
        clock[0] = 100.0 + second
        if second % 2 == 0:  # twice as slow
            reporter.advance()
        reporter._publish()
    assert job.left is not None
    assert abs(job.left - 40) < 12


def test_a_preview_tells_the_pace_until_a_job_was_timed(tmp_path: Path) -> None:
    speeds = Speeds(tmp_path)
    usual = speeds.seconds("flowfill", "cpu", 1.0)
    speeds.suggest("flowfill", "cpu", 3.0)
    assert speeds.seconds("flowfill", "cpu", 0.5) == 1.5
    assert usual == 1.6
    (tmp_path / "speeds.json").write_text('{"flowfill/cpu": 2.0, "flowfill/cpu/preview": 3.0}')
    speeds.suggest("flowfill", "cpu", 9.0)
    assert speeds.seconds("flowfill", "cpu", 1.0) == 2.0
