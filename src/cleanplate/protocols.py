"""What an engine promises. ``tests/contract`` holds every engine to it.

Engines hold weights and settings and never change after construction, so one engine serves many
clips at once. What belongs to one clip lives in the ``Tracking`` that ``start`` returns or in the
generator that ``inpaint`` returns.

An engine module, ``engines/<task>/<name>.py``, defines a class ``Engine`` with

- ``about``: an ``About``; ``about.name`` is the file's name;
- ``Settings``: a frozen dataclass of ``cleanplate.settings.setting`` fields;
- ``__init__(self, settings, runtime)``: ``settings`` an instance of ``Settings`` and ``runtime``
  a ``Runtime``;

and the methods of its task's protocol. Importing the module must be cheap and do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

if TYPE_CHECKING:
    import numpy as np

    from cleanplate.types import Candidates, Frame, MaskedFrame, Prompt, TrackedMask

Task = Literal["segment", "track", "inpaint"]


@dataclass(frozen=True, slots=True)
class About:
    """What a person reads of an engine before choosing it."""

    task: Task
    name: str
    summary: str
    """One sentence: what it is for."""
    licence: str = "Apache-2.0"
    """Licence of the code, and of the weights where there are any."""
    commercial: bool = True
    """Whether the licence of the weights allows commercial use."""
    needs: tuple[str, ...] = ()
    """Modules to import beyond the core install, for example ``torch``."""
    extra: str = ""
    """The extra of the package that brings them, for example ``networks``."""
    checkpoints: tuple[str, ...] = ()
    """Names of the checkpoints, one of which it needs."""
    also: tuple[str, ...] = ()
    """Names of further checkpoints, one of which it needs besides."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how an engine computes; already resolved, never ``auto``."""

    device: str = "cpu"
    precision: str = "float32"
    seed: int = 0
    memory: int | None = None
    """Bytes that an engine may take; None: it takes what its procedure needs."""


class Engine(Protocol):
    about: ClassVar[About]
    Settings: ClassVar[type[Any]]


class Segmenter(Protocol):
    def encode(self, image: np.ndarray) -> Any:
        """Look at ``image`` ((H, W, 3) uint8 RGB) once. The slow part; keep the result."""
        ...

    def decode(self, encoded: Any, prompt: Prompt) -> Candidates:
        """Outline what ``prompt`` points at; as often as wanted for one ``encoded``."""
        ...

    # A segmenter that can list all things of a picture has ``everything(image)`` too, which
    # returns ``arrays.runs.Found`` objects.


class Tracking(Protocol):
    """One clip being tracked, in one direction of time."""

    def step(self, frame: Frame) -> TrackedMask:
        """Follow into ``frame``, the next one in this direction."""
        ...

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        """Fix or add objects in the frame last seen; earlier frames stay as they are.

        ``mask`` is (H, W) uint8: the objects whose ids it holds are replaced, others go on.
        """
        ...

    def state(self) -> dict[str, np.ndarray]:
        """All that ``Tracker.resume`` needs to go on after the frame last seen."""
        ...


class Tracker(Protocol):
    def start(self, frame: Frame, mask: np.ndarray) -> Tracking:
        """Begin at ``frame``, whose ``mask`` ((H, W) uint8, value = object id) is the truth."""
        ...

    def resume(self, state: dict[str, np.ndarray]) -> Tracking:
        """Go on from what ``Tracking.state`` returned, in another process maybe."""
        ...


class Inpainter(Protocol):
    @property
    def lookahead(self) -> int | None:
        """Later frames that a filled frame may depend on; 0 is live; None is the whole shot."""
        ...

    @property
    def lookback(self) -> int | None:
        """Earlier frames that a filled frame may depend on; None is all of the shot's."""
        ...

    @property
    def window(self) -> int | None:
        """Most frames that ``inpaint`` keeps alive at once; None is the whole shot."""
        ...

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        """Fill the masked pixels.

        As many frames out as in, with the same indexes and times, in the same order. Pixels
        outside the mask equal the input's. A frame whose mask is empty is returned itself. No
        fill crosses from one ``Frame.shot`` to another. Input is consumed lazily and once. All
        images of one call have one size; ``MaskedFrame.origin`` may change between frames.
        """
        ...
