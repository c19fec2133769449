"""A clip as a browser plays it: H.264, small, one frame for each of the source's, evenly spaced.

Frame n is at n / rate whatever the source's times are, so that a page can go from one to the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from cleanplate.app.server.frames import narrowed
from cleanplate.arrays.streams import prefetch
from cleanplate.media.encode import nominal_rate
from cleanplate.media.new_clip import write_clip
from cleanplate.media.read import Clip, open_clip
from cleanplate.progress import Progress
from cleanplate.types import VideoInfo

WIDEST = 960  # px: stills show the source's own pixels
_OPTIONS = {"preset": "veryfast", "g": "12", "bf": "0", "tune": "fastdecode"}
_QUALITY = 23


def proxy_rate(info: VideoInfo) -> Fraction:
    """Frames a second of the proxy."""
    return nominal_rate(info)


def write_proxy(source: Path, target: Path, count: int, progress: Progress) -> int:
    """Write the proxy of ``source``, which has ``count`` frames, and return how many it has."""
    with open_clip(source) as clip:
        width = min(WIDEST, clip.info.width)
        images = prefetch(_small(clip, width - width % 2))
        counted = progress.over("proxy", images, count)
        rate = proxy_rate(clip.info)
        return write_clip(target, counted, rate, crf=_QUALITY, options=_OPTIONS)


def _small(clip: Clip, width: int) -> Iterator[np.ndarray]:
    for picture in clip.pictures():
        yield narrowed(picture.rgb(), width)
