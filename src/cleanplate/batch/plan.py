"""How one clip's filling is divided: pure arithmetic on pieces."""

from __future__ import annotations

from cleanplate.jobs.shares import Shared


def chunks(shared: Shared, frames: int) -> list[range]:
    """Runs of pieces, each for one worker.

    A chunk that begins where the engine must look far back does work twice. So a chunk of
    ``frames`` ends at the next piece from which less must be looked back than a chunk is long;
    where an engine wants all of a shot, that is a piece in which hardly anything of the shot lies
    before.

    Args:
        shared: the pieces.
        frames: in a chunk, at least, but for the last one.
    """
    count = len(shared.starts)
    edges = [0]
    for number in range(1, count):
        start = shared.starts[number]
        long_enough = start - shared.starts[edges[-1]] >= frames
        if long_enough and start - shared.needed[number] < frames:
            edges.append(number)
    return [range(first, stop) for first, stop in zip(edges, [*edges[1:], count], strict=True)]


def frames_in(shared: Shared, numbers: range) -> int:
    """Frames of the pieces ``numbers``."""
    starts = [*shared.starts, shared.stop]
    return starts[numbers.stop] - starts[numbers.start]
