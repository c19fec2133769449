"""What a worker does for one clip, a step at a time: look, do it whole, prepare, fill, join.

    look ──▶ whole ─────────────────────────▶ done
      └────▶ prepare ──▶ fill, fill, ... ──▶ join

A step is given addresses and returns a few numbers. What is finished lies in the output's own
storage: ``.cleanplate/done/NAME.json`` for a clip, ``.cleanplate/work/NAME/`` for one that is
worked on.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from cleanplate.batch import storage
from cleanplate.batch.needs import Needs, needs_of
from cleanplate.batch.orders import ClipOrder
from cleanplate.batch.plan import chunks, frames_in
from cleanplate.batch.pointed import job_order
from cleanplate.batch.scratch import Scratch, mark_of
from cleanplate.batch.shown import doubts_of
from cleanplate.errors import InputError
from cleanplate.jobs import job, shares
from cleanplate.jobs.order import Order, fingerprint
from cleanplate.jobs.report import Report, versions
from cleanplate.jobs.stages.write import PIECE
from cleanplate.jobs.work_folder import WorkFolder
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.runtime import MakeEngine

_OWN = ".cleanplate"
_PIECE = "{:06d}.mkv"
_UNSEEN = "unseen-{:06d}.jsonl"


@dataclass(frozen=True, slots=True)
class Batch:
    """What is the same for all clips of a batch."""

    out: str
    """Address of the folder of results."""
    scratch: str
    """Folder on each machine's disk."""
    scratch_limit: int | None = None
    """Bytes."""
    chunk: int = 1000
    """Frames; clips that are longer are filled in chunks of as many."""
    overwrite: bool = False
    has_gpus: bool = False
    """Whether any machine has a GPU; the driver says it."""
    sync_seconds: float = 60
    """Between two times at which what was tracked is put into the output's storage."""

    @property
    def on_disk(self) -> Scratch:
        """The scratch on the machine that asks."""
        return Scratch(Path(self.scratch), self.scratch_limit)

    def done_at(self, name: str) -> str:
        """Address of the record of a clip that is done."""
        return storage.joined(self.out, _OWN, "done", f"{name}.json")

    def work_at(self, name: str) -> str:
        """Address of what is finished of a clip that is worked on."""
        return storage.joined(self.out, _OWN, "work", name)

    def log_at(self, name: str, step: str) -> str:
        """Address of the log of a step that failed."""
        return storage.joined(self.out, "logs", name, f"{step}.log")


@dataclass(frozen=True, slots=True)
class Record:
    """A clip that is done, as it is kept and as the summary tells it."""

    name: str
    clip: str
    mark: str
    """Of all that decides the result: equal marks, equal results."""
    frames: int = 0
    seconds: float = 0.0
    """Of work, on all machines together, of the steps that succeeded."""
    bytes: int = 0
    doubts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    warnings: list[str] = field(default_factory=list[str])
    engine: str = ""
    nothing_found: bool = False
    """``suggest`` proposed nothing: there is no output."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What ``look`` found."""

    mark: str
    record: Record | None
    """Of an earlier run that finished the same order."""
    needs: Needs
    is_long: bool
    """Whether it has more than a piece: it is prepared, filled in chunks and joined."""
    frames: int
    """As the header says; 0 where it does not."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is to be filled of a long clip."""

    chunks: tuple[range, ...]
    """Numbers of the pieces of each."""
    frames: tuple[int, ...]
    """Frames of each."""
    seconds: float


def look(batch: Batch, order: ClipOrder) -> Looked:
    """Say whether the clip is done, and what it needs.

    Raises:
        InputError: what is wrong with the order or in the way of its output.
    """
    project, identity = None, []
    if order.is_project:
        project, identity = _project_of(order)
    else:
        identity = storage.identity(order.clip)
    mark = _mark(order, identity)
    record = storage.read_json(batch.done_at(order.out))
    target = storage.joined(batch.out, order.out)
    is_there = storage.exists(target)
    if record is not None and record["mark"] == mark and (is_there or record["nothing_found"]):
        return Looked(mark, Record(**record), Needs(), False, record["frames"])
    begun = storage.read_json(storage.joined(batch.work_at(order.out), "begun.json"))
    is_ours = begun is not None and begun["mark"] == mark
    if is_there and not (batch.overwrite or is_ours):
        raise InputError(
            f"{target} exists and was not made by this order; add --overwrite to replace it, or "
            "give another output."
        )
    with (
        batch.on_disk.fetched(order.clip, identity) as source,
        open_clip(project or source, stream=order.settings.span.stream) as clip,
    ):
        info = clip.info
    needs = needs_of(order, info.width, info.height, batch.has_gpus)
    if not is_ours:
        storage.remove(batch.work_at(order.out))
        storage.write_json(storage.joined(batch.work_at(order.out), "begun.json"), {"mark": mark})
    # Pieces that are finished outlive their worker, also where a clip is only one chunk.
    is_long = (info.frame_count or 0) > min(batch.chunk, PIECE)
    return Looked(mark, None, needs, is_long, info.frame_count or 0)


