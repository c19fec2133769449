"""The examples of docs/batch.md are run."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from cleanplate.cli import app
from tests.batch.clips import write_scene

PAGE = Path(__file__).resolve().parents[2] / "docs" / "batch.md"


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
