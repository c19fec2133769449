"""Seconds a frame and peak memory of the engine vinet, against the procedure as it is published.

    python bench/vinet.py [--sizes 432x240,864x480,1280x720] [--precisions float32,bfloat16]
        [--topology 512] [--device cpu] [--steps 3]

Both are the same network in the same process, taking turns: "ours" is a step of the engine, with
each frame encoded once, the streams as one batch, and correlation tile by tile; "published" encodes
five pictures a step, estimates the five flows one after the other, correlates displacement by
displacement and computes the flow that the 512 topology throws away. Weights are random; time does
not depend on them. Seconds are the least of all steps, of the clock and of the processor over all
cores, which tells more on a busy machine. Peak memory is that of a process of its own in which the
engine's part alone runs, torch included; on a CUDA device it is what torch allocated.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
from functools import partial

import torch
from timing import timed
from torch import Tensor
from torch.nn import functional

from cleanplate.networks.vinet import layers
from cleanplate.networks.vinet.layers import Features
from cleanplate.networks.vinet.vinet import Step, VINet

FLOWS = ("flownet", "flownet_64", "flownet_128")


def by_displacement(reference: Tensor, source: Tensor, radius: int) -> Tensor:
    """Correlation as its definition reads."""
    height, width = reference.shape[-2:]
    around = functional.pad(source, (radius,) * 4)
    places = range(2 * radius + 1)
    cells = [
        (reference * around[:, :, y : y + height, x : x + width]).mean(1)
        for y in places
        for x in places
    ]
    return torch.stack(cells, 1)


def published(network: VINet, pictures: list[Tensor], feedback: Tensor) -> Step:
    """One step as it is published; ``pictures`` are t-6, t-3, t, t+3, t+6."""
    tiles, flows = layers.correlation, {n: network.get_submodule(n) for n in FLOWS}
    m2, m1, t, p1, p2 = pictures
    try:
        layers.correlation = by_displacement
        for name, flow in flows.items():
            network.set_submodule(name, OneByOne(flow))
        sources = [network.encoder2(x) for x in (m2, m1, p1, p2, feedback)]
        # To be watched is to compute the flow that is thrown away, too.
        return network.step(
            network.encoder1(t), sources, feedback[:, :3], None, lambda name, value: None
        )
    finally:
        layers.correlation = tiles
        for name, flow in flows.items():
            network.set_submodule(name, flow)


def ours(network: VINet, pictures: list[Tensor], held: list[Features], feedback: Tensor) -> Step:
    """One step of the engine: the newest picture is encoded, the others were before."""
    *_, newest = pictures
    sources = [*held[:3], coarse(network.encoder2(newest)), network.encoder2(feedback)]
    return network.step(network.encoder1(pictures[2]), sources, feedback[:, :3])


def coarse(features: Features) -> Features:
    """What the engine keeps of a frame."""
    return features._replace(s1=features.s1.new_empty(0))


class OneByOne(torch.nn.Module):
    """A flow network that takes each item of a batch by itself."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self._network = network

    def forward(self, *inputs: Tensor) -> Tensor:
        items = zip(*(x.split(1) for x in inputs), strict=True)
        return torch.cat([self._network(*item) for item in items])


def build(arguments: argparse.Namespace, precision: str) -> VINet:
    torch.manual_seed(0)
    network = VINet(arguments.topology == "512").eval().requires_grad_(False)
    return network.to(arguments.device, getattr(torch, precision)).channels_last()


def pictures_of(network: VINet, height: int, width: int) -> list[Tensor]:
    """Five pictures and the feedback, rounded up to what the network takes."""
    like = next(network.parameters())
    rows, columns = (-(-side // network.multiple) * network.multiple for side in (height, width))
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.rand(1, 5, rows, columns, generator=generator) * 2 - 1).to(
            like.device, like.dtype, memory_format=torch.channels_last
        )
        for _ in range(6)
    ]


@torch.inference_mode()
def compare(arguments: argparse.Namespace, size: tuple[int, int], precision: str) -> str:
    network = build(arguments, precision)
    *pictures, feedback = pictures_of(network, *size)
    m2, m1, _, p1, _ = pictures
    held = [coarse(network.encoder2(x)) for x in (m2, m1, p1)]
    calls = (
        partial(ours, network, pictures, held, feedback),
        partial(published, network, pictures, feedback),
    )
    one, other = (call().image.float() for call in calls)
    apart = (one - other).abs().max() / other.abs().max()
    times = [[timed(call, arguments.device) for call in calls] for _ in range(arguments.steps)]
    (mine, own), (theirs, other) = (
        map(min, zip(*column, strict=True)) for column in zip(*times, strict=True)
    )
    return (
        f"{mine:7.2f} s {theirs:7.2f} s {theirs / mine:5.2f} x  "
        f"{own:7.2f} s {other:7.2f} s {other / own:5.2f} x  {apart:.1e}"
    )


@torch.inference_mode()
def peak(arguments: argparse.Namespace, size: tuple[int, int], precision: str) -> int:
    """Bytes that the engine's part takes at most, with a full window of encoded frames."""
    network = build(arguments, precision)
    *pictures, feedback = pictures_of(network, *size)
    window = [coarse(network.encoder2(pictures[n % 5])) for n in range(12)]
    ours(network, pictures, window, feedback)
    if arguments.device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed and memory of the engine vinet.")
    parser.add_argument("--sizes", default="432x240,864x480,1280x720")
    parser.add_argument("--precisions", default="float32,bfloat16")
    parser.add_argument("--topology", default="512", choices=("512", "256"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=3)
    arguments = parser.parse_args()
    print("   size    precision  ours  published  ratio   processor: the same   apart    peak")
    context = multiprocessing.get_context("spawn")
    for text in arguments.sizes.split(","):
        width, height = (int(side) for side in text.split("x"))
        for precision in arguments.precisions.split(","):
            job = arguments, (height, width), precision
            with context.Pool(1, maxtasksperchild=1) as pool:
                memory = pool.apply(peak, job)
            with context.Pool(1, maxtasksperchild=1) as pool:
                line = pool.apply(compare, job)
            print(f"{text:>9}  {precision:9} {line}  {memory / 2**30:.2f} GiB", flush=True)


if __name__ == "__main__":
    main()
