"""A project: one clip, all that a user says of it, and all that comes of it.

The command line and the app work on the same folder, at the same time if need be: every edit is
one file renamed into place, and tracking writes files of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate.errors import InputError
from cleanplate.files.locking import locked
from cleanplate.jobs.order import Order
from cleanplate.media.mask_files import Masks
from cleanplate.media.read import open_clip
from cleanplate.media.survey import Survey, load_survey, save_survey, survey
from cleanplate.progress import Progress
from cleanplate.projects import edits, found, summary, transfer
from cleanplate.projects.editing import EditedState
from cleanplate.projects.folder import PROJECT, Folder, fingerprint
from cleanplate.projects.state import State
from cleanplate.prompts.outliner import Outline, Outliner, OutlineRequest
from cleanplate.settings.groups import Settings, settings_from
from cleanplate.tracks.driver import Direction
from cleanplate.tracks.pointing import Painting, Pointing
from cleanplate.tracks.tracks import Tracks
from cleanplate.tracks.view import ListedDoubt, View
from cleanplate.types import Box, Prompt

_SURVEY = "survey.npz"


class Project:
    """Thread-safe: edits are made one after the other, and reading waits for none of them.

    Edits raise InputError where what is said does not fit; nothing is changed then.
    """

    def __init__(self, path: Path) -> None:
        """Use ``create`` or ``open``."""
        self.path = path
        self._edited = EditedState(path)
        self.source = path / self.state.clip
        if fingerprint(self.source) != self.state.fingerprint:
            raise InputError(
                f"{self.source} is not the clip that the project {path} was made from any more; "
                "put it back, or make a new project."
            )
        self.clip = open_clip(self.source, stream=self.state.stream)
        self.info = self.clip.info
        self.survey: Survey = load_survey(path / _SURVEY)
        self._tracks = Tracks(path, self.clip, self.survey)
        self.mask_store = self._tracks.store
        self._outliner = Outliner(self.clip)
        self._pointing = Pointing(self.mask_store, self._outliner, self.size)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        clip: Path | str,
        progress: Progress | None = None,
        stream: int | None = None,
    ) -> Project:
        """A new project in ``folder``; the clip is decoded once.

        Args:
            folder: where it is kept.
            clip: a video, or a folder of images.
            progress: told of each frame.
            stream: index in the file of the video stream to work on; None: the one that plays.

        Raises:
            InputError: there is a project already, or no clip.
            MediaError: the clip cannot be decoded.
        """
        path, source, progress = Path(folder), Path(clip), progress or Progress()
        if (path / PROJECT).exists():
            raise InputError(f"{path} holds a project already; open it, or name another folder.")
        told = fingerprint(source)
        with open_clip(source, stream=stream) as opened:
            progress.start("survey", opened.info.frame_count)
            surveyed = survey(opened, progress.advance)
            progress.finish()
        for warning in surveyed.warnings:
            progress.note(warning)
        path.mkdir(parents=True, exist_ok=True)
        save_survey(path / _SURVEY, surveyed)
        inside = source.resolve().is_relative_to(path.resolve())
        name = source.resolve().relative_to(path.resolve()) if inside else source.resolve()
        state = State(
            clip=name.as_posix(), fingerprint=told, span=(0, surveyed.count), stream=stream
        )
        Folder(path).begin(state)
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
                f"{path} is not a project; make one with: cleanplate project new {path} CLIP."
            )
        return cls(path)

    # --- what is said and shown ---

    @property
    def state(self) -> State:
        """What was said, as it stands now, other programs' edits included."""
        return self._edited.state

    @property
    def version(self) -> int:
        """Grows with every edit, undo and redo."""
        return self._edited.version

    @property
    def settings(self) -> Settings:
        """The settings of all jobs of this project."""
        return _settings_of(self.state)

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the upright picture."""
        return self.info.height, self.info.width

    def image(self, frame: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB of a frame, read-only."""
        self._check_frame(frame)
        return self._outliner.image(frame)

    def view(self, without: Collection[int] = ()) -> View:
        """All that is shown now, but for the objects ``without``; stays as it is meanwhile."""
        state = self.state
        for object_id in without:
            state = state.without_object(object_id)
        return self._view_of(state)

    def _view_of(self, state: State) -> View:
        return self._tracks.view(state, _settings_of(state))

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
    def masks_key(self) -> str:
        """Equal keys, equal masks in all frames, in every process: for caches."""
        return self.view().key_of_all

    def lanes(self) -> dict[int, list[tuple[int, int, str, float]]]:
        """For each object its states along time: (first, last, state, least confidence)."""
        return self.view().lanes()

    def doubtful(self) -> list[ListedDoubt]:
        """The stretches that a person should look at, worst first."""
        return self.view().doubtful

    def stale(self) -> list[tuple[int, int, int]]:
        """(object, first, last) of what was followed before a change."""
        return self.view().stale()

    def as_json(self) -> dict[str, Any]:
        """All of it for a page, plain."""
        state = self.state
        version, undos, redos = self._edited.progress
        return {
            "version": version,
            "clip": summary.clip_as_json(self.source.name, self.info, self.survey),
            **summary.as_json(state, self._view_of(state)),
            "can": {
                "undo": undos > 0,
                "redo": redos > 0,
                "track": list(self.can_follow()),
                "remove": list(self.can_remove()),
            },
        }

    def can_follow(self) -> tuple[bool, str]:
        """Whether there is something to follow; if not, why."""
        state = self.state
        pending = self._tracks.has_pending_letters(state, _settings_of(state))
        return summary.can_follow(self._view_of(state), pending)

    def can_remove(self) -> tuple[bool, str]:
        """Whether there is something to remove; if not, why."""
        return summary.can_remove(self.view())

    # --- edits ---

    def add_object(self, name: str | None = None, static: bool = False) -> int:
        """A new thing to remove; returns its id."""
        return self._edited.change(
            lambda state: edits.add_object(state, name, static, self.version + 1)
        )

    def add_overlay(self, name: str, mask: np.ndarray, start: int, stop: int) -> int:
        """A new thing that does not move and is there in a part of the clip; returns its id.

        Args:
            name: what it is called.
            mask: (H, W) bool, where it is.
            start: the first frame that shows it.
            stop: one past the last one.
        """
        for frame in (start, stop - 1):
            self._check_frame(frame)
        if start >= stop:
            raise InputError(f"No frame lies from {start} up to {stop}; give an end after it.")
        kept = self.mask_store.keep(mask)
        count = self.survey.count
        return self._edited.change(
            lambda state: edits.add_overlay(
                state, name, kept, start, stop, count=count, version=self.version + 1
            )
        )

    def add_given(self, name: str, run: str, given_id: int) -> int:
        """A new thing to remove that ``run``, from ``keep_masks``, shows; returns its id."""
        return self._edited.change(
            lambda state: edits.add_given(state, name, run, given_id, self.version + 1)
        )

    def leave(self, object_id: int, box: Box, frames: range) -> None:
        """What is shown of the object in ``box`` in these frames is not of it after all."""
        for frame in (frames.start, frames.stop - 1):
            self._check_frame(frame)
        self._edited.change(
            lambda state: edits.leave(
                *(state, self._view_of(state), self.mask_store, object_id, box, frames)
            )
        )

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
        self._edited.change(lambda state: edits.change_object(state, object_id, values))

    def remove_object(self, object_id: int) -> None:
        """Forget the object and its prompts; undo brings it back."""
        self._edited.change(lambda state: (state.without_object(object_id), None))

    def set_prompt(
        self, frame: int, object_id: int, prompt: Prompt | None, painted: bool = False
    ) -> Outline | None:
        """All that points at the object in this frame, in place of what did before.

        Points and strokes on a frame where a mask is shown already mend that mask; a box or a mask
        outlines anew. Painted strokes change what is shown pixel for pixel and nothing else; of
        what does not move they change it in all frames that share the mask. ``prompt.object_id``
        and ``prompt.at`` are not looked at.

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
            self._edited.change(lambda state: (state.with_anchor(object_id, frame, None), None))
            return None
        pointing = prompt.points or prompt.box or (prompt.brushes and not painted)
        if pointing and not (painted and self._painting(self.state, frame, object_id, prompt)):
            self.prepare(frame)  # the slow part, while other edits go on

        def edit(state: State) -> tuple[State, Outline]:
            view = self._view_of(state)
            if painted and (done := self._painting(state, frame, object_id, prompt)) is not None:
                return state.with_anchor(object_id, done.frame, done.anchor), done.outline
            request = self._pointing.request(view, frame, object_id, prompt, painted)
            return self._anchored(state, frame, object_id, request, 0)

        return self._edited.change(edit)

    def _painting(
        self, state: State, frame: int, object_id: int, prompt: Prompt
    ) -> Painting | None:
        return self._pointing.painted(self._view_of(state), frame, object_id, prompt)

    def _anchored(
        self, state: State, frame: int, object_id: int, request: OutlineRequest, chosen: int
    ) -> tuple[State, Outline]:
        answer = self._pointing.answer(frame, object_id, request, chosen, _settings_of(state))
        anchor = self._pointing.anchor(request, answer)
        return state.with_anchor(object_id, frame, anchor), answer.outline

    def choose(self, frame: int, object_id: int, candidate: int) -> Outline:
        """Take another of the candidates of a prompt, counted from 0."""

        def edit(state: State) -> tuple[State, Outline]:
            request = self._pointing.request_again(state, frame, object_id, candidate)
            return self._anchored(state, frame, object_id, request, candidate)

        return self._edited.change(edit)

    def outlines(self, frame: int, object_id: int) -> tuple[np.ndarray, ...]:
        """(H, W) bool each: the candidates of the prompt in this frame, as ``choose`` counts them.

        Raises:
            InputError: there is no such prompt.
        """
        state = self.state
        request = self._pointing.request_again(state, frame, object_id, 0)
        return self._pointing.answer(frame, object_id, request, 0, _settings_of(state)).masks

    def outline_again(
        self,
        frame: int,
        object_id: int,
        values: Mapping[str, Any] | None = None,
        engine_fields: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Outline:
        """Answer the prompt in this frame anew, after changing settings as ``set_settings`` does.

        Both are one edit. Strokes that were painted lie on the new outline as they did on the old.
        """
        self._check_frame(frame)

        def edit(state: State) -> tuple[State, Outline]:
            state, _ = edits.set_settings(state, values or {}, engine_fields or {})
            request = self._pointing.request_again(state, frame, object_id, 0)
            return self._anchored(state, frame, object_id, request, 0)

        return self._edited.change(edit)

    def preview(self, frame: int, object_id: int, prompt: Prompt, painted: bool = False) -> Outline:
        """What ``set_prompt`` would show; nothing is changed."""
        self._check_frame(frame)
        state = self.state
        view = self._view_of(state)
        request = self._pointing.request(view, frame, object_id, prompt, painted)
        return self._pointing.answer(frame, object_id, request, 0, _settings_of(state)).outline

    def prepare(self, frame: int) -> None:
        """Look at a frame beforehand, so that the first click in it is answered quickly."""
        self._check_frame(frame)
        self._outliner.prepare(frame, self.settings)

    def gone(self, frame: int, object_id: int, until: int | None = None) -> None:
        """The object is not to be seen from ``frame`` to ``until``; None: to its next anchor.

        What is shown in the frames before, and after ``until``, stays as it is.
        """
        for checked in (frame, frame if until is None else until):
            self._check_frame(checked)
        self._edited.change(
            lambda state: edits.gone(state, self._view_of(state), frame, object_id, until)
        )

    def begins(self, frame: int, object_id: int) -> None:
        """What does not move is first seen in ``frame``."""
        self._check_frame(frame)
        self._edited.change(lambda state: edits.begins(state, object_id, frame))

    def ends(self, frame: int, object_id: int) -> None:
        """What does not move is last seen in ``frame``, or until it is marked again after it."""
        self._check_frame(frame)
        self._edited.change(lambda state: edits.ends(state, object_id, frame, self.survey.count))

    def approve(self, frame: int, object_id: int | None = None) -> None:
        """What is shown in ``frame`` is right, of one object or of all; tracking ends there."""
        self._check_frame(frame)
        self._edited.change(
            lambda state: edits.approve(
                state, self._view_of(state), self.mask_store, frame, object_id
            )
        )

    def dismiss(self, doubt_id: str) -> None:
        """A stretch of ``doubtful`` is right as it is."""
        self._edited.change(lambda state: edits.dismiss(state, doubt_id, self.doubtful()))

    def set_span(self, start: int, stop: int) -> None:
        """Follow and remove in the frames from ``start`` up to, not including, ``stop``."""
        self._edited.change(lambda state: edits.set_span(state, start, stop, self.survey.count))

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
        self._edited.change(
            lambda state: edits.set_settings(state, values or {}, engine_fields or {})
        )

    def undo(self) -> bool:
        """Take the latest edit back; False when there is none."""
        return self._edited.step(back=True)

    def redo(self) -> bool:
        """Make the edit again that was taken back; False when there is none."""
        return self._edited.step(back=False)

    def _check_frame(self, frame: int) -> None:
        if not 0 <= frame < self.survey.count:
            raise InputError(
                f"Frame {frame} is not in the clip; its frames are 0 to {self.survey.count - 1}."
            )

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
        with locked(self.path / "follow.lock", wait=False) as held:
            if not held:
                raise InputError(
                    f"{self.path} is being tracked by another program; stop that one first."
                )
            discovered = self._tracks.track(
                *(state, _settings_of(state), progress),
                direction=direction,
                frame=frame,
                objects=objects,
                stop=stop,
            )
            if discovered:
                version = self.version + 1
                self._edited.change(lambda now: (now.with_discovered(discovered, version), None))

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
        taken = transfer.read_masks(
            *(Path(path), self.source, self.info, self.survey, self._tracks),
            progress or Progress(),
        )
        version = self.version + 1
        return self._edited.change(partial(transfer.with_masks, taken=taken, version=version))

    def keep_masks(self, masks: Masks, progress: Progress | None = None) -> tuple[list[int], str]:
        """Keep masks beside the project, for ``add_given``; the ids they show, and their run.

        Args:
            masks: one for each frame of the clip, of its size.
            progress: told about each mask.
        """
        return transfer.keep_run(
            masks, masks.origin, self.survey.count, self._tracks, progress or Progress()
        )

    def export_masks(
        self, target: Path | str, progress: Progress | None = None, *, overwrite: bool = True
    ) -> None:
        """Write the masks of all frames, not grown: ``.mkv``, or a folder of PNGs.

        Frames outside of the span have empty masks.
        """
        progress = progress or Progress()
        state = self.state
        self._tracks.find_letters(state, _settings_of(state), progress)
        transfer.write_masks(
            *(self._view_of(state), self.source, self.info, self.survey),
            *(target, overwrite, progress),
        )

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
    ) -> Order:
        """The job that removes what is shown now, for ``jobs.job.run``.

        Args:
            out: the clean clip; a folder of PNGs when it ends in ``/``.
            start, stop: write only this part, filled as in the whole; None: all of the span.
            overwrite: replace ``out`` if it exists.
            save_masks: where to keep the masks that were filled.
            progress: told when still boxes are looked at for letters, which takes seconds.
            whole: the output holds the whole clip; frames outside of the span are the source's.
        """
        state = self.state
        settings = _settings_of(state)
        self._tracks.find_letters(state, settings, progress or Progress())
        view = self._view_of(state)
        order = transfer.removal(
            *(view, settings, self.source, state.stream, self.survey),
            *(out, start, stop, overwrite, save_masks, whole),
        )
        undone = self.undone(view)
        return order if undone is None else undone.of(order)

    def undone(self, view: View) -> found.Undone | None:
        """The shadows in ``view`` that a removal gives their light back instead of filling them."""
        return found.undone_in(self.path, view, self.survey)


def _settings_of(state: State) -> Settings:
    return settings_from(state.settings, state.engine_fields)
