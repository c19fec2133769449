"""Stage 2: prompts become marks: an anchor for each object in each frame that was pointed at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cleanplate.errors import InputError
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.prompts.frames import combined
from cleanplate.prompts.outliner import Outliner, OutlineRequest
from cleanplate.runtime import MakeEngine
from cleanplate.settings.groups import Settings
from cleanplate.tracks.marks import Marks, TrackedObject, colour_of
from cleanplate.tracks.pointing import Pointing
from cleanplate.tracks.tracks import Tracks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cleanplate.media.read import Clip
    from cleanplate.types import Prompt


def outlined(
    clip: Clip,
    prompts: Sequence[Prompt],
    survey: Survey,
    span: Span,
    tracks: Tracks,
    settings: Settings,
    *,
    still: bool,
    make: MakeEngine,
    progress: Progress,
) -> Marks:
    """The marks that ``prompts`` make; the masks of the anchors are kept with ``tracks``.

    Args:
        clip: the clip.
        prompts: what a user pointed with.
        survey: what the clip was found to be.
        span: the frames to work on.
        tracks: of this clip.
        settings: which segmenter, and how.
        still: nothing that was pointed at moves.
        make: makes segmenters.
        progress: told of the stage.

    Raises:
        InputError: a frame or a place that is not there, or nothing was found.
    """
    progress.start("segment", None)
    pointing = Pointing(tracks.store, Outliner(clip, make), tracks.size)
    marks = Marks(span=(span.start, span.stop))
    for frame, pointed in combined(prompts, survey).items():
        for prompt in pointed:
            number = prompt.object_id
            _check_size(prompt, tracks.size)
            request = OutlineRequest(prompt, painted=False, start=None)
            answer = pointing.answer(frame, number, request, 0, settings, alternatives=False)
            marks = marks.with_object(
                TrackedObject(number, f"Object {number}", colour_of(number), static=still)
            ).with_anchor(number, frame, pointing.anchor(request, answer))
    progress.finish()
    return marks


def _check_size(prompt: Prompt, size: tuple[int, int]) -> None:
    if prompt.mask is not None and prompt.mask.shape != size:
        height, width = prompt.mask.shape
        raise InputError(
            f"The mask of object {prompt.object_id} is {width}x{height} and the clip is "
            f"{size[1]}x{size[0]}; give it at the clip's (upright) size."
        )
