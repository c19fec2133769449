"""Stage 3: marks become the mask of every object in every frame."""

from __future__ import annotations

from cleanplate.progress import Progress
from cleanplate.settings.groups import Settings
from cleanplate.tracks.marks import Marks
from cleanplate.tracks.tracks import Tracks
from cleanplate.tracks.view import View


def tracked(tracks: Tracks, marks: Marks, settings: Settings, progress: Progress) -> View:
    """Track all that is marked, from where an earlier run left it.

    Args:
        tracks: of the clip; what was tracked by an earlier run is there.
        marks: the objects and their anchors.
        settings: which tracker, and how.
        progress: told about every frame; may raise CancelledError, what is done is kept.

    Returns:
        What is shown in the end, objects that the tracker found by itself included.
    """
    tracks.track(marks, settings, progress)
    return tracks.view(marks.with_discovered(tracks.discovered(), 1), settings)
