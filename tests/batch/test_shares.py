"""Filling can be done in several places; joined, it is the job done in one, byte for byte."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cleanplate.jobs import job, shares
from cleanplate.jobs.order import Order, Target, fingerprint
from cleanplate.jobs.work_folder import WorkFolder
from cleanplate.settings.groups import settings_from
from tests.batch.clips import BOX, HEIGHT, WIDTH, write_marked

COUNT = 270  # frames: a piece and a bit, so that a hole lies across the join


@pytest.mark.parametrize("inpainter", ["telea", "flowfill", "plate"])
def test_pieces_filled_apart_and_joined_are_what_one_job_writes(
    tmp_path: Path, inpainter: str
) -> None:
    clip = write_marked(tmp_path / "clip.mp4", COUNT)
    masks = np.zeros((COUNT, HEIGHT, WIDTH), np.uint8)
    masks[238:262, BOX[1] : BOX[3], BOX[0] : BOX[2]] = 1
    np.savez_compressed(tmp_path / "masks.npz", masks)
    alone = Order(
        *("inpaint", clip, Target(tmp_path / "alone" / "clean.mp4")),
        masks=tmp_path / "masks.npz",
        settings=settings_from({"lossless": True, "least_context": 8, "inpainter": inpainter}),
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
    assert shared.starts == (0, 250)
    assert shared.stop == COUNT
    assert (shared.needed[1] < 250) == (inpainter != "telea"), "it looks back across the join"
    joined = placed("joined")
    pieces = WorkFolder.location(joined.out.path) / shares.PIECES
    pieces.mkdir(exist_ok=True)
    for name, numbers in (("second", range(1, 2)), ("third", range(1))):
        shares.fill_pieces(
            *(placed(name), numbers, lambda number, path: shutil.copy(path, pieces / path.name))
        )
    report = job.run(joined)
    assert "inpaint" not in report.seconds
    assert joined.out.path.read_bytes() == alone.out.path.read_bytes()