def whole(
    batch: Batch, order: ClipOrder, mark: str, progress: Progress, make: MakeEngine
) -> Record:
    """Do all of a short clip."""
    began = time.monotonic()
    with _placed(batch, order, f"{order.out} whole", progress) as placed:
        if placed is None:
            return _finish(batch, _nothing(order, mark))
        report = job.run(placed, progress, make)
        return _published(batch, order, mark, placed, report, began, 0.0)


def prepare(
    batch: Batch, order: ClipOrder, mark: str, progress: Progress, make: MakeEngine
) -> Prepared | Record:
    """Track a long clip and put what was found into the storage; a record: nothing was found.

    What was tracked is put there from time to time: another worker goes on from it.
    """
    began = time.monotonic()
    with _placed(batch, order, f"{order.out} prepare", progress) as placed:
        if placed is None:
            return _finish(batch, _nothing(order, mark))
        state = _State(batch, order, placed)
        state.pull()
        synced = _Synced(progress, state.push, batch.sync_seconds)
        shared = shares.prepare(placed, synced, make)
        state.push()
    divided = chunks(shared, batch.chunk)
    return Prepared(
        tuple(divided),
        tuple(frames_in(shared, numbers) for numbers in divided),
        time.monotonic() - began,
    )


def fill(
    batch: Batch, order: ClipOrder, numbers: range, progress: Progress, make: MakeEngine
) -> float:
    """Fill the pieces ``numbers`` that are not in the storage yet; returns the seconds it took."""
    began = time.monotonic()
    with _placed(batch, order, f"{order.out} fill {numbers.start}", progress) as placed:
        assert placed is not None  # the clip was prepared
        state = _State(batch, order, placed)
        known = state.pieces()
        lacking = [number for number in numbers if number not in known]
        if lacking:
            state.pull()
            wanted = range(lacking[0], numbers.stop)
            shares.fill_pieces(placed, wanted, state.push_piece, progress, make)
    return time.monotonic() - began


def join(
    batch: Batch,
    order: ClipOrder,
    mark: str,
    spent: float,
    progress: Progress,
    make: MakeEngine,
) -> Record:
    """Join the pieces of a clip; ``spent`` are the seconds of the steps before."""
    began = time.monotonic()
    with _placed(batch, order, f"{order.out} join", progress) as placed:
        assert placed is not None  # the clip was prepared
        state = _State(batch, order, placed)
        state.pull()
        state.pull_pieces()
        report = job.run(placed, progress, make)
        return _published(batch, order, mark, placed, report, began, spent)


# --- the parts of the steps ---


def _mark(order: ClipOrder, identity: object) -> str:
    others = [word.value for word in order.words if word.flag == "--mask"]
    files = [storage.identity(other.rpartition("@")[0] or other) for other in others]
    plain = asdict(order) | {
        "masks": storage.identity(order.masks) if order.masks else None,
        "settings": asdict(order.settings),
    }
    return mark_of(json.dumps([plain, identity, files, versions()], sort_keys=True, default=str))


def _project_of(order: ClipOrder) -> tuple[Path, list[Any]]:
    """The clip of a project, and what tells its removal from others: files in it come and go."""
    project = Project.open(Path(order.clip))
    return project.source, [fingerprint(project.removal(Path(order.out)))]


@contextlib.contextmanager
def _placed(
    batch: Batch, order: ClipOrder, step: str, progress: Progress
) -> Iterator[Order | None]:
    """The order as a job on this machine's disk; None where there is nothing to remove."""
    scratch = batch.on_disk
    with contextlib.ExitStack() as stack:

        def fetched(address: str) -> Path:
            return stack.enter_context(scratch.fetched(address, storage.identity(address)))

        source = fetched(order.clip)
        folder = stack.enter_context(scratch.job_folder(step))
        out = folder / PurePosixPath(order.out).name
        kept = storage.joined(batch.work_at(order.out), "suggested")
        yield job_order(order, source, out, fetched, kept, progress)


