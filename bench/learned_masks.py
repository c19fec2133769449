"""SAM's family and DeAOT: ms a picture, against the straightforward form in the same run.

usage: python bench/learned_masks.py [--models sam_hq_vit_tiny deaot_t ...] [--precision bfloat16]
       python bench/learned_masks.py --models sam_vit_b --blocks
       python bench/learned_masks.py --length 10000    memory and time along a clip, for DeAOT

SAM's encoder is held against the matrix products of a vision transformer of its size alone, DeAOT
against the form of its paper: window attention as a dense matrix of the whole map, normalisation
as layers of its own, maps with their channels apart. Weights are made from names: times do not
depend on them. Best of several turns, in seconds of the processor, which other work on the machine
disturbs least: run it with OMP_NUM_THREADS=1. Ratios are of one run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))

from cleanplate.engines.track.deaot.video import Limits, Video
from cleanplate.networks.aot import aot, attention, layers
from cleanplate.networks.layers.winograd import quicken
from cleanplate.networks.sam import sam, vit
from tests.weights import named_weights

ALL = ("sam_hq_vit_tiny", "mobile_sam", "sam_vit_b", "deaot_t", "r50_deaotl", "aot_t")
HEIGHT, WIDTH = 480, 854
SIZES = {"sam_vit_b": vit.VIT_B, "sam_vit_l": vit.VIT_L, "sam_vit_h": vit.VIT_H}


def best(works: dict[str, Callable[[], Any]], turns: int) -> dict[str, float]:
    """Processor seconds of each work: the best of so many turns, one after another in each."""
    times = {name: float("inf") for name in works}
    for _ in range(turns):
        for name, work in works.items():
            began = time.process_time()
            work()
            times[name] = min(times[name], time.process_time() - began)
    return times


def loaded(network: Any) -> Any:
    network.load_state_dict(named_weights(network))
    return network.eval().requires_grad_(False)


def autocast(precision: str) -> Any:
    if precision == "float32":
        return nullcontext()
    return torch.autocast("cpu", getattr(torch, precision))


# --- SAM ---------------------------------------------------------------------------------------


def products(size: vit.Size, blocks: Iterable[int] | None = None) -> Callable[[], None]:
    """The matrix products of such a transformer (of some blocks) on 64 x 64 tokens alone."""
    blocks = range(size.depth) if blocks is None else blocks
    tokens, width, depth = vit.GRID**2, size.width, width_of_head(size)
    x = torch.randn(tokens, width)
    weights = [torch.randn(width, n) for n in (3 * width, width, 4 * width)]
    back = torch.randn(4 * width, width)
    windows = torch.randn(25 * size.heads, vit.WINDOW**2, depth)
    whole = torch.randn(size.heads, tokens, depth)

    def run() -> None:
        for block in blocks:
            for weight in weights[:-1]:
                x @ weight
            x @ weights[-1] @ back
            q = whole if block in size.whole else windows
            torch.nn.functional.scaled_dot_product_attention(q[None], q[None], q[None])

    return run


def width_of_head(size: vit.Size) -> int:
    return size.width // size.heads


def bench_sam(name: str, precision: str, turns: int) -> None:
    network = loaded(getattr(sam, name)())
    image = torch.randn(1, 3, sam.SIDE, sam.SIDE)
    encoded = network.encode(image)
    box = torch.tensor([[100.0, 100.0, 500.0, 400.0]])

    def encode() -> None:
        with autocast(precision):
            network.encode(image)

    works = {"encode": encode, "a click": lambda: network.decode(encoded, boxes=box)}
    if name in SIZES:
        bare = products(SIZES[name])

        def in_precision() -> None:
            with autocast(precision):
                bare()

        works["products alone"] = in_precision
    times = best(works, turns)
    with autocast(precision):
        logits, _ = network.decode(network.encode(image), boxes=box)
    exact, _ = network.decode(encoded, boxes=box)
    shared = (logits > 0) & (exact > 0)
    overlap = float(shared.sum() / ((logits > 0) | (exact > 0)).sum().clamp(min=1))
    line = f"encode {times['encode'] * 1e3:.0f} ms, a click {times['a click'] * 1e3:.0f} ms"
    if "products alone" in times:
        line += f", encode / products alone {times['encode'] / times['products alone']:.2f}"
    print(f"{name:16} {precision:9} {line}, mask to float32's IoU {overlap:.3f}", flush=True)


def bench_blocks(name: str, precision: str, turns: int) -> None:
    """One block of each kind against its products: quick, so that its best turn is undisturbed."""
    size, works = SIZES[name], {}
    x = torch.randn(1, vit.GRID, vit.GRID, size.width)

    def in_precision(call: Callable[[], Any]) -> Callable[[], None]:
        def run() -> None:
            with autocast(precision):
                call()

        return run

    for kind, index, window in (("windows", 0, vit.WINDOW), ("the whole", size.whole[0], 0)):
        block = loaded(vit.Block(size, window))
        works[kind] = in_precision(lambda block=block: block(x))
        works[f"{kind}, products"] = in_precision(products(size, (index,)))
    best(works, 1)
    times = best(works, turns)
    some, few = size.depth - len(size.whole), len(size.whole)
    own = some * times["windows"] + few * times["the whole"]
    bare = some * times["windows, products"] + few * times["the whole, products"]
    ratios = (times[kind] / times[f"{kind}, products"] for kind in ("windows", "the whole"))
    print(
        f"{name:16} {precision:9} a block to its products: windows {next(ratios):.2f}, the whole "
        f"{next(ratios):.2f}, all {size.depth} blocks {own / bare:.2f}",
        flush=True,
    )


# --- DeAOT -------------------------------------------------------------------------------------


def dense_window(
    self: attention.WindowAttention,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    size: attention.Size,
    embedded: Tensor | None = None,
) -> Tensor:
    """The paper's form: the window scattered into a matrix of all places with all places."""
    count, heads, total, depth = q.shape
    height, width = size
    flat = q.transpose(-1, -2).reshape(count, heads * depth, height, width)
    terms = self.relative_emb_k(flat).view(count, heads, attention.SPAN**2, total)
    index, outside = attention._offsets(0, height, 0, height, width)
    scores = (q * depth**-0.5) @ k.transpose(-1, -2)
    scores = scores + terms.transpose(-1, -2).gather(-1, index.expand(count, heads, -1, -1))
    found = scores.masked_fill(outside, -1e8).softmax(dim=-1)
    answer = found @ v
    if embedded is not None:
        local = found.new_zeros(count, heads, total, attention.SPAN**2)
        local.scatter_add_(-1, index.expand_as(found), found)
        answer = answer + local @ embedded.transpose(-1, -2)
    return answer


