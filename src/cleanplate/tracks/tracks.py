"""The tracks of one clip, in a folder: from marks to the mask of every object in every frame.

A project and a job use this alike, so that the same prompts give the same masks everywhere.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from cleanplate.progress import Progress
from cleanplate.runtime import MakeEngine, make_engine
from cleanplate.settings.groups import Settings
from cleanplate.tracks.choice import chosen_trackers, reasons
from cleanplate.tracks.driver import Direction, RunDriver, missing_runs, planned
from cleanplate.tracks.letters import Letters
from cleanplate.tracks.marks import DiscoveredObject, Marks
from cleanplate.tracks.mask_store import MaskStore
from cleanplate.tracks.runs import UNPOINTED, Runs
from cleanplate.tracks.view import View

if TYPE_CHECKING:
    from cleanplate.media.read import Clip
    from cleanplate.media.survey import Survey


class Tracks:
    """What is known of a clip's objects through time, and the way to know more.

    The folder holds ``anchors`` (masks of single frames), ``runs`` (what trackers found) and
    ``letters`` (what became of still boxes). Another process may read it meanwhile.
    """

    def __init__(
        self, folder: Path, clip: Clip, survey: Survey, make: MakeEngine = make_engine
    ) -> None:
        """
        Args:
            folder: where all of it is kept.
            clip: the clip.
            survey: what the clip was found to be.
            make: makes trackers.
        """
        self.store = MaskStore(folder / "anchors")
        self.runs = Runs(folder / "runs")
        self._letters = Letters(self.store, folder / "letters")
        self._clip, self._survey, self._make = clip, survey, make
        self._latest: tuple[Marks, Settings, object, View] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the upright picture."""
        return self._clip.info.height, self._clip.info.width

    def view(self, marks: Marks, settings: Settings) -> View:
        """All that is shown now; it stays as it is while tracking goes on."""
        trackers = {
            number: choice.key for number, choice in chosen_trackers(marks, settings).items()
        }
        # Weights that come or go change what "auto" takes.
        known = self.runs.signature(), self._letters.signature(), trackers
        latest = self._latest
        if latest is not None and latest[0] is marks and latest[1:3] == (settings, known):
            return latest[3]
        view = View(
            *(marks, self.store, self.runs, self._survey, self.size),
            trackers,
            self._letters.masks(marks, settings.masks.overlay),
            known[:2],
        )
        self._latest = marks, settings, known, view
        return view

    def track(
        self,
        marks: Marks,
        settings: Settings,
        progress: Progress,
        *,
        direction: Direction = "both",
        frame: int | None = None,
        objects: Collection[int] | None = None,
        stop: int | None = None,
    ) -> list[DiscoveredObject]:
        """Make the runs that are lacking; what is done is kept when ``progress`` stops it.

        Args:
            marks: the objects and their anchors.
            settings: which tracker, and how.
            progress: told about each frame; may raise CancelledError.
            direction: of time.
            frame: only from anchors in this frame; of objects that have none there, what leads
                through it.
            objects: only these ids.
            stop: no further than this frame.

        Returns:
            What the tracker found by itself: ``Marks.with_discovered`` makes objects of it.

        Raises:
            InputError: the tracker is not there, or letters are demanded and there are none.
        """
        self.find_letters(marks, settings, progress)
        tracks = self.view(marks, settings).tracks
        lacking = missing_runs(tracks, direction, frame, objects, stop)
        if not lacking:
            return []
        trackers = chosen_trackers(marks, settings)
        wanted = {run.object_id: trackers[run.object_id] for run in lacking}
        for reason in reasons(wanted, settings):
            progress.note(reason)
        plans = planned(lacking, marks, self.runs, trackers)
        shots = self._survey.shots
        driver = RunDriver(self._clip, self.store, self.runs, shots, settings, self._make)
        return driver.drive(plans, progress)

    def discovered(self) -> list[DiscoveredObject]:
        """All that trackers ever found by themselves, oldest run first."""
        return [
            DiscoveredObject(run.name, object_id)
            for run in self.runs.all().values()
            for object_id, source in run.objects.items()
            if source.born == UNPOINTED
        ]

    # --- still boxes ---

    def has_pending_letters(self, marks: Marks, settings: Settings) -> bool:
        """Whether a still box has not been looked at for letters yet."""
        return bool(self._letters.pending(marks, settings.masks.overlay))

    def find_letters(self, marks: Marks, settings: Settings, progress: Progress) -> None:
        """Look at the still boxes that have not been looked at yet; takes seconds.

        Raises:
            InputError: letters are demanded and there are none.
        """
        if self.has_pending_letters(marks, settings):
            shots = self._survey.shots
            self._letters.work_out(self._clip, marks, settings.masks.overlay, shots, progress)

    def letter_verdicts(self, marks: Marks, settings: Settings) -> list[dict[str, object]]:
        """What of each still box is removed, and why, as a report tells it."""
        return self._letters.verdicts(marks, settings.masks.overlay)
