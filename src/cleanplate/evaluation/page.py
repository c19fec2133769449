"""One self-contained HTML page of an evaluation: the table, a plot a clip, the worst frames."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from cleanplate.evaluation.pictures import TITLES

STYLE = """
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { max-width: 1560px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
tr:last-child { font-weight: 600; }
.frame { display: flex; gap: .4rem; margin: .4rem 0; }
figure { flex: 0 1 300px; margin: 0; }
img { width: 100%; display: block; }
figcaption { font-size: 12px; opacity: .75; }
svg { display: block; max-width: 900px; }
pre { overflow: auto; font-size: 12px; }
"""
_PLOT = (900, 120)
_HEADINGS = {
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "hole_psnr": "hole PSNR, dB",
    "seam": "seam, levels",
    "e_warp": "E_warp, 1e-2",
    "flicker": "flicker, levels",
    "seconds_per_frame": "s a frame",
    "peak_memory_mib": "peak MiB",
    "vfid": "VFID",
    "j_and_f": "J&F",
    "frames_to_find_again": "frames to find",
}
_BAD = {"inpaint": "hole PSNR, dB", "track": "J, least over objects"}


def page(report: dict[str, Any], videos: Sequence[dict[str, Any]]) -> str:
    """The page's text.

    Args:
        report: what ``report.json`` holds.
        videos: what was measured of each clip, with its frames and pictures.
    """
    task = report["task"]
    order = report["order"]
    name = order.get("inpainter") or order.get("tracker")
    title = f"{order['results']}" if order["results"] else f"{name}"
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>",
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style>",
        f"<h1>{html.escape(task)}: {html.escape(title)}</h1>",
        _table([*report["videos"], report["total"]]),
    ]
    for video in videos:
        values = [_value(task, frame) for frame in video["frames"]]
        parts.append(f"<h2>{html.escape(video['name'])}</h2>")
        parts.append(_plot(values, video.get("cuts", []), f"{_BAD[task]}, by frame"))
        parts.extend(_worst(row, task) for row in video["worst"])
    settings = {key: report[key] for key in ("order", "versions", "measures", "checksums")}
    parts.append(f"<h2>To repeat it</h2><pre>{html.escape(json.dumps(settings, indent=1))}</pre>")
    return "\n".join(parts) + "</html>\n"


def _value(task: str, frame: dict[str, Any]) -> float | None:
    if task == "track":
        return min((scores["j"] for scores in frame.values()), default=None)
    if not frame["hole_samples"] or not frame["hole_squares"]:
        return None
    return float(10 * np.log10(255**2 * frame["hole_samples"] / frame["hole_squares"]))


def _table(rows: Sequence[dict[str, Any]]) -> str:
    columns = list(rows[-1])
    head = "".join(f"<th scope=col>{html.escape(heading(column))}</th>" for column in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell(row.get(c)))}</td>" for c in columns) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def heading(column: str) -> str:
    """What a table writes above the values that a report keeps under ``column``."""
    words = _HEADINGS.get(column, column.replace("_", " "))
    return words[0].upper() + words[1:] if words[:2] in ("j ", "f ") else words


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return "–"
    return (
        f"{value:.4g}"
        if isinstance(value, float) and abs(value) < 10
        else (f"{value:.2f}" if isinstance(value, float) else str(value))
    )


def _plot(values: Sequence[float | None], cuts: Sequence[int], label: str) -> str:
    width, height = _PLOT
    known = [value for value in values if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    reach = max(high - low, 1e-6)

    def place(index: int, value: float) -> str:
        x = 40 + (width - 50) * index / max(1, len(values) - 1)
        return f"{x:.1f},{10 + (height - 30) * (1 - (value - low) / reach):.1f}"

    points = " ".join(place(i, value) for i, value in enumerate(values) if value is not None)
    marks = "".join(
        f"<line x1={x} x2={x} y1=6 y2={height - 20} stroke=#c60 stroke-dasharray=3 />"
        for x in (40 + (width - 50) * cut / max(1, len(values) - 1) for cut in cuts)
    )
    return (
        f"<svg viewBox='0 0 {width} {height}' role=img aria-label='{html.escape(label)}'>"
        f"<text x=2 y=16 font-size=11 fill=currentColor>{high:.1f}</text>"
        f"<text x=2 y={height - 20} font-size=11 fill=currentColor>{low:.1f}</text>"
        f"<text x=40 y={height - 4} font-size=11 fill=currentColor>{html.escape(label)}</text>"
        f"{marks}<polyline points='{points}' fill=none stroke=#27c stroke-width=1.5 /></svg>"
    )


def _worst(row: dict[str, Any], task: str) -> str:
    titles = TITLES if task == "inpaint" else ("green right, red missed, blue too much",)
    return (
        "<div class=frame>"
        + "".join(
            f"<figure><img src='{picture}' alt='{html.escape(title)}'>"
            f"<figcaption>frame {row['frame']}: {html.escape(title)}</figcaption></figure>"
            for picture, title in zip(row["pictures"], titles, strict=True)
        )
        + "</div>"
    )
