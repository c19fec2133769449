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
``LearnsOverlay``, ``TellsUnseen``, ``HasDoubts``, ``Hurries``, ``PlansRegions``. Importing the
module must be cheap and do nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from cleanplate.arrays.instances import Instance
    from cleanplate.types import Candidates, Frame, MaskedFrame, Prompt, TrackedMask

Task = Literal["segment", "track", "inpaint"]
"""What an engine does; also the name of the folder that it lies in."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One line in plain words that offers an engine, perhaps with some settings, to a person."""

    title: str
    """Two or three words."""
    says: str
    """What it is good at, and what it is not, in a sentence or two."""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Values for settings of the engine, by name; None means the default."""
    checkpoint: str = ""
    """A checkpoint that these settings ask for, beside what the engine needs."""


@dataclass(frozen=True, slots=True)
class About:
    """What an engine says of itself, before it is chosen and without loading it."""

    task: Task
    name: str
    summary: str
    """One sentence: what it is for."""
    licence: str = "Apache-2.0"
    """Licence of the code, and of the weights where there are any."""
    commercial: bool = True
    """Whether the licence of the weights allows commercial use."""
    needs: tuple[str, ...] = ()
    """Modules that it imports beyond the core install, such as ``torch``."""
    extra: str = ""
    """The extra of the package that installs them, such as ``networks``."""
    checkpoints: tuple[str, ...] = ()
    """Names of checkpoints, one of which it needs."""
    also: tuple[str, ...] = ()
    """Names of other checkpoints, one of which it needs as well."""
    fault: str = ""
    """Why it cannot be loaded, as a sentence; only the registry sets it, for broken packages."""
    still: bool = False
    """Trackers: whether every mask stays where it was drawn, for things that never move."""
    live: Mapping[str, str] | None = None
    """Inpainters: settings with which no frame waits for a later one, as live pictures need; None:
    there are none."""
    order: int = 1000
    """Position in the list that a person chooses from; the lowest comes first."""
    choices: tuple[Choice, ...] = ()
    """How it is offered to a person; with none, by its name and summary."""
    seconds_per_megapixel: Mapping[str, float] = field(default_factory=dict[str, float])
    """Inpainters: seconds for one megapixel of region in one frame with the default settings, by
    device (``cpu``); used until a job has been timed on this machine."""
    time_shares: Mapping[str, Mapping[str, float]] = field(
        default_factory=dict[str, Mapping[str, float]]
    )
    """Inpainters: for a setting and its value as text, the time it takes relative to the
    default."""

    def time_share(self, fields: Mapping[str, Any]) -> float:
        """The time that the engine takes with these settings, relative to its default."""
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
    """Seed for everything random; the same seed gives the same output."""
    memory: int | None = None
    """The most bytes that an engine may use; None for as many as its method needs."""


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
        """Prepare ``image`` ((H, W, 3) uint8 RGB). This is the slow part: keep the result."""
        ...

    def decode(self, encoded: Any, prompt: Prompt) -> Candidates:
        """Outline what ``prompt`` points at; call it as often as you like with one ``encoded``.

        Raises:
            InputError: the prompt is empty, lies outside the picture, or is of a kind that the
                engine cannot use.
        """
        ...


@runtime_checkable
class SegmentsEverything(Protocol):
    """A segmenter that outlines every object in a picture without being pointed at any."""

    def everything(self, image: np.ndarray) -> Sequence[Instance]:
        """Every object in ``image`` ((H, W, 3) uint8 RGB); one may lie inside another."""
        ...


@runtime_checkable
class Tracking(Protocol):
    """One clip being tracked, in one direction of time."""

    def step(self, frame: Frame) -> TrackedMask:
        """Find the objects in ``frame``, the next one in this direction of time."""
        ...

    def correct(self, frame: Frame, mask: np.ndarray) -> None:
        """Fix or add objects in the frame last seen; earlier frames stay as they are.

        ``mask`` is (H, W) uint8: the objects whose ids it holds are replaced, others go on.
        """
        ...

    def state(self) -> dict[str, np.ndarray]:
        """All that ``Tracker.resume`` needs to continue after the frame last seen, as arrays."""
        ...


@runtime_checkable
class Tracker(Protocol):
    """Follows objects from the frame in which they are marked."""

    def start(self, frame: Frame, mask: np.ndarray) -> Tracking:
        """Begin at ``frame``, whose ``mask`` ((H, W) uint8, value = object id) is the truth."""
        ...

    def resume(self, state: dict[str, np.ndarray]) -> Tracking:
        """Continue from what ``Tracking.state`` returned, perhaps in another process."""
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
        """Earlier frames that a filled frame may depend on; None is all of the shot."""
        ...

    @property
    def window(self) -> int | None:
        """The most frames that ``inpaint`` holds at once; None is the whole shot."""
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
    """An inpainter that can learn an overlay from the clip before it fills the first frame."""

    def knowing(self, *samples: Iterable[MaskedFrame]) -> Inpainter:
        """An engine like this that has learnt from ``samples``, one for each place of the picture.

        All frames of a sample have one mask, one size and one origin. The engine itself stays as it
        is; what it returns can learn further places.
        """
        ...


Tell = Callable[[int, float], None]
"""``tell(frame, share)``: in ``frame``, ``share`` (0..1) of the hole is shown by no frame."""


@runtime_checkable
class TellsUnseen(Protocol):
    """An inpainter that knows how much of a hole no frame shows: what it had to make up."""

    def inpaint_telling(self, frames: Iterable[MaskedFrame], tell: Tell) -> Iterator[Frame]:
        """``Inpainter.inpaint``; ``tell`` is called for frames in which something was made up."""
        ...


@runtime_checkable
class HasDoubts(Protocol):
    """An engine that can say, before it begins, what its work may suffer from."""

    @property
    def doubts(self) -> Sequence[str]:
        """Sentences for the person who asked for the work."""
        ...


@runtime_checkable
class Hurries(Protocol):
    """An inpainter without lookahead that can do less for a frame when there is no time.

    It looks at whole pictures rather than at regions: it remembers what it has seen anywhere.
    """

    def inpaint_hurried(
        self, frames: Iterable[MaskedFrame], level: Callable[[int], int]
    ) -> Iterator[Frame]:
        """As ``Inpainter.inpaint``; ``level`` tells how much to leave out of the frame of an index:
        0 nothing, 1 and 2 details, 3 all but what is quickest."""
        ...


@runtime_checkable
class PlansRegions(Protocol):
    """An inpainter that divides a region when memory is short, and can say beforehand how."""

    def plan(self, width: int, height: int) -> object:
        """How a region of ``width`` x ``height`` px is divided; ``str()`` says it in words.

        Raises:
            InputError: the region cannot be filled within ``Runtime.memory``.
        """
        ...
