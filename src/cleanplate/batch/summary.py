"""What became of all clips: JSON, CSV, and a page with the doubtful frames, worst first."""

from __future__ import annotations

import csv
import heapq
import html
import io
import itertools
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TextIO
from urllib.parse import quote

from cleanplate.batch import storage
from cleanplate.batch.schedule import Settled
from cleanplate.evaluation.page import STYLE

_MOST = 300  # doubts on the page, of all clips
_COLUMNS = ("name", "clip", "status", "frames", "seconds", "bytes", "doubts", "engine", "sentence")


@dataclass(slots=True)
class Summary:
    """Gathers; rows wait in a file, so that ten thousand clips take no memory."""

    count: int
    """Clips that were ordered."""
    price: float | None = None
    """Of an hour of the whole cluster."""
    clock: Callable[[], float] = time.monotonic
    done: int = 0
    again: int = 0
    """Done by an earlier run."""
    set_aside: int = 0
    frames: int = 0
    """Of clips that this run did."""
    retried: int = 0
    _doubts: list[tuple[float, int, dict[str, Any]]] = field(default_factory=list[Any])
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _began: float = 0.0
    _rows: TextIO | None = None

    def __enter__(self) -> Self:
        self._began = self.clock()
        self._rows = tempfile.TemporaryFile("w+", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        if self._rows is not None:
            self._rows.close()

    @property
    def seconds(self) -> float:
        """Since the batch began."""
        return self.clock() - self._began

    @property
    def cost(self) -> float | None:
        """What the cluster has cost by now, in the unit of the price."""
        return None if self.price is None else self.seconds / 3600 * self.price

    @property
    def is_complete(self) -> bool:
        """Whether every clip is done."""
        return self.done + self.again == self.count

    def add(self, settled: Settled) -> None:
        """Count a clip."""
        record, order = settled.record, settled.order
        row: dict[str, Any] = {"name": order.out, "clip": order.clip}
        if record is None:
            assert settled.fault is not None
            self.set_aside += 1
            row |= {"status": "set aside", "step": settled.step}
            row |= {"sentence": settled.fault.sentence, "log": f"logs/{order.out}/"}
        else:
            if settled.again:
                self.again += 1
            else:
                self.done += 1
                self.frames += record.frames
            status = "nothing found" if record.nothing_found else "done"
            row |= {"status": status, "again": settled.again, "frames": record.frames}
            row |= {"seconds": record.seconds, "bytes": record.bytes, "engine": record.engine}
            row |= {"doubts": len(record.doubts), "warnings": record.warnings}
            for doubt in record.doubts:
                self._keep(doubt | {"name": order.out})
        assert self._rows is not None
        self._rows.write(json.dumps(row) + "\n")

    def _keep(self, doubt: dict[str, Any]) -> None:
        entry = doubt["badness"], -next(self._numbers), doubt
        if len(self._doubts) < _MOST:
            heapq.heappush(self._doubts, entry)
        else:
            heapq.heappushpop(self._doubts, entry)

    @property
    def doubts(self) -> list[dict[str, Any]]:
        """The worst of all clips, worst first."""
        return [doubt for _, _, doubt in sorted(self._doubts, key=lambda entry: entry[:2])[::-1]]

    def rows(self) -> Iterator[dict[str, Any]]:
        """What became of each clip, in the order in which they were done."""
        assert self._rows is not None
        self._rows.seek(0)
        for line in self._rows:
            yield json.loads(line)

    def totals(self) -> dict[str, Any]:
        """Of the whole batch."""
        seconds = self.seconds
        return {
            "clips": self.count,
            "done": self.done,
            "done before": self.again,
            "set aside": self.set_aside,
            "left": self.count - self.done - self.again - self.set_aside,
            "frames": self.frames,
            "seconds": round(seconds, 1),
            "frames a second": round(self.frames / max(seconds, 1e-9), 2),
            "steps tried again": self.retried,
            "cost": None if self.cost is None else round(self.cost, 2),
        }

    def write(self, out: str) -> None:
        """Write ``summary.json``, ``summary.csv`` and ``summary.html`` to the address ``out``."""
        rows = list(self.rows())
        bare = [{k: v for k, v in doubt.items() if k != "pictures"} for doubt in self.doubts]
        plain = {"totals": self.totals(), "clips": rows, "doubts": bare}
        storage.write_json(storage.joined(out, "summary.json"), plain)
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        writer.writerows([row.get(column, "") for column in _COLUMNS] for row in rows)
        storage.write_text(storage.joined(out, "summary.csv"), text.getvalue())
        storage.write_text(storage.joined(out, "summary.html"), self._page(rows))

    def _page(self, rows: list[dict[str, Any]]) -> str:
        aside = [row for row in rows if row["status"] == "set aside"]
        parts = [
            "<!doctype html><html lang=en><meta charset=utf-8><title>Batch</title>",
            f"<meta name=viewport content='width=device-width'><style>{STYLE}{_STYLE}</style>",
            f"<h1>{self.done + self.again} of {self.count} clips done</h1>",
            _table(("", ""), [(k, v) for k, v in self.totals().items() if v is not None]),
        ]
        if aside:
            parts.append(f"<h2>{len(aside)} set aside</h2>")
            told = [(row["name"], row["step"], row["sentence"], _Link(row["log"])) for row in aside]
            parts.append(_table(("clip", "step", "why", "log"), told))
        parts.append("<h2>Worth a look, worst first</h2>")
        if not self.doubts:
            parts.append("<p>No frame needs a look.</p>")
        parts.extend(map(_doubt, self.doubts))
        return "\n".join(parts) + "</html>\n"


_STYLE = """
td, th { text-align: left; }
tr:last-child { font-weight: normal; }
.doubt { margin: 1.2rem 0; }
.doubt p { margin: .2rem 0; }
"""


class _Link(str):
    """A path from the page on, shown as a link."""


def _table(head: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    top = "".join(f"<th scope=col>{html.escape(title)}</th>" for title in head)
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def _cell(value: Any) -> str:
    text = html.escape(str(value))
    return f"<a href='{quote(value)}'>{text}</a>" if isinstance(value, _Link) else text


def _doubt(doubt: dict[str, Any]) -> str:
    first, last = doubt["first"], doubt["last"]
    span = f"frame {first}" if first == last else f"frames {first} to {last}"
    which = "" if doubt["object"] is None else f", object {doubt['object']}"
    figures = "".join(
        f"<figure><img src='{picture}' alt='{title}'><figcaption>{title}, frame {doubt['frame']}"
        "</figcaption></figure>"
        for title, picture in zip(("before", "after"), doubt["pictures"], strict=False)
    )
    name = _cell(_Link(doubt["name"]))
    reason = html.escape(str(doubt["reason"]))
    return (
        f"<div class=doubt><p><b>{name}</b>, {span}{which}: {reason}</p>"
        f"<div class=frame>{figures}</div></div>"
    )
