"""A project: one clip, all that a user says of it, and all that comes of it.

The command line and the app work on the same folder, at the same time if need be: every edit is
one file renamed into place, and tracking writes files of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.errors import InputError
from cleanplate.files.locking import locked
from cleanplate.jobs import job
from cleanplate.jobs.progress import Progress
from cleanplate.media.read import open_clip
from cleanplate.media.survey import Survey, load_survey, save_survey, survey
from cleanplate.projects import edits, following, telling, transfer
from cleanplate.projects.editing import Editing, settings_of
from cleanplate.projects.folder import PROJECT, Folder, fingerprint
from cleanplate.projects.following import Direction
from cleanplate.projects.letters import Letters
from cleanplate.projects.outlines import Outliner
from cleanplate.projects.pointing import Pointing
from cleanplate.projects.runs import Runs
from cleanplate.projects.state import State
from cleanplate.projects.view import Row, View

_SURVEY = "survey.npz"


class Project(Editing):
    """Thread-safe: edits are made one after the other, and reading waits for none of them."""

    def __init__(self, path: Path) -> None:
        """Use ``create`` or ``open``."""
        super().__init__(path)
        self.source = path / self._state.clip
        if fingerprint(self.source) != self._state.fingerprint:
            raise InputError(
                f"{self.source} is not the clip that the project {path} was made from any more; "
                "put it back, or make a new project."
            )
        self.clip = open_clip(self.source)
        self.info = self.clip.info
        self.survey: Survey = load_survey(path / _SURVEY)
        self._runs = Runs(self.folder.runs)
        self._outliner = Outliner(self.clip)
        self._pointing = Pointing(self.folder, self._outliner, self.size)
        self._letters = Letters(self.folder)
        self._known_view: tuple[State, Any, View] | None = None

    @classmethod
    def create(
        cls, folder: Path | str, clip: Path | str, progress: Progress | None = None
    ) -> Project:
        """A new project in ``folder``; the clip is decoded once.

        Raises:
            InputError: there is a project already, or no clip.
            MediaError: the clip cannot be decoded.
        """
        path, source, progress = Path(folder), Path(clip), progress or Progress()
        if (path / PROJECT).exists():
            raise InputError(f"{path} holds a project already; open it, or name another folder.")
        told = fingerprint(source)
        with open_clip(source) as opened:
            progress.start("survey", opened.info.frame_count)
            found = survey(opened, progress.advance)
            progress.finish()
        for warning in found.warnings:
            progress.note(warning)
        path.mkdir(parents=True, exist_ok=True)
        save_survey(path / _SURVEY, found)
        inside = source.resolve().is_relative_to(path.resolve())
        name = source.resolve().relative_to(path.resolve()) if inside else source.resolve()
        Folder(path).begin(State(name.as_posix(), told, (0, found.count)))
        return cls(path)

    @classmethod
    def open(cls, folder: Path | str) -> Project:
        """The project in ``folder``.

        Raises:
            InputError: there is none, or its clip is gone or is another one now.
        """
        path = Path(folder)
        if not Folder(path).is_project():
            raise InputError(
                f"{path} is no project; make one with: cleanplate project new {path} CLIP."
            )
        return cls(path)

    # --- what is shown ---

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the upright picture."""
        return self.info.height, self.info.width

    def image(self, frame: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB of a frame, read-only."""
        self._check_frame(frame)
        return self._outliner.image(frame)

    def view(self) -> View:
        """All that is shown now; stays as it is while the project goes on."""
        return self._view_of(self.state)

    def _view_of(self, state: State) -> View:
        settings = settings_of(state)
        found = self._runs.signature(), self._letters.signature()
        known = self._known_view
        if known is not None and known[0] is state and known[1] == found:
            return known[2]
        view = View(
            *(state, self.folder, self._runs, self.survey, self.size),
            following.tracker_of(settings),
            self._letters.masks(state, settings.masks.overlay),
            found,
        )
        self._known_view = state, found, view
        return view

    def mask(self, frame: int) -> np.ndarray:
        """(H, W) uint8 of a frame, value = object id."""
        self._check_frame(frame)
        return self.view().mask(frame)

    def masks(self, start: int = 0, stop: int | None = None) -> Iterator[np.ndarray]:
        """``mask`` of the frames from ``start`` up to, not including, ``stop``, as of now."""
        return self.view().masks(start, self.survey.count if stop is None else stop)

    def mask_key(self, frame: int) -> str:
        """Equal keys, equal masks: for caches."""
        return self.view().key(frame)

    @property
    def masks_stamp(self) -> str:
        """Equal stamps, equal masks in all frames, in every process: for caches."""
        return self.view().stamp_of_all

    def lanes(self) -> dict[int, list[tuple[int, int, str, float]]]:
        """For each object its states along time: (first, last, state, least confidence)."""
        return self.view().lanes()

    def doubtful(self) -> list[Row]:
        """The stretches that a person should look at, worst first."""
        return self.view().doubtful

    def stale(self) -> list[tuple[int, int, int]]:
        """(object, first, last) of what was followed before a change."""
        return self.view().stale()

    def as_json(self) -> dict[str, Any]:
        """All of it for a page, plain."""
        view = self.view()
        version, undos, redos = self.folder.progress()
        return {
            "version": version,
            "clip": telling.clip_as_json(self.source.name, self.info, self.survey),
            **telling.as_json(view),
            "can": {
                "undo": undos > 0,
                "redo": redos > 0,
                "follow": list(self.can_follow()),
                "remove": list(self.can_remove()),
            },
        }

    def can_follow(self) -> tuple[bool, str]:
        """Whether there is something to follow; if not, why."""
        view = self.view()
        how = settings_of(view.state).masks.overlay
        return telling.can_follow(view, bool(self._letters.pending(view.state, how)))

    def can_remove(self) -> tuple[bool, str]:
        """Whether there is something to remove; if not, why."""
        return telling.can_remove(self.view())

    # --- following ---

    def follow(
        self,
        progress: Progress | None = None,
        direction: Direction = "both",
        frame: int | None = None,
        objects: Collection[int] | None = None,
        stop: int | None = None,
    ) -> None:
        """Track what is not tracked, or was before a change; what is done is kept when stopped.

        Edits may go on meanwhile: what comes of this belongs to what was said when it began. What
        a tracker finds by itself becomes objects of the project at the end.

        Args:
            progress: told about each frame; may raise CancelledError.
            direction: of time.
            frame: only from anchors in this frame; of objects that have none there, what leads
                through it.
            objects: only these ids.
            stop: no further than this frame.

        Raises:
            InputError: the project is being followed already, or the tracker is not there.
        """
        progress, state = progress or Progress(), self.state
        settings = settings_of(state)
        with locked(self.path / "follow.lock", wait=False) as held:
            if not held:
                raise InputError(
                    f"{self.path} is being followed by another program; stop that one first."
                )
            self._work_out_letters(state, settings, progress)
            view = self._view_of(state)
            wants = following.wanted(view.shown, direction, frame, objects, stop)
            if not wants:
                return
            todo = following.errands(wants, state, self._runs, following.tracker_of(settings))
            follower = following.Follower(
                self.clip, self.folder, self._runs, self.survey.shots, settings
            )
            found = follower.follow(todo, progress)
            if found:
                version = self.version + 1
                self._change(lambda state: edits.add_found(state, found, version))

    def _work_out_letters(self, state: State, settings: job.Settings, progress: Progress) -> None:
        how = settings.masks.overlay
        if self._letters.pending(state, how):
            self._letters.work_out(self.clip, state, how, self.survey.shots, progress)

    # --- in and out ---

    def import_masks(self, path: Path | str, progress: Progress | None = None) -> list[int]:
        """Take the masks in ``path`` for the objects that they show; returns their ids.

        Args:
            path: a folder of PNGs, a PNG for all frames, a video, or an .npz, as for ``cleanplate
                inpaint --masks``: one mask for each frame of the clip, of its size.
            progress: told about each mask.

        Raises:
            MaskError: count, size or colours that do not fit the clip.
        """
        taken = transfer.read_masks(self, self._runs, Path(path), progress or Progress())
        return self._change(partial(transfer.with_masks, taken=taken, version=self.version + 1))

    def export_masks(
        self, target: Path | str, progress: Progress | None = None, *, overwrite: bool = True
    ) -> None:
        """Write the masks of all frames, not grown: ``.mkv``, or a folder of PNGs.

        Frames outside of the span have empty masks.
        """
        progress = progress or Progress()
        self._work_out_letters(self.state, self.settings, progress)
        transfer.write_masks(self, target, overwrite, progress)

    def removal(
        self,
        out: Path | str,
        start: int | None = None,
        stop: int | None = None,
        *,
        overwrite: bool = False,
        save_masks: Path | str | None = None,
        progress: Progress | None = None,
        whole: bool = False,
    ) -> job.Order:
        """The job that removes what is shown now, for ``jobs.job.run``.

        Args:
            out: the clean clip; a folder of PNGs when it ends in ``/``.
            start, stop: write only this part, filled as in the whole; None: all of the span.
            overwrite: replace ``out`` if it exists.
            save_masks: where to keep the masks that were filled.
            progress: told when still boxes are looked at for letters, which takes seconds.
            whole: the output holds the whole clip; frames outside of the span are the source's.
        """
        self._work_out_letters(self.state, self.settings, progress or Progress())
        return transfer.removal(self, out, start, stop, overwrite, save_masks, whole)
