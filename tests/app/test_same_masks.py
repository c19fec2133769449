"""The same prompts give the same masks, whichever door they come in by."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cleanplate import api
from cleanplate.app.prompts import PromptFields, prompt_of
from cleanplate.app.results import Result, Results
from cleanplate.media.mask_track import read_mask_track
from tests import scene
from tests.app.conftest import Server

COUNT = 30
PATCH = [120, 84, 150, 106]


def corners(frame: int) -> list[int]:
    box = scene.sign_box(frame)
    return [box.x0, box.y0, box.x1, box.y1]


PROMPTS: list[PromptFields] = [
    {"box": corners(4), "object": 1, "at": 4},
    {"box": PATCH, "object": 2, "at": 11},
    {"box": corners(22), "object": 1, "at": 22},
]


def by_command(clip: Path, folder: Path, server: Server) -> Path:
    words: list[Any] = []
    for prompt in PROMPTS:
        box = ",".join(map(str, prompt["box"]))
        words += ["--object", prompt["object"], "--box", f"{box}@{prompt['at']}"]
    program, out = Path(sys.executable).with_name("cleanplate"), folder / "command.mkv"
    call = [program, "track", clip, *words, "-o", out, "--quiet"]
    subprocess.run([str(word) for word in call], check=True, timeout=120)
    return out


def by_python(clip: Path, folder: Path, server: Server) -> Path:
    out = folder / "python.mkv"
    api.track(clip, out, *map(prompt_of, PROMPTS))
    return out


def by_rest(clip: Path, folder: Path, server: Server) -> Path:
    session = server.desk.sessions.begin(
        server.desk.sessions.new_folder(), clip.name, clip, uploaded=False
    )
    about = asdict(Result("track-1", "track", 0, 0, "masks.mkv", ""))
    call = {"command": "track", "prompts": PROMPTS, "settings": {}, "engine_settings": {}}
    server.desk.work.begin(session, "order", {**call, "about": about, "masks": None})
    server.done(session.id)
    results = Results(session.results)
    return results.clip(results.all()[-1])


def by_page(clip: Path, folder: Path, server: Server) -> Path:
    project = server.opened(clip)
    objects = {number: server.edit(project, "add_object")["object"] for number in (1, 2)}
    for prompt in PROMPTS:
        pointed = {"box": prompt["box"], "points": [], "brushes": []}
        number = objects[prompt["object"]]
        server.edit(project, "prompt", frame=prompt["at"], object=number, prompt=pointed)
    server.post(f"/project/{project}/job", {"kind": "track"})
    server.done(project)
    out = folder / "page.mkv"
    out.write_bytes(server.client.get(f"/project/{project}/masks.mkv").content)
    return out


DOORS = [by_command, by_python, by_rest, by_page]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scene.write_scene(tmp_path_factory.mktemp("doors") / "scene.mp4", COUNT, sound=False)


def test_three_prompts_on_two_objects_give_the_same_masks_by_every_door(
    clip: Path, tmp_path: Path, server: Server
) -> None:
    tracks = {door.__name__: list(read_mask_track(door(clip, tmp_path, server))) for door in DOORS}
    wanted = tracks["by_python"]
    assert len(wanted) == COUNT
    assert all({1, 2} <= set(np.unique(mask).tolist()) for mask in wanted)
    assert not np.array_equal(wanted[0], wanted[-1]), "the sign moves"
    for name, masks in tracks.items():
        for frame, (mask, other) in enumerate(zip(masks, wanted, strict=True)):
            assert np.array_equal(mask, other), f"{name} differs in frame {frame}"
