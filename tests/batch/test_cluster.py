"""A batch on Ray: workers that die, engines loaded once, the commands, the page's examples."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cleanplate.batch.cluster import Cluster
from cleanplate.batch.orders import orders_from
from cleanplate.batch.run import Rules, Watch, run
from cleanplate.cli import app
from cleanplate.media.mask_writing import write_mask_folder
from tests.batch.clips import BOX, write_scene
from tests.batch.test_run import alone, batch_in, clips_in, orders_in, summary_of
from tests.evaluation.test_runner import write_images
from tests.scene import frames, sign_masks

PAGE = Path(__file__).resolve().parents[2] / "docs" / "batch.md"
OPTIONS = [
    *("--box", ",".join(map(str, BOX)), "--static", "--overlay", "box", "--lossless"),
    *("--least-context", "8", "--inpainter", "telea", "--chunk", "250"),
]


def workers() -> list[int]:
    """The processes of this test's cluster that fill a chunk at this moment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if line.startswith(b"ray::") and b"chunk-" in line and _is_ours(int(folder.name)):
            found.append(int(folder.name))
    return found


def _is_ours(pid: int) -> bool:
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False


class Killing(Watch):
    """Kills a worker in the middle of its filling, a few times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.retries = 0

    def retried(self, step: Any, fault: Any) -> None:
        self.retries += 1

    def places(self, places: dict[Any, Any]) -> None:
        if self.left and any(stage == "inpaint" for stage, _, _ in places.values()):
            for pid in workers()[:1]:
                os.kill(pid, signal.SIGKILL)
                self.left -= 1


def test_workers_that_are_killed_cost_retries_and_change_no_byte(
    cluster_address: str, tmp_path: Path
) -> None:
    clips = clips_in(tmp_path / "clips", 12, 1000)
    (clips / "bad.mp4").write_bytes(b"this is no video")
    cluster, killing = Cluster(), Killing(2)
    try:
        summary = run(orders_in(clips), batch_in(tmp_path), cluster, Rules(5), killing)
    finally:
        cluster.close()
    assert killing.left == 0
    assert summary.retried == killing.retries >= 1
    assert (summary.done, summary.set_aside) == (2, 1), summary_of(tmp_path)
    for name in ("0.mp4", "1.mp4"):
        written = (tmp_path / "out" / name).read_bytes()
        assert written == alone(clips / name, tmp_path / "alone" / name), name
    assert not list((tmp_path / "scratch").iterdir()), "no scratch is left"


def cleanplate(*arguments: str) -> int:
    return app([*arguments], standalone_mode=False) or 0


def test_the_command_says_a_line_for_each_clip(
    cluster_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, out = clips_in(tmp_path / "clips", 8, 8), tmp_path / "out"
    command = ["batch", str(clips), "-o", str(out), *OPTIONS, "--price", "2"]
    assert cleanplate(*command) == 0
    told = capsys.readouterr().err
    assert "1 machine, 2 CPUs" in told
    assert "0.mp4: 8 frames in" in told
    assert "2 of 2 clips done" in told
    assert "spent" in told
    (clips / "bad.mp4").write_bytes(b"this is no video")
    assert cleanplate(*command, "--json") == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["done before"] == 2
    assert "bad.mp4: set aside:" in printed.err


def test_a_learned_engine_is_loaded_once_a_worker(
    cluster_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, out, log = clips_in(tmp_path / "clips", *[8] * 6), tmp_path / "out", tmp_path / "log"
    options = [*OPTIONS[:-3], "slow_to_load", "--set", f"slow_to_load.log={log}"]
    assert cleanplate("batch", str(clips), "-o", str(out), *options) == 0, capsys.readouterr().err
    made = log.read_text().split()
    assert 1 <= len(made) <= 2, "six clips, two workers"
    assert len(set(made)) == len(made)


def test_an_evaluation_runs_on_a_cluster(cluster_address: str, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_images(tmp_path / "data" / name / "frames", [image for image, _ in frames(6)])
        write_mask_folder(tmp_path / "data" / name / "masks", sign_masks(6))
    out = tmp_path / "out"
    command = ["evaluate", "track", str(tmp_path / "data"), "-o", str(out), "--tracker", "planar"]
    assert cleanplate(*command, "--quiet", "--address", cluster_address) == 0
    report = json.loads((out / "report.json").read_text())
    assert [row["name"] for row in report["videos"]] == ["one", "two"]
    assert report["total"]["j_mean"] > 0.9


def test_suggestions_for_a_folder_are_a_page_and_orders(
    cluster_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, report = tmp_path / "clips", tmp_path / "report"
    write_scene(clips / "logo.mp4", logo=True)
    (clips / "bad.mp4").write_bytes(b"this is no video")
    command = ["suggest", str(clips), "--report", str(report), "--address", cluster_address]
    assert cleanplate(*command) == 0
    told = capsys.readouterr().out
    assert f"{clips / 'logo.mp4'}: logo " in told
    assert "bad.mp4: " in told
    assert "is not a video" in told
    page = (report / "suggestions.html").read_text()
    assert "1 of 2 clips show something to remove" in page
    assert page.count("data:image/jpeg") == 1
    listed = orders_from(str(report / "orders.jsonl"))
    assert [order.clip for order in listed] == [str(clips / "logo.mp4")]
    stamp = (report / "clips" / "logo.mp4.json").stat().st_mtime_ns
    assert cleanplate(*command) == 0
    assert (report / "clips" / "logo.mp4.json").stat().st_mtime_ns == stamp, "not looked at again"


def test_ctrl_c_keeps_what_is_done(cluster_address: str, tmp_path: Path) -> None:
    clips, out = clips_in(tmp_path / "clips", 8, 1500), tmp_path / "out"
    program = "from cleanplate.cli import main; main()"
    command = [sys.executable, "-c", program, "batch", str(clips), "-o", str(out), *OPTIONS]
    with subprocess.Popen(
        [*command, "--address", cluster_address], stderr=subprocess.PIPE, text=True
    ) as running:
        deadline = time.monotonic() + 120
        while not list(out.glob(".cleanplate/work/1.mp4/job/pieces/*.mkv")):
            assert running.poll() is None, running.stderr and running.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        running.send_signal(signal.SIGINT)
        told = running.communicate(timeout=60)[1]
    assert running.returncode == 130, told
    assert "run the same command again" in told
    totals = summary_of(tmp_path)["totals"]
    assert (totals["done"], totals["left"]) == (1, 1)
    assert (out / "0.mp4").exists()
    assert not (out / "1.mp4").exists()


def test_a_cluster_that_is_not_there_is_said(tmp_path: Path) -> None:
    clips = clips_in(tmp_path / "clips", 8)
    program = "from cleanplate.cli import main; main()"
    command = [sys.executable, "-c", program, "batch", str(clips), "-o", str(tmp_path / "out")]
    address = ["--address", "127.0.0.1:1"]
    done = subprocess.run(
        [*command, *OPTIONS, *address], stderr=subprocess.PIPE, text=True, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert "There is no Ray cluster at 127.0.0.1:1" in done.stderr


def test_the_page_s_examples_work(
    cluster_address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    commands = [
        line
        for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL)
        for line in block.splitlines()
    ]
    ((name, text),) = re.findall(r"```json title=(\S+)\n(.*?)```", page, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    Path(name).write_text(text)
    for clip in "abc":
        write_scene(Path("clips") / f"{clip}.mp4", logo=clip == "c", count=24 if clip == "c" else 6)
    assert len(commands) == 2
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "cleanplate"
        assert (app(arguments, standalone_mode=False) or 0) == 0, capsys.readouterr().err
    assert sorted(path.name for path in Path("clean").glob("*.mp4")) == ["a.mp4", "b.mp4", "c.mp4"]
    assert Path("clean2/second/b.mkv").exists()
    totals = json.loads(Path("clean2/summary.json").read_text())["totals"]
    assert (totals["done"], totals["set aside"]) == (3, 0)
    assert totals["cost"] is not None
    for kind in ("json", "csv", "html"):
        assert Path(f"clean/summary.{kind}").exists()
