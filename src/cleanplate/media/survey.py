"""The first look at a clip: how many frames it really has, when each is shown, where shots end.

A header's count is a claim. Everything later (masks matched by number, times in prompts, the check
that no frame was lost) rests on what was really decoded, once, here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cleanplate.errors import MediaError
from cleanplate.files.publish import publishing
from cleanplate.media.shots import PICTURE_WIDTH, ShotDetector

if TYPE_CHECKING:
    from cleanplate.media.read import Clip


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What a whole clip turned out to be."""

    numerators: np.ndarray
    """(N,) int64; frame i is shown at numerators[i] / denominators[i] seconds."""
    denominators: np.ndarray
    """(N,) int64."""
    cuts: np.ndarray
    """First frame of each shot but the first, ascending."""
    warnings: tuple[str, ...]
    """What is wrong with the file, a sentence each."""

    @property
    def count(self) -> int:
        """How many frames were decoded."""
        return len(self.numerators)

    def time(self, index: int) -> Fraction:
        """When frame ``index`` is shown, in seconds."""
        return Fraction(int(self.numerators[index]), int(self.denominators[index]))

    def frame_at(self, time: Fraction) -> int:
        """The frame on screen at ``time`` seconds after the first one is shown."""
        wanted = self.time(0) + time
        return max(0, bisect_right(range(self.count), wanted, key=self.time) - 1)

    @property
    def shots(self) -> np.ndarray:
        """(N,) int32: the shot number of each frame."""
        numbers = np.zeros(self.count, np.int32)
        numbers[self.cuts] = 1
        return np.cumsum(numbers, dtype=np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Span:
    """Frames of a clip, and the shot that each frame of the clip belongs to."""

    start: int
    stop: int
    """One past the last frame."""
    shots: np.ndarray
    """(N,) shot number of each frame of the clip."""


def cut_at(survey: Survey, *frames: int) -> Survey:
    """``found`` with shots that begin at ``frames`` as well: nothing is carried across."""
    inside = [frame for frame in frames if 0 < frame < survey.count]
    return replace(survey, cuts=np.union1d(survey.cuts, inside).astype(survey.cuts.dtype))


def survey(clip: Clip, seen: Callable[[], None] = lambda: None) -> Survey:
    """Decode all of ``clip`` once; ``seen`` is called after each frame.

    Raises:
        MediaError: the clip has no frame that can be decoded.
    """
    detector = ShotDetector()
    times: list[Fraction] = []
    for picture in clip.pictures():
        detector.see(picture.luma_small(PICTURE_WIDTH))
        times.append(picture.time)
        seen()
    if not times:
        raise MediaError(
            f"{clip.info.path} holds no frame that can be decoded; it is empty or damaged."
        )
    return Survey(
        np.array([time.numerator for time in times], np.int64),
        np.array([time.denominator for time in times], np.int64),
        np.array(detector.finish(), np.int64),
        tuple(clip.warnings),
    )


def save_survey(path: Path, survey: Survey) -> None:
    """Write a survey to ``path``, an .npz."""
    with publishing(path) as draft, draft.open("wb") as file:
        np.savez_compressed(
            file,
            numerators=survey.numerators,
            denominators=survey.denominators,
            cuts=survey.cuts,
            warnings=np.array(survey.warnings, dtype=str),
        )


def load_survey(path: Path) -> Survey:
    """The survey that ``save_survey`` wrote."""
    with np.load(path, allow_pickle=False) as archive:
        return Survey(
            archive["numerators"],
            archive["denominators"],
            archive["cuts"],
            tuple(str(warning) for warning in archive["warnings"]),
        )