class _State:
    """The work folder of a clip, here and in the storage of the output."""

    def __init__(self, batch: Batch, order: ClipOrder, placed: Order) -> None:
        self._address = storage.joined(batch.work_at(order.out), "job")
        self._placed = placed
        self._path = WorkFolder.location(placed.out.path)
        self._known: dict[str, tuple[int, int]] = {}

    def pull(self) -> None:
        """Bring what is finished here, but no pieces."""
        for name in storage.names_below(self._address):
            if not name.startswith((shares.PIECES, "unseen")):
                storage.fetch(storage.joined(self._address, name), self._path / name)
                self._known[name] = self._stamp(name)
        if self._known:
            WorkFolder.adopt(self._placed.out.path, fingerprint(self._placed))

    def push(self) -> None:
        """Put what is new here into the storage."""
        for path in sorted(path for path in self._path.rglob("*") if path.is_file()):
            name = path.relative_to(self._path).as_posix()
            if name in ("lock", "job.json") or name.startswith((shares.PIECES, "unseen")):
                continue
            if path.name.startswith(".") or self._known.get(name) == self._stamp(name):
                continue
            storage.publish(path, storage.joined(self._address, name))
            self._known[name] = self._stamp(name)

    def pieces(self) -> set[int]:
        """Numbers of the pieces in the storage."""
        names = storage.names_below(storage.joined(self._address, shares.PIECES))
        return {int(PurePosixPath(name).stem) for name in names if name.endswith(".mkv")}

    def push_piece(self, number: int, path: Path) -> None:
        """Put a piece into the storage, after what was made up in it."""
        unseen = self._path / shares.UNSEEN
        if unseen.exists():
            storage.publish(unseen, storage.joined(self._address, _UNSEEN.format(number)))
        storage.publish(path, storage.joined(self._address, shares.PIECES, path.name))

    def pull_pieces(self) -> None:
        """Bring all pieces here, and what was made up in them."""
        folder = self._path / shares.PIECES
        folder.mkdir(exist_ok=True)
        for number in sorted(self.pieces()):
            name = _PIECE.format(number)
            storage.fetch(storage.joined(self._address, shares.PIECES, name), folder / name)
        told: list[str] = []
        for name in sorted(storage.names_below(self._address)):
            if name.startswith("unseen-"):
                storage.fetch(storage.joined(self._address, name), self._path / name)
                told += (self._path / name).read_text(encoding="utf-8").splitlines(keepends=True)
        (self._path / shares.UNSEEN).write_text("".join(told), encoding="utf-8")

    def _stamp(self, name: str) -> tuple[int, int]:
        stat = (self._path / name).stat()
        return stat.st_size, stat.st_mtime_ns


class _Synced(Progress):
    """Passes everything on, and has what is finished put away from time to time."""

    def __init__(self, inner: Progress, push: Callable[[], None], seconds: float) -> None:
        self._inner, self._push, self._seconds = inner, push, seconds
        self._latest = time.monotonic()

    def start(self, stage: str, total: int | None, done: int = 0) -> None:
        """See ``Progress``."""
        self._inner.start(stage, total, done)

    def advance(self) -> None:
        """See ``Progress``."""
        self._inner.advance()
        if time.monotonic() - self._latest >= self._seconds:
            self._push()
            self._latest = time.monotonic()

    def finish(self) -> None:
        """See ``Progress``."""
        self._inner.finish()

    def note(self, message: str) -> None:
        """See ``Progress``."""
        self._inner.note(message)

    def warn(self, message: str) -> None:
        """See ``Progress``."""
        self._inner.warn(message)


def _published(
    batch: Batch,
    order: ClipOrder,
    mark: str,
    placed: Order,
    report: Report,
    began: float,
    spent: float,
) -> Record:
    size = placed.out.path.stat().st_size
    record = Record(
        *(order.out, order.clip, mark, report.frame_count),
        bytes=size,
        doubts=doubts_of(report, placed.source, placed.out.path),
        warnings=report.warnings,
        engine=str(report.engines.get("inpaint", {}).get("name", "")),
    )
    storage.publish(placed.out.path, storage.joined(batch.out, order.out))
    seconds = round(time.monotonic() - began + spent, 3)
    return _finish(batch, replace(record, seconds=seconds))


def _nothing(order: ClipOrder, mark: str) -> Record:
    return Record(order.out, order.clip, mark, nothing_found=True)


def _finish(batch: Batch, record: Record) -> Record:
    """Keep the record, then remove what was kept for going on; the clip is done from then on."""
    storage.write_json(batch.done_at(record.name), asdict(record))
    storage.remove(batch.work_at(record.name))
    return record
