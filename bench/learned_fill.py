"""Learned inpainters against the published procedure, executed by the same network.

    python bench/learned_fill.py [--engine e2fgvi_hq] [--size 432x240] [--frames 50] [--until 50]
                                 [--ways published procedure float32 bfloat16] [--threads 2]
    python bench/learned_fill.py --cost     what a window takes, for the engine's plan
    python bench/learned_fill.py --length   peak memory on a short and on a long clip

Ways: "published" runs every window from nothing, with the layers as the paper's text has them;
"procedure" does the same with the package's own quicker layers; the others are the engine, in that
precision. Each runs in a process of its own, with weights made from names; ratios are to
"published". Seconds of the CPU are what counts on a machine that does other things, too.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from cleanplate import registry
from cleanplate.evaluation.masks import hole_masks
from cleanplate.evaluation.measures import psnr
from cleanplate.protocols import Runtime
from cleanplate.types import Frame, MaskedFrame

Fill = Callable[[Any, np.ndarray, np.ndarray, int], np.ndarray]
WAYS = ("published", "procedure", "float32", "bfloat16")


def e2fgvi_published(network: Any, images: np.ndarray, masks: np.ndarray, until: int) -> np.ndarray:
    from tests.e2fgvi_published import as_written

    return e2fgvi_procedure(as_written(network), images, masks, until)


def e2fgvi_procedure(network: Any, images: np.ndarray, masks: np.ndarray, until: int) -> np.ndarray:
    from tests.e2fgvi_published import dilated, fill

    return fill(network, images, np.stack([dilated(mask) for mask in masks]), until=until)


BASELINES: dict[str, dict[str, Fill]] = {
    "e2fgvi": {"published": e2fgvi_published, "procedure": e2fgvi_procedure},
    "e2fgvi_hq": {"published": e2fgvi_published, "procedure": e2fgvi_procedure},
}
"""For each engine the ways that take (network, images, masks, frames wanted) and are no engine."""


def pan(width: int, height: int, count: int) -> Iterator[MaskedFrame]:
    """Noise at several sizes, panned by 2 px a frame, under a wandering blob of 8 %."""
    random = np.random.default_rng(0)
    wide = np.zeros((height, width + 400, 3), np.float32)
    for sigma in (1, 4, 16):
        noise = random.standard_normal(wide.shape, np.float32)
        wide += cv2.GaussianBlur(noise, (0, 0), sigma) * sigma * 40
    texture = np.clip(wide + 128, 0, 255).astype(np.uint8)
    masks = hole_masks("stationary", width, height, seed=0, share=0.08)
    for n, mask in zip(range(count), masks, strict=False):
        x = abs((2 * n + 400) % 800 - 400)
        yield MaskedFrame(Frame(n, Fraction(n, 25), texture[:, x : x + width].copy()), mask)


def only(frames: Iterator[MaskedFrame], masked: int) -> Iterator[MaskedFrame]:
    """The frames, of which but the one of index ``masked`` has a hole; all of them when < 0."""
    for one in frames:
        clear = masked >= 0 and one.frame.index != masked
        yield replace(one, mask=np.zeros_like(one.mask)) if clear else one


def weights_for(name: str, folder: Path) -> str:
    """A file of named weights, scaled so that the pictures stay pictures."""
    from cleanplate.checkpoints import find
    from tests.weights import save

    checkpoint = registry.find("inpaint", name).about.checkpoints[0]
    module, builder = find(checkpoint).network.split(":")
    network = getattr(importlib.import_module(module), builder)()
    return str(save(network, folder / f"{name}.pth"))


def plain(name: str, weights: str) -> Any:
    """The network as published, its convolutions as they are written."""
    import torch

    from cleanplate import checkpoints
    from cleanplate.networks.e2fgvi import e2fgvi

    network = getattr(e2fgvi, name)().eval().requires_grad_(False)
    checkpoints.load(network, name, weights)
    return network.to(memory_format=torch.channels_last)


def one(name: str, way: str, size: str, frames: int, until: int, settings: dict[str, str]) -> None:
    """Run one way and print its figures as JSON; the frames go where ``out`` says."""
    import torch

    threads, out = int(settings.pop("threads")), settings.pop("out")
    masked = int(settings.pop("masked", -1))
    torch.set_num_threads(threads)
    width, height = map(int, size.split("x"))
    precision = way if way not in BASELINES[name] else "float32"
    allowed = int(settings.pop("memory")) if "memory" in settings else None
    engine = registry.create("inpaint", name, settings, Runtime("cpu", precision, 0, allowed))
    forget_peak()
    before, begun, used = memory("VmRSS"), time.perf_counter(), time.process_time()
    if way in BASELINES[name]:
        given = list(pan(width, height, frames))
        images, masks = np.stack([m.frame.image for m in given]), np.stack([m.mask for m in given])
        network = engine._network if way == "procedure" else plain(name, settings["weights"])
        result = BASELINES[name][way](network, images, masks, until)[:until]
        result[masks[:until] == 0] = images[:until][masks[:until] == 0]
    else:
        kept: list[np.ndarray] = []
        for frame in engine.inpaint(only(pan(width, height, frames), masked)):
            if len(kept) < 100:  # what is compared; a long clip is not held
                kept.append(frame.image)
            if frame.index + 1 == until:
                break
        result = np.stack(kept)
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    np.save(out, result)
    plan = str(engine.plan(width, height)) if hasattr(engine, "plan") else ""
    most = memory("VmHWM")
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": most, "base": before, "plan": plan}))


def memory(field: str) -> float:
    """MiB of this process: VmRSS now, VmHWM at most since ``forget_peak``. Linux alone says it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def run(chosen: argparse.Namespace, way: str, folder: Path, **more: Any) -> dict[str, Any]:
    asked = {"size": chosen.size, "frames": chosen.frames, "until": chosen.until} | more
    settings = {
        "weights": str(folder / f"{chosen.engine}.pth"),
        "threads": str(chosen.threads),
        "out": str(folder / f"{way}.npy"),
    } | dict(pair.split("=", 1) for pair in chosen.set)
    settings |= {name: more[name] for name in ("reach", "masked") if name in more}
    call = [chosen.engine, way, asked["size"], asked["frames"], asked["until"]]
    code = "import json, sys; from bench_learned_fill import one; one(*json.loads(sys.argv[1]))"
    code = code.replace("bench_learned_fill", Path(__file__).stem)
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps([*call, settings])],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent,
    )
    return json.loads(done.stdout.splitlines()[-1])


