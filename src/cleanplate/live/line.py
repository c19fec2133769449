"""The straight line, live: a source, the masks, the fill, a sink, each on a thread of its own.

    source ──▶ inbox ──▶ follower ──▶ pipeline.fill ──▶ outlet ──▶ sink
               (drops)    (masks)                        (drops)

Between two stages one frame waits, in the inbox a few: nothing queues up.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from typing import Any

from cleanplate.arrays.regions import Margins
from cleanplate.arrays.streams import prefetch
from cleanplate.live.clock import Clock, InFlight, RealClock, VirtualClock
from cleanplate.live.effort import Effort, Level
from cleanplate.live.filling import Hurried, live_inpainter
from cleanplate.live.following import Follower
from cleanplate.live.inbox import Inbox, LivePicture, compose
from cleanplate.live.outlet import Outlet
from cleanplate.live.places import WholePicture
from cleanplate.live.stats import Stats
from cleanplate.media.live_sink import Sink
from cleanplate.media.live_source import LiveSource, Sound
from cleanplate.media.picture import Picture
from cleanplate.media.shots import PICTURE_WIDTH, LiveShotDetector
from cleanplate.pipeline.fill import MaskedPicture, fill
from cleanplate.pipeline.regions import CausalRegions, RegionSource
from cleanplate.progress import Progress
from cleanplate.prompts.frames import combined_objects
from cleanplate.protocols import Hurries, Inpainter
from cleanplate.settings.groups import Settings
from cleanplate.types import Prompt

_START_WAIT = 0.5  # seconds that a thread is given to end by itself


@dataclass(frozen=True, slots=True)
class LiveOrder:
    """All that a live picture is asked to be."""

    source: LiveSource
    make_sink: Callable[[LiveSource], Sink] | None
    """Called with the source once it plays; None: the picture goes to those who watch alone."""
    prompts: tuple[Prompt, ...] = ()
    settings: Settings = field(default_factory=Settings)
    latency: float | None = 0.2
    """Seconds that a frame may take; None: nothing is dropped, the source waits."""
    simulate: bool = False
    """A file is played as if it came live, by a clock that leaves out idle time."""
    sink_may_return: bool = False
    """Whether a sink that goes away is opened again."""
    stop_after: int | None = None
    """Frames of the source after which to stop."""


class Line:
    """One live picture from its source to its sink."""

    def __init__(self, order: LiveOrder, progress: Progress | None = None) -> None:
        """
        Raises:
            InputError: an engine that cannot work live.
            WeightsError: weights that are not here.
        """
        self._order = order
        self._progress = progress or Progress()
        self._in_flight = InFlight()
        self._clock: Clock = VirtualClock(self._in_flight) if order.simulate else RealClock()
        self.stats, self._effort = Stats(), Effort(order.latency)
        self.follower = Follower(order.settings)
        self.follower.prepare(order.prompts)
        self._engine: Inpainter = live_inpainter(order.settings)
        self._hurried = Hurried(self._engine)
        self._inbox = Inbox(
            *(self._clock, self.stats, self._in_flight, order.latency, self._effort)
        )
        self._outlet = Outlet(self._clock, self.stats, self._in_flight, self._effort)
        self._paced = order.latency is not None and not order.source.address.plays_by_itself
        self._stop = threading.Event()
        self._waiting = list(order.prompts)
        self._outlined = threading.Event()
        self.watchers: list[Callable[[LivePicture], None]] = []
        """Told of every picture that is shown; must be quick."""
        self.latest = -1
        """Index of the frame shown last: what a click points into."""

    @property
    def effort_words(self) -> str:
        """What is left out at the moment; empty: nothing."""
        return self._effort.level.words

    def stop(self) -> None:
        """End soon, with what is finished whole; from any thread or a signal's handler."""
        self._stop.set()

    def run(self) -> dict[str, Any]:
        """Play until the source ends or ``stop`` is called.

        Returns:
            ``Stats.summary``.

        Raises:
            MediaError: the source cannot be read, or the sink went away.
        """
        order = self._order
        order.source.interrupted = self._stop.is_set
        reader = threading.Thread(target=self._read, name="live source", daemon=True)
        begun = self._clock.now()
        self.stats.clock = lambda: self._clock.now() - begun
        reader.start()
        try:
            self._play()
        finally:
            self._stop.set()
            self._inbox.abandon()
            reader.join(_START_WAIT)
            # What was on its way when somebody stopped it was not shown.
            self.stats.dropped("stopped", self._in_flight.take_all())
            elapsed = self._clock.now() - begun
            self.stats.clock = lambda: elapsed
            mishaps = order.source.mishaps
            self.stats.other |= {
                "reconnects": mishaps.reconnects,
                "clock_jumps": mishaps.jumps,
                "resized": mishaps.resized,
                "damaged_packets": mishaps.damaged,
                "notes": [*mishaps.notes, *self._outlet.notes],
            }
        return self.stats.summary()

    def _read(self) -> None:
        """The source's thread: gives out pictures at their times, and sound at once."""
        order, clock = self._order, self._clock
        begun: float | None = None
        count = 0
        error: BaseException | None = None
        try:
            with contextlib.closing(order.source.events()) as events:
                for event in events:
                    if self._stop.is_set():
                        break
                    if isinstance(event, Sound):
                        self._outlet.play(event)
                        continue
                    if begun is None:
                        begun = clock.now()
                    arrived = clock.now()
                    if self._paced:
                        arrived = begun + float(event.time)
                        clock.wait_until(arrived, self._stop)
                    self._inbox.put(event, arrived)
                    count += 1
                    if count == 1:
                        # The first picture is outlined before time runs: see ``_masked``.
                        while not (self._outlined.wait(0.1) or self._stop.is_set()):
                            pass
                        begun = clock.now()
                    if order.stop_after is not None and count >= order.stop_after:
                        break
        except Exception as raised:  # noqa: BLE001  raised again by whoever reads the inbox
            error = raised
        self._inbox.end(error)

    def _play(self) -> None:
        pictures = self._inbox.pictures()
        first = next(pictures, None)
        if first is None:
            return
        size = first.image.shape[:2]
        regions = self._regions((size[0], size[1]))
        masks = self._order.settings.masks
        feather = masks.feathered_by(masks.grown_by(size[0], exact=False, is_print=False))
        masked = prefetch(self._masked(first, pictures), depth=1, wait=_START_WAIT)
        filled = prefetch(self._filled(masked, regions, feather), depth=1, wait=_START_WAIT)
        order = self._order
        make = None if order.make_sink is None else partial(order.make_sink, order.source)
        outlet = self._outlet.open(make, order.sink_may_return)
        with outlet, contextlib.closing(filled):
            try:
                for picture in filled:
                    self.latest = picture.index
                    for watch in self.watchers:
                        watch(picture)
                    self._outlet.show(picture, wait=order.latency is None)
                    if self._stop.is_set():
                        break
            finally:
                self._inbox.abandon()  # whoever waits for pictures goes on to its end

    def _regions(self, size: tuple[int, int]) -> RegionSource:
        if isinstance(self._engine, Hurries):
            return WholePicture(size)
        regions = self._order.settings.regions
        margins = Margins(regions.context, regions.least_context)
        return CausalRegions(size, margins, self._engine.lookback)

    def _masked(
        self, first: LivePicture, others: Iterator[LivePicture]
    ) -> Generator[MaskedPicture[LivePicture]]:
        """The pictures with their masks and shots."""
        detector, shot = LiveShotDetector(), 0
        for picture in chain([first], others):
            begun = time.perf_counter()
            cut = detector.see(picture.picture.luma_small(PICTURE_WIDTH))
            shot += cut
            rest = picture.index % picture.effort.looks_every != 0
            picture.mask = self.follower.step(picture, shot, rest)
            if self._point(picture):
                picture.mask = self.follower.drawn(picture)
            if self._paced and picture.index == 0:
                picture.comes(self._clock.now())  # time runs from here on: see ``_read``
            self._outlined.set()
            self._worked("track", time.perf_counter() - begun)
            yield MaskedPicture(picture, picture.mask, shot)

    def _point(self, picture: LivePicture) -> bool:
        """Outline what prompts of the order point at now: the picture waits for it."""
        due = [prompt for prompt in self._waiting if _is_due(prompt, picture.picture)]
        if not due:
            return False
        self._waiting = [prompt for prompt in self._waiting if prompt not in due]
        for prompt in combined_objects(due):
            self.follower.point(prompt, picture.index)
        return True

    def _filled(
        self, masked: Generator[MaskedPicture[LivePicture]], regions: RegionSource, feather: int
    ) -> Iterator[LivePicture]:
        """The filled pictures; how long filling takes is measured without waiting for masks."""
        waited = 0.0

        def arriving() -> Iterator[MaskedPicture[LivePicture]]:
            nonlocal waited
            while True:
                begun = time.perf_counter()
                picture = next(masked, None)
                waited += time.perf_counter() - begun
                if picture is None:
                    return
                shown = picture.picture
                if shown.due is not None:
                    left = shown.due - self._clock.now()
                    level = self._effort.in_time(shown.effort, left)
                    # A single blurred picture would flash: rather none.
                    shown.is_late = level > shown.effort and level is Level.BLURRED
                    shown.effort = level
                self._hurried.levels.append((shown.index, shown.effort))
                yield picture

        pictures = fill(arriving(), regions, self._hurried, feather, compose=compose)
        with contextlib.closing(masked), contextlib.closing(pictures):
            while True:
                begun, waited = time.perf_counter(), 0.0
                picture = next(pictures, None)
                if picture is None:
                    return
                seconds = time.perf_counter() - begun - waited
                self._worked("fill", seconds)
                if picture.mask is not None and picture.mask.any():
                    self._effort.filled(picture.effort, seconds)
                yield picture

    def _worked(self, stage: str, seconds: float) -> None:
        self.stats.worked(stage, seconds)
        self._effort.worked(stage, seconds)


def _is_due(prompt: Prompt, picture: Picture) -> bool:
    reached = picture.index if isinstance(prompt.at, int) else picture.time
    return prompt.at <= reached
