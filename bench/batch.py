"""What `cleanplate batch` costs beside the plain command, and what a second worker brings.

    python bench/batch.py [--clips 20] [--frames 48] [--rounds 3] [--long 500] [--orders 10000]

1. Short clips: one after another by the plain job; by two processes without Ray; by a batch of two
   workers. The bar is the first divided by the speed-up of the second. Workers and processes have
   done a clip before; the start of Ray is printed apart.
2. One long clip in chunks of 250 frames by one worker and by two. A worker reads, fills and encodes
   in threads, so that one alone takes more than the one CPU that it asks for: it is also timed held
   to one core, which is what a worker has where there are as many of them as CPUs.
3. Memory of the driver after 1,000 and after all of many orders, with steps that do nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import ray

from cleanplate.batch.cluster import Cluster
from cleanplate.batch.needs import Needs
from cleanplate.batch.orders import orders_from
from cleanplate.batch.run import batch_of, run
from cleanplate.batch.schedule import Schedule
from cleanplate.batch.steps import Looked, Record
from cleanplate.batch.summary import Summary
from cleanplate.jobs import job
from cleanplate.jobs.order import Order, Target
from cleanplate.media.new_clip import write_clip
from cleanplate.prompts.typed import Word
from cleanplate.settings.groups import settings_from
from cleanplate.types import Box, Prompt

WIDTH, HEIGHT = 320, 180
BOX = Box(20, 16, 84, 48)
VALUES: dict[str, Any] = {"static": True, "overlay": "box"}
WORD = Word("--box", f"{BOX.x0},{BOX.y0},{BOX.x1},{BOX.y1}")


def write(path: Path, frames: int, seed: int) -> Path:
    random = np.random.default_rng(seed)
    wide = cv2.resize(random.integers(0, 255, (24, 160, 3), np.uint8), (WIDTH * 4, HEIGHT))

    def images() -> Any:
        for n in range(frames):
            x = round((np.sin(n / 40 + seed) + 1) / 2 * (WIDTH * 3 - 1))
            image = wide[:, x : x + WIDTH].copy()
            image[BOX.slices] = 245
            yield image

    path.parent.mkdir(parents=True, exist_ok=True)
    write_clip(path, images(), Fraction(25), crf=18, options={"preset": "ultrafast"})
    return path


def plain(clip: Path, out: Path, threads: int) -> None:
    cv2.setNumThreads(threads)
    settings = settings_from(VALUES)
    job.run(Order("remove", clip, Target(out), (Prompt(box=BOX),), settings=settings))


def batched(clips: Path, out: Path, cluster: Cluster, chunk: int = 1000, **values: Any) -> float:
    fast = {"flowfill": {"quality": "fast"}} if values else {}
    orders = orders_from(
        str(clips), words=[WORD], values={**VALUES, **values}, engine_settings=fast
    )
    began = time.perf_counter()
    summary = run(orders, batch_of(str(out), chunk=chunk), cluster)
    assert summary.is_complete, summary.totals()
    return time.perf_counter() - began


def started(cpus: int) -> tuple[Cluster, float]:
    began = time.perf_counter()
    return Cluster(cpus=cpus), time.perf_counter() - began


def short(folder: Path, count: int, frames: int, rounds: int) -> None:
    clips = [write(folder / "short" / f"{n:02d}.mp4", frames, n) for n in range(count)]
    warm = [write(folder / "warm" / f"{n}.mp4", 8, n) for n in range(4)]
    plain(warm[0], folder / "warm.mp4", 0)
    began = time.perf_counter()
    for clip in clips:
        plain(clip, folder / "one" / clip.name, 0)
    one = time.perf_counter() - began
    cluster, start = started(2)
    batched(folder / "warm", folder / "warmed", cluster)
    twos: list[float] = []
    manys: list[float] = []
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(plain, warm, [folder / "w" / c.name for c in warm], [1] * len(warm)))
        for n in range(rounds):  # in turns: other programs on this machine come and go
            began = time.perf_counter()
            list(pool.map(plain, clips, [folder / f"two{n}" / c.name for c in clips], [1] * count))
            twos.append(time.perf_counter() - began)
            manys.append(batched(folder / "short", folder / f"many{n}", cluster))
    cluster.close()
    two, many = min(twos), min(manys)
    print(f"{count} clips of {frames} frames, {WIDTH}x{HEIGHT}, flowfill, best of {rounds}")
    print(f"  one after another         {one:7.1f} s")
    print(f"  two processes, no Ray     {two:7.1f} s, speed-up {one / two:.2f}")
    print(f"  batch, two workers        {many:7.1f} s, Ray started in {start:.1f} s")
    print(f"  batch / (one / speed-up)  {many / two:7.2f}   bar 1.10")
    print(f"  all rounds: {[f'{b:.1f} / {a:.1f}' for a, b in zip(twos, manys, strict=True)]}")


def long(folder: Path, frames: int) -> None:
    write(folder / "long" / "film.mp4", frames, 3)
    write(folder / "warm" / "0.mp4", 8, 1)
    everywhere = os.sched_getaffinity(0)

    def taken(name: str, cpus: int, cores: set[int]) -> float:
        os.sched_setaffinity(0, cores)  # Ray's processes inherit it
        cluster, _ = started(cpus)
        batched(folder / "warm", folder / f"warm-{name}", cluster)
        seconds = batched(folder / "long", folder / name, cluster, 250, least_context=24)
        cluster.close()
        os.sched_setaffinity(0, everywhere)
        return seconds

    held = taken("held", 1, {min(everywhere)})
    alone, two = taken("alone", 1, everywhere), taken("two", 2, everywhere)
    print(f"one clip of {frames} frames, {WIDTH}x{HEIGHT}, flowfill fast, chunks of 250")
    print(f"  one worker {alone:.1f} s, held to one core {held:.1f} s, two {two:.1f} s")
    print(f"  two / one              {two / alone:.2f}   bar 0.60")
    print(f"  two / one of one core  {two / held:.2f}")


def memory(folder: Path, count: int) -> None:
    """The driver's own parts, without clips: orders, schedule, summary."""
    path = folder / "orders.jsonl"
    with path.open("w") as file:
        for n in range(count):
            file.write(f'{{"clip": "archive/{n:06d}.mp4", "suggest": true}}\n')
    orders = orders_from(str(path))
    orders.checked()
    schedule = Schedule.of(orders, window=10, retries=3)
    marks: list[int] = []
    with Summary(count) as summary:
        while step := schedule.next(0.0):
            if step.kind == "look":
                looked = Looked("mark", None, Needs(), False, 100)
                schedule.succeeded(step, looked, "", 0.0)
                continue
            doubt = {"object": 1, "first": 0, "last": 9, "frame": 3, "reason": "unsure"}
            doubts = [doubt | {"badness": 0.5, "pictures": ["x" * 10000] * 2}]
            record = Record(step.order.out, step.order.clip, "m", 100, 1.0, 1, doubts)
            settled = schedule.succeeded(step, record, "", 0.0)
            assert settled is not None
            summary.add(settled)
            if summary.done in (1000, count):
                marks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        assert summary.done == count
    print(f"driver, {count} orders")
    print(f"  after 1,000 {marks[0] / 1024:.0f} MiB, after all {marks[-1] / 1024:.0f} MiB")
    print(f"  all / 1,000 {marks[-1] / marks[0]:.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--long", type=int, default=500)
    parser.add_argument("--orders", type=int, default=10000)
    given = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, Ray {ray.__version__}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.orders:
            memory(folder, given.orders)
        if given.clips:
            short(folder, given.clips, given.frames, given.rounds)
        if given.long:
            long(folder, given.long)


if __name__ == "__main__":
    main()