def compare(chosen: argparse.Namespace, folder: Path) -> None:
    print(f"{chosen.engine}, {chosen.size}, {chosen.until} frames of {chosen.frames}")
    print(f"{'way':10} {'s/frame':>8} {'CPU s':>8} {'ratio':>7} {'CPU':>6} {'MiB':>6}  PSNR, truth")
    first: dict[str, Any] = {}
    width, height = map(int, chosen.size.split("x"))
    given = list(pan(width, height, chosen.until))
    truth, masks = np.stack([m.frame.image for m in given]), np.stack([m.mask for m in given]) > 0
    for way in chosen.ways:
        found = run(chosen, way, folder)
        result = np.load(folder / f"{way}.npy")
        first = first or found | {"result": result}
        ratios = first["wall"] / found["wall"], first["cpu"] / found["cpu"]
        figures = [psnr(first["result"][masks], result[masks]), psnr(truth[masks], result[masks])]
        print(
            f"{way:10} {found['wall'] / chosen.until:8.2f} {found['cpu'] / chosen.until:8.2f} "
            f"{ratios[0]:7.2f} {ratios[1]:6.2f} {found['peak']:6.0f}  "
            + ", ".join(f"{value:.3f}" for value in figures),
            flush=True,
        )


def cost(chosen: argparse.Namespace, folder: Path) -> None:
    """Peak memory of windows in the middle of a clip, without references and with many."""
    for size in chosen.sizes:
        for reach in ("0", "50"):
            more = {"frames": 111, "until": 53, "reach": reach, "masked": "52"}
            found = run(chosen, "float32", folder, size=size, **more)
            print(
                f"{size} reach {reach}: {found['peak']:.0f} MiB, idle {found['base']:.0f}; "
                f"{found['plan']}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="e2fgvi_hq", choices=BASELINES)
    parser.add_argument("--size", default="432x240")
    parser.add_argument("--sizes", nargs="+", default=["216x120", "432x240"], help="For --cost.")
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--until", type=int, help="Stop after so many frames have come out.")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--length", action="store_true")
    chosen = parser.parse_args()
    chosen.until = chosen.until or chosen.frames
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights_for(chosen.engine, folder)
        if chosen.cost:
            cost(chosen, folder)
        elif chosen.length:
            short, long = (
                run(chosen, "float32", folder, frames=n, until=n)["peak"]
                for n in (chosen.frames, 20 * chosen.frames)
            )
            print(f"{short:.0f} MiB, 20 times as long {long:.0f} MiB: {long / short:.3f}")
        else:
            compare(chosen, folder)


if __name__ == "__main__":
    main()
