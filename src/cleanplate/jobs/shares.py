"""A job whose filling is shared: one does what comes before, others fill pieces, one joins them.

All of them work in a work folder of the same order; ``jobs.job.run`` in a folder that holds all
pieces only joins them, so that the result is that of a job done in one place, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cleanplate.errors import InputError
from cleanplate.jobs.job import Job, begun, planned
from cleanplate.jobs.order import Order
from cleanplate.jobs.stages.write import PIECE, encode_pieces, piece_paths
from cleanplate.progress import Progress
from cleanplate.runtime import MakeEngine, make_engine

UNSEEN = "unseen.jsonl"
"""In the work folder: what was made up in the frames of the pieces that were filled there."""
PIECES = "pieces"
"""In the work folder: the folder of the pieces."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What a job's filling can be divided into."""

    starts: tuple[int, ...]
    """First frame of each piece."""
    stop: int
    """One past the last frame."""
    needed: tuple[int, ...]
    """For each piece the first frame that must be read so that it can be filled."""


def can_be_shared(order: Order) -> bool:
    """Whether the filling of ``order`` comes in pieces: a video does, pictures do not."""
    return not (order.out.as_folder or order.out.as_image) and order.command != "track"


def prepare(
    order: Order, progress: Progress | None = None, make: MakeEngine = make_engine
) -> Shared:
    """Survey, outline, track and measure; all of it stays in the work folder.

    Arguments and errors as of ``jobs.job.run``.
    """
    with begun(order, progress, make) as job:
        return _shared(job)[0]


def fill_pieces(
    order: Order,
    numbers: range,
    written: Callable[[int, Path], None],
    progress: Progress | None = None,
    make: MakeEngine = make_engine,
) -> None:
    """Fill and encode some pieces, in order; those that are there are not made again.

    Args:
        order: of a job that was prepared.
        numbers: of the pieces.
        written: called with the number and the path of each piece that was made.
        progress, make: as for ``jobs.job.run``.
    """
    with begun(order, progress, make) as job:
        _, paths, encode = _shared(job)
        lacking = [number for number in numbers if not paths[number].exists()]
        if lacking:
            encode(range(lacking[0], numbers.stop), lambda n: written(n, paths[n]))


def _shared(job: Job) -> tuple[Shared, list[Path], Callable[..., None]]:
    plan = planned(job)
    output, fill, shown = job.tools.output, plan.fill, plan.shown
    if output is None or fill is None:
        raise InputError(f"{job.order.out.path} is no video; its filling cannot be shared.")
    paths = piece_paths(job.work.folder(PIECES), shown)
    starts = tuple(range(shown.start, shown.stop, PIECE))
    shared = Shared(starts, shown.stop, tuple(fill.first_needed(start) for start in starts))

    def encode(numbers: range, written: Callable[[int], None]) -> None:
        encode_pieces(fill.fill_from, paths, shown, numbers, job.clip.info, output.choice, written)

    return shared, paths, encode
