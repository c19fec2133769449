"""Whether there is room for what a job will write, said before it begins."""

from __future__ import annotations

import shutil
from pathlib import Path

from cleanplate.app.sentences import Refusal, gigabytes
from cleanplate.types import VideoInfo

_SPARE = 100 << 20  # bytes for masks, reports and the proxy
_RICHER = 1.5  # a careful encoder writes more than the source has
_LOSSLESS = 0.6  # of the samples as they are decoded


def needed(info: VideoInfo, source: int, share: float, lossless: bool) -> int:
    """Bytes that filling ``share`` (0..1) of a clip writes: pieces, and the whole beside them.

    Args:
        info: the clip.
        source: bytes of its file.
        share: of its frames.
        lossless: whether every sample is kept.
    """
    written = source * _RICHER
    if lossless:
        frames = info.frame_count or round((info.duration or 0) * (info.average_rate or 24))
        depth = 1 if info.bit_depth == 8 else 2
        written = max(written, info.width * info.height * 2 * depth * frames * _LOSSLESS)
    return round(2 * written * share) + _SPARE


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    return path.stat().st_size


def check(folder: Path, wanted: int, what: str) -> None:
    """Raise a refusal unless ``wanted`` bytes are free where ``folder`` lies."""
    free = shutil.disk_usage(folder).free
    if wanted > free:
        raise Refusal(
            507,
            f"{what} needs about {gigabytes(wanted)} in {folder}; {gigabytes(free)} free. Choose "
            "another folder or a shorter range.",
        )
