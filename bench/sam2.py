"""SAM 2.1 and LaMa: ms, against the bare products of their layers in the same run.

usage: OMP_NUM_THREADS=1 python bench/sam2.py [--models tiny small] [--precision bfloat16]
       python bench/sam2.py --blocks     one block of each kind, weighted into the whole encoder
       python bench/sam2.py --frames     ms a frame of the tracker by size, side and picture
       python bench/sam2.py --lama       LaMa at 512 x 512, or --lama-side

"Products" are the matrix products, convolutions and attentions of the same shapes in the same
precision with nothing between them. Weights are made from names: times do not depend on them.
Best of several turns, in seconds of the processor.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.learned_masks import autocast, best, loaded
from cleanplate.engines import sam2 as pictures
from cleanplate.engines.track.sam2.engine import Engine, Sam2Settings
from cleanplate.networks import lama
from cleanplate.networks.sam2 import hiera, sam2
from cleanplate.protocols import Runtime
from cleanplate.types import Frame

SIZES = {
    "tiny": hiera.TINY,
    "small": hiera.SMALL,
    "base_plus": hiera.BASE_PLUS,
    "large": hiera.LARGE,
}


def in_precision(work: Callable[[], Any], precision: str) -> Callable[[], None]:
    def run() -> None:
        with torch.inference_mode(), autocast(precision):
            work()

    return run


def block_products(block: hiera.Block, side: int) -> Callable[[], None]:
    """The products of one block on a map of ``side``, laid out as they like it best."""
    inputs, outputs = block.norm1.weight.numel(), block.norm2.weight.numel()
    heads, window = block.attn.heads, block.window or side
    after = side // 2 if block.pools else side
    x, y = torch.randn(side**2, inputs), torch.randn(after**2, outputs)
    first, last = torch.randn(inputs, 3 * outputs), torch.randn(outputs, outputs)
    wide, back = torch.randn(outputs, 4 * outputs), torch.randn(4 * outputs, outputs)
    count, depth = (-(-side // window)) ** 2, outputs // heads
    inner = window // 2 if block.pools else window
    q = torch.randn(count, heads, inner**2, depth)
    k = torch.randn(count, heads, window**2, depth)
    short = torch.randn(inputs, outputs)

    def run() -> None:
        x @ first
        if block.pools:
            x @ short
        functional.scaled_dot_product_attention(q, k, k)
        y @ last
        y @ wide @ back

    return run


def bench_blocks(name: str, precision: str, turns: int) -> None:
    """Each kind of block against its products, weighted into the whole trunk."""
    size = SIZES[name]
    trunk = loaded(hiera.Hiera(size))
    works: dict[str, Callable[[], None]] = {}
    counts: dict[str, int] = {}
    side = sam2.SIDE // 4
    for block in trunk.blocks:
        what = f"{block.norm1.weight.numel()}-{block.norm2.weight.numel()} w{block.window}"
        if what not in works:
            x = torch.randn(1, side, side, block.norm1.weight.numel())
            works[what] = in_precision(lambda b=block, x=x: b(x), precision)
            works[f"{what}, products"] = in_precision(block_products(block, side), precision)
        counts[what] = counts.get(what, 0) + 1
        side = side // 2 if block.pools else side
    best(works, 1)
    times = best(works, turns)
    own = sum(count * times[what] for what, count in counts.items())
    bare = sum(count * times[f"{what}, products"] for what, count in counts.items())
    parts = ", ".join(
        f"{what} x{count} {times[what] / times[f'{what}, products']:.2f}"
        for what, count in counts.items()
    )
    print(
        f"{name:10} {precision:9} blocks {own * 1e3:.0f} ms, to products {own / bare:.2f}: {parts}"
    )


def bench_picture(name: str, precision: str, turns: int) -> None:
    """Encoding a picture, a click after it."""
    network = loaded(getattr(sam2, f"sam2_1_hiera_{name}")())
    image, point = torch.randn(1, 3, sam2.SIDE, sam2.SIDE), torch.rand(1, 1, 2)
    with torch.inference_mode():
        features = network.encode(image)
    base = network.alone(features)
    label = torch.ones(1, 1)
    times = best(
        {
            "encode": in_precision(lambda: network.encode(image), precision),
            "click": in_precision(lambda: network.decode(base, features, point, label), "float32"),
        },
        turns,
    )
    print(
        f"{name:10} {precision:9} encode {times['encode'] * 1e3:.0f} ms, a click "
        f"{times['click'] * 1e3:.0f} ms",
        flush=True,
    )


def engine_of(name: str, side: int, precision: str, network: Any) -> Engine:
    engine = Engine.__new__(Engine)
    engine.settings = Sam2Settings(model=name, side=side)
    engine.runtime = Runtime("cpu", precision)
    engine._network = network
    return engine


def bench_frames(name: str, side: int, precision: str) -> None:
    """A frame of the tracker with all it remembers, one object, by size of the picture."""
    network = loaded(getattr(sam2, f"sam2_1_hiera_{name}")())
    line = f"{name:10} {precision:9} side {side:4}"
    for width, height in ((854, 480), (1920, 1080)):
        engine = engine_of(name, side, precision, network)
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
        mask = np.zeros((height, width), np.uint8)
        mask[height // 4 : height // 2, width // 4 : width // 2] = 1
        tracking = engine.start(Frame(0, Fraction(0), noise), mask)
        (one,) = tracking.video.objects.values()
        for n in range(1, 16):  # as if fifteen frames had passed
            one.memory.follow(n, one.memory.confirmed[0])
        least = float("inf")
        for n in (16, 17):
            began = time.process_time()
            tracking.step(Frame(n, Fraction(n), noise))
            least = min(least, time.process_time() - began)
        line += f", {height}p {least * 1e3:.0f} ms"
    print(line, flush=True)


# --- LaMa --------------------------------------------------------------------------------------


def lama_products(network: lama.Lama, side: int) -> Callable[[], None]:
    """LaMa's convolutions on inputs of the same shapes, without anything between them."""
    convolutions: list[tuple[nn.Module, Any]] = []

    def note(module: nn.Module, given: Any, _: Any) -> None:
        convolutions.append((module, given[0].shape))

    kinds = (nn.Conv2d, nn.ConvTranspose2d)
    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, kinds)]
    with torch.inference_mode():
        network(torch.rand(1, 3, side, side), torch.ones(1, 1, side, side))
    for hook in hooks:
        hook.remove()
    inputs: dict[Any, Any] = {shape: torch.randn(shape) for _, shape in convolutions}

    def run() -> None:
        for module, shape in convolutions:
            if isinstance(module, nn.Conv2d):
                functional.conv2d(
                    *(inputs[shape], module.weight, module.bias, module.stride),
                    tuple(side // 2 for side in module.kernel_size),
                )
            else:
                module(inputs[shape])

    return run


def bench_lama(precision: str, turns: int, side: int) -> None:
    network = loaded(lama.lama())
    image, hole = torch.rand(1, 3, side, side), torch.zeros(1, 1, side, side)
    hole[..., side // 4 : -side // 4, side // 4 : -side // 4] = 1
    works = {
        "whole": in_precision(lambda: network(image, hole), precision),
        "products": in_precision(lama_products(network, side), precision),
    }
    times = best(works, turns)
    with torch.inference_mode():
        exact = network(image, hole)
        with autocast(precision):
            apart = (network(image, hole).float() - exact).abs().max()
    print(
        f"lama {side}x{side} {precision:9} {times['whole'] * 1e3:.0f} ms, products "
        f"{times['products'] * 1e3:.0f} ms, ratio {times['whole'] / times['products']:.2f}, "
        f"largest difference to float32 {float(apart) * 255:.1f} levels",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--sides", nargs="+", type=int, default=list(pictures.SIDES[:3]))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--lama-side", type=int, default=512)
    for flag in ("blocks", "frames", "lama"):
        parser.add_argument(f"--{flag}", action="store_true")
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    names: Iterable[str] = options.models
    for precision in options.precision:
        if options.lama:
            bench_lama(precision, options.turns, options.lama_side)
            continue
        for name in names:
            if options.frames:
                for side in options.sides:
                    bench_frames(name, side, precision)
            elif options.blocks:
                bench_blocks(name, precision, options.turns)
            else:
                bench_picture(name, precision, options.turns)


if __name__ == "__main__":
    main()
