"""A project: one clip, all that a user says of it, and all that comes of it.

The command line and the app work on the same folder, at the same time if need be: every edit is
one file renamed into place, and tracking writes files of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.errors import InputError
from cleanplate.jobs import job
from cleanplate.jobs.progress import Progress
from cleanplate.media.read import open_clip
from cleanplate.media.survey import Survey, load_survey, save_survey, survey
from cleanplate.ops.locking import locked
from cleanplate.projects import edits, following, telling, transfer
from cleanplate.projects.folder import PROJECT, Folder, fingerprint
from cleanplate.projects.following import Direction
from cleanplate.projects.letters import Letters
from cleanplate.projects.outlines import Asked, Outline, Outliner
from cleanplate.projects.pointing import Pointing
from cleanplate.projects.runs import Runs
from cleanplate.projects.state import State
from cleanplate.projects.view import Row, View
from cleanplate.types import Prompt

_SURVEY = "survey.npz"


class Project:
    """Thread-safe: edits are made one after the other, and reading waits for none of them.

    Edits raise InputError where what is said does not fit; nothing is changed then.
    """

    def __init__(self, path: Path) -> None:
        """Use ``create`` or ``open``."""
        self.path = path
        self.folder = Folder(path)
        self._edit = threading.RLock()
        self._seen: tuple[int, ...] = ()
        self._state = self._read()
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

    # --- what was said ---

    @property
    def state(self) -> State:
        """What was said, as it stands now, other programs' edits included."""
        if self.folder.signature() != self._seen:
            with self._edit:
                self._state = self._read()
        return self._state

    @property
    def version(self) -> int:
        """Grows with every edit, undo and redo."""
        return self.folder.progress()[0]

    @property
    def settings(self) -> job.Settings:
        """The settings of all jobs of this project."""
        return _settings(self.state)

    def _read(self) -> State:
        for _ in range(100):
            seen = self.folder.signature()
            state = self.folder.read()
            if seen == self.folder.signature():
                self._seen = seen
                return state
        raise InputError(f"{self.path} is being changed without a pause; try again.")

    def _change(self, made: Any) -> Any:
        """Put what ``made(state)`` returns, (new state, answer), in place of the state."""
        with self._edit, locked(self.path / "edit.lock"):
            state = self.state
            changed, answer = made(state)
            if changed != state:
                self.folder.record(changed)
                self._state = self._read()
            return answer

    def add_object(self, name: str | None = None, static: bool = False) -> int:
        """A new thing to remove; returns its id."""
        return self._change(lambda state: edits.add_object(state, name, static, self.version + 1))

    def change_object(
        self,
        object_id: int,
        *,
        name: str | None = None,
        hidden: bool | None = None,
        static: bool | None = None,
    ) -> None:
        """Rename, hide from view, or say that it does not move; None leaves as it is."""
        values = {"name": name, "hidden": hidden, "static": static}
        self._change(lambda state: edits.change_object(state, object_id, values))

    def remove_object(self, object_id: int) -> None:
        """Forget the object and its prompts; undo brings it back."""
        self._change(lambda state: (state.without_object(object_id), None))

    def set_prompt(
        self, frame: int, object_id: int, prompt: Prompt | None, painted: bool = False
    ) -> Outline | None:
        """All that points at the object in this frame, in place of what did before.

        Points and strokes on a frame where a mask is shown already mend that mask; a box or a mask
        outlines anew. ``prompt.object_id`` and ``prompt.at`` are not looked at.

        Args:
            frame: index in the clip.
            object_id: an object of the project.
            prompt: None takes the anchor in this frame away, whatever its kind.
            painted: strokes are the mask itself, painted and erased in their order; otherwise they
                are hints for the segmenter.

        Returns:
            The outline that is shown now; None when the anchor was taken away.

        Raises:
            InputError: no such frame or object, a prompt outside the picture, or nothing was found.
        """
        self._check_frame(frame)
        if prompt is None:
            self._change(lambda state: (state.with_anchor(object_id, frame, None), None))
            return None
        if prompt.points or prompt.box or (prompt.brushes and not painted):
            self.prepare(frame)  # the slow part, while other edits go on

        def made(state: State) -> tuple[State, Outline]:
            asked = self._pointing.asked(self._view_of(state), frame, object_id, prompt, painted)
            return self._anchored(state, frame, object_id, asked, 0)

        return self._change(made)

    def _anchored(
        self, state: State, frame: int, object_id: int, asked: Asked, chosen: int
    ) -> tuple[State, Outline]:
        answer = self._pointing.answer(frame, object_id, asked, chosen, _settings(state))
        anchor = self._pointing.anchor(asked, answer)
        return state.with_anchor(object_id, frame, anchor), answer.outline

    def choose(self, frame: int, object_id: int, candidate: int) -> Outline:
        """Take another of the candidates of a prompt, counted from 0."""

        def made(state: State) -> tuple[State, Outline]:
            asked = self._pointing.asked_again(state, frame, object_id, candidate)
            return self._anchored(state, frame, object_id, asked, candidate)

        return self._change(made)

    def preview(self, frame: int, object_id: int, prompt: Prompt, painted: bool = False) -> Outline:
        """What ``set_prompt`` would show; nothing is changed."""
        self._check_frame(frame)
        view = self.view()
        asked = self._pointing.asked(view, frame, object_id, prompt, painted)
        return self._pointing.answer(frame, object_id, asked, 0, _settings(view.state)).outline

    def prepare(self, frame: int) -> None:
        """Look at a frame beforehand, so that the first click in it is answered quickly."""
        self._check_frame(frame)
        self._outliner.prepare(frame, self.settings)

    def gone(self, frame: int, object_id: int, until: int | None = None) -> None:
        """The object is not to be seen from ``frame`` to ``until``; None: to its next anchor.

        What is shown in the frames before, and after ``until``, stays as it is.
        """
        for one in (frame, frame if until is None else until):
            self._check_frame(one)
        self._change(lambda state: edits.gone(state, self._view_of(state), frame, object_id, until))

    def approve(self, frame: int, object_id: int | None = None) -> None:
        """What is shown in ``frame`` is right, of one object or of all; tracking ends there."""
        self._check_frame(frame)
        self._change(
            lambda state: edits.approve(state, self._view_of(state), self.folder, frame, object_id)
        )

    def dismiss(self, row_id: str) -> None:
        """A row of ``doubtful`` is right as it is."""
        self._change(lambda state: edits.dismiss(state, row_id, self.doubtful()))

    def set_span(self, start: int, stop: int) -> None:
        """Follow and remove in the frames from ``start`` up to, not including, ``stop``."""
        self._change(lambda state: edits.set_span(state, start, stop, self.survey.count))

    def set_settings(
        self,
        values: Mapping[str, Any] | None = None,
        engine_fields: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Change settings; a value of None takes the default again.

        Args:
            values: fields of ``EngineSettings``, ``MaskSettings``, ``RegionSettings`` and
                ``EncoderSettings``.
            engine_fields: of single engines, name -> field -> value.
        """
        self._change(lambda state: edits.set_settings(state, values or {}, engine_fields or {}))

    def undo(self) -> bool:
        """Take the latest edit back; False when there is none."""
        return self._step(back=True)

    def redo(self) -> bool:
        """Make the edit again that was taken back; False when there is none."""
        return self._step(back=False)

    def _step(self, back: bool) -> bool:
        with self._edit, locked(self.path / "edit.lock"):
            moved = self.folder.step(back)
            self._state = self._read()
            return moved

    def _check_frame(self, frame: int) -> None:
        if not 0 <= frame < self.survey.count:
            raise InputError(
                f"Frame {frame} is not in the clip; its frames are 0 to {self.survey.count - 1}."
            )

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
        settings = _settings(state)
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
        how = _settings(view.state).masks.overlay
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
        settings = _settings(state)
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
    ) -> job.Order:
        """The job that removes what is shown now, for ``jobs.job.run``.

        Args:
            out: the clean clip; a folder of PNGs when it ends in ``/``.
            start, stop: write only this part, filled as in the whole; None: all of the span.
            overwrite: replace ``out`` if it exists.
            save_masks: where to keep the masks that were filled.
            progress: told when still boxes are looked at for letters, which takes seconds.
        """
        self._work_out_letters(self.state, self.settings, progress or Progress())
        return transfer.removal(self, out, start, stop, overwrite, save_masks)


def _settings(state: State) -> job.Settings:
    return job.settings_from(state.settings, state.engine_fields)
