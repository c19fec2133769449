"""A job's filling can be done in several places; joined, it is the job done in one, byte for byte."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cleanplate.jobs import job, shares
from cleanplate.jobs.order import Order, Target, fingerprint
from cleanplate.jobs.work_folder import WorkFolder
from cleanplate.settings.groups import settings_from
from cleanplate.types import Box, Prompt
from tests.batch.clips import BOX, write_marked

STATIC = {"static": True, "overlay": "box", "lossless": True, "least_context": 8}


@pytest.mark.parametrize("inpainter", ["telea", "flowfill", "plate"])
def test_pieces_filled_apart_and_joined_are_what_one_job_writes(
    tmp_path: Path, inpainter: str
) -> None:
    clip = write_marked(tmp_path / "clip.mp4", 520)
    settings = settings_from({**STATIC, "inpainter": inpainter})
    alone = Order(
        *("remove", clip, Target(tmp_path / "alone" / "clean.mp4"), (Prompt(box=Box(*BOX)),)),
        settings=settings,
    )
    job.run(alone)

    def placed(name: str) -> Order:
        order = replace(alone, out=Target(tmp_path / name / "clean.mp4"))
        work = WorkFolder.location(order.out.path)
        if prepared.is_dir() and not work.is_dir():
            shutil.copytree(prepared, work)
            WorkFolder.adopt(order.out.path, fingerprint(order))
        return order

    prepared = WorkFolder.location(tmp_path / "first" / "clean.mp4")
    shared = shares.prepare(placed("first"))
    assert shared.starts == (0, 250, 500)
    assert shared.stop == 520
    assert shared.needed[0] == 0
    joined = placed("joined")
    pieces = WorkFolder.location(joined.out.path) / shares.PIECES
    pieces.mkdir(exist_ok=True)
    for name, numbers in (("second", range(2, 3)), ("third", range(2))):
        shares.fill_pieces(
            *(placed(name), numbers, lambda number, path: shutil.copy(path, pieces / path.name))
        )
    report = job.run(joined)
    assert "inpaint" not in report.seconds
    assert joined.out.path.read_bytes() == alone.out.path.read_bytes()