def plain_map(x: Tensor, size: attention.Size) -> Tensor:
    """Tokens as a map whose channels lie apart, as a network is written without thought of it."""
    return x.transpose(1, 2).unflatten(2, size).contiguous()


def plain_tokens(x: Tensor) -> Tensor:
    return x.flatten(2).transpose(1, 2)


STRAIGHT = {"as_map": plain_map, "as_tokens": plain_tokens}


@contextmanager
def straightforward() -> Iterator[None]:
    """DeAOT's layers as their paper words them."""
    quick, few = attention.WindowAttention.window, attention._MOST_QUERIES
    modules = (aot, attention, layers)
    ours = {name: getattr(attention, name) for name in STRAIGHT}

    def put(functions: dict[str, Callable[..., Tensor]]) -> None:
        for module in modules:
            for name, function in functions.items():
                setattr(module, name, function)

    attention.WindowAttention.window = dense_window
    attention._MOST_QUERIES = HEIGHT * WIDTH  # all at once
    put(STRAIGHT)
    try:
        yield
    finally:
        attention.WindowAttention.window, attention._MOST_QUERIES = quick, few
        put(ours)


def bench_aot(name: str, precision: str, turns: int) -> None:
    network = loaded(getattr(aot, name)())
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[100:300, 200:500] = 1
    answers: dict[str, Tensor] = {}

    networks = {"ours": loaded(getattr(aot, name)()).fold(), "as in the paper": network}
    if precision == "float32":
        quicken(networks["ours"])

    def video(way: str) -> Video:
        made = Video(networks[way], Limits(5, 8, 16), "cpu")
        made.see(image)
        made.confirm(labels, 1)
        return made

    def step(way: str, made: Video) -> Callable[[], None]:
        def run() -> None:
            form = nullcontext() if way == "ours" else straightforward()
            kind = precision if way == "ours" else "float32"
            with form, torch.inference_mode(), autocast(kind):
                made.see(image.copy())  # the same picture would not be encoded again
                made.match()
                answers[way] = made.joined()
                made.pass_on(labels, keep=False)

        return run

    with torch.inference_mode():
        times = best({way: step(way, video(way)) for way in networks}, turns)
    apart = float((answers["ours"] - answers["as in the paper"]).abs().max())
    print(
        f"{name:16} {precision:9} {times['ours'] * 1e3:.0f} ms a frame at {WIDTH}x{HEIGHT}, as in "
        f"the paper (float32) {times['as in the paper'] * 1e3:.0f} ms, ratio "
        f"{times['as in the paper'] / times['ours']:.2f}, logits apart {apart:.1e}",
        flush=True,
    )


def along(count: int) -> None:
    """Small pictures through deaot_t as the engine bounds it: every tenth of the way, its cost."""
    network = loaded(aot.deaot_t()).fold()
    quicken(network)
    video = Video(network, Limits(5, 8, 16), "cpu")
    height, width = 49, 81
    wide = np.random.default_rng(0).integers(0, 256, (height, width + 200, 3), np.uint8)
    labels = np.zeros((height, width), np.uint8)
    labels[10:35, 20:50] = 1
    with torch.inference_mode():
        video.see(wide[:, :width].copy())
        video.confirm(labels, 1)
        began, tenth = time.process_time(), max(1, count // 10)
        for index in range(1, count + 1):
            x = abs((index + 200) % 400 - 200)
            video.see(wide[:, x : x + width].copy())
            video.match()
            video.pass_on(labels)
            if index % tenth == 0:
                ms = (time.process_time() - began) / tenth * 1e3
                tokens = video.groups[0].memory.tokens
                print(
                    f"frame {index}: {ms:.1f} ms, {tokens} tokens, {resident():.0f} MiB", flush=True
                )
                began = time.process_time()


def resident() -> float:
    """MiB of this process now. Linux alone says it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=ALL)
    parser.add_argument("--precision", nargs="+", default=("float32", "bfloat16"))
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--blocks", action="store_true", help="Of SAM's encoders a block alone.")
    parser.add_argument("--length", type=int, help="So many small frames through deaot_t.")
    options = parser.parse_args()
    if options.length:
        along(options.length)
        return
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}")
    for name in options.models:
        for precision in options.precision:
            bench = bench_aot if "aot" in name else bench_blocks if options.blocks else bench_sam
            with torch.inference_mode():
                bench(name, precision, options.turns)


if __name__ == "__main__":
    main()
