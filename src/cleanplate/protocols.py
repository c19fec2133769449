"""What an engine promises. ``tests/contract`` holds every engine to it.

Engines hold weights and settings and never change after construction, so one engine serves many
clips at once. What belongs to one clip lives in the ``Tracking`` that ``start`` returns or in the
generator that ``inpaint`` returns.

An engine module, ``engines/<task>/<name>.py`` or ``engines/<task>/<name>/engine.py``, defines a
class ``Engine`` with

- ``about``: an ``About``; ``about.name`` is the name of the file or the folder;
- ``Settings``: a frozen dataclass of ``cleanplate.settings.setting`` fields;
- ``__init__(self, settings, runtime)``: ``settings`` an instance of ``Settings`` and ``runtime``
  a ``Runtime``;

and the methods of its task's protocol: ``Segmenter``, ``Tracker`` or ``Inpainter``. What it may
offer besides has protocols too, and is looked for with ``isinstance``: ``SegmentsEverything``,
``LearnsOverlay``, ``PlansRegions``. Importing the module must be cheap and do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from cleanplate.arrays.runs import Found
    from cleanplate.types import Candidates, Frame, MaskedFrame, Prompt, TrackedMask

Task = Literal["segment", "track", "inpaint"]
"""What an engine does; also the name of the folder that it lies in."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line in plain words by which a person picks an engine, or an engine and some settings."""

    title: str
    """Two or three words."""
    says: str
    """What it is good at, and what not, in a sentence or two."""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The engine's own settings that it sets, by name; None sets the default."""
    checkpoint: str = ""
    """A checkpoint that these settings ask for, beside what the engine needs."""


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
    still: bool = False
    """Trackers: whether every mask stays where it was put, because what it covers never moves."""
    order: int = 1000
    """Place among the engines of its task where a person chooses; low ones come first."""
    choices: tuple[Choice, ...] = ()
    """What a person picks it by; with none it is shown by its name and its summary."""
    seconds_per_megapixel: Mapping[str, float] = field(default_factory=dict[str, float])
    """Inpainters: seconds for a megapixel of region in one frame, by device (``cpu``), with the
    default settings; believed until a job on this machine was timed."""
    time_shares: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict[str, Mapping[str, float]]
    )
    """Inpainters: by setting and by value as text, how long that takes as a part of the default."""

    def time_share(self, fields: Mapping[str, Any]) -> float:
        """How long the engine takes with these settings, as a part of its default time."""
        part = 1.0
        for name, value in fields.items():
            part *= self.time_shares.get(name, {}).get(str(value), 1.0)
        return part


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where and how an engine computes; already resolved, never ``auto``."""

    device: str = "cpu"
    """``cpu``, ``cuda``, ``cuda:1``, ``mps``: as torch names them."""
    precision: str = "float32"
    """``float32``, ``bfloat16`` or ``float16``: what networks compute in."""
    seed: int = 0
    """Where random numbers begin; the same seed gives the same output."""
    memory: int | None = None
    """Bytes that an engine may take; None: it takes what its procedure needs."""


class Engine(Protocol):
    """What every engine's class has, whatever its task."""

    about: ClassVar[About]
    """What it says of itself."""
    Settings: ClassVar[type[Any]]
    """A frozen dataclass whose fields are made by ``cleanplate.settings.setting``."""

    def __init__(self, settings: Any, runtime: Runtime) -> None:
        """Load what the engine needs; ``settings`` is a ``Settings``.

        Raises:
            WeightsError: its weights are not here, or not those of its network.
        """
        ...


@runtime_checkable
class Segmenter(Protocol):
    """Outlines what a user points at in one picture."""

    def encode(self, image: np.ndarray) -> Any:
        """Look at ``image`` ((H, W, 3) uint8 RGB) once. The slow part; keep the result."""
        ...

    def decode(self, encoded: Any, prompt: Prompt) -> Candidates:
        """Outline what ``prompt`` points at; as often as wanted for one ``encoded``."""
        ...


@runtime_checkable
class SegmentsEverything(Protocol):
    """A segmenter that can list all things in a picture, without being pointed at any."""

    def everything(self, image: np.ndarray) -> Sequence[Found]:
        """All things in ``image`` ((H, W, 3) uint8 RGB); they may lie in one another."""
        ...


@runtime_checkable
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


@runtime_checkable
class Tracker(Protocol):
    """Follows objects from the frame in which they are marked."""

    def start(self, frame: Frame, mask: np.ndarray) -> Tracking:
        """Begin at ``frame``, whose ``mask`` ((H, W) uint8, value = object id) is the truth."""
        ...

    def resume(self, state: dict[str, np.ndarray]) -> Tracking:
        """Go on from what ``Tracking.state`` returned, in another process maybe."""
        ...


@runtime_checkable
class Inpainter(Protocol):
    """Paints what is behind a mask."""

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


@runtime_checkable
class LearnsOverlay(Protocol):
    """An inpainter that can learn an overlay from frames of the clip before it fills the first."""

    def knowing(self, *samples: Iterable[MaskedFrame]) -> Inpainter:
        """An engine like this that has learnt from ``samples``, one for each place of the picture.

        All frames of a sample have one mask, one size and one origin. The engine itself stays as it
        is; what it returns can learn further places.
        """
        ...


@runtime_checkable
class PlansRegions(Protocol):
    """An inpainter that divides a region where memory is scarce, and can say how beforehand."""

    def plan(self, width: int, height: int) -> object:
        """What is done with a region of ``width`` x ``height`` px; ``str()`` says it in words.

        Raises:
            InputError: the region cannot be filled within ``Runtime.memory``.
        """
        ...
