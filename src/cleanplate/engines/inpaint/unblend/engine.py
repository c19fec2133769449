"""Half-transparent overlays are undone, not painted over: what is behind them is in the picture.

The overlay's opacity and colour are learnt from many frames (see ``matte``), from the first ones
of the stream if nobody showed it better ones; then each frame is freed of it. Where it hides the
picture, or is not known well enough, another engine fills. Where nothing can be learnt, as under
a camera that never moves, that engine fills all of the mask: ``Engine.learn`` says which it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, ClassVar, Self

import numpy as np

from cleanplate.arrays.overlay import most_frames
from cleanplate.engines.inpaint import telea
from cleanplate.engines.inpaint.flowfill import engine as flowfill
from cleanplate.engines.inpaint.shared.inputs import same_sizes
from cleanplate.engines.inpaint.unblend.matte import Matte, learn, undo
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Frame, MaskedFrame

_FEW_VIEWS = 12  # different pictures behind an overlay: fewer leave smears
_CHANGE = 3.0  # grey levels by which they differ on average
_FILLERS: dict[str, Any] = {"flowfill": flowfill, "telea": telea}


@dataclass(frozen=True)
class Settings:
    """How the overlay is learnt, and what fills the pixels that it hides."""

    fill: str = setting(
        "flowfill",
        "Engine that fills what cannot be undone.",
        choices=tuple(_FILLERS),
    )
    study: int = setting(
        100,
        "How many frames from the start the overlay is learnt from, unless it is known.",
        low=1,
        high=1000,
        unit="frames",
    )

    def __post_init__(self) -> None:
        check(self)


class Engine:
    """See the module."""

    about: ClassVar[About] = About(
        "inpaint",
        "unblend",
        "Undoes semi-transparent watermarks and keeps the picture behind them.",
        order=20,
        choices=(
            Choice(
                "See-through watermark",
                "For a semi-transparent mark that does not move: keeps the picture behind it.",
            ),
        ),
    )
    Settings: ClassVar[type[Settings]] = Settings

    def __init__(self, settings: Settings, runtime: Runtime) -> None:
        self.settings = settings
        filler = _FILLERS[settings.fill]
        self._filler = filler.Engine(filler.Settings(), runtime)
        self._known: Mapping[tuple[int, ...], Matte | None] = {}
        self._doubts: tuple[str, ...] = ()

    @property
    def lookahead(self) -> int | None:
        """The frames that the overlay is learnt from, or the filling engine's lookahead if that is
        more."""
        return max(self.settings.study - 1, self._filler.lookahead)

    @property
    def lookback(self) -> int | None:
        """The overlay is learnt from the first frames."""
        return None

    @property
    def window(self) -> int | None:
        """The frames that the overlay is learnt from, or the filling engine's window if that is
        more."""
        return max(self.settings.study, self._filler.window) + 1

    def learn(self, frames: Iterable[MaskedFrame]) -> Matte | None:
        """The overlay under the masks; None if it cannot be told: then the masks are filled.

        Args:
            frames: any of one clip that show it, best from many shots; all of one size. Those
                whose mask or place differs from the first masked one's are left out.
        """
        images: list[np.ndarray] = []
        first: MaskedFrame | None = None
        for masked in frames:
            if first is None and masked.mask.any():
                first = masked
            if first is not None and _alike(masked, first):
                images.append(masked.frame.image)
        if first is None:
            return None
        count = min(len(images), most_frames(first.mask.shape[1], first.mask.shape[0]))
        chosen = np.linspace(0, len(images) - 1, count).round().astype(int)
        return learn([images[i] for i in chosen], first.mask != 0, first.origin)

    def knowing(self, *samples: Iterable[MaskedFrame]) -> Self:
        """An engine like this that has learnt from ``samples``, one for each place of the picture.

        Streams whose frames have the place and size of a sample's need no study of their own.
        """
        known, doubts = dict(self._known), self._doubts
        for frames in samples:
            shown = list(frames)
            known[_place(shown[0])] = self.learn(shown)
            doubts = (*doubts, *_doubts(shown, known[_place(shown[0])]))
        taught = type(self).__new__(type(self))
        taught.settings, taught._filler, taught._known = self.settings, self._filler, known
        taught._doubts = doubts
        return taught

    @property
    def doubts(self) -> tuple[str, ...]:
        """What could not be learnt, or was from too little, of the places that it was shown."""
        return self._doubts

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        """See ``Inpainter.inpaint``. Places that ``knowing`` was shown need no study of their own.

        Raises:
            MaskError: masks or images of differing sizes.
        """
        stream = same_sizes(frames)
        waiting = deque(islice(stream, 1))
        if not waiting:
            return
        if _place(waiting[0]) in self._known:
            matte = self._known[_place(waiting[0])]
        else:
            waiting.extend(islice(stream, self.settings.study - 1))
            matte = self.learn(waiting)
        filling = self._filler.inpaint(_undone(_drained(waiting, stream), matte))
        try:
            yield from filling
        finally:
            filling.close()


def _doubts(frames: list[MaskedFrame], matte: Matte | None) -> list[str]:
    """What a person should know of an overlay that was, or was not, learnt from ``frames``."""
    masked = next((frame for frame in frames if frame.mask.any()), None)
    if masked is None:
        return []
    x, y = masked.origin
    where = f"the overlay near {x + masked.mask.shape[1] // 2},{y + masked.mask.shape[0] // 2}"
    if matte is None:
        return [
            f"Nothing could be learnt of {where}: the picture behind it hardly changes. It was "
            "filled, not undone."
        ]
    views = _differing([frame.frame.image for frame in frames], masked.mask != 0)
    if views >= _FEW_VIEWS:
        return []
    return [
        f"Of {where} too little could be learnt: only {views} of the {len(frames)} frames looked "
        f"at show something else behind it, and {_FEW_VIEWS} are needed. Look for smears; Real "
        "background fills it instead."
    ]


def _differing(images: list[np.ndarray], mask: np.ndarray) -> int:
    """How many of ``images`` show something new around ``mask``, one after the other."""
    part = mask if mask.all() else ~mask
    count, latest = 0, None
    for image in images:
        seen = image[part].astype(np.float32)
        if latest is None or np.abs(seen - latest).mean() > _CHANGE:
            count, latest = count + 1, seen
    return count


def _place(masked: MaskedFrame) -> tuple[int, ...]:
    return (*masked.origin, *masked.mask.shape)


def _alike(first: MaskedFrame, second: MaskedFrame) -> bool:
    if first.mask is not second.mask and not np.array_equal(first.mask != 0, second.mask != 0):
        return False
    return first.origin == second.origin


def _drained(waiting: deque[MaskedFrame], rest: Iterator[MaskedFrame]) -> Iterator[MaskedFrame]:
    while waiting:
        yield waiting.popleft()
    yield from rest


def _undone(frames: Iterator[MaskedFrame], matte: Matte | None) -> Iterator[MaskedFrame]:
    """The frames without the overlay; their masks hold what is still to be filled."""
    for masked in frames:
        mask = masked.mask != 0
        if matte is None or masked.origin != matte.origin or not mask.any():
            yield masked
            continue
        picture, doubtful = undo(masked.frame.image, matte)
        image = np.where((mask & matte.inside)[..., None], picture, masked.frame.image)
        image.flags.writeable = False
        to_fill = mask & (doubtful | ~matte.mask)
        yield replace(
            masked, frame=replace(masked.frame, image=image), mask=to_fill.astype(np.uint8)
        )
