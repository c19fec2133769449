"""A step of E2FGVI's training against the same step in the plainest form, and what waits for data.

usage: OMP_NUM_THREADS=2 python bench/training.py [--size 432x240] [--frames 8] [--turns 2]

The plainest form: the same networks, losses and Adam, called by hand on one sample that is in
memory, without the loop, its guards, records and parts. The waits are those of the loop, with
samples rendered by two processes beside it.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import torch
from torch.utils.data import DataLoader

from cleanplate.networks.e2fgvi.discriminator import Discriminator
from cleanplate.networks.e2fgvi.e2fgvi import E2FGVI
from cleanplate.training.configuration import Configuration, DataSettings
from cleanplate.training.data import Samples
from cleanplate.training.e2fgvi import discriminator_terms, fill, generator_terms, initialise
from cleanplate.training.train import train


def configuration(folder: str, width: int, height: int, frames: int, steps: int) -> Configuration:
    references = min(3, frames - 2)
    data = DataSettings(
        generated=1.0,
        width=width,
        height=height,
        local_frames=frames - references,
        reference_frames=references,
        workers=2,
    )
    return Configuration(
        network="e2fgvi_hq", folder=folder, steps=steps, batch=1, log_every=1, data=data
    )


def plain_step(configuration: Configuration, turns: int) -> float:
    """Seconds of the quickest of ``turns`` steps by hand."""
    torch.manual_seed(0)
    network, judge = E2FGVI(True), Discriminator()
    initialise(network)
    adams = [torch.optim.Adam(part.parameters(), 1e-4, (0.0, 0.99)) for part in (network, judge)]
    part = next(iter(DataLoader(Samples(configuration, []), batch_size=1)))
    frames, masks = part["frames"], part["masks"]
    forward, backward = part["flows"].chunk(2, dim=1)
    quickest = float("inf")
    for _ in range(turns):
        began = time.perf_counter()
        filled = fill(network, frames, masks, configuration.data.local_frames)
        adams[1].zero_grad()
        discriminator_terms(judge, frames, filled.composed)["discriminator"].backward()
        adams[1].step()
        adams[0].zero_grad()
        generator_terms(
            *(filled, frames, masks, (forward, backward), masks.mean()),
            configuration.losses,
            judge,
        )["total"].backward()
        adams[0].step()
        quickest = min(quickest, time.perf_counter() - began)
    return quickest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="432x240")
    parser.add_argument("--frames", type=int, default=8)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        run = configuration(folder, width, height, options.frames, options.turns + 1)
        train(run)
        lines = (Path(folder) / "figures.jsonl").read_text().splitlines()
        steps = [json.loads(line) for line in lines][1:]  # the first one starts the readers
    ours = min(step["seconds"] for step in steps)
    waited = sum(step["waited"] for step in steps) / sum(step["seconds"] for step in steps)
    plain = plain_step(run, options.turns)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"e2fgvi_hq {options.size}, {options.frames} frames: a step {ours:.1f} s, in the plainest "
        f"form {plain:.1f} s, {ours / plain:.2f} times (bar 1.1); {1 - waited:.1%} of loading "
        f"hidden (bar 90 %); {memory:.0f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
