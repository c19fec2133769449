"""The doubtful frames of a clip, before and after, as a summary shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cleanplate.evaluation.pictures import data_url
from cleanplate.jobs.report import Report
from cleanplate.media.read import open_clip

_MOST, _PICTURES = 20, 4  # doubts of a clip that are told, and those of them with pictures


def doubts_of(report: Report, source: Path, out: Path) -> list[dict[str, Any]]:
    """The doubts of a clip, worst first, the worst with its frame before and after.

    Args:
        report: of the job.
        source: the clip.
        out: the result.
    """
    doubts: list[dict[str, Any]] = [
        {
            "object": doubt.object_id,
            "first": doubt.first,
            "last": doubt.last,
            "frame": doubt.frame,
            "reason": doubt.reason,
            "badness": round(doubt.badness, 4),
            "pictures": [],
        }
        for doubt in report.doubtful()[:_MOST]
    ]
    doubts += [
        {
            "object": None,
            "first": stretch["first"],
            "last": stretch["last"],
            "frame": stretch["first"],
            "reason": f"{stretch['share']:.0%} of the hole is shown by no frame: made up",
            "badness": round(stretch["share"] / 2, 4),
            "pictures": [],
        }
        for stretch in report.unseen[:_MOST]
    ]
    doubts.sort(key=lambda doubt: -doubt["badness"])
    for doubt in doubts[:_PICTURES]:
        frame = doubt["frame"]
        pictures = [_picture(source, frame), _picture(out, frame - report.first_frame)]
        doubt["pictures"] = [picture for picture in pictures if picture]
    return doubts[:_MOST]


def _picture(path: Path, frame: int) -> str:
    with open_clip(path) as clip:
        for picture in clip.pictures(frame, frame + 1):
            return data_url(picture.rgb())
    return ""
