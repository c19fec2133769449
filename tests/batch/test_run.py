"""A batch without Ray: what is done stays done, faults, memory and storage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate.batch import storage
from cleanplate.batch.faults import Fault
from cleanplate.batch.orders import Orders, orders_from
from cleanplate.batch.run import Rules, batch_of, run
from cleanplate.batch.schedule import Step
from cleanplate.batch.steps import Batch, _State
from cleanplate.batch.summary import Summary
from cleanplate.batch.worker import Told
from cleanplate.errors import CancelledError, InputError
from cleanplate.jobs import job
from cleanplate.jobs.order import Order, Target
from cleanplate.media.read import open_clip
from cleanplate.projects.project import Project
from cleanplate.prompts.typed import Word
from cleanplate.settings.groups import settings_from
from cleanplate.types import Box, Prompt
from tests.batch.clips import BOX, LETTERS, write_marked, write_scene
from tests.batch.inline import Inline

VALUES: dict[str, Any] = {
    **{"static": True, "overlay": "box", "lossless": True, "least_context": 8},
    "inpainter": "telea",
}
PIECES = "out/.cleanplate/work/0.mp4/job/pieces"
WORD = Word("--box", ",".join(map(str, BOX)))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cleanplate.batch.faults.BACK_OFF", 0.01)


def orders_in(folder: Path, **values: Any) -> Orders:
    return orders_from(str(folder), words=[WORD], values={**VALUES, **values})


def batch_in(tmp_path: Path, out: str | None = None, **others: Any) -> Batch:
    address = out or str(tmp_path / "out")
    return batch_of(address, str(tmp_path / "scratch"), **{"chunk": 250, **others})


def clips_in(folder: Path, *counts: int) -> Path:
    for number, count in enumerate(counts):
        write_marked(folder / f"{number}.mp4", count, number)
    return folder


def alone(clip: Path, out: Path) -> bytes:
    """What the plain command writes."""
    order = Order("remove", clip, Target(out), (Prompt(box=Box(*BOX)),))
    job.run(Order(*("remove", clip, Target(out)), order.prompts, settings=settings_from(VALUES)))
    return out.read_bytes()


def test_each_clip_is_what_the_plain_command_writes_and_nothing_is_done_twice(
    tmp_path: Path,
) -> None:
    clips = clips_in(tmp_path / "clips", 12, 520)
    batch, machines = batch_in(tmp_path), Inline()
    summary = run(orders_in(clips), batch, machines)
    assert (summary.done, summary.again, summary.set_aside) == (2, 0, 0)
    assert summary.frames == 532
    for name in ("0.mp4", "1.mp4"):
        written = (tmp_path / "out" / name).read_bytes()
        assert written == alone(clips / name, tmp_path / "alone" / name), name
    assert [title for name, title in machines.steps if name == "1.mp4"] == [
        *("look", "prepare", "chunk-0000", "chunk-0001", "chunk-0002", "join"),
    ]
    assert not (tmp_path / "scratch").exists() or not any((tmp_path / "scratch").iterdir())
    assert storage.names_below(str(tmp_path / "out" / ".cleanplate" / "work")) == {}

    machines = Inline()
    summary = run(orders_in(clips), batch, machines)
    assert (summary.done, summary.again) == (0, 2)
    assert {title for _, title in machines.steps} == {"look"}


def test_another_order_does_not_replace_what_is_there_unless_told(tmp_path: Path) -> None:
    clips = clips_in(tmp_path / "clips", 8)
    run(orders_in(clips), batch_in(tmp_path), Inline())
    summary = run(orders_in(clips, grow=2), batch_in(tmp_path), Inline())
    (row,) = summary_of(tmp_path)["clips"]
    assert summary.set_aside == 1
    assert "add --overwrite" in row["sentence"]
    summary = run(orders_in(clips, grow=2), batch_in(tmp_path, overwrite=True), Inline())
    assert summary.done == 1


def summary_of(tmp_path: Path) -> dict[str, Any]:
    return json.loads((tmp_path / "out" / "summary.json").read_text())


def test_a_poison_clip_is_set_aside_with_its_sentence_and_its_log(tmp_path: Path) -> None:
    clips = clips_in(tmp_path / "clips", 8, 8)
    (clips / "bad.mp4").write_bytes(b"this is no video")
    summary = run(orders_in(clips), batch_in(tmp_path), Inline())
    assert (summary.done, summary.set_aside, summary.is_complete) == (2, 1, False)
    (row,) = [row for row in summary_of(tmp_path)["clips"] if row["status"] == "set aside"]
    assert row["name"] == "bad.mp4"
    assert "is not a video that can be read" in row["sentence"]
    log = (tmp_path / "out" / row["log"] / f"{row['step']}.log").read_text()
    assert log.startswith(row["sentence"])
    assert "Traceback" in log
    page = (tmp_path / "out" / "summary.html").read_text()
    assert "2 of 3 clips done" in page
    assert "bad.mp4" in page
    table = (tmp_path / "out" / "summary.csv").read_text().splitlines()
    assert len(table) == 4
    assert table[0].startswith("name,clip,status,frames")


def test_stop_at_first_begins_nothing_more(tmp_path: Path) -> None:
    clips = clips_in(tmp_path / "clips", 8, 8)
    (clips / "00.mp4").write_bytes(b"this is no video")
    machines = Inline()
    summary = run(orders_in(clips), batch_in(tmp_path), machines, Rules(stops_at_first=True))
    assert (summary.done, summary.set_aside) == (0, 1)
    assert summary.totals()["left"] == 2


def dies(title: str, times: int) -> Callable[[Step], Fault | None]:
    """A machine that dies in the step ``title``, so many times."""
    left = [times]

    def before(step: Step) -> Fault | None:
        if step.title == title and left[0]:
            left[0] -= 1
            return Fault("A worker died.", True, "trace")
        return None

    return before


def test_a_machine_that_dies_costs_a_retry_and_no_frame(tmp_path: Path) -> None:
    clips = clips_in(tmp_path / "clips", 260)
    machines = Inline(dies("chunk-0001", 2))
    summary = run(orders_in(clips), batch_in(tmp_path), machines)
    assert (summary.done, summary.retried) == (1, 2)
    written = (tmp_path / "out" / "0.mp4").read_bytes()
    assert written == alone(clips / "0.mp4", tmp_path / "alone" / "0.mp4")


def test_a_machine_that_dies_again_and_again_sets_the_clip_aside(tmp_path: Path) -> None:
    clips = clips_in(tmp_path / "clips", 260)
    summary = run(orders_in(clips), batch_in(tmp_path), Inline(dies("chunk-0001", 9)), Rules(2))
    (row,) = summary_of(tmp_path)["clips"]
    assert row["sentence"] == "A worker died. It was tried 3 times."
    assert "trace" in (tmp_path / "out" / "logs" / "0.mp4" / "chunk-0001.log").read_text()
    assert summary.retried == 2


def test_a_batch_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    clips = clips_in(tmp_path / "clips", 520)

    def stops(step: Step) -> None:
        if step.title == "chunk-0001":
            raise KeyboardInterrupt

    with pytest.raises(CancelledError):
        run(orders_in(clips), batch_in(tmp_path), Inline(stops))
    assert summary_of(tmp_path)["totals"]["left"] == 1
    work = tmp_path / "out" / ".cleanplate" / "work" / "0.mp4" / "job" / "pieces"
    first = work / "000000.mkv"
    stamp = first.stat().st_mtime_ns
    seen: list[int] = []

    def looks(step: Step) -> None:
        if step.title == "chunk-0001":
            seen.append(first.stat().st_mtime_ns)

    summary = run(orders_in(clips), batch_in(tmp_path), Inline(looks))
    assert summary.done == 1
    assert seen == [stamp], "the first chunk was not filled again"
    written = (tmp_path / "out" / "0.mp4").read_bytes()
    assert written == alone(clips / "0.mp4", tmp_path / "alone" / "0.mp4")


def test_a_clip_of_one_chunk_keeps_the_pieces_that_its_worker_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = clips_in(tmp_path / "clips", 260)
    push, stamps = _State.push_piece, []

    def broken(state: _State, number: int, path: Path) -> None:
        if number == 1:
            stamps.append((tmp_path / PIECES / "000000.mkv").stat().st_mtime_ns)
            if len(stamps) == 1:
                raise ConnectionError("the storage does not answer")
        push(state, number, path)

    monkeypatch.setattr(_State, "push_piece", broken)
    summary = run(orders_in(clips), batch_in(tmp_path, chunk=1000), Inline())
    assert (summary.done, summary.retried) == (1, 1)
    assert stamps[0] == stamps[1], "the first piece was not filled again"
    written = (tmp_path / "out" / "0.mp4").read_bytes()
    assert written == alone(clips / "0.mp4", tmp_path / "alone" / "0.mp4")


def test_tracking_goes_on_on_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scene_clip: Path
) -> None:
    box = ",".join(str(side) for side in (40, 60, 84, 88))
    (tmp_path / "clips").mkdir()
    shutil.copy(scene_clip, tmp_path / "clips" / "scene.mp4")
    values = {"inpainter": "telea", "lossless": True}
    orders = orders_from(str(tmp_path / "clips"), words=[Word("--box", f"{box}@2")], values=values)
    batch = batch_in(tmp_path, chunk=20, sync_seconds=0.0)
    tracked: list[int] = []
    advance = Told.advance

    def counted(self: Told) -> None:
        if self._stage == "track":
            tracked.append(self._done)
            if len(tracked) == 36:
                raise KeyboardInterrupt
        advance(self)

    monkeypatch.setattr(Told, "advance", counted)
    with pytest.raises(CancelledError):
        run(orders, batch, Inline())
    assert not list((tmp_path / "scratch").iterdir()), "all is in the output's storage"
    first = len(tracked)
    assert run(orders, batch, Inline()).done == 1
    again = len(tracked) - first
    assert again <= 10, f"{again} frames were tracked after {first}"
    order = Order(
        *("remove", scene_clip, Target(tmp_path / "alone.mp4")),
        (Prompt(box=Box(40, 60, 84, 88), at=2),),
        settings=settings_from(values),
    )
    job.run(order)
    written = (tmp_path / "out" / "scene.mp4").read_bytes()
    assert written == (tmp_path / "alone.mp4").read_bytes()


@pytest.mark.parametrize("kind", ["memory", "bucket"])
def test_from_one_storage_to_another(
    tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    place = request.getfixturevalue(kind)
    clips = clips_in(tmp_path / "clips", 8, 260)
    for name in ("0.mp4", "1.mp4"):
        storage.publish(clips / name, f"{place}/in/{name}")
    orders = orders_from(f"{place}/in/*.mp4", words=[WORD], values=VALUES)
    summary = run(orders, batch_in(tmp_path, f"{place}/out"), Inline())
    assert summary.done == 2, list(summary_at(place))
    for name in ("0.mp4", "1.mp4"):
        storage.fetch(f"{place}/out/{name}", tmp_path / name)
        assert (tmp_path / name).read_bytes() == alone(clips / name, tmp_path / "alone" / name)
    assert not list((tmp_path / "scratch").iterdir()), "no scratch is left"
    assert storage.names_below(f"{place}/out/.cleanplate/work") == {}
    machines = Inline()
    assert run(orders, batch_in(tmp_path, f"{place}/out"), machines).again == 2


def summary_at(place: str) -> list[str]:
    """The sentences of what was set aside."""
    clips = storage.read_json(f"{place}/out/summary.json")["clips"]
    return [clip["sentence"] for clip in clips if "sentence" in clip]


def test_what_suggest_finds_is_removed_and_a_clip_without_is_left(tmp_path: Path) -> None:
    shown = write_scene(tmp_path / "clips" / "logo.mp4", logo=True)
    write_scene(tmp_path / "clips" / "plain.mp4", logo=False)
    orders = orders_from(str(tmp_path / "clips"), suggest=True, values={"inpainter": "telea"})
    summary = run(orders, batch_in(tmp_path), Inline())
    assert (summary.done, summary.set_aside) == (2, 0), summary_of(tmp_path)
    by_name = {row["name"]: row["status"] for row in summary_of(tmp_path)["clips"]}
    assert by_name == {"logo.mp4": "done", "plain.mp4": "nothing found"}
    assert not (tmp_path / "out" / "plain.mp4").exists()
    with open_clip(shown) as before, open_clip(tmp_path / "out" / "logo.mp4") as after:
        first, second = (next(clip.pictures(40)).rgb() for clip in (before, after))
    letters = LETTERS[..., 0] > 0.9
    assert np.abs(first[letters].astype(int) - second[letters]).mean() > 20, "the logo is gone"
    assert run(orders, batch_in(tmp_path), Inline()).again == 2


def test_a_project_is_removed_once(tmp_path: Path) -> None:
    clip = write_marked(tmp_path / "clip.mp4", 12)
    project = Project.create(tmp_path / "work", clip)
    values = {name: value for name, value in VALUES.items() if name != "static"}
    project.set_settings({**values, "tracker": "fixed"})
    project.set_prompt(0, project.add_object(), Prompt(box=Box(*BOX)))
    project.follow()
    orders = orders_from(str(tmp_path / "work"))
    assert run(orders, batch_in(tmp_path), Inline()).done == 1, summary_of(tmp_path)
    job.run(Project.open(tmp_path / "work").removal(tmp_path / "alone.mkv"))
    with open_clip(tmp_path / "alone.mkv") as one, open_clip(tmp_path / "out" / "work.mkv") as two:
        for first, second in zip(one.pictures(), two.pictures(), strict=True):
            assert np.array_equal(first.rgb(), second.rgb())
    assert run(orders, batch_in(tmp_path), Inline()).again == 1


def test_two_batches_do_not_write_to_one_place(tmp_path: Path) -> None:
    clips = clips_in(tmp_path / "clips", 8)

    def another(step: Step) -> None:
        with pytest.raises(InputError, match="Another batch writes to"):
            run(orders_in(clips), batch_in(tmp_path), Inline())

    assert run(orders_in(clips), batch_in(tmp_path), Inline(another)).done == 1


def test_a_place_that_cannot_be_written_is_said() -> None:
    with pytest.raises(InputError, match="can be read but not written"):
        batch_of("https://example.org/out")


def test_what_a_price_an_hour_makes_is_told() -> None:
    now = [0.0]
    with Summary(1, price=3.0, clock=lambda: now[0]) as summary:
        now[0] = 1800.0
        assert summary.cost == 1.5
        assert summary.totals()["cost"] == 1.5
