"""``suggest`` for many clips: what each shows that may be removed, on one page and as orders."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any

from cleanplate.batch import storage
from cleanplate.batch.orders import ClipOrder
from cleanplate.batch.scratch import Scratch
from cleanplate.errors import CleanplateError
from cleanplate.evaluation.page import STYLE
from cleanplate.evaluation.pictures import data_url
from cleanplate.files.publish import write_text
from cleanplate.jobs.report import versions
from cleanplate.media.preview import tinted
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from cleanplate.suggestions.overlays import look


def suggested_in(address: str, scratch: str) -> dict[str, Any]:
    """What ``suggest`` proposes for one clip, with a picture of each; or why it cannot be read."""
    try:
        with Scratch(Path(scratch), None).fetched(address, storage.identity(address)) as clip:
            suggested = look(clip)
            overlays = []
            for overlay in suggested.overlays:
                box = overlay.box
                with open_clip(clip) as opened:
                    middle = (overlay.start + overlay.stop) // 2
                    (picture,) = opened.pictures(middle, middle + 1)
                    shown = tinted(picture.rgb(), overlay.mask.astype("uint8"))
                overlays.append(
                    {
                        "kind": overlay.kind,
                        "box": [box.x0, box.y0, box.x1, box.y1],
                        "start": overlay.start,
                        "stop": overlay.stop,
                        "confidence": round(overlay.confidence, 4),
                        "picture": data_url(shown),
                    }
                )
            return {"clip": address, "overlays": overlays, "still": list(suggested.still)}
    except CleanplateError as error:
        return {"clip": address, "fault": str(error), "overlays": []}
    finally:
        Scratch(Path(scratch), None).remove()


def suggest_all(
    orders: Iterable[ClipOrder], report: Path, pool: Executor, scratch: str, progress: Progress
) -> list[dict[str, Any]]:
    """Look at all clips, and write ``suggestions.json``, ``.html`` and ``orders.jsonl``.

    A clip that was looked at before, and has not changed, is not looked at again.

    Args:
        orders: name the clips.
        report: the folder.
        pool: does it; see ``ClusterExecutor``.
        scratch: folder of clips that come from far.
        progress: told about each clip.

    Returns:
        What was found in each, by name.
    """
    kept = report / "clips"
    clips = {order.out: order.clip for order in orders}
    marks = {
        name: json.dumps([storage.identity(clip), versions()], default=str)
        for name, clip in clips.items()
    }
    known = {name: _known(kept / f"{name}.json", marks[name]) for name in clips}
    waiting = [name for name, found in known.items() if found is None]
    progress.start("suggest", len(clips), len(clips) - len(waiting))
    with pool:
        working = {pool.submit(suggested_in, clips[name], scratch): name for name in waiting}
        try:
            for done in as_completed(working):
                name = working[done]
                known[name] = done.result()
                text = json.dumps({"mark": marks[name], "found": known[name]})
                write_text(kept / f"{name}.json", text)
                progress.advance()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    progress.finish()
    found = [found for found in known.values() if found is not None]
    _write(report, found)
    return found


def _known(path: Path, mark: str) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    return kept["found"] if kept["mark"] == mark else None


def _write(report: Path, found: list[dict[str, Any]]) -> None:
    bare = [
        each | {"overlays": [{k: v for k, v in o.items() if k != "picture"} for o in overlays]}
        for each in found
        for overlays in [each["overlays"]]
    ]
    write_text(report / "suggestions.json", json.dumps(bare, indent=1) + "\n")
    orders = [
        json.dumps({"clip": each["clip"], "suggest": True}) for each in found if each["overlays"]
    ]
    write_text(report / "orders.jsonl", "".join(f"{order}\n" for order in orders))
    write_text(report / "suggestions.html", _page(found))


def _page(found: list[dict[str, Any]]) -> str:
    shown = sum(bool(each["overlays"]) for each in found)
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Suggestions</title>",
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style>",
        f"<h1>{shown} of {len(found)} clips show something to remove</h1>",
    ]
    for each in sorted(found, key=lambda each: not each["overlays"]):
        parts.append(f"<h2>{html.escape(each['clip'])}</h2>")
        if "fault" in each:
            parts.append(f"<p>{html.escape(each['fault'])}</p>")
        elif not each["overlays"]:
            still = "; the camera hardly moves in parts of it" if each.get("still") else ""
            parts.append(f"<p>Nothing was found{still}.</p>")
        figures = "".join(
            f"<figure><img src='{o['picture']}' alt='{o['kind']}'><figcaption>{o['kind']}, "
            f"{','.join(map(str, o['box']))}, frames {o['start']} to {o['stop'] - 1}, confidence "
            f"{o['confidence']:.2f}</figcaption></figure>"
            for o in each["overlays"]
        )
        parts.append(f"<div class=frame>{figures}</div>")
    return "\n".join(parts) + "</html>\n"
