"""Milliseconds a frame of the engine siammask, against the straightforward form of its network.

    python bench/siammask.py [--size 854x480] [--precisions float32,bfloat16] [--device cpu]
        [--frames 20]

Both run in one process and take turns, frame by frame. "ours" is the whole step of one object:
crop, network, choice, refined outline, put back into the frame, rotated box. "plain" is the network
alone as it is published: batch norms by themselves, channels first, the outline computed in all
625 cells by the 63x63 head, then refined in one. Milliseconds of the clock are the least of all
frames; those of the processor are the mean, over all cores, and tell more on a busy machine.
Weights are random; time does not depend on them.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np
import torch
from timing import timed
from torch import Tensor

from cleanplate.engines.track.shared.siammask.follower import Follower
from cleanplate.engines.track.shared.siammask.geometry import TUNINGS, Place
from cleanplate.networks.layers.winograd import quicken
from cleanplate.networks.siammask import SEARCH, Exemplar, SiamMask


def build(arguments: argparse.Namespace, precision: str, fold: bool) -> SiamMask:
    torch.manual_seed(0)
    network = SiamMask().eval().requires_grad_(False)
    network.features.features.conv1.weight.mul_(0.02)  # for pictures of 0..255
    network = (network.fold() if fold else network).to(arguments.device, getattr(torch, precision))
    if fold:
        quicken(network)
    return network


def plain(network: SiamMask, exemplar: Exemplar, picture: Tensor) -> Tensor:
    """A frame as the published network computes it."""
    region = network.region(picture)
    network.locate(exemplar, region)
    network.mask_model.mask(exemplar.mask, region.features)
    return network.refined_mask(exemplar, region, 12, 12)


@torch.inference_mode()
def compare(arguments: argparse.Namespace, precision: str) -> str:
    width, height = (int(side) for side in arguments.size.split("x"))
    image = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    place = Place(width / 2, height / 2, width / 6, height / 3)
    follower = Follower.start(build(arguments, precision, True), TUNINGS["vot"], image, place)
    network = build(arguments, precision, False)
    picture = torch.rand(1, 3, SEARCH, SEARCH).mul(255)
    picture = picture.to(arguments.device, getattr(torch, precision))
    exemplar = network.exemplar(picture[..., :127, :127])
    calls = (lambda: follower.look(image)), (lambda: plain(network, exemplar, picture))
    for call in calls:
        call()
    times = np.array(
        [[timed(call, arguments.device) for call in calls] for _ in range(arguments.frames)]
    )
    (mine, theirs), (own, other) = times[..., 0].min(0), times[..., 1].mean(0)
    return (
        f"{1e3 * mine:7.0f} ms {1 / mine:6.1f}/s {1e3 * theirs:7.0f} ms  {theirs / mine:5.2f} x"
        f"   {1e3 * own:7.0f} ms {1e3 * other:7.0f} ms  {other / own:5.2f} x"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Speed of the engine siammask.")
    parser.add_argument("--size", default="854x480")
    parser.add_argument("--precisions", default="float32,bfloat16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=20)
    arguments = parser.parse_args()
    print("precision    ours              plain     ratio   processor: ours, plain, ratio")
    for precision in arguments.precisions.split(","):
        print(f"{precision:9} {compare(arguments, precision)}", flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory of this process, both networks and torch: {peak:.2f} GiB")


if __name__ == "__main__":
    main()
