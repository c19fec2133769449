"""Kills workers, nodes and the driver of a batch at random, and looks at what comes of it.

    python bench/batch_chaos.py [--kills 50] [--seconds 600] [--seed 0]

Three Ray nodes on this machine, processes of their own; the first, which leads the cluster, stays.
Some short clips and a long one are filled by an engine that notes each frame that it fills. Then:
every result is that of the plain job, bit for bit; no more frames were filled than what was killed
explains; no scratch is left.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from ray.cluster_utils import Cluster

from cleanplate.jobs import job
from cleanplate.jobs.order import Order, Target
from cleanplate.jobs.stages.write import PIECE
from cleanplate.media.new_clip import write_clip
from cleanplate.settings.groups import settings_from
from cleanplate.types import Box, Prompt

SHORT, LONG = (120, 90, 60, 110, 80), 2000  # frames
WIDTH, HEIGHT = 64, 48
MARK = "CLEANPLATE_CHAOS"
BOX = Box(8, 8, 24, 20)
ENGINE = '''
"""Fills with the frame's number, slowly, and notes each frame."""

import os
import time
from dataclasses import dataclass, replace

from cleanplate.protocols import About
from cleanplate.settings import setting


@dataclass(frozen=True)
class Settings:
    log: str = setting("", "Where frames are noted.")
    pause: float = setting(0.004, "Seconds for a frame.")


class Engine:
    about = About("inpaint", "noting", "Numbers.")
    Settings = Settings
    lookahead = lookback = 0
    window = 1

    def __init__(self, settings, runtime):
        self.settings = settings

    def inpaint(self, frames):
        file = os.open(self.settings.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            for masked in frames:
                time.sleep(self.settings.pause)
                os.write(file, b"x")
                image = masked.frame.image.copy()
                image[masked.mask != 0] = masked.frame.index % 251
                yield replace(masked.frame, image=image)
        finally:
            os.close(file)
'''


def install(folder: Path) -> None:
    (folder / "noting.py").write_text(ENGINE)
    info = folder / "noting-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: noting\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cleanplate.engines]\ninpaint.noting = noting\n")
    sys.path.append(str(folder))
    paths = (os.environ.get("PYTHONPATH"), str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))


def write(path: Path, frames: int) -> None:
    noise = np.random.default_rng(frames).integers(0, 255, (HEIGHT, WIDTH * 4, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    images = (noise[:, n % 190 : n % 190 + WIDTH] for n in range(frames))
    write_clip(path, images, Fraction(25), crf=20, options={"preset": "ultrafast"})


def working() -> list[int]:
    """The workers of this bench that carry out a step."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
            if (
                line.startswith(b"ray::")
                and b".mp4 " in line
                and mark() in (folder / "environ").read_bytes()
            ):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def mark() -> bytes:
    """In the environment of all processes of this bench."""
    return f"{MARK}={os.getpid()}".encode()


class Chaos:
    def __init__(self, folder: Path, log: Path) -> None:
        self.folder = folder
        self.command = [
            *(sys.executable, "-c", "from cleanplate.cli import main; main()", "batch"),
            *(str(folder / "clips"), "-o", str(folder / "out"), "--box", "8,8,24,20", "--static"),
            *("--overlay", "box", "--lossless", "--inpainter", "noting", "--chunk", "250"),
            *("--set", f"noting.log={log}", "--scratch", str(folder / "scratch")),
            *("--retries", "1000"),
        ]
        os.environ[MARK] = str(os.getpid())
        self.cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 1, "include_dashboard": False},
        )
        self.nodes = [self.cluster.add_node(num_cpus=1) for _ in range(2)]
        self.driver: subprocess.Popen[bytes] | None = None
        self.killed = {"worker": 0, "node": 0, "driver": 0}
        self.lost = 0
        """Steps that were running when something of theirs was killed."""
        self.redone = 0
        """Times that the batch was done before it was killed often enough."""

    def begin(self) -> None:
        address = ["--address", self.cluster.address]
        self.driver = subprocess.Popen(
            [*self.command, *address],
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "told").open("ab"),
        )

    def kill(self, choice: random.Random) -> None:
        assert self.driver is not None
        pids = working()
        if not pids:
            return  # nothing is lost by a kill now
        kind = choice.choices(("worker", "node", "driver"), (6, 2, 2))[0]
        if kind == "worker":
            os.kill(choice.choice(pids), signal.SIGKILL)
            self.lost += 1
        elif kind == "node":
            node = self.nodes.pop(choice.randrange(len(self.nodes)))
            self.cluster.remove_node(node, allow_graceful=False)
            self.nodes.append(self.cluster.add_node(num_cpus=1))
            self.lost += 1
        else:
            self.driver.kill()
            self.driver.wait()
            self.lost += len(pids)
            self.begin()
        self.killed[kind] += 1

    def run(self, kills: int, seconds: float, choice: random.Random) -> int:
        """Kill until it has been often enough, then let the batch end; its exit code."""
        self.begin()
        deadline = time.monotonic() + seconds
        while sum(self.killed.values()) < kills and time.monotonic() < deadline:
            time.sleep(choice.uniform(0.3, 2.5))
            assert self.driver is not None
            if self.driver.poll() == 0:  # it was quicker: once more from the beginning
                for folder in ("out", "scratch"):
                    shutil.rmtree(self.folder / folder)
                self.redone += 1
            if self.driver.poll() is not None:  # or its own node was killed
                self.begin()
            self.kill(choice)
        for _ in range(3):
            assert self.driver is not None
            code = self.driver.wait(timeout=seconds)
            if code == 0:
                break
            self.begin()
        return code


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Path(name) / "filled"
        install(folder)
        for number, frames in enumerate((*SHORT, LONG)):
            write(folder / "clips" / f"{number}.mp4", frames)
        began = time.monotonic()
        chaos = Chaos(folder, log)
        code: Any = chaos.run(given.kills, given.seconds, random.Random(given.seed))
        chaos.cluster.shutdown()
        print(
            f"{sum(chaos.killed.values())} kills {chaos.killed} in {time.monotonic() - began:.0f} s"
        )
        print(f"exit code {code}")
        if code != 0:
            print((folder / "told").read_text()[-3000:])
        assert code == 0
        filled, total = log.stat().st_size, sum(SHORT) + LONG
        total *= 1 + chaos.redone
        print(f"frames {total}, filled {filled}; steps lost {chaos.lost} of {PIECE} frames at most")
        assert total <= filled <= total + chaos.lost * PIECE
        settings = settings_from(
            {"static": True, "overlay": "box", "lossless": True, "inpainter": "noting"},
            {"noting": {"log": str(folder / "other"), "pause": 0}},
        )
        for clip in sorted((folder / "clips").iterdir()):
            target = Target(folder / "alone" / clip.name)
            job.run(Order("remove", clip, target, (Prompt(box=BOX),), settings=settings))
            same = target.path.read_bytes() == (folder / "out" / clip.name).read_bytes()
            print(f"{clip.name} {'identical' if same else 'DIFFERS'}")
            assert same
        left = sorted(str(path) for path in (folder / "scratch").rglob("*"))
        print(f"left in scratch: {left or 'nothing'}")
        assert not left


if __name__ == "__main__":
    main()
